# @summary tls.cfg, and the certificate that callers are shown
#
# @api private
class kamscale::kamailio::tls {
  assert_private()

  $dir = $kamscale::kamailio::config_dir
  $certificate = "${dir}/tls/certificate.pem"
  $key = "${dir}/tls/key.pem"
  $own = { owner => 'root', group => 'kamailio', mode => '0640' }

  if ($kamscale::kamailio::tls_certificate =~ Undef) != ($kamscale::kamailio::tls_key =~ Undef) {
    fail('kamscale::kamailio: tls_certificate and tls_key belong together; give both, or neither')
  }

  file { "${dir}/tls":
    ensure => directory,
    owner  => 'root',
    group  => 'kamailio',
    mode   => '0750',
  }
  file { "${dir}/tls.cfg":
    ensure  => file,
    content => epp('kamscale/kamailio/tls.cfg.epp', { 'certificate' => $certificate, 'key' => $key }),
    *       => $own,
  }
  if $kamscale::kamailio::tls_certificate {
    file { $certificate:
      ensure  => file,
      content => $kamscale::kamailio::tls_certificate,
      *       => $own,
    }
    file { $key:
      ensure  => file,
      content => $kamscale::kamailio::tls_key,
      *       => $own,
    }
  } else {
    # Ten years: nobody trusts it anyway, and nobody shall be woken up because it ran out.
    exec { 'sign a certificate for Kamailio':
      command => join([
        '/usr/bin/openssl req -x509 -newkey rsa:2048 -nodes -days 3650',
        "-subj /CN=${kamscale::domain} -addext subjectAltName=DNS:${kamscale::domain} -keyout ${key} -out ${certificate}",
      ], ' '),
      creates => $certificate,
      umask   => '0077',
      require => File["${dir}/tls"],
    }
    -> file { [$certificate, $key]:
      ensure => file,
      *      => $own,
    }
  }
}
