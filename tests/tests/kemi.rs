//! The same functions from a script in JavaScript (app_jsdt): each `KSR.kamscale.ks_*` once.

use std::path::Path;
use std::process::Command;

use kamscale_tests::{Answer, Kamailio, Member, RunDir, SipClient, tool};

use crate::support::{ask, await_calls, member, pool, publisher};

const CFG: &str = r#"
debug=2
children=2
listen=KS_LISTEN
disable_tcp=yes
auto_aliases=no
loadmodule "kex.so"
loadmodule "ctl.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "dialog.so"
loadmodule KS_MODULE
loadmodule "app_jsdt.so"
modparam("ctl", "binrpc", KS_CTL)
modparam("tm", "failure_reply_mode", 3)
modparam("kamscale", "shm_dir", KS_SHM_DIR)
modparam("kamscale", "feature", "calls")
modparam("app_jsdt", "load", KS_SCRIPT)
cfgengine "jsdt"
"#;

/// OPTIONS answer what the call in X-Call gave and what it set; calls go on from who refuses.
const SCRIPT: &str = r#"
var calls = {
    count: function () { return KSR.kamscale.ks_count("calls"); },
    count_unknown: function () { return KSR.kamscale.ks_count("nothing"); },
    dst: function () { return KSR.kamscale.ks_select_dst("p"); },
    dst_alg: function () { return KSR.kamscale.ks_select_dst_alg("p", "serial"); },
    dst_unknown: function () { return KSR.kamscale.ks_select_dst_alg("p", "fastest"); },
    dst_nowhere: function () { return KSR.kamscale.ks_select_dst("nowhere"); },
    dst_empty: function () { return KSR.kamscale.ks_select_dst("empty"); },
    dst_key: function () { return KSR.kamscale.ks_select_dst_key("p", "hash", "room-1"); },
    domain: function () { return KSR.kamscale.ks_select_domain("p"); },
    domain_alg: function () { return KSR.kamscale.ks_select_domain_alg("p", "random"); },
    domain_key: function () { return KSR.kamscale.ks_select_domain_key("p", "hash", "room-1"); },
    next_dst: function () { KSR.kamscale.ks_select_dst("p"); return KSR.kamscale.ks_next_dst(); },
    next_domain: function () {
        KSR.kamscale.ks_select_domain("p");
        return KSR.kamscale.ks_next_domain();
    },
    next_of_none: function () { return KSR.kamscale.ks_next_dst(); },
    mark: function () { KSR.kamscale.ks_select_dst("p"); return KSR.kamscale.ks_mark_dst(); },
    mark_state: function () {
        KSR.kamscale.ks_select_dst("q");
        KSR.kamscale.ks_mark_dst();
        return KSR.kamscale.ks_mark_dst_state("up");
    },
    from_any: function () { return KSR.kamscale.ks_is_from_any_pool(); },
    from: function () { return KSR.kamscale.ks_is_from_pool("callers"); },
    from_other: function () { return KSR.kamscale.ks_is_from_pool("p"); },
    exists: function () { return KSR.kamscale.ks_pool_exists("p"); },
    exists_not: function () { return KSR.kamscale.ks_pool_exists("nowhere"); },
    active: function () { return KSR.kamscale.ks_is_active("q"); },
    active_uri: function () { return KSR.kamscale.ks_is_active_uri("p", "sip:192.0.2.1"); },
};

function ksr_request_route() {
    var name = KSR.pv.gete("$hdr(X-Call)");
    if (name != "") {
        var code = calls[name]();
        var set = "<" + KSR.pv.gete("$du") + "> " + KSR.pv.gete("$rd") + " " + KSR.pv.gete("$ks_member");
        KSR.hdr.append_to_reply("X-Code: " + code + "\r\nX-Set: " + set + "\r\n");
    }
    if (KSR.is_OPTIONS()) {
        KSR.sl.sl_send_reply(200, "OK");
        return;
    }
    if (KSR.siputils.has_totag() > 0) {
        if (KSR.rr.loose_route() > 0) { KSR.tm.t_relay(); }
        return;
    }
    KSR.rr.record_route();
    if (KSR.kamscale.ks_select_dst_alg("calls", "serial") < 0) {
        KSR.sl.sl_send_reply(503, "No Member");
        return;
    }
    KSR.tm.t_on_failure("ksr_failure_next");
    KSR.tm.t_relay();
}

