# @summary Pools of this host's agent whose members nobody scales
#
# A CCP trusts the load balancers, as members of its fixed pool `lb`; they are here, or those of a pool in the inventory that another
# agent publishes. The agent takes a change at once. Each pool must stand in agent.toml, without members.
#
# @example Hiera data
#   kamscale::inventory::pools::fixed:
#     lb:
#       lb1: { uri: 'sip:192.0.2.41:5060' }
#       lb2: { uri: 'sip:192.0.2.42:5060' }
#
# @param fixed
#   Members by pool: parameters of `kamscale_member`.
#
# @param followed
#   Pools of the inventory that the agent gets as they are there, but for members that do not take requests.
#
# @param exported
#   For sites with PuppetDB: pools whose members are those that export themselves (`kamscale::export`).
#
# @param socket
#   Where the agent listens.
class kamscale::inventory::pools (
  Hash[String[1], Hash[String[1], Hash[String[1], Data]]] $fixed = {},
  Array[String[1]] $followed                                    = [],
  Array[String[1]] $exported                                    = [],
  String[1] $socket                                             = 'unix:/run/kamscale/agent.sock',
) {
  include kamscale::inventory
  tag 'kamscale_inventory'

  unless $followed.empty {
    include kamscale::converge
  }

  $known = pick($kamscale::inventory::pools, {}).filter |$pool, $_members| { $pool in $followed }
  $pools = $fixed + $known.reduce({}) |$all, $entry| {
    $taking = $entry[1].filter |$_name, $member| { $member['state'] == 'active' }
    $members = $taking.reduce({}) |$these, $one| {
      $these + { $one[0] => { 'uri' => $one[1]['uri'], 'weight' => $one[1]['weight'], 'capacity' => $one[1]['capacity_calls'] } }
    }
    $all + { $entry[0] => $members }
  }
  kamscale_pool { unique($exported + $pools.keys):
    socket => $socket,
    purge  => true,
  }
  $exported.each |$pool| {
    Kamscale_member <<| tag == "kamscale_exported_${pool}" |>>
  }
  $pools.each |$pool, $members| {
    $members.each |$name, $attributes| {
      kamscale_member { "${pool}/${name}":
        ensure => present,
        *      => $attributes,
      }
    }
  }
}
