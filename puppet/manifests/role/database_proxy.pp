# @summary Role: the way from the CCPs to the node of the database that is in use
#
# Two of them, so that none is a single point of failure: a CCP knows both.
#
# @example
#   include kamscale::role::database_proxy
class kamscale::role::database_proxy {
  include kamscale
  contain kamscale::database_proxy
}