function ksr_failure_next() {
    if (KSR.kamscale.ks_next_dst() > 0) { KSR.tm.t_relay(); }
}
"#;

/// Where Kamailio looks for modules has the engine.
fn engine_is_installed() -> bool {
    let output = Command::new(tool("kamailio")).arg("-I").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let dirs = text
        .split_once("paths to modules: ")
        .map_or("", |(_, rest)| rest);
    let dirs = dirs.lines().next().unwrap_or_default();
    dirs.split(':')
        .any(|dir| Path::new(dir.trim()).join("app_jsdt.so").is_file())
}

#[test]
fn every_function_does_the_same_from_javascript() {
    if !engine_is_installed() {
        println!("SKIPPED: app_jsdt.so is missing (package kamailio-extra-modules)");
        return;
    }
    let run = RunDir::new("kemi");
    let client = SipClient::new(&run);
    let members = [Member::start(run.endpoint()), Member::start(run.endpoint())];
    members[0].answer_invites(Answer::Status(503));
    let ranked = |i: usize| kamscale_shm::MemberSpec {
        priority: [9, 1][i],
        ..member(["first", "second"][i], members[i].uri())
    };
    let uris = ["sip:192.0.2.1", "sip:192.0.2.2"];
    let _publisher = publisher(
        &run,
        vec![
            pool("p", vec![member("one", uris[0]), member("two", uris[1])]),
            pool("q", vec![member("only", "sip:192.0.2.9")]),
            pool(
                "callers",
                vec![member("c", format!("sip:{}", client.address()))],
            ),
            pool("calls", vec![ranked(0), ranked(1)]),
            pool("empty", Vec::new()),
        ],
    );
    let script = run.write("script.js", SCRIPT);
    let kamailio = Kamailio::with_text(&run, CFG)
        .define_text("KS_SCRIPT", script.display())
        .start();
    check_codes(&client, &kamailio);

    let mut call = client.invite(kamailio.sip(), "anybody");
    call.answered();
    await_calls(&kamailio, "calls", "first", 0, 1);
    await_calls(&kamailio, "calls", "second", 1, 1);
    assert_eq!(call.bye(), 200);
    await_calls(&kamailio, "calls", "second", 0, 1);
    let log = kamailio.log();
    assert!(!log.contains("panic"), "{log}");
}

fn check_codes(client: &SipClient, kamailio: &Kamailio<'_>) {
    let call = |name: &str, header| ask(client, kamailio, &[("X-Call", name)], header);
    for (name, code) in [
        ("count", "1"),
        ("count_unknown", "-4"),
        ("dst", "1"),
        ("dst_alg", "1"),
        ("dst_unknown", "-4"),
        ("dst_nowhere", "-2"),
        ("dst_empty", "-3"),
        ("dst_key", "1"),
        ("domain", "1"),
        ("domain_alg", "1"),
        ("domain_key", "1"),
        ("next_dst", "1"),
        ("next_domain", "1"),
        ("next_of_none", "-5"),
        ("mark_state", "1"),
        ("from_any", "1"),
        ("from", "1"),
        ("from_other", "-1"),
        ("exists", "1"),
        ("exists_not", "-1"),
        ("active", "1"),
        ("active_uri", "1"),
    ] {
        assert_eq!(call(name, "X-Code"), code, "{name}");
    }
    let key = call("dst_key", "X-Set");
    assert!(
        key.starts_with("<sip:192.0.2."),
        "$du of a selection: {key}"
    );
    assert_eq!(call("dst_key", "X-Set"), key, "a key keeps its member");
    let domain = call("domain_key", "X-Set");
    let of = |set: &str, part: usize| set.split(' ').nth(part).unwrap_or_default().to_owned();
    assert_eq!(
        of(&domain, 2),
        of(&key, 2),
        "the key's member, as host of the R-URI"
    );
    assert!(of(&domain, 1).starts_with("192.0.2."), "{domain}");
    let requests = kamailio.observed("default").features[0].requests;
    assert_eq!(requests, 1, "ks_count() was called once with a feature");
    assert_eq!(call("mark", "X-Code"), "1");
    let members = kamailio.rpc(&["kamscale.members", "p"]);
    let down = members.iter().filter(|m| m["usable"] == "no").count();
    assert_eq!(down, 1, "ks_mark_dst() from JavaScript: {members:?}");
}
