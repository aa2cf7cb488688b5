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
  contain kamscale::converge
  Class['kamscale::database'] -> Class['kamscale::inventory::database'] -> Class['kamscale::converge']
}
