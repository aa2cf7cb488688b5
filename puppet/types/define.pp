# @summary Name of a `#!define` of kamailio.cfg
type Kamscale::Define = Pattern[/\A[A-Z][A-Z0-9_]*\z/]
