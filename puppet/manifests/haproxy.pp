# @summary HAProxy with these sections
# @api private
#
# @param sections
#   What it does: its configuration without `global` and `defaults`.
#
# @param packages
#   HAProxy.
#
# @param max_connections
#   As many at once.
#
# @param idle_timeout
#   A connection that nobody uses is ended after so long.
class kamscale::haproxy (
  String[1] $sections,
  Array[String[1], 1] $packages,
  Integer[10] $max_connections           = 2000,
  Pattern[/\A\d+[smhd]\z/] $idle_timeout = '8h',
) {
  ensure_packages($packages)
  file { '/etc/haproxy/haproxy.cfg':
    ensure       => file,
    owner        => 'root',
    group        => 'root',
    mode         => '0644',
    validate_cmd => '/usr/sbin/haproxy -c -f %',
    content      => epp('kamscale/haproxy.cfg.epp', {
      'sections'        => $sections,
      'max_connections' => $max_connections,
      'idle_timeout'    => $idle_timeout,
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
