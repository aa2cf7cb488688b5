#!/bin/bash
# Every role on real hosts: systemd machines of tests/world, in a world of their own. Each role is applied twice (something is
# done, then nothing), and then must serve: names, queries, SIP. Needs root and what `make build` builds; takes minutes, so it
# is no step of `make test`.
#   roles.sh            KEEP=1: the hosts are left, for tests/world/host.sh with KAMSCALE_WORLD=kr and the directory it names
set -uo pipefail
MODULE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$MODULE/../target}
export KAMSCALE_WORLD=kr KAMSCALE_WORLD_DIR=$TARGET/world-roles
WORLD=$MODULE/../tests/world
SITE=/etc/puppet/code/environments/production
FAILURES=0

stop() { # the test itself cannot go on
    echo "FAILED  roles.sh: $*"
    exit 1
}
skip() {
    echo "SKIPPED: roles.sh: $*"
    exit 0
}
[ "$(id -u)" = 0 ] || skip 'it boots hosts, which needs root'
for program in kamscale.so kamscale-agent kamscale; do
    [ -e "$TARGET/release/$program" ] || skip "$TARGET/release/$program is missing: make build"
done
for command in puppet systemd-nspawn named haproxy mariadbd kamailio; do
    command -v $command >/dev/null || skip "$command is missing: scripts/setup.sh world puppet"
done

on() { # on HOST COMMAND...
    "$WORLD/host.sh" exec "$@"
}
check() { # check NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$KAMSCALE_WORLD_DIR/out" 2>&1; then printf 'ok  %s\n' "$name"; else
        printf 'FAILED  %s\n' "$name"
        tail -n 20 "$KAMSCALE_WORLD_DIR/out"
        FAILURES=$((FAILURES + 1))
    fi
}
not() { ! "$@"; }
equals() { # equals EXPECTED COMMAND...
    local expected=$1 seen
    shift
    seen=$("$@" 2>&1)
    [ "$seen" = "$expected" ] || { printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"; false; }
}
await() { # await NAME COMMAND...: within a minute
    local name=$1 end=$((SECONDS + 60))
    shift
    until "$@" >"$KAMSCALE_WORLD_DIR/out" 2>&1 || [ $SECONDS -ge $end ]; do read -rt 0.2 <> <(:) || :; done
    check "$name" "$@"
}

declare -A ADDRESS=(
    [dns1]=10.77.0.10 [dns2]=10.77.0.11 [db1]=10.77.0.21 [db2]=10.77.0.22 [db3]=10.77.0.23
    [dbproxy1]=10.77.0.31 [lb1]=10.77.0.41 [ccp1]=10.77.1.51 [media1]=10.77.1.71
)
role_of() {
    case $1 in dbproxy*) echo database_proxy ;; db*) echo database ;; *) echo "${1%[0-9]}" ;; esac
}

# What this site says, in place of the world's. (Asterisk is in the image: Debian 12 has no package.)
write_site() {
    local place=$KAMSCALE_WORLD_DIR/site$SITE
    rm -rf "$place"
    mkdir -p "$place/data" "$place/manifests"
    # shellcheck disable=SC2016 # Puppet's
    echo 'include "kamscale::role::${facts[kamscale_role]}"' >"$place/manifests/site.pp"
    printf '%s\n' 'version: 5' 'defaults: {datadir: data, data_hash: yaml_data}' 'hierarchy:' \
        '  - {name: This host, path: "%{facts.networking.hostname}.yaml"}' '  - {name: All, path: site.yaml}' >"$place/hiera.yaml"
    cat >"$place/data/site.yaml" <<'END'
kamscale::domain: example.test
kamscale::dns::servers: {dns1: 10.77.0.10, dns2: 10.77.0.11}
kamscale::dns::key_secret: c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0
kamscale::database::nodes: &nodes {db1: 10.77.0.21, db2: 10.77.0.22, db3: 10.77.0.23}
kamscale::database::proxies: {dbproxy1: 10.77.0.31}
kamscale::database::buffer_pool_mb: 32
kamscale::database::schema::password: &password it-is-a-secret
kamscale::database::schema::clients: ['10.77.1.%']
kamscale::database_proxy::nodes: *nodes
kamscale::role::ccp::database_hosts: [10.77.0.31]
kamscale::role::ccp::database_password: *password
kamscale::media::asterisk::packages: []
kamscale::media::asterisk::manager_password: secret
kamscale::media::asterisk::ari_password: secret
END
    echo 'kamscale::agent::config: {pools: {lb: {members: [{name: lb1, uri: "sip:10.77.0.41:5060"}]}}}' >"$place/data/ccp1.yaml"
    echo 'kamscale::agent::config: {pools: {ccp: {members: [{name: ccp1, uri: "sip:10.77.1.51:5060"}]}}}' >"$place/data/lb1.yaml"
}

