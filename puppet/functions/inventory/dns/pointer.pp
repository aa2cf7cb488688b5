# @summary The title of a NAPTR record that points to the SRV records of a transport (RFC 3263)
#
# @param name
#   The record's name.
#
# @param index
#   Its place: the first is the best.
#
# @param transport
#   The transport.
#
# @return
#   `NAME NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.NAME`, and so on.
#
# @api private
function kamscale::inventory::dns::pointer(String[1] $name, Integer[0] $index, Enum['udp', 'tcp', 'tls'] $transport) >> String[1] {
  $to = { 'udp' => ['SIP+D2U', '_sip._udp'], 'tcp' => ['SIP+D2T', '_sip._tcp'], 'tls' => ['SIPS+D2T', '_sips._tcp'] }[$transport]
  "${name} NAPTR ${($index + 1) * 10} 10 \"s\" \"${to[0]}\" \"\" ${to[1]}.${name}"
}
