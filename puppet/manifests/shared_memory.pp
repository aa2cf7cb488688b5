# @summary Where Kamailio and the agent meet: the group, the agent's user, /run/kamscale
#
# Whichever of the two starts first must find it, so both classes include this one.
#
# @api private
class kamscale::shared_memory {
  assert_private()
  include kamscale

  group { $kamscale::group:
    ensure => present,
    system => true,
  }
  user { $kamscale::user:
    ensure => present,
    system => true,
    gid    => $kamscale::group,
    home   => '/var/lib/kamscale',
    shell  => '/usr/sbin/nologin',
  }
  file { '/etc/tmpfiles.d/kamscale.conf':
    ensure => file,
    owner  => 'root',
    group  => 'root',
    mode   => '0644',
    source => 'puppet:///modules/kamscale/kamscale.tmpfiles.conf',
    links  => follow,
  }
  -> exec { 'make /run/kamscale':
    command => '/usr/bin/systemd-tmpfiles --create /etc/tmpfiles.d/kamscale.conf',
    creates => '/run/kamscale',
    require => Group[$kamscale::group],
  }
}