boot() { # boot HOST...
    local host
    for host in "$@"; do
        "$WORLD/host.sh" up "$host" "${ADDRESS[$host]}" || stop "$host does not boot"
        on "$host" sh -c "mkdir -p /etc/facter/facts.d && echo kamscale_role=$(role_of "$host") >/etc/facter/facts.d/role.txt"
    done
}
apply() { # apply HOST: one run; its log is HOST.log, its exit code HOST.code
    on "$1" puppet apply --detailed-exitcodes --color=false "$SITE/manifests/site.pp" >"$KAMSCALE_WORLD_DIR/$1.log" 2>&1
    echo $? >"$KAMSCALE_WORLD_DIR/$1.code"
}
ended() { # ended CODE HOST
    [ "$(cat "$KAMSCALE_WORLD_DIR/$2.code")" = "$1" ] || { cat "$KAMSCALE_WORLD_DIR/$2.log"; false; }
}
apply_all() { # apply_all CODE WHAT HOST...: at the same time
    local code=$1 what=$2 host
    shift 2
    for host in "$@"; do apply "$host" & done
    wait
    for host in "$@"; do check "$what on $host" ended "$code" "$host"; done
}
of() { # of HOST VALUE: puts further data before the others
    printf '%s\n' "$2" | on "$1" tee "$SITE/data/$1.yaml" >/dev/null
}
pid_of() { on "$1" systemctl show -P MainPID "$2"; }

answers_options() { # answers_options HOST CODE: to SIP OPTIONS from the first name server
    equals "$2" on dns1 python3 - "${ADDRESS[dns1]}" OPTIONS "sip:${ADDRESS[$1]}" <"$WORLD/sip-status.py"
}

names() {
    local first=(dig +short "@${ADDRESS[dns1]}") second=(dig +short "@${ADDRESS[dns2]}")
    update() { printf 'server %s\nzone example.test\nupdate add %s.example.test. 5 A 10.77.9.9\nsend\n' "${ADDRESS[dns1]}" "$1" | on dns1 nsupdate "${@:2}"; }
    check 'the first name server answers' equals "${ADDRESS[dns2]}" on dns1 "${first[@]}" dns2.example.test
    await 'the second has the zone from it' equals "${ADDRESS[dns2]}" on dns1 "${second[@]}" dns2.example.test
    check 'a signed update is taken' update new -k /etc/bind/kamscale.key
    await 'and is at the second at once' equals 10.77.9.9 on dns1 "${second[@]}" new.example.test
    check 'an update without a signature is not' not update other
}

query() { # query STATEMENT: from the CCP, through the proxy
    on ccp1 mariadb --connect-timeout=5 -h "${ADDRESS[dbproxy1]}" -u kamailio -pit-is-a-secret kamailio -N -e "$1"
}
databases() {
    local node
    for node in db1 db2 db3; do
        check "$node is in a cluster of three" equals 'wsrep_cluster_size 3' on $node sh -c "mariadb -N -e \"show status like 'wsrep_cluster_size'\" | xargs"
        check "$node has Kamailio's tables" on $node mariadb kamailio -e 'select 1 from subscriber, location, presentity, version limit 1'
        check "$node runs no Kamailio" not on $node systemctl is-active --quiet kamailio
    done
    await 'the proxy leads to the first node' equals db1 query 'select @@hostname'
    check 'which sees who asks' equals "kamailio@${ADDRESS[ccp1]}" query 'select user()'
    check 'and lets no others in' not on lb1 mariadb -h "${ADDRESS[dbproxy1]}" -u kamailio -pit-is-a-secret -e 'select 1'
    "$WORLD/net.sh" cut db1
    await 'of a node that is cut off the proxy lets go' equals db2 query 'select @@hostname'
    "$WORLD/net.sh" heal db1
    await 'and comes back to it' equals db1 query 'select @@hostname'
    on db1 sh -c 'kill -9 $(pidof mariadbd)'
    await 'a node that was killed comes back by itself' equals 'wsrep_cluster_size 3' on db1 sh -c "mariadb -N -e \"show status like 'wsrep_cluster_size'\" | xargs"
    apply db1
    check 'and Puppet has nothing to do there' ended 0 db1
}

