#!/bin/bash
# kamscale_database, kamscale_database_grant and kamscale_dispatcher_entry with a real MariaDB and Kamailio's own table:
# accounts work, change and go, rows follow, others' accounts and rows stay, and what each refusal says.
. "$(dirname "$0")/stage.sh"
SCHEMA=/usr/share/kamailio/mysql/dispatcher-create.sql
need mariadbd mariadb-install-db mysql
[ -f "$SCHEMA" ] || { echo "SKIPPED: database.sh needs $SCHEMA (package kamailio-mysql-modules)"; exit 0; }
enter "$@"

SOCKET=$STAGE/db.sock
# Who connects to an address of this host comes from that address.
for member in 1 2 3; do ip address add 10.77.1.$member/32 dev lo; done
mkdir "$STAGE/db"
chown mysql: "$STAGE/db"
chmod 777 "$STAGE"
mariadb-install-db --no-defaults --user=mysql --datadir="$STAGE/db" --auth-root-authentication-method=socket >"$STAGE/install.log" 2>&1
mariadbd --no-defaults --user=mysql --datadir="$STAGE/db" --socket="$SOCKET" --bind-address=0.0.0.0 --skip-name-resolve \
    --pid-file="$STAGE/db.pid" >"$STAGE/db.log" 2>&1 &
sql() { mysql --no-defaults --socket="$SOCKET" --batch --skip-column-names "$@"; }
await sql -e 'SELECT 1'
{
    echo 'CREATE DATABASE kam_ailio; USE kam_ailio; CREATE TABLE version (table_name VARCHAR(32), table_version INT);'
    cat "$SCHEMA"
    echo "INSERT INTO dispatcher (setid, destination, description) VALUES (1, 'sip:192.0.2.9:5060', 'by hand');
        CREATE USER 'kamailio'@'192.0.2.9' IDENTIFIED BY 'theirs'; GRANT SELECT ON kam_ailio.* TO 'kamailio'@'192.0.2.9';"
} | sql

site() { # site PURGE PASSWORD MEMBER...
    local member
    printf '%s\n' "kamscale_database { 'kam_ailio': socket => '$SOCKET', purge => $1 }" \
        "Kamscale_database_grant { database => 'kam_ailio', group => 'ccp', password => Sensitive(\"$2\") }" \
        "Kamscale_dispatcher_entry { database => 'kam_ailio', setid => 1 }"
    shift 2
    for member in "$@"; do
        echo "kamscale_database_grant { 'kamailio@10.77.1.$member': }
            kamscale_dispatcher_entry { 'ccp/ccp$member': destination => 'sip:10.77.1.$member:5060', attrs => 'weight=100;duid=ccp$member' }"
    done
}
login() { mysql --no-defaults --protocol=tcp --host="$1" --user=kamailio --password="$2" kam_ailio --batch --skip-column-names -e "$3"; }
rows() { sql kam_ailio -e 'SELECT destination FROM dispatcher ORDER BY destination' | paste -sd ' '; }
accounts() { sql -e "SELECT host FROM mysql.user WHERE user = 'kamailio' ORDER BY host" | paste -sd ' '; }

PASSWORD="it's a secret"
denied() { ! login "$@"; }
unspoken() { ! grep -qF "$PASSWORD" "$STAGE/apply.log"; }

