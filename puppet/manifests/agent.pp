# @summary The agent beside Kamailio, and its command line
#
# A change of agent.toml is read again (SIGHUP) and interrupts nothing; a new program or unit restarts the agent, which
# leaves calls, pools and members alone. A file that the agent would refuse is not written: the run fails and the old
# one stays.
#
# @example Hiera data
#   kamscale::agent::config:
#     pools:
#       conference:
#         max: 10
#         heat:
#           actuator: heat_resource_group
#           stack: conference
#
# @param config
#   agent.toml, as a Hash: see agent.toml.example for every key. That of all levels of Hiera is merged.
#
# @param defaults
#   The same, by the role; `config` has the last word.
#
# @param clouds
#   clouds.yaml without secrets. Default: none is written.
#
# @param clouds_secret
#   What secure.yaml adds to it: passwords, secrets of application credentials.
#
# @param environment
#   Variables in openstack.env (`OS_CLOUD`, or `OS_*` credentials).
#
# @param environment_secret
#   More of them, which nobody shall read.
class kamscale::agent (
  Hash[String[1], Kamscale::Toml] $config                           = {},
  Hash[String[1], Kamscale::Toml] $defaults                         = {},
  Optional[Hash] $clouds                                            = undef,
  Optional[Sensitive[Hash]] $clouds_secret                          = undef,
  Hash[Pattern[/\AOS_[A-Z0-9_]+\z/], String] $environment           = {},
  Sensitive[Hash[Pattern[/\AOS_[A-Z0-9_]+\z/], String]] $environment_secret = Sensitive({}),
) {
  include kamscale
  include kamscale::shared_memory

  contain kamscale::agent::install
  contain kamscale::agent::config
  contain kamscale::agent::service

  Class['kamscale::shared_memory']
  -> Class['kamscale::agent::install']
  -> Class['kamscale::agent::config']
  -> Class['kamscale::agent::service']
  Class['kamscale::agent::install'] ~> Class['kamscale::agent::service']
}