balancers() {
    local before agent
    await 'a load balancer answers' answers_options lb1 200
    check 'and takes TLS, from TLS 1.2 on' on lb1 sh -c "openssl s_client -connect ${ADDRESS[lb1]}:5061 </dev/null | grep -q 'CN = example.test'"
    before=$(pid_of lb1 kamailio)
    agent=$(pid_of lb1 kamscale-agent)
    of lb1 'kamscale::agent::config: {pools: {ccp: {members: [{name: ccp1, uri: "sip:10.77.1.51:5060"}, {name: ccp2, uri: "sip:10.77.1.52:5060"}]}}}'
    apply lb1
    check 'a member is added' ended 2 lb1
    await 'it is in the pool' on lb1 sh -c 'kamcmd kamscale.members ccp | grep -q ccp2'
    check 'Kamailio was not started again for that' equals "$before" pid_of lb1 kamailio
    check 'nor its agent' equals "$agent" pid_of lb1 kamscale-agent
    of lb1 'kamscale::agent::config: {pools: {ccp: {max: -1}}}'
    apply lb1
    check 'an agent.toml that the agent refuses fails the run' ended 4 lb1
    check 'and is not written' on lb1 grep -q ccp2 /etc/kamscale/agent.toml
    of lb1 'kamscale::kamailio::defines: {KS_CHILDREN: "nonsense("}'
    apply lb1
    check 'a configuration that Kamailio refuses fails the run' not ended 2 lb1
    check 'and leaves the running one alone' equals "$before" pid_of lb1 kamailio
    of lb1 'kamscale::role::lb::children: 3
kamscale::agent::config: {pools: {ccp: {members: [{name: ccp1, uri: "sip:10.77.1.51:5060"}]}}}'
    apply lb1
    check 'a new configuration is taken' ended 2 lb1
    check 'by another process' not equals "$before" pid_of lb1 kamailio
    await 'which answers' answers_options lb1 200
}

cores() {
    await 'a CCP answers' answers_options ccp1 200
    check 'it has its database' on ccp1 sh -c "ss -Htn state established dst ${ADDRESS[dbproxy1]}:3306 | grep -q ."
    check 'its agent leads the pools' on ccp1 sh -c 'kamcmd kamscale.members lb | grep -q lb1'
}

finish() {
    local host
    if [ -n "${KEEP:-}" ]; then
        echo "kept: KAMSCALE_WORLD=kr KAMSCALE_WORLD_DIR=$KAMSCALE_WORLD_DIR"
        return
    fi
    for host in $("$WORLD/host.sh" list); do "$WORLD/host.sh" down "$host" & done
    wait
    "$WORLD/net.sh" down
    "$WORLD/image.sh" umount
}
trap finish EXIT

mkdir -p "$KAMSCALE_WORLD_DIR"
KAMSCALE_WORLD_DIR=$(cd "$KAMSCALE_WORLD_DIR" && pwd)
# The layer with Asterisk takes a minute to make and is the same for all worlds.
if [ -e "$TARGET/world/asterisk" ] && [ ! -e "$KAMSCALE_WORLD_DIR/asterisk" ]; then cp -a "$TARGET/world/asterisk" "$KAMSCALE_WORLD_DIR/"; fi
write_site
{ KAMSCALE_WORLD_MODULE=$MODULE "$WORLD/image.sh" make && "$WORLD/image.sh" mount && "$WORLD/net.sh" up; } || stop 'there is no image'
HOSTS=(dns1 dns2 db1 db2 db3 dbproxy1 lb1)
if [ -d "$KAMSCALE_WORLD_DIR/asterisk" ]; then HOSTS+=(media1); else echo 'SKIPPED: roles.sh: media: there is no Asterisk'; fi
boot "${HOSTS[@]}" ccp1
apply_all 2 'the first run does what is to do' "${HOSTS[@]}"
# A CCP needs the database's tables, as it would find them on a platform that is up.
apply_all 2 'the first run does what is to do' ccp1
[ "$FAILURES" = 0 ] || exit 1
apply_all 0 'the second run changes nothing' "${HOSTS[@]}" ccp1
names
databases
balancers
cores
if [ -d "$KAMSCALE_WORLD_DIR/asterisk" ]; then await 'a media server answers' answers_options media1 200; fi
[ "$FAILURES" = 0 ]
