# @summary A string as kamailio.cfg writes it: in quotation marks
#
# @param value
#   The string. Line breaks are refused, as a `#!define` ends with its line.
#
# @return
#   The string in quotation marks; Sensitive if it was.
function kamscale::quoted(Variant[Pattern[/\A[^\n\r]*\z/], Sensitive[Pattern[/\A[^\n\r]*\z/]]] $value) >> Variant[String, Sensitive[String]] {
  $escaped = regsubst($value.unwrap, '(["\\\\])', '\\\\\\1', 'G')
  if $value =~ Sensitive {
    Sensitive("\"${escaped}\"")
  } else {
    "\"${escaped}\""
  }
}
