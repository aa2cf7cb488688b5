#!/bin/bash
# Shows on a booted host of a world of its own that the role media makes a media server of it: rooms, queues, voicemail, menus;
# and that a new configuration and a stop do calls no harm. The boot script of heat/ applies the role. The core is sipp.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export KAMSCALE_WORLD=km KAMSCALE_WORLD_DIR=${KAMSCALE_WORLD_DIR:-../../target/world}-media KAMSCALE_WORLD_DNS=10.77.0.200
. ./lib.sh
MEDIA=10.77.1.71 PHONES=10.77.0.200 # the core is there, too, on port 5060
SITE=/etc/puppet/code/environments/production
WORK=$(mktemp -d)
FAILED=0
CORE=""
check() { # check NAME COMMAND...
    local name=$1
    shift
    if "$@"; then echo "ok  $name"; else
        echo "FAILED  $name"
        FAILED=1
    fi
}
on_media() { ./host.sh exec media "$@"; }
asterisk() { on_media asterisk -rx "$1"; }
phone() { (cd "$WORK" && exec nsenter --net="/run/netns/$(namespace_of phones)" "$@"); }
status_of() { phone python3 "$HERE/sip-status.py" $PHONES "$@"; } # status_of METHOD URI
answers() { [ "$(status_of "$2" "$3")" = "$1" ]; }                # answers STATUS METHOD URI

call() { # call USER PORT SCENARIO [WORDS OF SIPP]: whole, or it fails
    local user=$1 port=$2 scenario=$3
    shift 3
    phone timeout 120 sipp -sf "$REPOSITORY/tests/sipp/$scenario.xml" -s "$user" -i $PHONES -mi $PHONES -p "$port" -m 1 -nostdin \
        -trace_err -error_file "$user.errors" "$@" $MEDIA:5060 >"$WORK/$user-$port.out" 2>&1
}
caller() { call "$1" "$2" uac-voice -d "$3" -key press "$4"; } # caller USER PORT MS KEY
guest() { call "$1" "$2" uac-stays; }                          # guest USER PORT: until he is hung up on

finish() {
    local host
    [ -z "$CORE" ] || kill "$CORE" 2>/dev/null || true
    for host in $(./host.sh list); do ./host.sh down "$host"; done
    ./net.sh down
    ./image.sh umount
    for host in "${CONTROLLERS[@]}"; do rmdir "$CGROUPS/$host/$WORLD" 2>/dev/null || true; done
    rm -rf "$WORK"
}
trap finish EXIT

write_site() { # write_site BOXES: what a site says about its media servers
    mkdir -p "$WORK/site/manifests" "$WORK/site/data"
    # shellcheck disable=SC2016 # the words are Puppet's
    echo 'include "kamscale::role::${facts["kamscale_role"]}"' >"$WORK/site/manifests/site.pp"
    cat >"$WORK/site/hiera.yaml" <<'HIERA'
version: 5
defaults: {datadir: data, data_hash: yaml_data}
hierarchy: [{name: site, path: site.yaml}]
HIERA
    cat >"$WORK/site/data/site.yaml" <<DATA
kamscale::domain: example.test
kamscale::media::asterisk::packages: []
kamscale::media::asterisk::ari_password: ari-of-tests
kamscale::media::core: $PHONES
kamscale::media::queues: {support: {agents: [agent1]}}
kamscale::media::mailboxes: {$1}
kamscale::media::ivrs: {main: {prompts: [digits/1], keys: {'1': queue-support}, timeout_s: 5}}
DATA
    tar -C "$WORK/site" -cf - . | on_media tar -C $SITE -xf -
}

boot_script() { # boot_script [VARIABLE=VALUE]: as cloud-init runs it; prints its output, and the reason if it fails
    on_media env KAMSCALE_POOL=conference KAMSCALE_REASON=/run/kamscale-reason "$@" bash -eo pipefail /run/install 2>&1
}
apply() { on_media puppet apply --detailed-exitcodes --environment production $SITE/manifests >"$WORK/apply.log" 2>&1; }
applies_with() { # applies_with EXIT-CODE
    local code=0
    apply || code=$?
    [ "$code" = "$1" ] || { tail -n 20 "$WORK/apply.log"; return 1; }
}

