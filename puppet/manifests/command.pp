# @summary The command line `kamscale`
#
# @api private
class kamscale::command {
  assert_private()
  include kamscale

  file { '/usr/bin/kamscale':
    ensure => file,
    owner  => 'root',
    group  => 'root',
    mode   => '0755',
    source => "${kamscale::source}/kamscale",
    links  => follow,
  }
}
