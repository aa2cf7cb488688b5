# @summary The title of an address record: A or AAAA, as the address is
#
# @param name
#   The record's name.
#
# @param address
#   The address.
#
# @return
#   `NAME A ADDRESS` or `NAME AAAA ADDRESS`.
#
# @api private
function kamscale::inventory::dns::address(String[1] $name, Stdlib::IP::Address::Nosubnet $address) >> String[1] {
  $type = $address ? {
    Stdlib::IP::Address::V6 => 'AAAA',
    default                 => 'A',
  }
  "${name} ${type} ${address}"
}
