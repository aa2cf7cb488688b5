# @summary For sites with a Puppet server and PuppetDB: this member tells the others of itself by exported resources
#
# Name servers collect its records (`kamscale::inventory::dns::exported`), proxies collect it for pools that nobody scales
# (`kamscale::inventory::pools::exported`). When the node is deactivated (`puppet node deactivate`) both are gone at their next runs. Where
# agents scale pools, the inventory does this better: nobody waits for a run, and a member that drains is known as such.
#
# No secret is exported: keys and sockets are those of who collects.
#
# @param pool
#   The pool that it is a member of.
#
# @param member
#   Its name there.
#
# @param address
#   Where it takes requests.
#
# @param port
#   The port.
#
# @param zone
#   The zone that it is named in.
#
# @param services
#   Pools whose members are found by the pool's name.
#
# @param weight
#   Its share of requests against its siblings.
#
# @param ttl_s
#   How long others may remember its records.
class kamscale::export (
  Pattern[/\A[\w.-]+\z/] $pool              = $facts['kamscale_pool'],
  Pattern[/\A[\w.:-]+\z/] $member           = $trusted['hostname'],
  Stdlib::IP::Address::Nosubnet $address    = $kamscale::address,
  Stdlib::Port $port                        = 5060,
  Stdlib::Fqdn $zone                        = $kamscale::domain,
  Array[String[1]] $services                = ['ccp'],
  Integer[1, 65535] $weight                 = 100,
  Integer[0] $ttl_s                         = 5,
) inherits kamscale {
  $name_of_member = "${kamscale::dns_label($member)}.${zone}"
  $own = [kamscale::inventory::dns::address($name_of_member, $address)]
  $service = $pool in $services ? {
    true    => [
      kamscale::inventory::dns::address("${pool}.${zone}", $address),
      "_sip._udp.${pool}.${zone} SRV 10 ${weight} ${port} ${name_of_member}",
    ],
    default => [],
  }

  @@kamscale_dns_record { $own + $service:
    ensure => present,
    zone   => $zone,
    group  => $pool,
    ttl    => $ttl_s,
    tag    => 'kamscale_exported',
  }
  @@kamscale_member { "${pool}/${member}":
    ensure => present,
    uri    => "sip:${address}:${port}",
    weight => $weight,
    tag    => "kamscale_exported_${pool}",
  }
}
