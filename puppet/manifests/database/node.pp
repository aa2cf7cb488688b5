# @summary Makes this host a node, in the one order in which no second cluster comes about
#
# @api private
class kamscale::database::node {
  assert_private()

  $service = $kamscale::database::service
  $address = $kamscale::database::address
  $others = $kamscale::database::nodes.values - $address
  $node_name = $kamscale::database::nodes.filter |$node| { $node[1] == $address }.keys[0]

  # Each is a condition of the shell. 4567 is the port by which nodes talk to each other.
  $active = "systemctl is-active --quiet ${service}"
  $answers = "for node in ${others.join(' ')}; do timeout 2 bash -c \"</dev/tcp/\$node/4567\" 2>/dev/null && exit 0; done; exit 1"
  $has_seen_a_cluster = "grep -qs '^uuid:.*[1-9a-f]' /var/lib/mysql/grastate.dat"

  Exec {
    path     => '/usr/sbin:/usr/bin:/sbin:/bin',
    provider => shell,
  }

  ensure_packages($kamscale::database::packages)
  file { $kamscale::database::config_file:
    ensure  => file,
    owner   => 'root',
    group   => 'root',
    mode    => '0644',
    content => epp('kamscale/database/node.cnf.epp', {
      'name'             => $node_name,
      'address'          => $address,
      'nodes'            => $kamscale::database::nodes.values,
      'cluster'          => $kamscale::database::cluster,
      'provider'         => $kamscale::database::provider,
      'proxies'          => $kamscale::database::proxies.values,
      'buffer_pool_mb'   => $kamscale::database::buffer_pool_mb,
      'max_connections'  => $kamscale::database::max_connections,
      'provider_options' => $kamscale::database::provider_options,
      'options'          => $kamscale::database::options,
    }),
    require => Package[$kamscale::database::packages],
  }
  # The package starts a server that belongs to no cluster.
  -> exec { 'stop the server without a cluster':
    command => "systemctl stop ${service}",
    onlyif  => "${active} && mariadb -N -e 'select @@wsrep_on' | grep -qx 0",
  }

  if $kamscale::database::nodes.values[0] == $address {
    exec { 'make a cluster':
      command => 'galera_new_cluster',
      unless  => [$active, $has_seen_a_cluster, $answers],
      require => Exec['stop the server without a cluster'],
      before  => Exec['a node of the cluster answers'],
    }
  }
  exec { 'a node of the cluster answers':
    command   => $answers,
    unless    => [$active, $answers],
    tries     => $kamscale::database::join_timeout_s,
    try_sleep => 1,
    timeout   => 0,
    require   => Exec['stop the server without a cluster'],
  }
  -> service { $service:
    ensure => running,
    enable => true,
  }
}
