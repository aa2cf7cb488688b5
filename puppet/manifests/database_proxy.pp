# @summary The way to the database: HAProxy, which sends everything to one node at a time
#
# @param nodes
#   The nodes, as the database has them. The first that is up is used; when it goes, its connections are ended and made
#   anew with the next.
#
# @param address
#   Where it listens.
#
# @param port
#   Where it listens.
#
# @param health_port
#   Where it says by HTTP whether it has a node: 200, or 503.
#
# @param database_port
#   Where the nodes listen.
#
# @param check_user
#   A user of the database without rights and password, by whom nodes are checked.
#
# @param check_interval_ms
#   Between two checks; two failures are the end of a node.
class kamscale::database_proxy (
  Kamscale::Nodes $nodes,
  Stdlib::IP::Address::Nosubnet $address = $kamscale::address,
  Stdlib::Port $port                     = 3306,
  Stdlib::Port $health_port              = 8404,
  Stdlib::Port $database_port            = 3306,
  String[1] $check_user                  = 'haproxy',
  Integer[100] $check_interval_ms        = 500,
) inherits kamscale {
  class { 'kamscale::haproxy':
    sections => epp('kamscale/database_proxy.cfg.epp', {
      'nodes'             => $nodes,
      'address'           => $address,
      'port'              => $port,
      'health_port'       => $health_port,
      'database_port'     => $database_port,
      'check_user'        => $check_user,
      'check_interval_ms' => $check_interval_ms,
    }),
  }
  contain kamscale::haproxy
}
