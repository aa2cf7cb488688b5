#!/bin/bash
# The slow test, for sites with a Puppet server: puppetserver, PuppetDB and PostgreSQL without an init system, and three
# nodes in network namespaces. Two members export themselves (kamscale::export); a name server with an agent collects their
# records and members; after `puppet node deactivate` a member is gone at its next run. Takes minutes; prints what it does.
# KAMSCALE_PROGRAMS: where kamscale and kamscale-agent are (default: target/release).
. "$(dirname "$0")/real/stage.sh"
PROGRAMS=${KAMSCALE_PROGRAMS:-$(realpath -m "${CARGO_TARGET_DIR:-$MODULE/../target}/release")}
export PATIENCE=900 # for await
need java puppetserver puppetdb openssl named nsupdate dig tsig-keygen
[ -x "$PROGRAMS/kamscale-agent" ] || { echo "SKIPPED: puppetserver.sh needs $PROGRAMS/kamscale-agent (make build)"; exit 0; }
enter "$@"
export PATH=$PROGRAMS:$PATH KAMSCALE_SOCKET=unix:$STAGE/agent.sock
SERVER=puppet.example.test
say() { printf -- '-- %4d s  %s\n' "$SECONDS" "$*"; }

# --- the network: the servers are on the bridge itself, each node in a namespace ---
network() {
    local node number=0
    mkdir -p /run/netns
    mount -t tmpfs none /run/netns # names of this stage only
    ip link add nodes type bridge
    ip address add 10.77.0.4/16 dev nodes
    ip link set nodes up
    for node in dns1=10.77.0.10 ccp1=10.77.1.51 ccp2=10.77.1.52; do
        number=$((number + 1))
        ip netns add "${node%=*}"
        ip link add "to$number" type veth peer name eth0 netns "${node%=*}"
        ip link set "to$number" master nodes up
        ip -n "${node%=*}" link set lo up
        ip -n "${node%=*}" address add "${node#*=}/16" dev eth0
        ip -n "${node%=*}" link set eth0 up
    done
    printf '127.0.0.1 localhost\n10.77.0.4 %s puppet\n' "$SERVER" >"$STAGE/hosts"
    mount --bind "$STAGE/hosts" /etc/hosts
}

