# @summary Role: core call processing (CCP)
#
# It knows the subscribers: it authenticates them, keeps where they are registered, tells who is busy, connects their
# calls, and sends conferences, queues, voicemail and IVR to the pools that serve them, which its agent scales.
# The database must have Kamailio's tables: that is `kamscale::role::database`'s.
#
# @example
#   include kamscale::role::ccp
#
# @param packages
#   Packages of the modules that ccp.cfg loads.
#
# @param database_hosts
#   The database proxies. With two of them an HAProxy on this host asks the first that is up
#   (`kamscale::database_access`); one alone, or a database without our proxies, is asked directly.
#
# @param database_password
#   The password of the database's user. It stands in a URL: letters, digits and .~_- only.
#
# @param database_user
#   That user.
#
# @param database
#   The database.
#
# @param auth_secret
#   With what challenges are signed, the same at every CCP: then one may be answered at another. Default: each has one of its
#   own, and phones that change the CCP are challenged once more.
#
# @param server_id
#   A number of its own for every CCP. Default: made of the address.
#
# @param port
#   Where it listens.
#
# @param children
#   Worker processes per socket.
#
# @param dmq_peers
#   Where the other CCPs are found, with which calls and keys are shared. Default: by the DNS name ccp.DOMAIN.
#
# @param dmq
#   Whether it shares with them.
#
# @param dmq_network
#   Only these addresses are believed in that, as `10.0.1.0/24`. Default: all that the firewall lets in.
class kamscale::role::ccp (
  Array[String[1]] $packages,
  Array[Stdlib::Host, 1] $database_hosts,
  Sensitive[Pattern[/\A[A-Za-z0-9.~_-]+\z/]] $database_password,
  Pattern[/\A\w+\z/] $database_user              = 'kamailio',
  Pattern[/\A\w+\z/] $database                   = 'kamailio',
  Optional[Sensitive[String[32]]] $auth_secret    = undef,
  Optional[Integer[0, 4294967295]] $server_id     = undef,
  Stdlib::Port $port                              = 5060,
  Integer[1] $children                            = 4,
  Boolean $dmq                                    = true,
  Optional[Pattern[/\Asip:\S+\z/]] $dmq_peers     = undef,
  Optional[Stdlib::IP::Address::V4::CIDR] $dmq_network = undef,
) {
  include kamscale

  if $database_hosts.length > 1 {
    class { 'kamscale::database_access':
      hosts => $database_hosts,
    }
    contain kamscale::database_access
    # A worker that has no database at its start does not start.
    Class['kamscale::database_access'] -> Class['kamscale::kamailio']
    $database_host = "127.0.0.1:${kamscale::database_access::port}"
  } else {
    $database_host = $database_hosts[0]
  }
  $database_url = Sensitive("mysql://${database_user}:${database_password.unwrap}@${database_host}/${database}")

  # What is not given is not defined.
  $optional = {
    'KS_AUTH_SECRET' => $auth_secret ? {
      Undef   => undef,
      default => kamscale::quoted($auth_secret),
    },
    'KS_DMQ_NET'     => $dmq_network ? {
      Undef   => undef,
      default => kamscale::quoted($dmq_network),
    },
  }.filter |$_, $value| { $value =~ NotUndef }

  class { 'kamscale::kamailio':
    config          => 'puppet:///modules/kamscale/ccp.cfg',
    module_packages => $packages,
    defaults        => {
      'KS_ADDRESS'   => $kamscale::address,
      'KS_PORT'      => $port,
      'KS_DOMAIN'    => kamscale::quoted($kamscale::domain),
      'KS_INSTANCE'  => kamscale::quoted('ccp'),
      'KS_CHILDREN'  => $children,
      'KS_DB_URL'    => kamscale::quoted($database_url),
      'WITH_DMQ'     => $dmq,
      'KS_SERVER_ID' => pick($server_id, kamscale::number_of_address($kamscale::address)),
      'KS_DMQ_PEERS' => kamscale::quoted(pick($dmq_peers, "sip:ccp.${kamscale::domain}:${port}")),
    } + $optional,
  }
  class { 'kamscale::agent':
    defaults => {
      'agent' => { 'instance' => 'ccp' },
      'host'  => { 'pool' => 'ccp' },
    },
  }
  contain kamscale::kamailio
  contain kamscale::agent
  contain kamscale::inventory::pools
  Class['kamscale::agent'] -> Class['kamscale::inventory::pools']
}
