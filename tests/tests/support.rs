//! What several behaviours share: a configuration around the module, tables published as an agent
//! would publish them, and what is counted. It must not expect anything by itself.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kamscale_shm::hash::member_id;
use kamscale_shm::{DesiredState, MemberSpec, PoolSpec, Publisher, TableSpec, limits};
use kamscale_tests::{
    Kamailio, KamailioSetup, PATIENCE, RunDir, SipClient, SipMessage, wait_until,
};
use serde_json::Value;

/// Around the routes of a test; our module is loaded last.
const HEAD: &str = r#"
#!ifndef KS_INSTANCE
#!define KS_INSTANCE "default"
#!endif
debug=2
listen=KS_LISTEN
disable_tcp=yes
auto_aliases=no
loadmodule "kex.so"
loadmodule "ctl.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "dialog.so"
loadmodule KS_MODULE
modparam("ctl", "binrpc", KS_CTL)
modparam("tm", "failure_reply_mode", 3)
modparam("rr", "enable_full_lr", 1)
modparam("kamscale", "shm_dir", KS_SHM_DIR)
modparam("kamscale", "instance", KS_INSTANCE)
"#;

/// What is no new call: requests of a dialog go their way, OPTIONS are answered.
const IN_DIALOG: &str = r#"
route[IN_DIALOG] {
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (has_totag()) {
        if (loose_route()) { t_relay(); exit; }
        if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
        sl_send_reply("404", "Not Here");
        exit;
    }
    if (is_method("ACK")) exit;
    if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
}
"#;

/// A configuration: parameters (and more modules), then routes. `route(IN_DIALOG)` is there.
pub(crate) fn config(parameters: &str, routes: &str) -> String {
    let children = if parameters.contains("children=") {
        ""
    } else {
        "children=2\n"
    };
    format!("{children}{HEAD}{parameters}\n{IN_DIALOG}\n{routes}\n")
}

/// An active member with a weight like all others.
pub(crate) fn member(name: &str, uri: impl std::fmt::Display) -> MemberSpec {
    MemberSpec {
        name: name.into(),
        uri: uri.to_string(),
        state: DesiredState::Active,
        weight: limits::DEFAULT_WEIGHT,
        priority: 0,
        capacity: 0,
        options: Default::default(),
    }
}

/// A pool.
pub(crate) fn pool(name: &str, members: Vec<MemberSpec>) -> PoolSpec {
    PoolSpec {
        name: name.into(),
        hash_bits: limits::DEFAULT_HASH_BITS,
        members,
        options: Default::default(),
    }
}

/// Takes the agent's part for the instance `default`.
#[track_caller]
pub(crate) fn publisher(run: &RunDir, pools: Vec<PoolSpec>) -> Publisher {
    let opened = Publisher::open(&run.shm_dir(), "default");
    let mut publisher = opened.unwrap_or_else(|e| panic!("taking the agent's part: {e}"));
    publish(&mut publisher, pools);
    publisher
}

/// Publishes a table.
#[track_caller]
pub(crate) fn publish(publisher: &mut Publisher, pools: Vec<PoolSpec>) {
    let published = publisher.publish(&TableSpec { pools });
    published.unwrap_or_else(|e| panic!("publishing: {e}"));
}

/// What a member carries now and ever carried, as shared memory has it.
pub(crate) fn calls(kamailio: &Kamailio<'_>, pool: &str, name: &str) -> (u32, u64) {
    let id = member_id(pool, name);
    let members = kamailio.observed("default").members;
    let found = members.iter().find(|m| m.id == id);
    found.map_or((0, 0), |m| (m.calls, m.calls_total))
}

/// What `kamscale.members` shows of a member.
#[track_caller]
pub(crate) fn shown(kamailio: &Kamailio<'_>, pool: &str, name: &str) -> Value {
    let members = kamailio.rpc(&["kamscale.members", pool]);
    let found = members.iter().find(|m| m["member"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {members:?}"));
    found.clone()
}

/// Awaits that shared memory and RPC say so of a member: calls now, calls ever.
#[track_caller]
pub(crate) fn await_calls(kamailio: &Kamailio<'_>, pool: &str, name: &str, now: u32, ever: u64) {
    let what = format!("{pool}/{name} carries {now} calls, {ever} in all");
    wait_until(&what, PATIENCE, || {
        calls(kamailio, pool, name) == (now, ever)
    });
    assert_eq!(shown(kamailio, pool, name)["calls"], now, "RPC: {what}");
}

/// Awaits the next request of this method at a socket that plays a member by hand.
#[track_caller]
pub(crate) fn request_at(phone: &SipClient, method: &str) -> SipMessage {
    next_at(phone, method, |message| message.method() == Some(method))
}

/// Awaits the next reply at a socket that plays a phone by hand: keepalives and what is sent again may come before.
#[track_caller]
pub(crate) fn reply_at(phone: &SipClient) -> SipMessage {
    next_at(phone, "reply", |message| message.status().is_some())
}

#[track_caller]
fn next_at(phone: &SipClient, what: &str, is_meant: impl Fn(&SipMessage) -> bool) -> SipMessage {
    let end = Instant::now() + PATIENCE;
    loop {
        let rest = end.saturating_duration_since(Instant::now());
        let message = phone.receive(rest);
        let message = message.unwrap_or_else(|| panic!("no {what} at {}", phone.address()));
        if is_meant(&message) {
            return message;
        }
    }
}

/// The status of a single request with headers, and one header of the answer.
#[track_caller]
pub(crate) fn ask(
    client: &SipClient,
    kamailio: &Kamailio<'_>,
    headers: &[(&str, &str)],
    wanted: &str,
) -> String {
    let mut request = client.request("OPTIONS", &format!("sip:test@{}", kamailio.sip()));
    for (name, value) in headers {
        request = request.with(name, value);
    }
    let reply = client.exchange(&request, kamailio.sip(), PATIENCE);
    let reply = reply.unwrap_or_else(|| panic!("no answer to OPTIONS with {headers:?}"));
    reply.header(wanted).unwrap_or_default().to_owned()
}

/// Starts a Kamailio that must refuse to start; what it wrote.
#[track_caller]
pub(crate) fn refusal(run: &RunDir, setup: &KamailioSetup<'_>) -> String {
    // An earlier one of the same name wrote to the same file.
    run.write("kamailio.log", "");
    let mut process = setup.spawn();
    wait_until("Kamailio refuses to start", PATIENCE, || {
        process.ended().is_some()
    });
    assert!(
        process.ended().is_some_and(|s| !s.success()),
        "Kamailio ended well:\n{}",
        process.log()
    );
    process.log()
}

/// The lines of a log that hold all the words.
pub(crate) fn lines<'a>(log: &'a str, words: &[&str]) -> Vec<&'a str> {
    let has = |line: &&str| words.iter().all(|w| line.contains(w));
    log.lines().filter(has).collect()
}

/// The URI of a socket that plays a member by hand.
pub(crate) fn uri_of(phone: &SipClient) -> String {
    format!("sip:{}", phone.address())
}

/// What such a member answers.
pub(crate) fn answer(phone: &SipClient, sip: SocketAddr, to: &SipMessage, status: u16) {
    let contact = format!("<{}>", uri_of(phone));
    let reply = SipMessage::reply(to, status, "By Hand", "hand").with("Contact", contact);
    phone.send(&reply, sip);
}

/// Long enough to see that nothing comes: an answer that must not come would be there by now.
pub(crate) const SILENCE: Duration = Duration::from_millis(150);
