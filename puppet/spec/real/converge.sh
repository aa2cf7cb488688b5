#!/bin/bash
# kamscale::converge with a real systemd and a real bind: a change of the inventory starts a run, also one that comes during a
# run or while the name server is away; what is not known removes nothing. The units run in a user's instance of systemd, as
# no other can be had without booting; tests/world boots hosts with them.
. "$(dirname "$0")/stage.sh"
export PATIENCE=300 # of machines that do much else
need named dig nsupdate tsig-keygen systemctl
[ -x /lib/systemd/systemd ] || { echo 'SKIPPED: converge.sh needs systemd'; exit 0; }
enter "$@"

# The places that the class writes to are this stage's own.
for place in /etc/systemd/system /usr/local/sbin /etc/puppet /var/cache/puppet; do mkdir -p $place && mount -t tmpfs none $place; done
mkdir -p /run/systemd && mount -t tmpfs none /run/systemd && mkdir /run/systemd/system # what says that there is a systemd
export XDG_RUNTIME_DIR=$STAGE/run XDG_CONFIG_HOME=$STAGE/config
mkdir -p "$STAGE/run" "$XDG_CONFIG_HOME/systemd/user" "$STAGE/named"
tsig-keygen -a hmac-sha256 kamscale >"$STAGE/named/key.conf"
cat >"$STAGE/named/named.conf" <<CONF
include "$STAGE/named/key.conf";
options {
    directory "$STAGE/named"; pid-file "$STAGE/named/pid"; session-keyfile "$STAGE/named/session.key";
    listen-on { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; notify no; allow-transfer { key kamscale; };
};
controls { };
zone "example.test" { type master; file "example.test.zone"; update-policy { grant kamscale zonesub ANY; }; };
CONF
printf '$TTL 5\n@ SOA ns admin 1 3600 600 86400 5\n  NS ns\nns A 127.0.0.1\n' >"$STAGE/named/example.test.zone"
chown -R bind: "$STAGE/named"
start_named() {
    named -u bind -c "$STAGE/named/named.conf" -g >"$STAGE/named.log" 2>&1 &
    NAMED=$!
}

# The site, as docs have it.
SITE=/etc/puppet/code/environments/production
mkdir -p "$SITE/manifests" "$SITE/data"
ln -s "$STAGE/modules" "$SITE/modules"
ln -s /usr/share/puppet/modules/stdlib "$STAGE/modules/stdlib"
cat >"$SITE/hiera.yaml" <<YAML
version: 5
hierarchy:
  - name: Members of all pools
    data_hash: json_data
    datadir: $STAGE
    path: inventory.json
  - name: Every host
    data_hash: yaml_data
    datadir: data
    path: common.yaml
YAML
printf 'kamscale::domain: example.test\nkamscale::address: 127.0.0.1\nkamscale::inventory::dns::key_file: %s\nkamscale::converge::file: %s\nkamscale::converge::retry_s: 1\n' \
    "$STAGE/named/key.conf" "$STAGE/inventory.json" >"$SITE/data/common.yaml"
cat >"$SITE/manifests/site.pp" <<'SITE'
include kamscale
include kamscale::inventory::dns
include kamscale::converge
notify { 'what the inventory does not ask for': }
SITE
puppet apply --tags file --color=false "$SITE/manifests" >"$STAGE/apply.log" 2>&1 || { # the files alone: services are the other systemd's
    cat "$STAGE/apply.log"
    fail 'the class writes its files'
    finish
}
for unit in /etc/systemd/system/kamscale-converge*; do
    sed 's,^ExecStart=/bin/systemctl,& --user,' "$unit" >"$XDG_CONFIG_HOME/systemd/user/${unit##*/}"
done
/lib/systemd/systemd --user --log-target=console >"$STAGE/systemd.log" 2>&1 &
await systemctl --user start kamscale-converge.path
start_named
await dig @127.0.0.1 +time=1 +tries=1 example.test SOA

STATE=$XDG_CONFIG_HOME/kamscale-converge
inventory() { # inventory MEMBER...: replaces the file at once, as the agent does
    local member text=
    for member in "$@"; do
        text="$text${text:+, }\"ccp$member\": {\"address\": \"10.77.1.$member\", \"port\": 5060, \"uri\": \"sip:10.77.1.$member:5060\", \"state\": \"active\"}"
    done
    echo "{\"kamscale::inventory\": {\"ccp\": {$text}}}" >"$STAGE/inventory.new"
    mv "$STAGE/inventory.new" "$STAGE/inventory.json"
}
answer() { dig @127.0.0.1 +short +time=1 +tries=1 "$@" | sort | paste -sd ' '; }
has() { [ "$(answer _sip._udp.ccp.example.test SRV)" = "$1" ]; }
rests() { [ "$(systemctl --user show -P ActiveState kamscale-converge.service)" = inactive ] && cmp -s "$STAGE/inventory.json" "$STATE/converged.json"; }
fails() { [ "$(systemctl --user show -P NRestarts kamscale-converge.service)" -gt "$1" ]; }
restarts() { systemctl --user show -P NRestarts kamscale-converge.service; }

inventory 51
await has '10 100 5060 ccp51.example.test.'
pass 'the first inventory is converged to'
await rests
runs() { grep -c 'Applied catalog' "$STAGE/systemd.log"; }

inventory 51 52
await test -e "$STATE/converging.json"
inventory 51 52 53
await has '10 100 5060 ccp51.example.test. 10 100 5060 ccp52.example.test. 10 100 5060 ccp53.example.test.'
pass 'what changes during a run is converged to'
await rests

kill "$NAMED"
wait "$NAMED"
before=$(restarts)
inventory 52
await fails "$before"
start_named
await has '10 100 5060 ccp52.example.test.'
pass 'a run that failed comes again'
await rests
equal 'a member that is gone has no name' '' "$(answer ccp51.example.test A)"

rm "$STAGE/inventory.json"
await eval '[ "$(systemctl --user show -P ActiveState kamscale-converge.service)" = inactive ]'
equal 'without the file nothing is removed' '10 100 5060 ccp52.example.test.' "$(answer _sip._udp.ccp.example.test SRV)"
before=$(restarts)
echo '{"kamscale::inventory": {"ccp": {' >"$STAGE/inventory.json"
await fails "$before"
equal 'nor by a file that is no inventory' '10 100 5060 ccp52.example.test.' "$(answer _sip._udp.ccp.example.test SRV)"
inventory
await has ''
pass 'a pool that has no members has none'
await rests
check 'nothing else was applied' eval "! grep -q 'what the inventory does not ask for' '$STAGE/systemd.log'"
finish
