#!/bin/bash
# One service at a time, for tests of faults; the others stay as they are.
#   service.sh start NAME      also what it needs; returns when it is ready
#   service.sh stop NAME       TERM; KILL when it is there 10 s later
#   service.sh kill NAME       KILL
#   service.sh pause NAME      SIGSTOP: it hangs, its port stays open
#   service.sh resume NAME     SIGCONT
#   service.sh status [NAME]   the state and process id of one (exit code 3: not running) or of all
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/services.sh"
. "$HERE/data.sh"
. "$HERE/configure.sh"

usage() {
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

state_of() { # state_of NAME
    local pid
    if pid=$(recorded_pid "$1"); then echo "running $pid"; else echo "stopped"; fi
}

[ $# -ge 1 ] || usage
ACTION=$1 NAME=${2:-}
if [ "$ACTION" = status ] && [ -z "$NAME" ]; then
    for name in "${ALL_SERVICES[@]}"; do printf '%-16s %s\n' "$name" "$(state_of "$name")"; done
    exit 0
fi
is_service "$NAME" || die "there is no service '$NAME'; there are: ${ALL_SERVICES[*]}"
[ -s "$DIR/port" ] || die "nothing was set up in $DIR yet: run up.sh first"

if [ "$ACTION" = status ]; then
    state_of "$NAME"
    if is_running "$NAME"; then exit 0; else exit 3; fi
fi
choose_ports
one_at_a_time
load_secrets
case $ACTION in
start) start_service "$NAME" ;;
stop) stop_all "$NAME" ;;
kill) kill_all_of "$NAME" ;;
pause) signal_group STOP "$NAME" ;;
resume) signal_group CONT "$NAME" ;;
*) usage ;;
esac
