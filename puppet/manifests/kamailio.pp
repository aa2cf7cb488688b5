# @summary Kamailio with Kamscale's module
#
# A change of its configuration restarts Kamailio. Pools are no part of its configuration: they come and go by the agent,
# and no run of Puppet touches a Kamailio for them.
#
# @example A Kamailio with a configuration of one's own
#   class { 'kamscale::kamailio':
#     config  => 'puppet:///modules/profile/edge.cfg',
#     defines => { 'KS_PORT' => 5070, 'KS_DOMAIN' => kamscale::quoted('example.org') },
#   }
#
# @param config
#   The file that becomes kamailio.cfg. Kamscale's are `puppet:///modules/kamscale/{minimal,lb,ccp}.cfg`.
#
# @param defines
#   What local.cfg beside it defines for this host: names and values as kamailio.cfg has them. Those of all levels of
#   Hiera are merged.
#
# @param defaults
#   The same, by the role; `defines` has the last word.
#
# @param packages
#   Kamailio.
#
# @param module_packages
#   The packages of the modules that its configuration loads.
#
# @param service
#   Its service.
#
# @param module_dir
#   Where it looks for modules.
#
# @param defaults_file
#   The environment of its service.
#
# @param config_dir
#   Where its configuration is.
#
# @param shm_memory_mb
#   Memory that all processes share, in MB.
#
# @param pkg_memory_mb
#   Memory of each process, in MB.
#
# @param memory_manager
#   `fm` is fast. Kamailio's own default (`qm`) makes every small allocation dear.
#
# @param tls
#   Whether there is a tls.cfg.
#
# @param tls_certificate
#   The certificate (PEM). Without it the host makes one that it signs itself.
#
# @param tls_key
#   Its key (PEM).
class kamscale::kamailio (
  Stdlib::Filesource $config,
  Array[String[1], 1] $packages,
  String[1] $service,
  Stdlib::Absolutepath $module_dir,
  Stdlib::Absolutepath $defaults_file,
  Hash[Kamscale::Define, Kamscale::Define_value] $defines = {},
  Hash[Kamscale::Define, Kamscale::Define_value] $defaults = {},
  Array[String[1]] $module_packages                       = [],
  Stdlib::Absolutepath $config_dir                        = '/etc/kamailio',
  Integer[16] $shm_memory_mb                              = 128,
  Integer[4] $pkg_memory_mb                               = 16,
  Enum['fm', 'qm', 'tlsf'] $memory_manager                = 'fm',
  Boolean $tls                                            = false,
  Optional[String[1]] $tls_certificate                    = undef,
  Optional[Sensitive[String[1]]] $tls_key                 = undef,
) {
  include kamscale
  include kamscale::shared_memory

  contain kamscale::kamailio::install
  contain kamscale::kamailio::config
  contain kamscale::kamailio::service

  Class['kamscale::shared_memory']
  -> Class['kamscale::kamailio::install']
  -> Class['kamscale::kamailio::config']
  ~> Class['kamscale::kamailio::service']
  Class['kamscale::kamailio::install'] ~> Class['kamscale::kamailio::service']
}
