# @summary Accounts and rows in Kamailio's database, by the inventory
#
# Every member of `grant_pools` may use the database from its address, from the moment that its address is known: a server that boots
# needs it before it is ready. Members of the pools in `sets` stand in Kamailio's table `dispatcher`, so that tools that read it see
# them; Kamscale does not. A member that joins or drains has the flag 4 there, which means no new requests.
#
# It goes on every node of the cluster: whichever is there does it, and several at once agree. What others made is never
# touched; see `kamscale_database`.
#
# @param database
#   The database.
#
# @param user
#   The user's name.
#
# @param password
#   The user's password. Default: that of `kamscale::database::schema`, if this host has it.
#
# @param socket
#   The server's socket.
#
# @param defaults_file
#   A file in the form of my.cnf with the account to use. Default: root, by the socket.
#
# @param grant_pools
#   Pools whose members use the database.
#
# @param privileges
#   What they may do in it.
#
# @param sets
#   Pools in the table dispatcher, and the number of each one's set.
class kamscale::inventory::database (
  Pattern[/\A\w+\z/] $database                     = 'kamailio',
  Pattern[/\A\w+\z/] $user                         = 'kamailio',
  Optional[Sensitive[String[1]]] $password         = getvar('kamscale::database::schema::password'),
  Stdlib::Absolutepath $socket                     = '/run/mysqld/mysqld.sock',
  Optional[Stdlib::Absolutepath] $defaults_file    = undef,
  Array[String[1]] $grant_pools                    = ['ccp'],
  Array[Pattern[/\A[A-Z ]+\z/], 1] $privileges     = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  Hash[String[1], Integer[0]] $sets                = {},
) {
  include kamscale::inventory
  tag 'kamscale_inventory'

  # Nothing is known before the file is there, and the database may not be there either.
  if $kamscale::inventory::pools {
    $pools = $kamscale::inventory::pools
    $granted = $pools.filter |$pool, $_members| { $pool in $grant_pools }
    unless $granted.empty or $password {
      $names = $granted.keys.join(', ')
      fail("kamscale::inventory::database: members of ${names} need a password; set password, or grant_pools to []")
    }

    kamscale_database { $database:
      socket        => $socket,
      defaults_file => $defaults_file,
      purge         => $pools.keys,
    }
    # Address and pool: a host may be in several pools, and has one account.
    $addresses = $granted.reduce({}) |$others, $entry| {
      [$pool, $members] = $entry
      Hash($members.values.filter |$member| { $member['address'] }.map |$member| { [$member['address'], $pool] }) + $others
    }
    $addresses.each |$address, $pool| {
      kamscale_database_grant { "${user}@${address}":
        ensure     => present,
        database   => $database,
        password   => $password,
        privileges => $privileges,
        group      => $pool,
      }
    }
    $pools.filter |$pool, $_members| { $pool in $sets }.each |$pool, $members| {
      $members.each |$name, $member| {
        $flags = $member['state'] ? {
          'active' => 0,
          default  => 4,
        }
        kamscale_dispatcher_entry { "${pool}/${name}":
          ensure      => present,
          database    => $database,
          setid       => $sets[$pool],
          destination => $member['uri'],
          flags       => $flags,
          attrs       => "weight=${min(pick($member['weight'], 100), 100)};duid=${name}",
        }
      }
    }
  }
}
