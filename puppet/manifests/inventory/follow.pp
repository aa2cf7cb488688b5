# @summary Keeps the inventory on a host without an agent
#
# @api private
class kamscale::inventory::follow {
  assert_private()
  include kamscale::command
  include kamscale::shared_memory

  file { '/etc/kamscale':
    ensure => directory,
    owner  => 'root',
    group  => $kamscale::group,
    mode   => '0750',
  }
  file { '/etc/kamscale/inventory.env':
    ensure  => file,
    owner   => 'root',
    group   => 'root',
    mode    => '0640',
    content => epp('kamscale/converge/inventory.env.epp', {
      'etcd'    => $kamscale::converge::etcd,
      'options' => $kamscale::converge::etcd_options,
    }),
    notify  => Service['kamscale-inventory'],
  }
  file { '/etc/systemd/system/kamscale-inventory.service':
    ensure => file,
    owner  => 'root',
    group  => 'root',
    mode   => '0644',
    source => 'puppet:///modules/kamscale/kamscale-inventory.service',
    links  => follow,
    notify => Service['kamscale-inventory'],
  }
  service { 'kamscale-inventory':
    ensure  => running,
    enable  => true,
    require => Class['kamscale::command', 'kamscale::shared_memory'],
  }
}
