#!/bin/bash
# Loads examples/exercise.rs into a real Kamailio: the memory of a transaction, destinations in a failure route, the
# word of a dialog and its end, expressions as parameters, counters, the timer, faults and panics of remote commands,
# a process and requests of the module's own, event routes.
set -u
. "$(dirname "$0")/server.sh"
build_example exercise || exit 1

ROUTES='
modparam("rr", "enable_full_lr", 1)
request_route {
    if (is_method("ACK")) { t_check_trans(); exit; }
    # where relayed requests arrive
    if ($Rp == @SECOND@) { sl_send_reply("200", "answered"); exit; }
    if (is_method("BYE")) {
        ex_call();
        xlog("L_INFO", "call of the BYE: $rc\n");
        dlg_manage(); # instead of record_route() and loose_route(): finds the dialog by its tags
        $du = "sip:127.0.0.1:@SECOND@";
        t_relay();
        exit;
    }
    switch ($rU) {
    case "sink503": sl_send_reply("503", "full"); exit;
    case "sink486": sl_send_reply("486", "busy"); exit;

    case "zero": ex_nothing(); $var(rc) = $rc; break;
    case "call": ex_call(); $var(rc) = $rc * 10; ex_call(); $var(rc) = $var(rc) + $rc; break;
    case "expression": ex_resolved("x" + $rm); $var(rc) = $rc; break;
    case "unknown": ex_resolved("x" + $rU); $var(rc) = $rc; break;
    case "join": ex_join("192.0.2.7:5071", "sip:192.0.2.8", "c-$rm"); $var(rc) = $rc;
        sl_send_reply("200", "rc=$var(rc) ru=$ru du=$du"); exit;
    case "answer": ex_call(); $du = "sip:127.0.0.1:@SECOND@"; t_relay(); exit;
    case "busy": ex_call(); $rU = "sink503"; $du = "sip:127.0.0.1:@PORT@"; t_relay(); exit;
    case "rejected": ex_call(); $rU = "sink486"; $du = "sip:127.0.0.1:@PORT@"; t_relay(); exit;
    case "failover": ex_remember(); ex_remember(); ex_call(); t_on_failure("NEXT");
        $rU = "sink503"; $du = "sip:127.0.0.1:@PORT@"; t_relay(); exit;
    }
    sl_send_reply("200", "rc=$var(rc)");
    exit;
}
failure_route[NEXT] {
    ex_next(); $var(first) = $rc;
    ex_next(); $var(second) = $rc;
    ex_call(); $var(call) = $rc;
    xlog("L_INFO", "failure route: $var(first) $var(second) call $var(call)\n");
    ex_destination("sip:127.0.0.1:@SECOND@");
    t_relay();
}'
write_config exercise "ctl kex sl tm rr pv xlog textops siputils dialog counters" "$ROUTES"
SECOND=$(free_port)
sed -i "s/@PORT@/$PORT/g; s/@SECOND@/$SECOND/g; s/^listen=.*/&\nlisten=udp:127.0.0.1:$SECOND/" "$RUN/kamailio.cfg"
start || { fail "the server starts"; cat "$RUN/log"; finish; }
pass "the server starts"
check "the dialog module is bound" logged "exercise: dialog bound"

equal "0 becomes -1" "SIP/2.0 200 rc=-1" "$(status OPTIONS zero)"
equal "an expression is resolved at run time" "SIP/2.0 200 rc=1" "$(status OPTIONS expression)"
equal "... and an unknown value is no error" "SIP/2.0 200 rc=-1" "$(status OPTIONS unknown)"
equal "three parameters, R-URI and destination" \
    "SIP/2.0 200 rc=1 ru=sip:join@192.0.2.7:5071 du=sip:192.0.2.8" "$(CALL_ID=id-1 status OPTIONS join)"
check "what a message says" logged 'join c-OPTIONS Options Request 127.0.0.1 id-1 to-tag false du Some("sip:192.0.2.8")'

equal "no dialog for OPTIONS" "SIP/2.0 200 rc=-11" "$(status OPTIONS call)"
equal "a dialog keeps its word" "SIP/2.0 200 rc=12" "$(status INVITE call)"
check "... whose end is seen when no call comes of it" until_true 10 logged "exercise: ended 77 in"