./image.sh make
./image.sh mount
[ -x "$DIR/image/layer/usr/sbin/asterisk" ] || { echo "SKIPPED: media server: the image has no Asterisk"; exit 0; }
./net.sh up
./net.sh attach phones $PHONES
./host.sh up media $MEDIA
./host.sh wait media
head -c 8000 /dev/zero | tr '\0' '\325' >"$WORK/voice.alaw"
# Not `phone`: that would be killed instead of what it runs.
(cd "$WORK" && exec nsenter --net="/run/netns/$(namespace_of phones)" sipp -sn uas -i $PHONES -mi $PHONES -p 5060 -rtp_echo \
    -nostdin -trace_msg -message_file core.log) >"$WORK/core.out" 2>&1 &
CORE=$!

# --- the role ---
on_media sh -c 'cat >/run/install' <../../heat/install-puppet.sh
on_media rm -rf $SITE/manifests
fails_with() { # fails_with TEXT [VARIABLE=VALUE]: the boot script, with that reason
    local text=$1
    shift
    if boot_script "$@" >"$WORK/boot.log"; then return 1; fi
    on_media grep -q "$text" /run/kamscale-reason
}
check "without an environment the boot script says so" fails_with "there is no $SITE/manifests"
write_site "'1001': {pin: '1234'}"
check "a faulty catalog ends it with Puppet's words" fails_with "role nowhere: no catalog: Error: .*kamscale::role::nowhere" KAMSCALE_ROLE=nowhere
boots() { boot_script >"$WORK/boot.log" || { tail -n 20 "$WORK/boot.log"; return 1; }; }
check "the boot script applies the role of the pool" boots
check "a second run changes nothing" applies_with 0
check "it answers OPTIONS" answers 200 OPTIONS sip:$MEDIA
check "what it does not know it refuses" answers 404 INVITE sip:nobody@$MEDIA
check "a box that nobody has, too" answers 404 INVITE sip:vm-9999@$MEDIA

# --- rooms ---
room() { asterisk 'confbridge list' | awk '$1 == "1" { print $2 }'; }
has_members() { [ "$(room)" = "$1" ]; }
guest conf-1 5071 &
FIRST=$!
guest conf-1 5072 &
SECOND=$!
await 60 "two callers in the room" has_members 2
check "two callers are in one room" has_members 2
check "ARI knows their channels" on_media sh -c "curl -sfu kamscale:ari-of-tests http://127.0.0.1:8088/ari/channels | grep -o 'PJSIP/core' | sort -u | grep -q core"
hang_up() { asterisk 'channel request hangup all' >/dev/null; }
hang_up
check "the first call was whole" wait $FIRST
check "the second call was whole" wait $SECOND

# --- queue, voicemail, menu ---
core_was_asked() { grep -q "^INVITE sip:$1@example.test" "$WORK/core.log"; }
check "a caller of a queue stays whole" caller queue-support 5073 4000 5
check "its agent was rung by way of the core, as a subscriber" core_was_asked agent1
check "and answered" on_media grep -q 'support|agent1|CONNECT' /var/log/asterisk/queue_log
check "a caller leaves a message" caller vm-1001 5074 20000 5
check "which is in the box" on_media test -s /var/spool/asterisk/voicemail/default/1001/INBOX/msg0000.wav
check "a caller of the menu stays whole" caller ivr-main 5075 10000 1
check "his key led to the queue, by way of the core" core_was_asked queue-support

# --- a new configuration, and the end ---
guest conf-1 5076 &
FIRST=$!
await 60 "a caller in the room" has_members 1
write_site "'1001': {pin: '1234'}, '1002': {pin: '5678'}"
check "a new box is a change" applies_with 2
check "and no call notices" has_members 1
knows_box() { asterisk 'voicemail show users' | grep -q "default *1002"; }
await 60 "the box is known" knows_box
hang_up
check "which was whole" wait $FIRST
caller conf-1 5077 20000 5 &
FIRST=$!
await 60 "a caller in the room" has_members 1
on_media systemctl stop --no-block asterisk
is_draining() { answers 503 OPTIONS sip:$MEDIA; }
await 60 "it drains" is_draining
check "while it stops it refuses new calls" answers 503 INVITE sip:conf-2@$MEDIA
check "the call that is there stays whole" wait $FIRST
has_stopped() { [ "$(on_media systemctl is-active asterisk)" = inactive ]; }
await 60 "it has stopped" has_stopped
check "and with its end Asterisk stops" has_stopped
exit $FAILED
