# @summary The way of a host to the database proxies: HAProxy on loopback, so that one that goes keeps nobody waiting
#
# Kamailio's workers ask the database one question after the other. A proxy that dies says nothing: each of them would wait
# for it, and after a while would try it again. HAProxy knows within two seconds who is away, and ends its connections.
#
# @param hosts
#   The database proxies (`kamscale::role::database_proxy`). The first that is up is used.
#
# @param port
#   Where they listen, and where this host asks on 127.0.0.1.
#
# @param health_port
#   Where they say whether they have a node of the database.
#
# @param check_interval_ms
#   Between two checks; two failures are the end of a proxy.
class kamscale::database_access (
  Array[Stdlib::Host, 1] $hosts,
  Stdlib::Port $port              = 3306,
  Stdlib::Port $health_port       = 8404,
  Integer[100] $check_interval_ms = 500,
) {
  class { 'kamscale::haproxy':
    sections => epp('kamscale/database_access.cfg.epp', {
      'hosts'             => $hosts,
      'port'              => $port,
      'health_port'       => $health_port,
      'check_interval_ms' => $check_interval_ms,
    }),
  }
  contain kamscale::haproxy
}
