# @summary The agent's service: read again for a new agent.toml, restarted for a new program, unit or environment
#
# @api private
class kamscale::agent::service {
  assert_private()

  service { 'kamscale-agent':
    ensure => running,
    enable => true,
  }
  exec { 'kamscale-agent reads agent.toml again':
    command     => '/usr/bin/systemctl reload kamscale-agent',
    refreshonly => true,
    subscribe   => File['/etc/kamscale/agent.toml'],
    require     => Service['kamscale-agent'],
  }
}
