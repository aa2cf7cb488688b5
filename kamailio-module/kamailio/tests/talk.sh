#!/bin/bash
# Loads examples/talk.rs into a real Kamailio that is its own neighbour: dmq knows it by two addresses, so that what it
# says comes back to it.
set -u
. "$(dirname "$0")/server.sh"
build_example talk || exit 1

SECOND=$(free_port)
ROUTES='
modparam("dmq", "server_address", "sip:127.0.0.1:@PORT@")
modparam("dmq", "notification_address", "sip:127.0.0.1:@SECOND@")
modparam("dmq", "num_workers", 1)
request_route {
    if (is_method("KDMQ")) { dmq_handle_message(); exit; }
    sl_send_reply("200", "alive");
}'
write_config talk "ctl sl tm pv textops dmq" "$ROUTES"
sed -i "s/@PORT@/$PORT/g; s/@SECOND@/$SECOND/g; s/^listen=.*/&\nlisten=udp:127.0.0.1:$SECOND/" "$RUN/kamailio.cfg"
start || { fail "the server starts"; cat "$RUN/log"; finish; }
pass "the server starts"

heard() {
    rpc talk.say "$1" >/dev/null
    logged "heard \"$1\" from sip:talk@127.0.0.1:$PORT in DMQ WORKER"
}
check "what is said is heard, with who says it" until_true 15 heard "hello, all"
equal "a server answers that it said it" "said" "$(rpc talk.say panic)"
check "a panic in the callback is caught" until_true 10 logged "panic caught in dmq callback"
check "... and the next message is heard" until_true 10 heard "still here"
equal "... and the server lives" "SIP/2.0 200 alive" "$(status OPTIONS any)"
stop

# ours before dmq
sed -i '/"dmq.so"/d; s/^modparam("dmq", "server_address"/loadmodule "dmq.so"\n&/' "$RUN/kamailio.cfg"
if start; then fail "dmq after this module is refused"; else pass "dmq after this module is refused"; fi
check "... with the remedy" logged 'the dmq module is not loaded before this one (loadmodule "dmq.so")'
finish