: >"$RUN/log"
equal "a refused call" "SIP/2.0 500 Service Unavailable" "$(status INVITE busy)"
check "... ends its dialog" until_true 10 logged "exercise: ended 77 in"

: >"$RUN/log"
equal "a rejected call" "SIP/2.0 486 busy" "$(status INVITE rejected)"
check "... is told with what its caller got" until_true 10 logged "exercise: failed 77 with 486"
check "... ends its dialog, too" until_true 10 logged "exercise: ended 77 in"

: >"$RUN/log"
answer=$(CALL_ID=bye FROM_TAG=caller request INVITE answer)
equal "an answered call" "SIP/2.0 200 answered" "$(head -1 <<<"$answer")"
to_tag=$(sed -n 's/^To:.*;tag=//p' <<<"$answer")
check "... and who answered is told" logged "exercise: answered 77 by 127.0.0.1:$SECOND, note 5"
equal "... ends with its BYE" "SIP/2.0 200 answered" "$(CALL_ID=bye FROM_TAG=caller TO_TAG=$to_tag status BYE answer)"
check "... which finds the word" logged "call of the BYE: 2"
check "... and gives it back at once, in the worker" logged "exercise: ended 77 in udp receiver"

: >"$RUN/log"
# without ruri_mark_new() t_relay() finds no branch, and the caller gets 500
equal "a destination alone makes a new branch in the failure route" "SIP/2.0 200 answered" "$(status INVITE failover)"
check "memory and dialog are seen in the failure route" logged "failure route: 2 3 call 2"
stop
check "the end of the server ends its dialogs" logged "exercise: ended 77 in main process"

start || fail "the server starts again"
check "the timer ticks" until_true 10 logged "exercise: first tick"
equal "a counter of 64 bits" 1 "$(rpc stats.get_statistics exercise: | grep -c '1099511627778')"
equal "a fault's text is no format" "error: 404 - 100% not found" "$(rpc exercise.panics fault)"
equal "a panic in a command is a fault" "error: 500 - the command failed, see the server's log" "$(rpc exercise.panics panic)"
check "... and is logged" logged "in a command"
check "... and counted" grep -qw 1 <<<"$(rpc exercise.panics)"
equal "an answer that is too long is a fault" "error: 500 - the answer is too long for this transport" "$(rpc exercise.panics big)"
stop

DEAD=$(free_port)
cp "$RUN/kamailio.cfg" "$RUN/plain.cfg"
cat >>"$RUN/kamailio.cfg" <<END
modparam("tm", "fr_timer", 500)
modparam("exercise", "asks", "sip:asked@127.0.0.1:$PORT")
modparam("exercise", "asks", "sip:asked@127.0.0.1:$DEAD")
modparam("exercise", "asks", "sip:asked@127.0.0.1:$SECOND")
event_route[exercise:sent] { xlog("L_INFO", "event \$ru \$rm\n"); }
END
start || { fail "the server starts with a process of the module's own"; cat "$RUN/log"; }
check "... which sends" until_true 10 logged "exercise: sent 1 Ok(()) in exercise asks"
check "an answer comes back to its token, with its headers" until_true 10 logged 'answered 1 200 true "test" in udp receiver'
check "... and so does the end of waiting" until_true 10 logged 'answered 2 408 false ""'
check "... and a panic in the callback is caught" until_true 10 logged "panic caught in tm callback"
check "an event route sees the URI" logged "event sip:asked@127.0.0.1:$DEAD OPTIONS"
equal "... and the server lives" "SIP/2.0 200 rc=-1" "$(status OPTIONS zero)"
stop
mv "$RUN/plain.cfg" "$RUN/kamailio.cfg"

sed -i '/"dialog.so"/d; /dlg_manage/d' "$RUN/kamailio.cfg"
start || fail "the server starts without dialog"
check "an absent dialog module is an error value" logged "the dialog module is not loaded"
equal "... and no dialog" "SIP/2.0 200 rc=-11" "$(status INVITE call)"
stop

sed -i 's/ex_resolved("x" + $rm)/ex_resolved("un" + "known")/' "$RUN/kamailio.cfg"
if start; then fail "a wrong constant expression is refused"; else pass "a wrong constant expression is refused"; fi
check "... naming it" logged 'ex_resolved(), parameter 1: "unknown": unknown'
finish
