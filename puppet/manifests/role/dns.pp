# @summary Role: a name server of the SIP domain
#
# Callers find the load balancers by it (NAPTR, SRV), and nodes find each other. On the primary the records follow the
# inventory; the others follow the primary.
#
# @example
#   include kamscale::role::dns
class kamscale::role::dns {
  include kamscale
  contain kamscale::dns

  if $kamscale::dns::is_primary {
    contain kamscale::inventory::dns
    contain kamscale::converge
    Class['kamscale::dns'] -> Class['kamscale::inventory::dns'] -> Class['kamscale::converge']
  }
}
