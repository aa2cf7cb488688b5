# @summary Role: a load balancer
#
# All SIP goes in and out by it: it keeps floods, scanners and malformed messages away, finds the way back through NAT, and
# sends each subscriber to a CCP of the pool, which its agent scales.
#
# @example
#   include kamscale::role::lb
#
# @param packages
#   Packages of the modules that lb.cfg loads.
#
# @param port
#   Where it listens, UDP and TCP.
#
# @param tls
#   Whether it takes SIP over TLS.
#
# @param tls_port
#   Where.
#
# @param children
#   Worker processes per socket.
#
# @param topology_key
#   With what the inside of the platform is hidden from callers; the same on all load balancers.
#
# @param rtpengine
#   The control socket of an rtpengine, as `udp:10.0.0.5:2223`. Default: media goes from phone to phone.
class kamscale::role::lb (
  Array[String[1]] $packages,
  Stdlib::Port $port                              = 5060,
  Boolean $tls                                    = true,
  Stdlib::Port $tls_port                          = 5061,
  Integer[1] $children                            = 4,
  Optional[Sensitive[String[1]]] $topology_key    = undef,
  Optional[Pattern[/\Audp:\S+\z/]] $rtpengine     = undef,
) {
  include kamscale

  # What is not given is not defined.
  $optional = {
    'KS_RTPENGINE' => $rtpengine,
    'KS_TOPOH_KEY' => $topology_key,
  }.filter |$_, $value| { $value =~ NotUndef }

  class { 'kamscale::kamailio':
    config          => 'puppet:///modules/kamscale/lb.cfg',
    module_packages => $packages,
    tls             => $tls,
    defaults        => {
      'KS_ADDRESS'     => $kamscale::address,
      'KS_PORT'        => $port,
      'KS_DOMAIN'      => kamscale::quoted($kamscale::domain),
      'KS_INSTANCE'    => kamscale::quoted('lb'),
      'KS_CHILDREN'    => $children,
      'WITH_TLS'       => $tls,
      'KS_TLS_PORT'    => $tls_port,
      'KS_TLS_CONFIG'  => kamscale::quoted('/etc/kamailio/tls.cfg'),
      'WITH_RTPENGINE' => $rtpengine =~ NotUndef,
    } + Hash($optional.map |$name, $value| { [$name, kamscale::quoted($value)] }),
  }
  class { 'kamscale::agent':
    defaults => { 'agent' => { 'instance' => 'lb' } },
  }
  contain kamscale::kamailio
  contain kamscale::agent
  contain kamscale::inventory::pools
  Class['kamscale::agent'] -> Class['kamscale::inventory::pools']
}