# --- the servers ---
configure_puppetserver() { # a private copy of the distribution's configuration
    local environment=$STAGE/conf/code/environments/production
    mkdir -p "$STAGE"/{log,run,ssl,ca} "$environment"/{manifests,modules,data}
    cp -r /etc/puppet/puppetserver "$STAGE/conf/"
    rm -rf "$STAGE/conf/puppetserver/ca"
    sed -i "s#/var/lib/puppetserver#$STAGE/var#g; s#/run/puppetserver#$STAGE/run#g; s#/var/log/puppetserver#$STAGE/log#g; s#/etc/puppet#$STAGE/conf#g" \
        "$STAGE"/conf/puppetserver/conf.d/*.conf "$STAGE"/conf/puppetserver/*.xml
    sed -i 's#^jruby-puppet: {#jruby-puppet: {\n    max-active-instances: 1#' "$STAGE/conf/puppetserver/conf.d/puppetserver.conf"
    # Debian has these two directories fixed, whatever --confdir says.
    cat >"$STAGE/conf/puppet.conf" <<CONF
[main]
certname = $SERVER
server = $SERVER
ssldir = $STAGE/ssl
[server]
cadir = $STAGE/ca
vardir = $STAGE/var
confdir = $STAGE/conf
codedir = $STAGE/conf/code
autosign = true
storeconfigs = true
storeconfigs_backend = puppetdb
CONF
    printf '[main]\nserver_urls = https://%s:8081\n' "$SERVER" >"$STAGE/conf/puppetdb.conf"
    printf -- '---\nmaster:\n  facts:\n    terminus: puppetdb\n    cache: yaml\n' >"$STAGE/conf/routes.yaml"
    ln -s "$MODULE" "$environment/modules/kamscale"
    ln -s /usr/share/puppet/modules/stdlib "$environment/modules/stdlib"
    cat >"$environment/manifests/site.pp" <<SITE
class { 'kamscale': domain => 'example.test' }
node /^ccp/ {
  class { 'kamscale::export': pool => 'ccp' }
}
node /^dns/ {
  class { 'kamscale::inventory::dns': exported => true, key_file => '$STAGE/named/key.conf' }
  class { 'kamscale::inventory::pools': exported => ['ccp'], socket => '$KAMSCALE_SOCKET' }
}
SITE
    puppetserver ca setup --config "$STAGE/conf/puppet.conf" >"$STAGE/ca.log" 2>&1 || { cat "$STAGE/ca.log"; fail 'a certificate authority'; finish; }
}
start_puppetserver() {
    (
        set +u # of the package's script
        . /usr/share/puppetserver/cli/cli-defaults.sh # CLASSPATH
        exec java -Xms128m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
            -Djruby.logger.class=com.puppetlabs.jruby_utils.jruby.Slf4jLogger -Djruby.lib=/usr/share/jruby/lib \
            --add-opens java.base/sun.nio.ch=ALL-UNNAMED --add-opens java.base/java.io=ALL-UNNAMED \
            -cp "/usr/share/puppetserver/puppetserver.jar:$CLASSPATH" clojure.main -m puppetlabs.trapperkeeper.main \
            --config "$STAGE/conf/puppetserver/conf.d" --bootstrap-config "$STAGE/conf/puppetserver/services.d" \
            --restart-file "$STAGE/run/restart"
    ) >"$STAGE/puppetserver.log" 2>&1 &
    SERVERS+=($!)
}
start_postgresql() {
    local bin
    bin=$(find /usr/lib/postgresql -name initdb -printf '%h\n' | sort -V | tail -n 1)
    install -d -o postgres -m 700 "$STAGE/pg"
    install -d -o postgres "$STAGE/pgrun"
    (cd "$STAGE/pg" && runuser -u postgres -- "$bin/initdb" -D "$STAGE/pg" -A trust --no-sync >"$STAGE/initdb.log" 2>&1)
    (cd "$STAGE/pg" && exec runuser -u postgres -- "$bin/postgres" -D "$STAGE/pg" -h 127.0.0.1 -k "$STAGE/pgrun" -F) >"$STAGE/postgresql.log" 2>&1 &
    SERVERS+=($!)
    await psql -h "$STAGE/pgrun" -U postgres -c 'select 1'
    psql -q -h "$STAGE/pgrun" -U postgres -c 'create role puppetdb login' -c 'create database puppetdb owner puppetdb'
    psql -q -h "$STAGE/pgrun" -U postgres -c 'create extension pg_trgm' puppetdb
}
start_puppetdb() {
    local conf=$STAGE/puppetdb
    mkdir -p "$conf"/{conf.d,var,log}
    cp /etc/puppetdb/bootstrap.cfg "$conf/"
    cp /etc/puppetdb/conf.d/auth.conf "$conf/conf.d/"
    sed "s#/var/log/puppetdb#$conf/log#g" /etc/puppetdb/logback.xml >"$conf/logback.xml"
    openssl pkcs8 -topk8 -nocrypt -in "$STAGE/ssl/private_keys/$SERVER.pem" -out "$conf/key.pem" # Jetty takes no other form
    cat >"$conf/conf.d/config.ini" <<CONF
[global]
vardir = $conf/var
logging-config = $conf/logback.xml
[database]
subname = //127.0.0.1/puppetdb
username = puppetdb
password = none
[puppetdb]
disable-update-checking = true
[jetty]
host = 127.0.0.1
port = 8080
ssl-host = 0.0.0.0
ssl-port = 8081
ssl-key = $conf/key.pem
ssl-cert = $STAGE/ssl/certs/$SERVER.pem
ssl-ca-cert = $STAGE/ssl/certs/ca.pem
CONF
    printf 0 >"$conf/var/restart"
    java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp /usr/share/puppetdb/puppetdb.jar clojure.main \
        -m puppetlabs.puppetdb.core services --config "$conf/conf.d" --bootstrap-config "$conf/bootstrap.cfg" \
        --restart-file "$conf/var/restart" >"$STAGE/puppetdb.log" 2>&1 &
    SERVERS+=($!)
}
runs() { [ "$(curl -sf --cacert "$STAGE/ssl/certs/ca.pem" "$1")" = running ]; }

# --- the node that collects: a name server with an agent ---
start_dns1() {
    mkdir "$STAGE/named"
    tsig-keygen -a hmac-sha256 kamscale >"$STAGE/named/key.conf"
    cat >"$STAGE/named/named.conf" <<CONF
include "$STAGE/named/key.conf";
options {
    directory "$STAGE/named"; pid-file "$STAGE/named/pid"; session-keyfile "$STAGE/named/session.key";
    listen-on { any; }; listen-on-v6 { none; }; recursion no; notify no; allow-transfer { key kamscale; };
};
controls { };
zone "example.test" { type master; file "example.test.zone"; update-policy { grant kamscale zonesub ANY; }; };
CONF
    printf '$ORIGIN example.test.\n$TTL 5\n@ SOA ns admin 1 3600 600 86400 5\n  NS ns\nns A 10.77.0.10\nccp A 192.0.2.9\n' >"$STAGE/named/example.test.zone"
    chown -R bind: "$STAGE/named"
    ip netns exec dns1 named -u bind -c "$STAGE/named/named.conf" -g >"$STAGE/named.log" 2>&1 &
    mkdir "$STAGE/shm"
    printf '[agent]\nshm_dir = "%s"\nstate_file = "%s"\nlisten = ["unix:%s"]\n[pools.ccp]\nmin = 0\n' \
        "$STAGE/shm" "$STAGE/state.json" "$STAGE/agent.sock" >"$STAGE/agent.toml"
    ip netns exec dns1 kamscale-agent --config "$STAGE/agent.toml" >"$STAGE/agent.log" 2>&1 &
}
answer() { dig @10.77.0.10 +short "$@" | sort | paste -sd ' '; }
pool() { kamscale --json pool show ccp | python3 -c 'import json, sys; print(*("{}={}".format(n, m["uri"]) for n, m in json.load(sys.stdin)["members"].items() if m["state"] == "active"))'; }

# run NODE: one run of its agent; its exit code is in CODE
run() {
    say "the agent of $1"
    if [ ! -d "$STAGE/$1/var/lib" ]; then # the hundreds of files of stdlib come one by one otherwise; ours do
        mkdir -p "$STAGE/$1/var/lib"
        cp -rL /usr/share/puppet/modules/stdlib/lib/. "$STAGE/$1/var/lib/"
    fi
    ip netns exec "$1" puppet agent --onetime --no-daemonize --detailed-exitcodes --waitforcert 5 --server "$SERVER" \
        --certname "$1.example.test" --confdir "$STAGE/$1/conf" --vardir "$STAGE/$1/var" --ssldir "$STAGE/$1/ssl" --http_read_timeout 10m \
        --no-usecacheonfailure --color=false --logdest console >"$STAGE/apply.log" 2>&1
    CODE=$?
}

network
say 'a certificate authority'
configure_puppetserver
say 'puppetserver, PostgreSQL and PuppetDB start'
start_puppetserver
start_postgresql
start_puppetdb
start_dns1
await runs http://127.0.0.1:8080/status/v1/simple
say 'PuppetDB is there'
await runs "https://$SERVER:8140/status/v1/simple"
say 'puppetserver is there'
await kamscale status
await dig @10.77.0.10 +time=1 +tries=1 example.test SOA

for node in ccp1 ccp2; do
    run $node
    if [ "$CODE" -gt 2 ]; then changes "$node exports itself" 0; fi
done
run dns1
changes 'what two members exported is collected' 2
equal 'their addresses' '10.77.1.51 10.77.1.52' "$(answer ccp1.example.test A) $(answer ccp2.example.test A)"
equal 'the service has both' '10 100 5060 ccp1.example.test. 10 100 5060 ccp2.example.test.' "$(answer _sip._udp.ccp.example.test SRV)"
equal 'and a pointer to it' '10 10 "s" "SIP+D2U" "" _sip._udp.ccp.example.test.' "$(answer ccp.example.test NAPTR)"
equal 'members of the agent' 'ccp1=sip:10.77.1.51:5060 ccp2=sip:10.77.1.52:5060' "$(pool)"
run dns1
changes 'the second run changes nothing' 0

say 'ccp2 is deactivated'
puppet node deactivate ccp2.example.test --confdir "$STAGE/conf" --vardir "$STAGE/var" --ssldir "$STAGE/ssl" >"$STAGE/deactivate.log" 2>&1 ||
    { cat "$STAGE/deactivate.log"; fail 'a node is deactivated'; }
run dns1
changes 'the next run removes it' 2
equal 'its address is gone' '' "$(answer ccp2.example.test A)"
equal 'the service has the other' '10 100 5060 ccp1.example.test.' "$(answer _sip._udp.ccp.example.test SRV)"
equal "others' records stay" '10.77.1.51 192.0.2.9' "$(answer ccp.example.test A)"
equal 'the agent has the other' 'ccp1=sip:10.77.1.51:5060' "$(pool)"
run dns1
changes 'and changes nothing again' 0
say 'done'
finish
