# @summary Kamailio's service
#
# A configuration that Kamailio refuses fails the run and leaves the running one alone.
#
# @api private
class kamscale::kamailio::service {
  assert_private()

  service { $kamscale::kamailio::service:
    ensure  => running,
    enable  => true,
    restart => join([
      "/usr/sbin/kamailio -c -f ${kamscale::kamailio::config_dir}/kamailio.cfg",
      "/usr/bin/systemctl restart ${kamscale::kamailio::service}",
    ], ' && '),
  }
}
