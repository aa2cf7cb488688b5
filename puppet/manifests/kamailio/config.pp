# @summary kamailio.cfg, what it takes for this host, and the service's environment
#
# @api private
class kamscale::kamailio::config {
  assert_private()

  $dir = $kamscale::kamailio::config_dir
  $defines = $kamscale::kamailio::defaults + $kamscale::kamailio::defines

  file { "${dir}/kamailio.cfg":
    ensure => file,
    owner  => 'root',
    group  => 'kamailio',
    mode   => '0640',
    source => $kamscale::kamailio::config,
    links  => follow,
  }
  # Passwords of databases may be in it.
  file { "${dir}/local.cfg":
    ensure    => file,
    owner     => 'root',
    group     => 'kamailio',
    mode      => '0640',
    show_diff => false,
    content   => Sensitive(epp('kamscale/kamailio/local.cfg.epp', {
      'defines' => Hash($defines.map |$name, $value| { [$name, $value.unwrap] }),
    })),
  }
  file { $kamscale::kamailio::defaults_file:
    ensure  => file,
    owner   => 'root',
    group   => 'root',
    mode    => '0644',
    content => epp('kamscale/kamailio/default.epp', {
      'shm_memory_mb'  => $kamscale::kamailio::shm_memory_mb,
      'pkg_memory_mb'  => $kamscale::kamailio::pkg_memory_mb,
      'memory_manager' => $kamscale::kamailio::memory_manager,
      'config'         => "${dir}/kamailio.cfg",
    }),
  }
  if $kamscale::kamailio::tls {
    contain kamscale::kamailio::tls
  }
}
