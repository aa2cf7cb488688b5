# @summary The way to the database: HAProxy, which sends everything to one node at a time
#
# @param nodes
#   The nodes, as the database has them. The first that is up is used; when it goes, its connections are ended and made
#   anew with the next.
#
# @param packages
#   HAProxy.
#
# @param address
#   Where it listens.
#
# @param port
#   Where it listens.
#
# @param database_port
#   Where the nodes listen.
#
# @param check_user
#   A user of the database without rights and password, by whom nodes are checked.
#
# @param check_interval_ms
#   Between two checks; two failures are the end of a node.
#
# @param max_connections
#   As many at once.
#
# @param idle_timeout
#   A connection that nobody uses is ended after so long.
class kamscale::database_proxy (
  Kamscale::Nodes $nodes,
  Array[String[1], 1] $packages,
  Stdlib::IP::Address::Nosubnet $address = $kamscale::address,
  Stdlib::Port $port                     = 3306,
  Stdlib::Port $database_port            = 3306,
  String[1] $check_user                  = 'haproxy',
  Integer[100] $check_interval_ms        = 500,
  Integer[10] $max_connections           = 2000,
  Pattern[/\A\d+[smhd]\z/] $idle_timeout = '8h',
) inherits kamscale {
  ensure_packages($packages)
  file { '/etc/haproxy/haproxy.cfg':
    ensure       => file,
    owner        => 'root',
    group        => 'root',
    mode         => '0644',
    validate_cmd => '/usr/sbin/haproxy -c -f %',
    content      => epp('kamscale/database_proxy.cfg.epp', {
      'nodes'             => $nodes,
      'address'           => $address,
      'port'              => $port,
      'database_port'     => $database_port,
      'check_user'        => $check_user,
      'check_interval_ms' => $check_interval_ms,
      'max_connections'   => $max_connections,
      'idle_timeout'      => $idle_timeout,
    }),
    require      => Package[$packages],
  }
  # A reload ends no connection: the old process lives on with its own.
  ~> service { 'haproxy':
    ensure  => running,
    enable  => true,
    restart => '/usr/bin/systemctl reload haproxy',
  }
}
