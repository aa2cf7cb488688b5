# @summary A change of the inventory starts a run, of what follows from the inventory and of nothing else
#
# `kamscale-converge.path` watches the file and starts `kamscale-converge.service`: `puppet apply` of this host's environment, restricted
# to what has the tag `kamscale_inventory`. A run that fails comes again after `retry_s`. Runs never overlap; the inventory with which one
# succeeded is kept, and if the file is another one by then, or after a boot, the next one starts: no change is lost.
#
# On hosts without an agent, `etcd` says where the file comes from.
#
# @param file
#   The inventory.
#
# @param etcd
#   URLs of etcd's servers, from which `kamscale inventory follow` keeps the file. Default: this host's agent keeps it.
#
# @param etcd_options
#   Further lines of its environment file, as `KAMSCALE_ETCD_CA_FILE`; `kamscale inventory follow --help` names them.
#
# @param environment
#   The environment that is applied.
#
# @param manifest
#   Its manifest: a file or a directory.
#
# @param retry_s
#   Between a run that failed and the next one.
#
# @param delay_s
#   From a change to its run. Hosts that write to the same place take turns by it, and what changes meanwhile is one run.
class kamscale::converge (
  Stdlib::Absolutepath $file                                        = '/var/lib/kamscale/inventory.json',
  Array[Stdlib::HTTPUrl] $etcd                                      = [],
  Hash[Pattern[/\AKAMSCALE_[A-Z_]+\z/], Pattern[/\A[^\n\r]*\z/]] $etcd_options = {},
  Pattern[/\A\w+\z/] $environment                                   = 'production',
  Stdlib::Absolutepath $manifest                                    = "${settings::environmentpath}/${environment}/manifests",
  Integer[1] $retry_s                                               = 10,
  Integer[0] $delay_s                                               = 0,
) {
  $own = { 'ensure' => 'file', 'owner' => 'root', 'group' => 'root' }
  $values = {
    'file'        => $file,
    'environment' => $environment,
    'manifest'    => $manifest,
    'retry_s'     => $retry_s,
    'delay_s'     => $delay_s,
  }

  unless $etcd.empty {
    include kamscale::inventory::follow
    Class['kamscale::inventory::follow'] -> Service['kamscale-converge.path']
  }

  file { '/usr/local/sbin/kamscale-converge':
    mode    => '0755',
    content => epp('kamscale/converge/kamscale-converge.epp', $values),
    *       => $own,
  }
  ['kamscale-converge.path', 'kamscale-converge.service', 'kamscale-converge-again.service'].each |$unit| {
    file { "/etc/systemd/system/${unit}":
      mode    => '0644',
      content => epp("kamscale/converge/${unit}.epp", $values),
      require => File['/usr/local/sbin/kamscale-converge'],
      before  => Service['kamscale-converge.path', 'kamscale-converge-again.service'],
      *       => $own,
    }
  }
  service {
    # The service itself is never started here: this run does what it would do.
    'kamscale-converge.path':
      ensure => running,
      enable => true,
      ;
    'kamscale-converge-again.service':
      enable => true,
      ;
  }
  File['/etc/systemd/system/kamscale-converge.path'] ~> Service['kamscale-converge.path']

  # What was there before anybody watched.
  exec { 'the inventory has changed':
    command => '/bin/systemctl start --no-block kamscale-converge.service',
    onlyif  => '/usr/local/sbin/kamscale-converge --pending',
    require => Service['kamscale-converge.path'],
  }
}
