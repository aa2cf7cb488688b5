#!/bin/bash
# Stops, by process id, what up.sh started in KAMSCALE_OPENSTACK_DIR and the members that Heat's plug-in started: services
# first, then RabbitMQ, then MariaDB. --wipe also removes the data.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/services.sh"

case ${1:-} in
'' | --wipe) ;;
*) die "usage: down.sh [--wipe]" ;;
esac

stop_members() {
    local pid
    [ -d "$MEMBERS" ] || return 0
    while read -r pid; do
        kill -s KILL -- "-$pid" 2>/dev/null || true
    done < <(grep -lzsxF "KAMSCALE_MEMBERS_DIR=$MEMBERS" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3 | while read -r pid; do
        if [ "$(ps -o pgid= -p "$pid" | tr -d ' ')" = "$pid" ]; then echo "$pid"; fi
    done)
    rm -f "$MEMBERS"/*.json
}

one_at_a_time
services=()
for name in "${ALL_SERVICES[@]}"; do
    case $name in
    mariadb | epmd | rabbitmq) ;;
    *) if group_of "$name" >/dev/null; then services+=("$name"); fi ;;
    esac
done
if [ ${#services[@]} -gt 0 ]; then
    stop_all "${services[@]}"
    progress "stopped: ${services[*]}"
fi
stop_members
for name in rabbitmq epmd mariadb; do
    if group_of "$name" >/dev/null; then
        stop_all "$name"
        progress "stopped: $name"
    fi
done
if [ "${1:-}" = --wipe ]; then
    rm -rf "${DIR:?}"/{data,etc,home,log,made,members,run,port,address,clouds.yaml,secure.yaml,endpoints.env,members.json}
    progress "removed the data in $DIR"
fi
