# What a host is, the facts say that its first boot wrote.
include "kamscale::role::${facts['kamscale_role']}"
