# @summary Kamailio's database: its tables, and who may use it
#
# Tables are made where they are missing; what is there is left alone. What Kamailio keeps in them is not Puppet's, and
# neither are subscribers. The first of `kamscale::database::nodes` does it, the cluster has it everywhere.
#
# @param packages
#   Where Kamailio's table definitions come from.
#
# @param directory
#   Where they are.
#
# @param database
#   The database's name.
#
# @param tables
#   Sets of tables: NAME-create.sql.
#
# @param user
#   The user of the Kamailios.
#
# @param password
#   Its password.
#
# @param clients
#   From where that user comes, as MariaDB writes hosts: addresses, or patterns with %. Hosts of the inventory have
#   grants of their own, by `kamscale_database_grant`.
class kamscale::database::schema (
  Array[String[1], 1] $packages,
  Array[Pattern[/\A\w+\z/], 1] $tables,
  Stdlib::Absolutepath $directory      = '/usr/share/kamailio/mysql',
  Pattern[/\A\w+\z/] $database         = 'kamailio',
  Pattern[/\A\w+\z/] $user             = 'kamailio',
  Optional[Sensitive[String[1]]] $password = undef,
  Array[Pattern[/\A[\w.%:-]+\z/]] $clients = [],
) {
  include kamscale::database

  ensure_packages($packages)

  # They bring a Kamailio along, which has no business on this host.
  unless defined(Class['kamscale::kamailio']) {
    service { 'kamailio':
      ensure  => stopped,
      enable  => false,
      require => Package[$packages],
    }
  }

  if $kamscale::database::nodes.values[0] == $kamscale::database::address {
    contain kamscale::database::contents
    Package[$packages] -> Class['kamscale::database::contents']
  }
}
