# @summary The name of a member as one label of a DNS name
#
# @param name
#   The member's name.
#
# @return
#   The name in small letters; what a host's name cannot have is a hyphen.
function kamscale::dns_label(String[1] $name) >> String[1] {
  regsubst(regsubst($name.downcase, '[^a-z0-9-]+', '-', 'G'), '\A-+|-+\z', '', 'G')[0, 63]
}
