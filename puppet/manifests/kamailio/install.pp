# @summary Kamailio's packages, Kamscale's module, and the group in which it meets the agent
#
# @api private
class kamscale::kamailio::install {
  assert_private()

  $packages = $kamscale::kamailio::packages + $kamscale::kamailio::module_packages

  ensure_packages($packages)

  # Puppet writes beside it and renames: a running Kamailio keeps the module that it mapped.
  file { "${kamscale::kamailio::module_dir}/kamscale.so":
    ensure  => file,
    owner   => 'root',
    group   => 'root',
    mode    => '0644',
    source  => "${kamscale::source}/kamscale.so",
    links   => follow,
    require => Package[$packages],
  }
  user { 'kamailio':
    ensure     => present,
    groups     => [$kamscale::group],
    membership => minimum,
    require    => [Package[$packages], Group[$kamscale::group]],
  }
}
