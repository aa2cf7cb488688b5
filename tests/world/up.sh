#!/bin/bash
# The whole platform from nothing: the switch, the image, OpenStack, and through Heat every host of it, until calls are served. What
# it took is written to WORLD/up.json. down.sh ends it.
#   up.sh [agent|aodh]      who decides about the pools (agent)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
DECIDE=${1:-agent}
case $DECIDE in agent | aodh) ;; *) die "usage: up.sh [agent|aodh]" ;; esac
BEGIN=${EPOCHREALTIME/./}
declare -A PHASE=()

progress() {
    local ms=$(((${EPOCHREALTIME/./} - BEGIN) / 1000))
    printf 'world: %3d.%d s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*"
}

phase() { # phase NAME COMMAND...: its seconds are remembered
    local name=$1 since=${EPOCHREALTIME/./}
    shift
    "$@"
    PHASE[$name]=$(((${EPOCHREALTIME/./} - since) / 1000))
    progress "$name: $((PHASE[$name] / 1000)) s"
}

available_kb() { awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo; }

lay_cables() {
    "$HERE/net.sh" up
    has_namespace operator || "$HERE/net.sh" attach operator 10.77.0.3
    has_namespace phones || "$HERE/net.sh" attach phones 10.77.0.200
    make_groups phones
    # Phones are machines of their own elsewhere: that this one is busy must not make them late.
    echo 16384 >"$(group cpu phones)/cpu.shares"
}

make_image() {
    "$HERE/image.sh" make
    "$HERE/image.sh" mount
}

make_secrets() { # what the agents ask OpenStack with, and what they find there
    "$HERE/secrets.sh"
    "$HERE/cloud.sh" run env OS_CLIENT_CONFIG_FILE="$DIR/openstack/clouds.yaml" OS_CLIENT_SECURE_FILE="$DIR/openstack/secure.yaml" \
        "$DIR/image/layer/opt/kamscale/kamscale" cloud prepare --cloud kamscale-admin >/dev/null
}

serves() {
    MISSING=$("$HERE/status.sh" serving) && return 0
    if [ "$MISSING" != "${SAID:-}" ]; then
        progress "not yet: $(paste -sd ';' <<<"$MISSING")"
        SAID=$MISSING
    fi
    sleep 1
    return 1
}

have_booted() { # the first boots are over, and hosts have their share of the processors
    local host pid
    for host in $("$HERE/host.sh" list); do
        pid=$(recorded_pid "$DIR/hosts/$host/init") && [ -e "/proc/$pid/root/run/cloud-init/result.json" ] || return 1
    done
}

start_serving() {
    await 120 "calls are served: see status.sh serving" serves
    await 60 "all first boots are over" have_booted
}

report() {
    local name
    {
        for name in "${!PHASE[@]}"; do jq -n --arg n "$name" --argjson ms "${PHASE[$name]}" '{phases: {($n): ($ms / 1000)}}'; done
        jq -n --argjson up "$(((${EPOCHREALTIME/./} - BEGIN) / 1000))" --argjson kb $((BEFORE_KB - $(available_kb))) \
            --argjson hosts "$("$HERE/host.sh" memory | awk '{ print $2 }' | jq -s add)" --arg decide "$DECIDE" \
            '{up_s: ($up / 1000), memory_mb: ($kb / 1024 | round), hosts_mb: ($hosts / 1048576 | round), decide: $decide}'
    } | jq -s 'reduce .[] as $one ({}; . * $one)' >"$DIR/up.json.part"
    mv "$DIR/up.json.part" "$DIR/up.json"
}

[ -z "$("$HERE/net.sh" list)" ] || die "a world $WORLD is up: down.sh ends it, or KAMSCALE_WORLD and KAMSCALE_WORLD_DIR name another one"
BEFORE_KB=$(available_kb)
lay_cables
make_image &
IMAGE=$!
phase cloud "$HERE/cloud.sh" up
wait $IMAGE || die "the image could not be made"
phase secrets make_secrets
progress "the cloud is there; Heat makes the platform"
phase stacks "$HERE/cloud.sh" run "$HERE/stacks.sh" create "$DECIDE"
phase serving start_serving
if [ "$DECIDE" = aodh ]; then phase alarms "$HERE/cloud.sh" run "$HERE/stacks.sh" alarms; fi
report
"$HERE/status.sh"
progress "up: $(jq -r '"\(.up_s) s, \(.memory_mb) MB"' "$DIR/up.json")"
