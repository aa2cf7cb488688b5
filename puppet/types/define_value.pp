# @summary What a `#!define` stands for, as kamailio.cfg has it
#
# Numbers and addresses as they are, strings with their quotation marks (`kamscale::quoted` puts them). `true` defines
# the name alone, as for `#!ifdef`; `false` leaves the line out.
type Kamscale::Define_value = Variant[Boolean, Integer, String[1], Sensitive[String[1]]]
