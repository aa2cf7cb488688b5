# @summary Role: a node of the database
#
# It keeps subscribers, registrations and presence for all CCPs. Grants and rows follow the inventory.
#
# @example
#   include kamscale::role::database
class kamscale::role::database {
  include kamscale
  contain kamscale::database
  contain kamscale::inventory::database

  # All of them keep the same rows. One after the other, they find that done which the first did, and never work all at once.
  $turn = pick($kamscale::database::nodes.values.index($kamscale::database::address), 0)
  class { 'kamscale::converge':
    delay_s => lookup('kamscale::converge::delay_s', Integer, 'first', $turn * 10),
  }
  contain kamscale::converge
  Class['kamscale::database'] -> Class['kamscale::inventory::database'] -> Class['kamscale::converge']
}
