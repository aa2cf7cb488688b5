# @summary One node of the database: MariaDB with Galera
#
# A node joins the cluster that is there. It makes a new one only if it is the first of `nodes`, has never seen a cluster,
# and no other node answers; everybody else waits for a node that answers. A new configuration is taken at the next
# restart, which is an operator's: restarted all at once, the nodes would lose each other.
#
# @example
#   class { 'kamscale::database':
#     nodes   => { 'db1' => '10.0.0.1', 'db2' => '10.0.0.2', 'db3' => '10.0.0.3' },
#     proxies => { 'dbproxy1' => '10.0.0.11' },
#   }
#
# @param nodes
#   Every node of the cluster, this one included. The first makes the cluster.
#
# @param packages
#   The server, its library of clusters, and what copies a database to a new node.
#
# @param service
#   Its service.
#
# @param config_file
#   What is written.
#
# @param provider
#   The library of clusters.
#
# @param address
#   This node's own.
#
# @param cluster
#   The cluster's name.
#
# @param proxies
#   The database proxies. They are let in to check the nodes, and are believed when they say for whom they ask.
#
# @param check_user
#   The user of their checks, who may do nothing.
#
# @param buffer_pool_mb
#   Memory for data.
#
# @param max_connections
#   As many at once.
#
# @param provider_options
#   Options of the library. A node that says nothing for `evs.suspect_timeout` is voted out, and so long nobody can write;
#   but on busy hosts a short one takes the cluster apart. `evs.keepalive_period` must be below a third of it.
#
# @param options
#   Further options of the section [mysqld].
#
# @param join_timeout_s
#   So long a node waits for another one that answers.
class kamscale::database (
  Kamscale::Nodes $nodes,
  Array[String[1], 1] $packages,
  String[1] $service,
  Stdlib::Absolutepath $config_file,
  Stdlib::Absolutepath $provider,
  Stdlib::IP::Address::Nosubnet $address                = $kamscale::address,
  String[1] $cluster                                    = 'kamscale',
  Hash[String[1], Stdlib::IP::Address::Nosubnet] $proxies = {},
  String[1] $check_user                                 = 'haproxy',
  Integer[8] $buffer_pool_mb                            = 128,
  Integer[10] $max_connections                          = 500,
  Hash[String[1], Variant[String, Integer]] $provider_options = {
    'gcache.size'               => '128M',
    'evs.keepalive_period'      => 'PT0.5S',
    'evs.inactive_check_period' => 'PT0.5S',
    'evs.suspect_timeout'       => 'PT3S',
    'evs.inactive_timeout'      => 'PT8S',
  },
  Hash[String[1], Variant[String, Integer]] $options    = {},
  Integer[1] $join_timeout_s                            = 300,
) inherits kamscale {
  unless $address in $nodes.values {
    fail("kamscale::database: ${address} is not among nodes (${nodes.values.join(', ')}); add it, or set kamscale::address")
  }

  contain kamscale::database::node
  contain kamscale::database::schema

  Class['kamscale::database::node']
  -> Class['kamscale::database::schema']
}
