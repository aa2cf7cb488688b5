# @summary The agent's programs and its unit
#
# @api private
class kamscale::agent::install {
  assert_private()
  include kamscale::command

  file { '/usr/bin/kamscale-agent':
    ensure => file,
    owner  => 'root',
    group  => 'root',
    mode   => '0755',
    source => "${kamscale::source}/kamscale-agent",
    links  => follow,
  }
  file { '/etc/systemd/system/kamscale-agent.service':
    ensure => file,
    owner  => 'root',
    group  => 'root',
    mode   => '0644',
    source => 'puppet:///modules/kamscale/kamscale-agent.service',
    links  => follow,
  }
}
