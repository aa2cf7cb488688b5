# shellcheck shell=bash
# Sourced by the tests with real parts. It owns a stage: a network of its own (loopback only, every port free) and
# processes of its own (all end with the test), a directory, `puppet apply`, and the lines of results.
set -uo pipefail
shopt -s lastpipe # `... | apply` sets CODE here

MODULE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# need COMMAND...: skips the whole test where one is missing
need() {
    local command
    for command in puppet unshare ip "$@"; do
        command -v "$command" >/dev/null || { echo "SKIPPED: $(basename "$0") needs $command"; exit 0; }
    done
    [ "$(id -u)" = 0 ] || { echo "SKIPPED: $(basename "$0") makes namespaces, which needs root"; exit 0; }
}

# enter ARGUMENT...: goes on in namespaces of its own
enter() {
    if [ "${KAMSCALE_STAGE:-}" = "" ]; then
        KAMSCALE_STAGE=$(mktemp -d /tmp/kt-XXXXXX)
        export KAMSCALE_STAGE
        unshare --net --mount --pid --fork --kill-child --mount-proc "$0" "$@" &
        local stage=$! status
        trap 'kill -KILL $stage' INT TERM # it ignores all else; its processes end with it
        wait "$stage"
        status=$?
        if [ -n "${KEEP:-}" ]; then echo "kept: $KAMSCALE_STAGE"; else rm -rf "$KAMSCALE_STAGE"; fi
        exit $status
    fi
    STAGE=$KAMSCALE_STAGE
    ip link set lo up
    chmod 755 "$STAGE"
    mkdir -p "$STAGE/modules" "$STAGE/conf" "$STAGE/var"
    ln -s "$MODULE" "$STAGE/modules/kamscale"
}

FAILURES=0
pass() { printf 'ok  %s\n' "$1"; }
fail() {
    printf 'FAILED  %s\n' "$1"
    FAILURES=$((FAILURES + 1))
}
check() { # check NAME COMMAND...
    local name=$1
    shift
    if "$@" >/dev/null 2>&1; then pass "$name"; else fail "$name"; fi
}
equal() { # equal NAME EXPECTED SEEN
    if [ "$2" = "$3" ]; then pass "$1"; else
        fail "$1"
        printf '  expected: %s\n  seen:     %s\n' "$2" "$3"
    fi
}
finish() {
    [ "$FAILURES" = 0 ]
    exit
}

SERVERS=() # process ids of what must not end while something is awaited

# await COMMAND...: until it succeeds; the test ends, and says what it waited for, after PATIENCE (60) s or if a server ended
await() {
    local deadline=$((SECONDS + ${PATIENCE:-60})) server
    until "$@" >/dev/null 2>&1; do
        for server in ${SERVERS[0]+"${SERVERS[@]}"}; do
            kill -0 "$server" 2>/dev/null || { fail "a server ended before: $*"; deadline=0; }
        done
        if [ "$SECONDS" -ge "$deadline" ]; then
            fail "in time: $*"
            tail -n 20 "$STAGE"/*.log 2>/dev/null
            finish
        fi
        read -rt 0.05 <> <(:) || :
    done
}

# apply [ARGUMENT...] <MANIFEST: one run; its exit code is in $CODE (0 nothing to do, 2 changed, 4 and 6 failed), what it
# said in $STAGE/apply.log
apply() {
    cat >"$STAGE/site.pp"
    puppet apply --confdir "$STAGE/conf" --vardir "$STAGE/var" --modulepath "$STAGE/modules:/usr/share/puppet/modules" \
        --detailed-exitcodes --color=false "$@" "$STAGE/site.pp" >"$STAGE/apply.log" 2>&1
    CODE=$?
    if [ -n "${VERBOSE:-}" ]; then sed 's/^/    /' "$STAGE/apply.log"; fi
}
# changes NAME CODE: the last run ended so
changes() {
    equal "$1" "$2" "$CODE"
    if [ "$2" != "$CODE" ]; then grep -v '^Debug: ' "$STAGE/apply.log" | sed 's/^/    /'; fi
}
said() { grep -qF -- "$1" "$STAGE/apply.log"; }
