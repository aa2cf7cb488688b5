#!/bin/bash
# Shows on the running cloud of the world (up.sh) that Heat makes machines: heat/member.yaml as shipped boots a host from its
# user data, is complete when the host itself has said so, says why when it is not, and leaves nothing.
set -euo pipefail
if [ -z "${KAMSCALE_OPENSTACK_ADDRESS:-}" ]; then exec "$(dirname "${BASH_SOURCE[0]}")/cloud.sh" run "${BASH_SOURCE[0]}"; fi
. "$(dirname "${BASH_SOURCE[0]}")/../openstack/heat.sh"
PROGRAMS=$REPOSITORY/tests/world
export ENVIRONMENT=$PROGRAMS/env.yaml
FAULTS=$KAMSCALE_WORLD_DIR/faults.json
FAILED=0
check() { # check NAME COMMAND...
    local name=$1
    shift
    if "$@"; then echo "ok  $name"; else
        echo "FAILED  $name"
        FAILED=1
    fi
}
is_true() { jq -e "$1" <<<"$2" >/dev/null; }
expect() { check "$1" is_true "$2" "${3:-null}"; } # expect NAME EXPRESSION JSON
NAME=kamscale-machine
MACHINE='{"pool": "ccp", "name": "machine", "image": "world", "flavor": "world.ccp", "network": "world", "ready_timeout_s": 60}'
with() { jq -n --argjson b "$MACHINE" --argjson p "$1" '$b + $p'; }
has_ended() { [[ $(stack $NAME | jq -r .stack_status) != *_IN_PROGRESS ]]; }
reason() { stack $NAME | jq -r .stack_status_reason; }
journal() { tail -n 1 "$KAMSCALE_WORLD_DIR/machines/journal.jsonl" | jq -r .event; }
machine() { "$PROGRAMS/host.sh" "$@"; }

trap 'rm -rf "$WORK" "$FAULTS"' EXIT
log_in kamscale
delete $NAME

create $NAME member.yaml "$(with '{"install_script": "systemd-run --quiet python3 -m http.server 5060"}')"
await 60 "$NAME is complete" is_complete $NAME
expect "its address is of its pool" 'test("^10\\.77\\.1\\.")' "$(output $NAME address)"
check "it is a host that runs" test "$(machine state machine)" = running
check "its log says what its user data did" machine exec machine grep -q "200 OK" /var/log/cloud-init-output.log
delete $NAME
check "deleted, nothing of it is left" test "$(machine state machine)" = absent
check "and the journal says so" test "$(journal)" = delete

create $NAME member.yaml "$(with '{"address": "10.77.1.60", "install_script": "false"}')"
await 60 "$NAME ends" has_ended
expect "a failing install_script fails the stack, with the reason" 'test("install_script failed")' "$(reason | jq -R .)"
expect "a given address is kept" '. == "10.77.1.60"' "$(output $NAME address)"
delete $NAME

echo '{"kamscale-machine": {"hang": true}}' >"$FAULTS"
create $NAME member.yaml "$(with '{"ready_timeout_s": 10}')"
await 60 "$NAME ends" has_ended
expect "a machine that never gets ready fails the stack" 'test("WaitConditionTimeout")' "$(reason | jq -R .)"
check "though it boots" test "$(machine state machine)" = running
delete $NAME
check "deleted, nothing of it is left" test "$(machine state machine)" = absent
exit $FAILED
