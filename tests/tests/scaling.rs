//! The whole loop in small: real calls through Kamailio make the agent start members, and when the
//! calls end it drains the emptiest and stops it at 0 calls.

use std::collections::BTreeMap;

use kamscale_tests::{Agent, AgentSetup, Call, Kamailio, PATIENCE, RunDir, SipClient, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::elastic::{
    CAPACITY, active, await_active, await_status, await_table, call, elastic, members, runs,
};

/// Calls by the address of their member.
type Calls<'c> = BTreeMap<String, Vec<Call<'c>>>;

fn add<'c>(calls: &mut Calls<'c>, client: &'c SipClient, kamailio: &Kamailio<'_>, count: usize) {
    for _ in 0..count {
        let (call, address) = call(client, kamailio, "conf-1");
        calls.entry(address).or_default().push(call);
    }
}

/// Ends calls of a member until so many are left.
#[track_caller]
fn leave(calls: &mut Calls<'_>, address: &str, count: usize) {
    let of = calls.entry(address.to_owned()).or_default();
    for call in of.drain(count.min(of.len())..) {
        assert_eq!(call.bye(), 200);
    }
}

/// Where each member is.
fn addresses(status: &Value) -> BTreeMap<String, String> {
    let members = members(status, "conference").into_iter();
    members
        .filter_map(|(name, m)| {
            let uri = m["uri"].as_str()?;
            Some((name, uri.split(':').nth(1)?.to_owned()))
        })
        .collect()
}

fn events(agent: &Agent<'_>, name: &str) -> Vec<Value> {
    let events = agent.events().into_iter();
    events.filter(|e| e["event"] == name).collect()
}

fn in_state(status: &Value, state: &str) -> Vec<String> {
    let members = members(status, "conference").into_iter();
    members
        .filter(|(_, m)| m["state"] == state)
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn a_pool_grows_with_calls_and_shrinks_by_its_emptiest_members() {
    let run = RunDir::new("scaling");
    let kamailio = Kamailio::minimal(&run).start();
    let agent = AgentSetup::new(&run, &elastic(&run, "max = 3")).start();
    await_active(&agent, 1);
    await_table(&kamailio, &agent);
    let (client, mut calls) = (SipClient::new(&run), Calls::new());
    add(&mut calls, &client, &kamailio, 3);
    await_active(&agent, 2);
    add(&mut calls, &client, &kamailio, 4);
    let processes = await_active(&agent, 3);
    add(&mut calls, &client, &kamailio, 2);
    assert_eq!(calls.len(), 3, "newcomers are used as soon as they serve");
    let carried = calls.values().map(Vec::len);
    assert!(carried.max() <= usize::try_from(CAPACITY).ok());

    let status = agent.cli(&["status"]);
    let at = addresses(&status);
    leave(&mut calls, &at["conference-1"], 2);
    leave(&mut calls, &at["conference-2"], 1);
    leave(&mut calls, &at["conference-3"], 0);
    assert_eq!(await_active(&agent, 2).len(), 2);
    assert!(!runs(processes["conference-3"]), "the emptiest went");
    assert!(runs(processes["conference-1"]) && runs(processes["conference-2"]));

    // One call each: the next to go drains, and goes no further while it has its call.
    leave(&mut calls, &at["conference-1"], 1);
    let drains = await_status(&agent, "one drains", |s| in_state(s, "draining").len() == 1);
    let drained = in_state(&drains, "draining").remove(0);
    let booted = events(&agent, "member_booting").len();
    // With the third one the other member is full: while there is a drain, it may run hot, not over.
    add(&mut calls, &client, &kamailio, 3);
    assert_eq!(calls[&at[&drained]].len(), 1, "it takes nothing new");
    let back = await_status(&agent, "the drain is taken back", |s| active(s).len() == 2);
    assert!(active(&back).contains_key(&drained));
    assert_eq!(events(&agent, "member_taken_back").len(), 1);
    assert_eq!(
        events(&agent, "member_booting").len(),
        booted,
        "nothing is bought"
    );

    let all: Vec<String> = calls.keys().cloned().collect();
    all.iter().for_each(|address| leave(&mut calls, address, 0));
    await_active(&agent, 1);
    for removed in events(&agent, "member_removed") {
        assert_eq!(removed["calls"], 0, "{removed}");
        assert!(
            removed["reason"]
                .as_str()
                .is_some_and(|r| r.contains("0 calls")),
            "{removed}"
        );
    }
    let decisions = events(&agent, "decision");
    assert!(
        decisions
            .iter()
            .all(|d| d["reason"].as_str().is_some_and(|r| !r.is_empty()))
    );
}

#[test]
fn a_member_process_that_dies_leaves_the_table_at_once_and_is_replaced() {
    let run = RunDir::new("member dies");
    let kamailio = Kamailio::minimal(&run).start();
    let agent = AgentSetup::new(&run, &elastic(&run, "min = 2\nmax = 3")).start();
    let processes = await_active(&agent, 2);
    await_table(&kamailio, &agent);
    let killed = processes["conference-1"];
    let pid = i32::try_from(killed).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let after = await_status(&agent, "another one serves", |s| {
        active(s).len() == 2 && !active(s).contains_key("conference-1")
    });
    assert!(active(&after).contains_key("conference-2"));
    assert_eq!(events(&agent, "member_died").len(), 1);
    await_table(&kamailio, &agent);
    let client = SipClient::new(&run);
    let used: Vec<_> = (0..4).map(|_| call(&client, &kamailio, "conf-1")).collect();
    let at = addresses(&after);
    assert!(
        used.iter()
            .all(|(_, address)| at.values().any(|a| a == address))
    );
    used.iter()
        .for_each(|(call, _)| assert_eq!(call.bye(), 200));
}

#[test]
fn a_changed_configuration_is_used_on_sighup_and_a_faulty_one_is_not() {
    let run = RunDir::new("reload");
    let kamailio = Kamailio::minimal(&run).start();
    let mut agent = AgentSetup::new(&run, &elastic(&run, "max = 3")).start();
    let first = await_active(&agent, 1);
    await_table(&kamailio, &agent);
    agent.reconfigure(&elastic(&run, "max = 3\nmin = 9"));
    wait_until("the faulty file is refused", PATIENCE, || {
        events(&agent, "config_rejected").len() == 1
    });
    let why = events(&agent, "config_rejected")[0]["reason"].to_string();
    assert!(why.contains("min"), "{why}");
    assert_eq!(agent.cli(&["status"])["pools"]["conference"]["min"], 1);
    agent.reconfigure(&elastic(&run, "max = 3\nmin = 2"));
    let now = await_active(&agent, 2);
    assert_eq!(now["conference-1"], first["conference-1"]);
    let pool = &kamailio.rpc(&["kamscale.members", "conference"])[0];
    assert_eq!(pool["state"], "active");
}
