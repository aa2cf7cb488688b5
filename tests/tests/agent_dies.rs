//! The agent ends, by kill -9 or in order: calls go on by the last table, and the next agent goes
//! on where the last one was: generation, members, counters, drains.

use std::process::Command;

use kamscale_tests::{
    Agent, AgentSetup, Call, Kamailio, PATIENCE, Process, RunDir, SipClient, built, wait_until,
};
use serde_json::Value;

use crate::elastic::{
    active, await_active, await_status, await_table, call, elastic, members, runs,
};

/// Two members and no more, whatever the load.
const TWO: &str = "min = 2\nmax = 2";

/// Requests, calls per member and calls ever, as Kamailio counts them.
fn counted(kamailio: &Kamailio<'_>) -> (u64, Vec<(u32, u64)>) {
    let seen = kamailio.observed("default");
    let members = seen.members.iter().map(|m| (m.calls, m.calls_total));
    (seen.features[1].requests, members.collect())
}

/// The URI of the member that a call went to names its address.
fn address_of(status: &Value, name: &str) -> String {
    let member = members(status, "conference").remove(name).unwrap();
    let uri = member["uri"].as_str().unwrap().to_owned();
    uri.split(':').nth(1).unwrap().to_owned()
}

fn six_calls<'c>(client: &'c SipClient, kamailio: &Kamailio<'_>) -> Vec<(Call<'c>, String)> {
    let calls: Vec<_> = (0..6).map(|_| call(client, kamailio, "conf-1")).collect();
    assert_eq!(counted(kamailio).0, 6);
    calls
}

fn hang_up(call: &Call<'_>) {
    assert_eq!(call.bye(), 200);
}

#[test]
fn calls_go_on_without_the_agent_and_the_next_one_goes_on_where_it_was() {
    let run = RunDir::new("agent dies");
    let kamailio = Kamailio::minimal(&run).start();
    let mut agent = AgentSetup::new(&run, &elastic(&run, TWO)).start();
    let processes = await_active(&agent, 2);
    await_table(&kamailio, &agent);
    let client = SipClient::new(&run);
    let mut calls = six_calls(&client, &kamailio);
    agent.cli(&["member", "remove", "conference", "conference-1"]);
    let before = await_status(&agent, "conference-1 drains", |s| {
        members(s, "conference")["conference-1"]["state"] == "draining"
    });
    let drained = address_of(&before, "conference-1");
    let since = |s: &Value| members(s, "conference")["conference-1"]["since_s"].clone();

    agent.kill();
    let (ends, stays) = calls.split_at(2);
    ends.iter().for_each(|(call, _)| hang_up(call));
    assert_eq!(stays.len(), 4);
    calls.drain(..2);
    for _ in 0..2 {
        let new = call(&client, &kamailio, "conf-1");
        assert_ne!(new.1, drained, "the last table says that it drains");
        calls.push(new);
    }
    let counts = counted(&kamailio);

    agent.restart();
    let after = await_status(&agent, "the next agent sees Kamailio", |s| {
        s["ready"] == true
    });
    assert_eq!(after["generation"], before["generation"]);
    assert_eq!(
        since(&after),
        since(&before),
        "the drain began when it began"
    );
    let pids = |s: &Value| -> Vec<Value> {
        let members = members(s, "conference").into_values();
        members.map(|m| m["pid"].clone()).collect()
    };
    assert_eq!(pids(&after), pids(&before));
    assert!(processes.values().all(|pid| runs(*pid)));
    assert_eq!(counted(&kamailio), counts, "nothing was reset");

    let (on_drained, others): (Vec<_>, Vec<_>) = calls.iter().partition(|(_, at)| *at == drained);
    assert!(!on_drained.is_empty());
    on_drained.iter().for_each(|(call, _)| hang_up(call));
    wait_until("the drained member is gone at 0 calls", PATIENCE, || {
        !runs(processes["conference-1"])
    });
    let later = await_status(&agent, "another member took its place", |s| {
        active(s).len() == 2 && !active(s).contains_key("conference-1")
    });
    assert!(later["generation"].as_u64() > after["generation"].as_u64());
    others.iter().for_each(|(call, _)| hang_up(call));
}

type Spoil = fn(&str) -> String;

/// An agent with its own words in the configuration of the one that ran before.
fn start_with(run: &RunDir, spoil: Spoil) -> Process {
    let text = std::fs::read_to_string(run.file("agent-default.toml")).unwrap();
    let file = run.write("spoilt.toml", spoil(&text));
    let mut command = Command::new(built("kamscale-agent"));
    command.arg("--config").arg(file);
    Process::spawn(run, "spoilt", &mut command)
}

fn published(agent: &Agent<'_>) -> Vec<Value> {
    let events = agent.events().into_iter();
    events
        .filter(|e| e["event"] == "generation_published")
        .collect()
}

#[test]
fn an_agent_that_is_asked_to_end_or_cannot_start_leaves_pools_and_members_alone() {
    let run = RunDir::new("agent ends");
    let kamailio = Kamailio::minimal(&run).start();
    let mut agent = AgentSetup::new(&run, &elastic(&run, TWO)).start();
    let processes = await_active(&agent, 2);
    await_table(&kamailio, &agent);
    let client = SipClient::new(&run);
    let calls = six_calls(&client, &kamailio);
    let generation = agent.cli(&["status"])["generation"].clone();
    let tables = published(&agent).len();

    agent.stop();
    let shown = || kamailio.rpc(&["kamscale.status"])[0]["generation"].clone();
    let spoilt: [(Spoil, &str); 3] = [
        (|t| t.replace("max = 2", "max = 2\nmaximum = 2"), "maximum"),
        (|t| t.replace("max = 2", "max = 1"), "min"),
        (|t| t.replace("[agent]", "[agent"), "spoilt.toml"),
    ];
    for (spoil, word) in spoilt {
        let mut wrong = start_with(&run, spoil);
        let status = wrong.wait(PATIENCE);
        let log = wrong.log();
        assert!(!status.success() && log.contains(word), "{status}:\n{log}");
        assert_eq!(shown(), generation);
        hang_up(&call(&client, &kamailio, "conf-1").0);
    }
    assert!(processes.values().all(|pid| runs(*pid)));
    calls.iter().for_each(|(call, _)| hang_up(call));

    agent.restart();
    assert_eq!(await_active(&agent, 2), processes);
    assert_eq!(shown(), generation);
    assert_eq!(
        published(&agent).len(),
        tables,
        "nothing changed, so nothing was published"
    );
}
