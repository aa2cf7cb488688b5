#!/bin/bash
# kamscale_pool and kamscale_member with a real agent and a real Kamailio: members come, change and go without a reload,
# what stands in agent.toml stays, and what each refusal says. KAMSCALE_PROGRAMS: where kamscale.so, kamscale and
# kamscale-agent are (default: target/release).
. "$(dirname "$0")/stage.sh"
PROGRAMS=${KAMSCALE_PROGRAMS:-$(realpath -m "${CARGO_TARGET_DIR:-$MODULE/../target}/release")}
need kamailio
for program in kamscale kamscale-agent kamscale.so; do
    [ -e "$PROGRAMS/$program" ] || { echo "SKIPPED: members.sh needs $PROGRAMS/$program (make build)"; exit 0; }
done
enter "$@"
export PATH=$PROGRAMS:$PATH KAMSCALE_SOCKET=unix:$STAGE/agent.sock
mkdir "$STAGE/shm"
cat >"$STAGE/agent.toml" <<CONF
[agent]
instance = "default"
shm_dir = "$STAGE/shm"
state_file = "$STAGE/state.json"
listen = ["unix:$STAGE/agent.sock"]
interval_s = 0.1
[pools.lb]
min = 0
[[pools.lb.members]]
name = "here"
uri = "sip:10.77.0.40:5060"
CONF
kamailio -f "$MODULE/../kamailio-cfg/minimal.cfg" -x fm -X fm -DD -E -Y "$STAGE" -A KS_LISTEN=udp:127.0.0.1:5060 -A KS_CHILDREN=1 \
    -A "KS_CTL=\"unix:$STAGE/ctl\"" -A "KS_SHM_DIR=\"$STAGE/shm\"" -A "KS_MODULE=\"$PROGRAMS/kamscale.so\"" >"$STAGE/kamailio.log" 2>&1 &
KAMAILIO=$!
kamscale-agent --config "$STAGE/agent.toml" >"$STAGE/agent.log" 2>&1 &
in_kamailio() { kamcmd -s "unix:$STAGE/ctl" kamscale.members lb | sed -n 's/^[[:space:]]*uri: //p' | sort | paste -sd ' '; }
says() { [ "$(in_kamailio)" = "$1" ]; }
await says sip:10.77.0.40:5060

site() { # site PURGE MEMBER...
    local member
    echo "kamscale_pool { 'lb': socket => '$KAMSCALE_SOCKET', purge => $1 }"
    shift
    for member in "$@"; do echo "kamscale_member { $member }"; done
}
LB1="'lb/lb1': uri => 'sip:10.77.0.41:5060', weight => 50, capacity => 300"
LB2="'lb/lb2': uri => 'sip:10.77.0.42:5060'"
value() { kamscale --json pool show lb | python3 -c "import json, sys; print(json.load(sys.stdin)['members']['$1']['$2'])"; }

site true "$LB1" "$LB2" | apply
changes 'members come' 2
await says 'sip:10.77.0.40:5060 sip:10.77.0.41:5060 sip:10.77.0.42:5060'
pass 'Kamailio has them, without a reload'
equal 'with their weight' 50 "$(value lb1 weight)"
equal 'and capacity' 300 "$(value lb1 capacity_calls)"
site true "$LB1" "$LB2" | apply
changes 'the second run changes nothing' 0

site true "${LB1/weight => 50/weight => 70}" | apply
changes 'one is gone, one has another weight' 2
equal 'it has that weight' 70 "$(value lb1 weight)"
equal 'and its capacity' 300 "$(value lb1 capacity_calls)"
await says 'sip:10.77.0.40:5060 sip:10.77.0.41:5060'
pass 'what stands in agent.toml stays'
site true "${LB1/weight => 50/weight => 70}" | apply
changes 'and changes nothing again' 0

site true "'lb/lb1': uri => 'sip:10.77.0.51:5060'" | apply
changes 'another URI' 2
await says 'sip:10.77.0.40:5060 sip:10.77.0.51:5060'
pass 'is another server'
site false | apply
changes 'nothing is purged unless that is wanted' 0

# Without Kamailio nobody knows whether a member is empty: it leaves, and does not go.
kill "$KAMAILIO"
site true | apply
changes 'a member that leaves' 2
site true | apply
changes 'is not told so again' 0
site true "'lb/lb1': uri => 'sip:10.77.0.51:5060'" | apply
changes 'it is wanted again' 2
equal 'and takes requests' active "$(value lb1 state)"

site true "'queue/q1': uri => 'sip:10.77.0.51:5060'" | apply
check 'a pool that is not declared' said 'Kamscale_pool[queue] is not in the catalog: declare it'
site true "'lb/here': ensure => absent" | apply
check "what stands in agent.toml cannot be removed, and why" said 'lb/here stands in the configuration'
site true "$LB2" | sed "s/'lb'/'queue'/; s,lb/,queue/," | apply
check 'a pool that the agent does not have' said 'there is no pool queue; agent.toml has: lb'
site true "$LB2" | sed "s/agent.sock/nobody.sock/" | apply
check 'no agent' said 'the agent does not answer on'
finish
