# @summary agent.toml and the credentials of the cloud
#
# @api private
class kamscale::agent::config {
  assert_private()

  $own = { owner => 'root', group => $kamscale::group, mode => '0640' }
  $toml = to_toml(deep_merge($kamscale::agent::defaults, $kamscale::agent::config))

  # As the unit's ConfigurationDirectory has it.
  file { '/etc/kamscale':
    ensure => directory,
    owner  => 'root',
    group  => 'root',
    mode   => '0755',
  }
  file { '/etc/kamscale/agent.toml':
    ensure       => file,
    content      => "# Managed by Puppet (kamscale::agent::config).\n${toml}",
    validate_cmd => '/usr/bin/kamscale check --config %',
    require      => Class['kamscale::command'],
    *            => $own,
  }

  # Credentials are read when the agent starts.
  file { '/etc/kamscale/openstack.env':
    ensure    => file,
    notify    => Service['kamscale-agent'],
    show_diff => false,
    content   => Sensitive(epp('kamscale/agent/openstack.env.epp', {
      'variables' => $kamscale::agent::environment + $kamscale::agent::environment_secret.unwrap,
    })),
    *         => $own,
  }

  file { '/etc/openstack':
    ensure => directory,
    owner  => 'root',
    group  => 'root',
    mode   => '0755',
  }
  if $kamscale::agent::clouds {
    file { '/etc/openstack/clouds.yaml':
      ensure  => file,
      notify  => Service['kamscale-agent'],
      content => to_yaml($kamscale::agent::clouds),
      *       => $own,
    }
  }
  if $kamscale::agent::clouds_secret {
    file { '/etc/openstack/secure.yaml':
      ensure    => file,
      notify    => Service['kamscale-agent'],
      show_diff => false,
      content   => Sensitive(to_yaml($kamscale::agent::clouds_secret.unwrap)),
      *         => $own,
    }
  }
}
