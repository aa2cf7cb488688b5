#!/bin/bash
# Loads examples/hello.rs into a real Kamailio: script functions with constant, dynamic and wrong parameters, a panic,
# a remote command through kamcmd and jsonrpcs, pseudo-variables, KEMI.
set -u
. "$(dirname "$0")/server.sh"
build_example hello || exit 1

ROUTES='
modparam("hello", "person", "alice")
modparam("hello", "person", "bob")
modparam("hello", "volume", 3)
modparam("jsonrpcs", "transport", 2)
modparam("jsonrpcs", "fifo_name", "@FIFO@")
@KEMI@
request_route {
    switch ($rU) {
    case "constant": $var(rc) = 0; hello_greet("@NAME@"); $var(rc) = $rc; break;
    case "panic": hello_panic(); $var(rc) = $rc; break;
    case "kemi": @CALL@ $var(rc) = $rc; break;
    case "json": jsonrpc_exec("{\"jsonrpc\":\"2.0\",\"method\":\"hello.people\",\"id\":1}");
        append_to_reply("X-Json: $jsonrpl(body)\r\n"); break;
    default: hello_greet("$rU"); $var(rc) = $rc;
    }
    sl_send_reply("200", "rc=$var(rc) alice=$hello(alice) volume=$hello_volume");
    exit;
}'
ROUTES=${ROUTES//@FIFO@/$RUN/fifo}
STOCK="ctl kex sl pv xlog textops siputils jsonrpcs"
if [ -f "$MODULES_DIR/app_jsdt.so" ]; then
    STOCK="$STOCK app_jsdt"
    echo 'function greet() { return KSR.hello.greet("alice"); }' >"$RUN/kemi.js"
    ROUTES=${ROUTES//@KEMI@/modparam(\"app_jsdt\", \"load\", \"$RUN/kemi.js\")}
    ROUTES=${ROUTES//@CALL@/jsdt_run(\"greet\");}
else
    say "SKIPPED KEMI: app_jsdt is not installed (kamailio-extra-modules)"
    ROUTES=${ROUTES//@KEMI@/}
    ROUTES=${ROUTES//@CALL@/}
fi

write_config hello "$STOCK" "${ROUTES//@NAME@/alice}"
start || { fail "the server starts"; cat "$RUN/log"; finish; }
pass "the server starts"
check "parameters reach the module" logged "hello: 2 people, volume 3"

equal "a constant parameter" "SIP/2.0 200 rc=1 alice=1 volume=3 times quiet" "$(status OPTIONS constant)"
equal "a variable parameter" "SIP/2.0 200 rc=1 alice=2 volume=3 times quiet" "$(status OPTIONS alice)"
equal "an unknown value at run time" "SIP/2.0 200 rc=-2 alice=2 volume=3 times quiet" "$(status OPTIONS carol)"

equal "a panic is an error code" "SIP/2.0 200 rc=-1 alice=2 volume=3 times quiet" "$(status OPTIONS panic)"
check "the log has the panic's message and place" grep -qE 'hello: panic at .*hello\.rs:[0-9:]+: this is a bug on purpose' "$RUN/log"
check "the log has the entry's name" logged "hello: panic caught in hello_panic"
equal "the server lives on" "SIP/2.0 200 rc=1 alice=3 volume=3 times quiet" "$(status OPTIONS constant)"

if [ -f "$MODULES_DIR/app_jsdt.so" ]; then
    equal "KEMI" "SIP/2.0 200 rc=1 alice=4 volume=3 times quiet" "$(status OPTIONS kemi)"
fi

people=$(rpc hello.people)
equal "kamcmd shows one struct per person" 2 "$(grep -c 'name: ' <<<"$people")"
check "... with 64 bits" grep -qF 'large: 1099511627776' <<<"$people"
check "... and what is nested" grep -qF 'deep: -1' <<<"$people"
equal "an argument selects" 1 "$(rpc hello.people bob | grep -c 'name: ')"
equal "a fault has code and text" "error: 400 - no such person" "$(rpc hello.people 7)"
json='X-Json: .*\[.*{.*"name":[[:space:]]*"alice".*"deep":[[:space:]]*-1.*"list":[[:space:]]*\[1, *"two"\].*"name":[[:space:]]*"bob"'
check "jsonrpcs shows an array" grep -qE "$json" <<<"$(request OPTIONS json | tr -d '\n\t')"

stop
check "destroy runs" logged "hello: goodbye"

write_config hello "$STOCK" "${ROUTES//@NAME@/nobody}"
if start; then fail "an unknown constant is refused"; else pass "an unknown constant is refused"; fi
check "... naming function, parameter and value" logged 'hello_greet(), parameter 1: "nobody": unknown person'
finish
