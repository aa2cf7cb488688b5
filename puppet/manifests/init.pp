# @summary What every host of the platform has in common
#
# It makes nothing by itself: the roles (`kamscale::role::*`) include it and read it.
#
# @example Hiera data of a site
#   kamscale::domain: example.org
#   kamscale::source: https://files.example.org/kamscale/0.1.0
#
# @param domain
#   The SIP domain: what callers write behind the @.
#
# @param source
#   Where kamscale.so, kamscale-agent and kamscale are: a directory of the host, or a URL.
#
# @param address
#   The address that this host serves by.
#
# @param group
#   The group in which Kamailio and the agent share memory.
#
# @param user
#   The user that the agent runs as.
class kamscale (
  Stdlib::Fqdn $domain,
  Stdlib::Filesource $source,
  Stdlib::IP::Address::Nosubnet $address = $facts['networking']['ip'],
  String[1] $group                       = 'kamscale',
  String[1] $user                        = 'kamscale',
) {
}
