# @summary Asterisk as the media server
#
# All that is special to Asterisk is here and in templates/media/asterisk: another program stands beside it as a class that
# reads the same `kamscale::media`. Asterisk 16 is run by tests, 22 is not; Debian 12 has none, so there `packages` names those
# of the site's own archive, or none if the image has it.
#
# A new configuration is loaded without touching a call; `asterisk.conf`, `modules.conf` and the transports of `pjsip.conf` are
# read at the next start. A stop waits for the last call, and refuses new ones meanwhile.
#
# @example Hiera data of a site that has Asterisk in its image
#   kamscale::media::asterisk::packages: []
#   kamscale::media::asterisk::ari_password: ENC[PKCS7,...]
#
# @param packages
#   Asterisk, its modules, sounds and music.
#
# @param service
#   Its service.
#
# @param config_dir
#   Where its configuration is.
#
# @param module_dir
#   Where its modules are.
#
# @param data_dir
#   Where its sounds are.
#
# @param music_dir
#   What waiting callers hear.
#
# @param voicemail_dir
#   Where it keeps messages.
#
# @param language
#   In which language it speaks.
#
# @param user
#   The user that it runs as.
#
# @param modules
#   Further modules, beyond what the features need.
#
# @param manager_password
#   The password of the user `kamscale` of the manager interface (AMI, on loopback). Without it there is none.
#
# @param ari_password
#   The password of the user `kamscale` of the REST interface (ARI, on loopback). Without it there is none.
#
# @param session_expires_s
#   A phone that vanished is found out within so long, so that it does not keep a room.
#
# @param stop_timeout_s
#   So long a stop waits for the last call.
class kamscale::media::asterisk (
  Array[String[1]] $packages,
  String[1] $service,
  Stdlib::Absolutepath $config_dir,
  Stdlib::Absolutepath $module_dir,
  Stdlib::Absolutepath $data_dir,
  Stdlib::Absolutepath $music_dir,
  Stdlib::Absolutepath $voicemail_dir                     = '/var/spool/asterisk/voicemail',
  Pattern[/\A[a-z]{2}(_[A-Z]{2})?\z/] $language           = 'en',
  String[1] $user                                         = 'asterisk',
  Array[Pattern[/\A\w+\.so\z/]] $modules                  = [],
  Optional[Sensitive[String[8]]] $manager_password        = undef,
  Optional[Sensitive[String[8]]] $ari_password            = undef,
  Integer[90] $session_expires_s                          = 1800,
  Integer[1] $stop_timeout_s                              = 28800,
) {
  assert_private()

  $media = {
    'address'           => $kamscale::media::address,
    'port'              => $kamscale::media::port,
    'domain'            => $kamscale::domain,
    'core'              => $kamscale::media::core,
    'core_networks'     => $kamscale::media::core_networks,
    'codecs'            => $kamscale::media::codecs,
    'session_expires_s' => $session_expires_s,
  }
  $has_ari = $ari_password ? { undef => false, default => true }

  package { $packages:
    ensure => installed,
  }
  # A package makes them, too; an image without one may not have.
  -> group { $user:
    ensure => present,
    system => true,
  }
  -> user { $user:
    ensure => present,
    system => true,
    gid    => $user,
    home   => '/var/lib/asterisk',
    shell  => '/usr/sbin/nologin',
  }
  -> file {
    default:
      ensure => directory,
      owner  => $user,
      group  => $user,
      mode   => '0750',
      ;
    ['/var/lib/asterisk', '/var/log/asterisk', '/var/cache/asterisk', '/var/spool/asterisk', $voicemail_dir]:
      ;
    $config_dir:
      owner => 'root',
      ;
  }

  # By file: what its template is told.
  $plain = {
    'asterisk'    => { 'config_dir' => $config_dir, 'module_dir' => $module_dir, 'data_dir' => $data_dir, 'language' => $language },
    'modules'     => { 'codecs' => $kamscale::media::codecs, 'has_ari' => $has_ari, 'modules' => $modules },
    'logger'      => {},
    'cdr'         => {},
    'rtp'         => { 'first' => $kamscale::media::rtp_first, 'last' => $kamscale::media::rtp_last },
    'musiconhold' => { 'music_dir' => $music_dir },
    'confbridge'  => { 'max_members' => $kamscale::media::room_max_members },
    'queues'      => { 'queues' => $kamscale::media::queues },
    'pjsip'       => $media,
    'extensions'  => { 'domain' => $kamscale::domain, 'queues' => $kamscale::media::queues, 'ivrs' => $kamscale::media::ivrs },
    'http'        => { 'has_ari' => $has_ari },
  }
  $plain.each |$name, $told| {
    file { "${config_dir}/${name}.conf":
      ensure  => file,
      owner   => 'root',
      group   => $user,
      mode    => '0640',
      content => epp("kamscale/media/asterisk/${name}.conf.epp", $told),
      require => File[$config_dir],
      notify  => Service[$service],
    }
  }
  $secret = {
    'manager'   => { 'password' => $manager_password },
    'ari'       => { 'password' => $ari_password },
    'voicemail' => { 'mailboxes' => $kamscale::media::mailboxes },
  }
  $secret.each |$name, $told| {
    file { "${config_dir}/${name}.conf":
      ensure    => file,
      owner     => 'root',
      group     => $user,
      mode      => '0640',
      show_diff => false,
      content   => Sensitive(epp("kamscale/media/asterisk/${name}.conf.epp", $told)),
      require   => File[$config_dir],
      notify    => Service[$service],
    }
  }

  file { "/etc/systemd/system/${service}.service.d":
    ensure => directory,
    owner  => 'root',
    group  => 'root',
    mode   => '0755',
  }
  -> file { "/etc/systemd/system/${service}.service.d/kamscale.conf":
    ensure  => file,
    owner   => 'root',
    group   => 'root',
    mode    => '0644',
    content => epp('kamscale/media/asterisk/unit.epp', { 'user' => $user, 'stop_timeout_s' => $stop_timeout_s }),
    require => User[$user],
  }
  -> service { $service:
    ensure  => running,
    enable  => true,
    restart => "/usr/bin/systemctl reload ${service}",
  }
}
