# @summary The records of the SIP domain, by the inventory
#
# | name | for |
# |---|---|
# | `MEMBER.ZONE` A | every member that is not booting any more: also one that drains, whose calls go on |
# | `POOL.ZONE` A, SRV, NAPTR | the members that take new requests, of the pools in `services`; one that drains is not among them |
# | `ZONE` SRV, NAPTR and `BALANCER.ZONE` A | the load balancers, by which callers come in |
#
# Whoever looks up a pool's name does so for a new request, and gets members that take some. Requests of calls that are there follow their
# routes, which name a member or its address: both are good until the member is gone.
#
# It goes on the primary server, or on any host that has the key. The zone is `kamscale::dns`'s, or of any server that takes updates
# signed by a key (RFC 2136). Records that others made are never touched; see `kamscale_dns_zone`.
#
# @example
#   class { 'kamscale::inventory::dns':
#     balancers => { 'lb1' => '192.0.2.41', 'lb2' => '192.0.2.42' },
#   }
#
# @param zone
#   The zone.
#
# @param server
#   Its primary server.
#
# @param port
#   The port of that server.
#
# @param key_file
#   The file with the key.
#
# @param key_name
#   The key's name, where there is no file with it.
#
# @param key_algorithm
#   What that key is used with.
#
# @param key_secret
#   That key's secret (base64).
#
# @param ttl_s
#   How long others may remember a record: so long a member that is gone is still asked for.
#
# @param services
#   Pools whose members are found by the pool's name.
#
# @param service_transports
#   How these members take requests, best first.
#
# @param balancers
#   The load balancers.
#
# @param balancer_ports
#   How they take requests, best first: transport and port.
#
# @param records
#   Further records: titles of `kamscale_dns_record`, and its parameters.
#
# @param exported
#   For sites with PuppetDB: whether the records of `kamscale::export` are collected. They are the truth then, and what nobody exports
#   any more goes.
#
# @param owner
#   Who made the records, as their markers say. Two platforms in one zone need two names.
class kamscale::inventory::dns (
  Stdlib::Fqdn $zone                                     = $kamscale::domain,
  Stdlib::Host $server                                   = '127.0.0.1',
  Stdlib::Port $port                                     = 53,
  Optional[Stdlib::Absolutepath] $key_file               = undef,
  Optional[String[1]] $key_name                          = undef,
  Enum['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] $key_algorithm = 'hmac-sha256',
  Optional[Sensitive[Stdlib::Base64]] $key_secret        = undef,
  Integer[0] $ttl_s                                      = 5,
  Array[String[1]] $services                             = ['ccp'],
  Array[Enum['udp', 'tcp'], 1] $service_transports       = ['udp'],
  Optional[Kamscale::Nodes] $balancers                   = undef,
  Hash[Enum['udp', 'tcp', 'tls'], Stdlib::Port, 1] $balancer_ports = { 'udp' => 5060, 'tcp' => 5060, 'tls' => 5061 },
  Hash[String[1], Hash[String[1], Data]] $records        = {},
  Boolean $exported                                      = false,
  String[1] $owner                                       = 'kamscale',
) inherits kamscale {
  include kamscale::inventory
  tag 'kamscale_inventory'

  # What stands in Hiera is a group of its own, which no pool can have the name of.
  $fixed = 'kamscale::inventory::dns'
  $pools = pick($kamscale::inventory::pools, {})
  # The SRV records of a transport (RFC 3263).
  $labels = { 'udp' => '_sip._udp', 'tcp' => '_sip._tcp', 'tls' => '_sips._tcp' }

  $purge = $exported ? {
    true    => true,
    default => $pools.keys + $fixed,
  }
  kamscale_dns_zone { $zone:
    server        => $server,
    port          => $port,
    key_file      => $key_file,
    key_name      => $key_name,
    key_algorithm => $key_algorithm,
    key_secret    => $key_secret,
    owner         => $owner,
    purge         => $purge,
  }

  # Title and pool of each record. A host may be in several pools, or be a load balancer as well: it has its name once.
  $of_pools = $pools.reduce({}) |$others, $entry| {
    [$pool, $members] = $entry
    $addressed = $members.filter |$_name, $member| {
      $member['state'] != 'joining' and $member['address'] =~ Stdlib::IP::Address::Nosubnet
    }
    $taking = $addressed.filter |$_name, $member| { $member['state'] == 'active' }

    $addresses = $addressed.map |$name, $member| {
      kamscale::inventory::dns::address("${kamscale::dns_label($name)}.${zone}", $member['address'])
    }
    $service = $pool in $services ? {
      false   => [],
      default => $service_transports.map |$index, $transport| {
        $label = "${labels[$transport]}.${pool}.${zone}"
        $targets = $taking.map |$name, $member| {
          "${label} SRV 10 ${pick($member['weight'], 100)} ${pick($member['port'], 5060)} ${kamscale::dns_label($name)}.${zone}"
        }
        $targets + kamscale::inventory::dns::pointer("${pool}.${zone}", $index, $transport)
      } + $taking.map |$_name, $member| {
        kamscale::inventory::dns::address("${pool}.${zone}", $member['address'])
      },
    }
    Hash(($addresses + flatten($service)).map |$title| { [$title, $pool] }) + $others
  }

  $balancer_records = pick($balancers, {}).map |$name, $address| {
    [kamscale::inventory::dns::address("${name}.${zone}", $address)] + $balancer_ports.map |$transport, $balancer_port| {
      "${labels[$transport]}.${zone} SRV 10 100 ${balancer_port} ${name}.${zone}"
    }
  }
  $balancer_pointers = $balancers ? {
    undef   => [],
    default => $balancer_ports.keys.map |$index, $transport| {
      kamscale::inventory::dns::pointer($zone, $index, $transport)
    },
  }
  if $exported {
    Kamscale_dns_record <<| tag == 'kamscale_exported' and zone == $zone |>>
    $service_pointers = ($services - $pools.keys).map |$pool| {
      $service_transports.map |$index, $transport| {
        kamscale::inventory::dns::pointer("${pool}.${zone}", $index, $transport)
      }
    }
  } else {
    $service_pointers = []
  }

  $of_site = flatten($balancer_records + $balancer_pointers + $service_pointers)
  kamscale_dns_record {
    default:
      ensure => present,
      zone   => $zone,
      group  => $fixed,
      ttl    => $ttl_s,
      ;
    $of_site:
      ;
  }
  ($of_pools - $of_site - $records.keys).each |$title, $pool| {
    kamscale_dns_record { $title:
      ensure => present,
      zone   => $zone,
      group  => $pool,
      ttl    => $ttl_s,
    }
  }
  $records.each |$title, $attributes| {
    kamscale_dns_record { $title:
      * => { 'ensure' => present, 'zone' => $zone, 'ttl' => $ttl_s } + $attributes + { 'group' => $fixed },
    }
  }
}
