# @summary A number that no other host of a network up to /16 has
#
# @param address
#   The host's IPv4 address.
#
# @return
#   What its last two bytes are as a number.
function kamscale::number_of_address(Stdlib::IP::Address::V4::Nosubnet $address) >> Integer[0, 65535] {
  $bytes = $address.split('[.]').map |$byte| { Integer($byte, 10) }
  $bytes[2] * 256 + $bytes[3]
}
