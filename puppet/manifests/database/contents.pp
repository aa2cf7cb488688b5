# @summary Puts tables and users into the cluster, from one of its nodes
#
# @api private
class kamscale::database::contents {
  assert_private()

  $database = $kamscale::database::schema::database
  $directory = $kamscale::database::schema::directory
  $users = '/etc/mysql/kamscale-users.sql'
  $password = $kamscale::database::schema::password ? {
    Undef   => '',
    default => $kamscale::database::schema::password.unwrap,
  }

  Exec {
    path     => '/usr/sbin:/usr/bin:/sbin:/bin',
    provider => shell,
  }

  exec { "make the database ${database}":
    command => "mariadb -e 'create database ${database} character set latin1'",
    unless  => "mariadb -N ${database} -e 'select 1'",
  }

  # `standard` has the table of versions, in which all others note theirs.
  $kamscale::database::schema::tables.reduce(Exec["make the database ${database}"]) |$before, $set| {
    $file = "${directory}/${set}-create.sql"
    $names = "sed -n 's/^CREATE TABLE `\\([^`]*\\)`.*/\\1/p' ${file}"
    $each_is_there = "while read -r table; do mariadb -N ${database} -e \"select 1 from \$table limit 1\" </dev/null || exit 1; done"
    exec { "make the tables of ${set}":
      # A run that was cut in the middle can be repeated.
      command => "sed 's/^CREATE TABLE /&IF NOT EXISTS /; s/^INSERT INTO version /REPLACE INTO version /' ${file} | mariadb ${database}",
      unless  => "${names} | ${each_is_there}",
      require => $before,
    }
    Exec["make the tables of ${set}"]
  }

  # Who may do what stands in a file, so that no password is ever on a command line.
  file { $users:
    ensure    => file,
    owner     => 'root',
    group     => 'root',
    mode      => '0600',
    show_diff => false,
    content   => Sensitive(epp('kamscale/database/users.sql.epp', {
      'database'   => $database,
      'check_user' => $kamscale::database::check_user,
      'proxies'    => $kamscale::database::proxies.values,
      'user'       => $kamscale::database::schema::user,
      'password'   => $password,
      'clients'    => $kamscale::database::schema::clients,
    })),
  }
  -> exec { 'make the users of the database':
    command => "mariadb <${users} && cp -p ${users} ${users}.done",
    unless  => "cmp -s ${users} ${users}.done",
    require => Exec["make the database ${database}"],
  }
}
