# @summary Hosts of one kind, by name; their order means something where a class says so
type Kamscale::Nodes = Hash[Pattern[/\A[A-Za-z0-9][A-Za-z0-9._-]*\z/], Stdlib::IP::Address::Nosubnet, 1]
