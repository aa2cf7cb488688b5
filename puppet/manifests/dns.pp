# @summary A name server of the SIP domain: BIND, whose records come from the inventory
#
# The zone is dynamic: its file is made once, from then on records come and go by updates that are signed (RFC 2136 with
# TSIG; see `kamscale_dns_record`). The other servers get them by transfer, signed by the same key.
#
# @param servers
#   The name servers, by host name. The first is the primary; which one a host is, its address says.
#
# @param key_secret
#   The key's secret (base64), as `tsig-keygen` makes it.
#
# @param packages
#   BIND, and what makes updates.
#
# @param service
#   Its service.
#
# @param config_dir
#   Where its configuration is.
#
# @param zone_dir
#   Where it may write zones that are updated.
#
# @param cache_dir
#   Where it may write everything else.
#
# @param user
#   The user that it runs as.
#
# @param zone
#   The zone.
#
# @param key_name
#   The key's name.
#
# @param key_algorithm
#   What it is used with.
#
# @param ttl_s
#   How long others remember that a name does not exist, and what has no time of its own.
#
# @param contact
#   Who is asked about the zone.
#
# @param listen
#   Where queries come in.
#
# @param forwarders
#   Who is asked about other zones. Without any, only this zone is answered.
#
# @param clients
#   Who may ask about other zones.
class kamscale::dns (
  Kamscale::Nodes $servers,
  Sensitive[Stdlib::Base64] $key_secret,
  Array[String[1], 1] $packages,
  String[1] $service,
  Stdlib::Absolutepath $config_dir,
  Stdlib::Absolutepath $zone_dir,
  Stdlib::Absolutepath $cache_dir,
  String[1] $user,
  Stdlib::Fqdn $zone                                     = $kamscale::domain,
  Pattern[/\A[a-z0-9.-]+\z/] $key_name                   = 'kamscale',
  Enum['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] $key_algorithm = 'hmac-sha256',
  Integer[1] $ttl_s                                      = 5,
  Stdlib::Fqdn $contact                                  = "hostmaster.${zone}",
  Array[Stdlib::IP::Address::Nosubnet, 1] $listen        = [$kamscale::address, '127.0.0.1'],
  Array[Stdlib::IP::Address::Nosubnet] $forwarders       = [],
  Array[String[1]] $clients                              = ['localnets', 'localhost'],
) inherits kamscale {
  unless $kamscale::address in $servers.values {
    fail("kamscale::dns: ${kamscale::address} is not among servers (${servers.values.join(', ')}); add it, or set kamscale::address")
  }
  $primary = $servers.values[0]
  $is_primary = $kamscale::address == $primary
  $zone_file = $is_primary ? {
    true    => "${zone_dir}/db.${zone}",
    default => "${cache_dir}/db.${zone}",
  }
  $own = { owner => 'root', group => $user, mode => '0644' }

  ensure_packages($packages)
  file { "${config_dir}/kamscale.key":
    ensure    => file,
    owner     => 'root',
    group     => $user,
    mode      => '0640',
    show_diff => false,
    require   => Package[$packages],
    content   => Sensitive(epp('kamscale/dns/key.epp', {
      'key'       => $key_name,
      'algorithm' => $key_algorithm,
      'secret'    => $key_secret.unwrap,
    })),
    notify    => Service[$service],
  }
  file { "${config_dir}/named.conf.options":
    ensure  => file,
    content => epp('kamscale/dns/options.epp', {
      'directory'  => $cache_dir,
      'listen'     => $listen,
      'forwarders' => $forwarders,
      'clients'    => $clients,
    }),
    require => Package[$packages],
    notify  => Service[$service],
    *       => $own,
  }
  if $is_primary {
    # From here on it belongs to the server, which writes what was updated back into it.
    file { $zone_file:
      ensure  => file,
      replace => false,
      owner   => $user,
      group   => $user,
      mode    => '0644',
      content => epp('kamscale/dns/zone.epp', {
        'zone'    => $zone,
        'ttl_s'   => $ttl_s,
        'contact' => $contact,
        'servers' => $servers,
      }),
      require => Package[$packages],
      before  => File["${config_dir}/named.conf.local"],
    }
  }
  file { "${config_dir}/named.conf.local":
    ensure       => file,
    validate_cmd => '/usr/bin/named-checkconf %',
    content      => epp('kamscale/dns/local.epp', {
      'zone'        => $zone,
      'zone_file'   => $zone_file,
      'key'         => $key_name,
      'key_file'    => "${config_dir}/kamscale.key",
      'is_primary'  => $is_primary,
      'primary'     => $primary,
      'secondaries' => $servers.values - $primary,
    }),
    require      => File["${config_dir}/kamscale.key"],
    notify       => Service[$service],
    *            => $own,
  }
  service { $service:
    ensure  => running,
    enable  => true,
    restart => "/usr/bin/systemctl reload ${service}",
  }
}
