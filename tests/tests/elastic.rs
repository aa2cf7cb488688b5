//! What tests with a real agent share: an elastic pool of SIPp members whose waits are short, and
//! views of what the agent says. It must not judge what it sees.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use kamscale_tests::{Agent, Kamailio, PATIENCE, RunDir, SipClient, uas_command, wait_for};
use serde_json::Value;

/// Calls that a member of the elastic pool may carry.
pub(crate) const CAPACITY: u32 = 4;

/// The pool `conference` of members with [`CAPACITY`]; `more` are lines of its section, `max` at least.
#[must_use]
pub(crate) fn elastic(run: &RunDir, more: &str) -> String {
    let (first, last) = (run.address(101), run.address(109));
    let min = if more.contains("min =") {
        ""
    } else {
        "min = 1\n"
    };
    // Calls end all at once here, and members are there at once: no outage, and nothing to foresee.
    format!(
        "[pools.conference]\n{min}stabilization_s = 0.5\ncooldown_in_s = 0.2\n\
         cooldown_out_s = 0.2\nempty_for_s = 0.3\nprotect_new_s = 0\ncreate_retry_s = 0.1\n\
         boot_s = 0\noutage_guard_s = 0\nmax_shrink_share = 1\n{more}\n\
         [pools.conference.member]\ncapacity_calls = {CAPACITY}\n\
         [pools.conference.local]\nstart = [\"sh\", \"-c\", \"\"\"{command}\"\"\"]\n\
         addresses = \"{first}-{last}\"\nready_options = 1\nready_interval_s = 0.1\n",
        command = uas_command(run, "members", 0.0)
    )
}

/// Awaits that the agent's status passes the test, and returns it.
#[track_caller]
pub(crate) fn await_status(
    agent: &Agent<'_>,
    what: &str,
    mut test: impl FnMut(&Value) -> bool,
) -> Value {
    wait_for(what, PATIENCE, || {
        agent.try_cli(&["status"]).ok().filter(|s| test(s))
    })
}

/// Members of a pool by name.
#[must_use]
pub(crate) fn members(status: &Value, pool: &str) -> BTreeMap<String, Value> {
    let members = status["pools"][pool]["members"].as_object();
    members
        .into_iter()
        .flatten()
        .map(|(n, m)| (n.clone(), m.clone()))
        .collect()
}

/// The process of each active member of `conference`.
#[must_use]
pub(crate) fn active(status: &Value) -> BTreeMap<String, u32> {
    let members = members(status, "conference").into_iter();
    members
        .filter(|(_, m)| m["state"] == "active")
        .filter_map(|(name, m)| Some((name, u32::try_from(m["pid"].as_u64()?).ok()?)))
        .collect()
}

/// Awaits so many active members and no others.
#[track_caller]
pub(crate) fn await_active(agent: &Agent<'_>, count: usize) -> BTreeMap<String, u32> {
    let status = await_status(agent, &format!("{count} members serve"), |s| {
        active(s).len() == count && members(s, "conference").len() == count
    });
    active(&status)
}

/// Awaits that Kamailio has found the table of an agent that started after it.
#[track_caller]
pub(crate) fn await_table(kamailio: &Kamailio<'_>, agent: &Agent<'_>) {
    // An agent that has just started answers before its first round.
    let published = |s: &Value| s["generation"].as_u64() > Some(0);
    let generation = await_status(agent, "a table is published", published)["generation"].clone();
    kamscale_tests::wait_until("Kamailio has the agent's table", PATIENCE, || {
        let status = kamailio.try_rpc(&["kamscale.status"]);
        status.is_ok_and(|s| s[0]["generation"].as_u64() >= generation.as_u64())
    });
}

/// Whether a process is there.
#[must_use]
pub(crate) fn runs(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// Makes a call and returns it with the address of its member.
#[track_caller]
pub(crate) fn call<'a>(
    client: &'a SipClient,
    kamailio: &Kamailio<'_>,
    user: &str,
) -> (kamscale_tests::Call<'a>, String) {
    let mut call = client.invite(kamailio.sip(), user);
    call.answered();
    let contact = call.replies().last().and_then(|r| r.uri_of("Contact"));
    let address = contact
        .and_then(|uri| uri.rsplit(['@', ':']).nth(1))
        .unwrap_or_default();
    let address = address.to_owned();
    (call, address)
}

/// The status and body of the answer to a GET on the agent's socket.
#[track_caller]
pub(crate) fn get(run: &RunDir, path: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(run.file("agent-default.sock")).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    (status.unwrap_or(0), body.to_owned())
}
