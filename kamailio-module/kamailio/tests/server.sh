# A real Kamailio with one example module, for the tests beside this file; source it. It starts one server at a time in
# a directory of its own under the target directory, and stops only what it started.
# The caller reads $RUN (the directory) and $PORT. PROFILE=release takes the release build of the module.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
KAMAILIO=${KAMAILIO_BIN:-kamailio}
[ "$KAMAILIO" != none ] || KAMAILIO=kamailio
RUN=
SERVER=
FAILED=0

say() { printf '%s\n' "$*"; }

pass() { say "ok      $1"; }

fail() {
    say "FAILED  $1"
    FAILED=1
}

# check NAME COMMAND...: the command must succeed
check() {
    local name=$1
    shift
    if "$@"; then pass "$name"; else fail "$name"; fi
}

# equal NAME EXPECTED GOT
equal() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1: expected '$2', got '$3'"; fi
}

# until_true SECONDS COMMAND...: awaits a condition
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# build_example NAME: examples/NAME.rs as a module
build_example() {
    local release=
    [ "${PROFILE:-debug}" = debug ] || release=--release
    (cd "$ROOT" && cargo build --quiet -p kamailio --example "$1" $release)
}

# free_port: a UDP port on 127.0.0.1 that nobody is bound to
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        grep -qi ":$(printf %04X "$port") " /proc/net/udp || break
    done
    echo "$port"
}

# logged TEXT: the server's log has it
logged() { grep -qF -- "$1" "$RUN/log"; }

# write_config MODULE MODULES ROUTES: the configuration; $PORT is chosen here
write_config() {
    PORT=$(free_port)
    {
        printf 'debug=2\nlog_stderror=yes\nchildren=1\ndisable_tcp=yes\nauto_aliases=no\nlisten=udp:127.0.0.1:%s\n' "$PORT"
        printf 'server_header="Server: test"\nmpath="%s"\n' "$MODULES_DIR"
        local name
        for name in $2; do printf 'loadmodule "%s.so"\n' "$name"; done
        printf 'loadmodule "%s"\n' "$TARGET/${PROFILE:-debug}/examples/lib$1.so"
        printf 'modparam("ctl", "binrpc", "unix:%s/ctl")\n%s\n' "$RUN" "$3"
    } >"$RUN/kamailio.cfg"
}

# start: starts the server with $RUN/kamailio.cfg; false if it ends before it is ready
start() {
    rm -f "$RUN/ctl"
    "$KAMAILIO" -f "$RUN/kamailio.cfg" -DD -E -Y "$RUN" "$@" >"$RUN/log" 2>&1 &
    SERVER=$!
    until_true 20 ready
    kill -0 "$SERVER" 2>/dev/null && [ -S "$RUN/ctl" ]
}

ready() { ! kill -0 "$SERVER" 2>/dev/null || rpc core.uptime >/dev/null 2>&1; }

stop() {
    [ -n "$SERVER" ] || return 0
    kill "$SERVER" 2>/dev/null
    wait "$SERVER" 2>/dev/null
    SERVER=
}

rpc() { kamcmd -s "unix:$RUN/ctl" "$@" 2>&1; }

# request METHOD USER: sends one request and prints its final reply. CALL_ID, FROM_TAG and TO_TAG may be set.
request() {
    local id=$RANDOM$RANDOM reply
    exec 3<>"/dev/udp/127.0.0.1/$PORT"
    printf '%s\r\n' "$1 sip:$2@127.0.0.1:$PORT SIP/2.0" "Via: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK$id" \
        "From: <sip:a@127.0.0.1>;tag=${FROM_TAG:-$id}" "To: <sip:$2@127.0.0.1>${TO_TAG:+;tag=$TO_TAG}" "Call-ID: ${CALL_ID:-$id}" "CSeq: 1 $1" \
        "Contact: <sip:a@127.0.0.1:9>" "Max-Forwards: 70" "Content-Length: 0" "" >"$RUN/request"
    cat "$RUN/request" >&3
    while reply=$(timeout 8 dd bs=65535 count=1 <&3 2>/dev/null) && [ -n "$reply" ]; do
        case $reply in "SIP/2.0 1"*) continue ;; esac
        printf '%s\n' "$reply" | tr -d '\r'
        break
    done
    exec 3>&-
}

# status METHOD USER: the first line of the reply
status() { request "$@" | head -1; }

finish() {
    stop
    if [ "$FAILED" = 0 ]; then rm -rf "$RUN"; else say "log and configuration: $RUN"; fi
    exit "$FAILED"
}

MODULES_DIR=$("$KAMAILIO" -I | sed -n 's/^ *Default paths to modules: //p')
mkdir -p "$TARGET/kamailio-tests"
RUN=$(mktemp -d "$TARGET/kamailio-tests/XXXXXX")
trap stop EXIT