site true "$PASSWORD" 1 2 | apply --debug
changes 'accounts and rows come' 2
equal 'a member can log in' 3 "$(login 10.77.1.1 "$PASSWORD" 'SELECT COUNT(*) FROM dispatcher')"
check 'and write' login 10.77.1.2 "$PASSWORD" "DELETE FROM dispatcher WHERE description = 'nothing'"
check 'but make no table' denied 10.77.1.1 "$PASSWORD" 'CREATE TABLE x (y INT)'
check 'nor log in from elsewhere' denied 10.77.1.3 "$PASSWORD" 'SELECT 1'
sql -e 'CREATE DATABASE kamXailio; CREATE TABLE kamXailio.x (y INT)'
check 'nor use a database that only looks like it' denied 10.77.1.1 "$PASSWORD" 'SELECT * FROM kamXailio.x'
check 'the password is in no log' unspoken
equal 'rows as dispatcher has them' '1 sip:10.77.1.1:5060 0 0 weight=100;duid=ccp1 kamscale ccp/ccp1' \
    "$(sql kam_ailio -e "SELECT setid, destination, flags, priority, attrs, description FROM dispatcher WHERE description LIKE '%ccp1'" | tr '\t' ' ')"
site true "$PASSWORD" 1 2 | apply
changes 'the second run changes nothing' 0

{ site true other 1; echo "Kamscale_dispatcher_entry <| |> { flags => 4 } Kamscale_database_grant <| |> { privileges => ['SELECT'] }"; } | apply
changes 'a member is gone; another password, fewer privileges, a member that drains' 2
equal 'accounts' '10.77.1.1 192.0.2.9' "$(accounts)"
equal 'rows' 'sip:10.77.1.1:5060 sip:192.0.2.9:5060' "$(rows)"
equal 'the new password; the flags' 4 "$(login 10.77.1.1 other "SELECT flags FROM dispatcher WHERE description LIKE '%ccp1'")"
check 'nothing more than that' denied 10.77.1.1 other 'DELETE FROM dispatcher'
{ site true other 1; echo "Kamscale_dispatcher_entry <| |> { flags => 4 } Kamscale_database_grant <| |> { privileges => ['SELECT'] }"; } | apply
changes 'and changes nothing again' 0

site "['conference']" other | apply
changes 'a pool that is not named is not purged' 0

# Two nodes of a cluster added the same row.
sql kam_ailio -e "INSERT INTO dispatcher (setid, destination, description) VALUES (1, 'sip:10.77.1.2:5060', 'kamscale ccp/ccp2')"
site true other 1 | apply
equal 'a row that another node left is gone' 'sip:10.77.1.1:5060 sip:192.0.2.9:5060' "$(rows)"
run() {
    site true other 1 5 >"$STAGE/host$1.pp"
    puppet apply --confdir "$STAGE/conf$1" --vardir "$STAGE/var$1" --modulepath "$STAGE/modules" --detailed-exitcodes \
        "$STAGE/host$1.pp" >"$STAGE/host$1.log" 2>&1
}
codes=
for host in 1 2; do run $host & hosts[host]=$!; done
for host in 1 2; do
    wait "${hosts[host]}"
    codes="$codes $(($? & 4))"
done
equal 'two at once do not fail' ' 0 0' "$codes"
equal 'and there are no twins' 'sip:10.77.1.1:5060 sip:10.77.1.5:5060 sip:192.0.2.9:5060' "$(rows)"

site true other | apply
changes 'all of ours goes' 2
equal 'the account of others stays' 192.0.2.9 "$(accounts)"
equal 'with its password' 'sip:192.0.2.9:5060' "$(rows)"

site true other 1 | sed "s/'kam_ailio'/'nowhere'/" | apply
check 'a database that is not there' said 'there is no such database: create it and its tables first'
site true other 1 | sed "s,db.sock,no.sock," | apply
check 'a server that is not there' said 'no server listens on this socket: is it running?'
sql -e "CREATE USER 'weak'@'localhost' IDENTIFIED BY 'weak'; GRANT ALL ON kam_ailio.* TO 'weak'@'localhost'"
printf '[client]\nuser=weak\npassword=weak\n' >"$STAGE/weak.cnf"
site true other 1 | sed "s,purge,defaults_file => '$STAGE/weak.cnf'\, purge," | apply
check 'an account that may not manage accounts' said 'defaults_file'
equal 'none of these changed anything' '192.0.2.9 sip:192.0.2.9:5060' "$(accounts) $(rows)"
finish
