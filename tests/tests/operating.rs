//! What an operator uses, against a live system: the commands of `kamscale`, as text and as JSON,
//! and the agent's /metrics, /healthz and /readyz.

use std::collections::BTreeMap;
use std::process::Command;

use kamscale_tests::{
    Agent, AgentSetup, Kamailio, Member, PATIENCE, RunDir, SipClient, built, wait_until,
};
use serde_json::Value;

use crate::elastic::{await_status, await_table, call, get, members};

/// A fixed pool with one member, and one that is only known by command.
fn queue(one: &Member) -> String {
    let uri = one.uri();
    format!("[pools.queue]\n[[pools.queue.members]]\nname = \"one\"\nuri = \"{uri}\"\n")
}

/// Tells the agent something, and awaits that Kamailio has the table that follows from it.
#[track_caller]
fn tell(agent: &Agent<'_>, kamailio: &Kamailio<'_>, action: &str, words: &[&str]) -> String {
    let mut command = vec!["member", action, "queue"];
    command.extend(words);
    let before = agent.cli(&["status"])["generation"].as_u64();
    let answer = agent.cli(&command);
    await_status(agent, "the change is published", |s| {
        s["generation"].as_u64() > before
    });
    await_table(kamailio, agent);
    answer["message"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn members_come_drain_resume_and_go_by_command() {
    let run = RunDir::new("commands");
    let (one, two) = (Member::start(run.endpoint()), Member::start(run.endpoint()));
    let kamailio = Kamailio::minimal(&run).start();
    let agent = AgentSetup::new(&run, &queue(&one)).start();
    await_table(&kamailio, &agent);
    let client = SipClient::new(&run);
    let short_call = || {
        let (call, _) = call(&client, &kamailio, "queue-1");
        assert_eq!(call.bye(), 200);
    };
    let invites = || (one.counts().invites, two.counts().invites);
    short_call();
    assert_eq!(invites(), (1, 0));

    tell(&agent, &kamailio, "add", &["two", &two.uri()]);
    (0..4).for_each(|_| short_call());
    assert!(invites().1 > 0, "the new member is used: {:?}", invites());
    tell(&agent, &kamailio, "drain", &["one"]);
    let before = invites();
    let (live, _) = call(&client, &kamailio, "queue-1");
    (0..3).for_each(|_| short_call());
    assert_eq!(invites(), (before.0, before.1 + 4));

    await_status(&agent, "the live call is seen", |s| {
        members(s, "queue")["two"]["calls"] == 1
    });
    tell(&agent, &kamailio, "resume", &["one"]);
    let said = tell(&agent, &kamailio, "remove", &["two"]);
    assert!(said.contains("1 calls") && said.contains("empty"), "{said}");
    let before = invites();
    (0..3).for_each(|_| short_call());
    assert_eq!(invites(), (before.0 + 3, before.1), "it takes nothing new");
    let status = agent.cli(&["status"]);
    assert_eq!(members(&status, "queue")["two"]["calls"], 1);
    assert_eq!(live.bye(), 200);
    assert_eq!(two.counts().calls, 0);
}

#[test]
fn a_member_that_must_go_at_once_goes_with_its_calls() {
    let run = RunDir::new("remove now");
    let (one, two) = (Member::start(run.endpoint()), Member::start(run.endpoint()));
    let kamailio = Kamailio::minimal(&run).start();
    let agent = AgentSetup::new(&run, &queue(&one)).start();
    await_table(&kamailio, &agent);
    tell(
        &agent,
        &kamailio,
        "add",
        &["two", &two.uri(), "--capacity", "7"],
    );
    let shown = agent.cli(&["pool", "show", "queue"]);
    assert_eq!(shown["members"]["two"]["capacity_calls"], 7);
    tell(&agent, &kamailio, "remove", &["two", "--now"]);
    wait_until("it is forgotten", PATIENCE, || {
        let shown = agent.cli(&["pool", "show", "queue"]);
        shown["members"].get("two").is_none()
    });
    for (words, why) in [
        (["member", "drain", "queue", "two"], "no member two"),
        (["member", "drain", "nothing", "one"], "no pool nothing"),
        (["member", "remove", "queue", "one"], "configuration"),
    ] {
        let refused = agent.try_cli(&words).unwrap_err();
        assert!(refused.contains(why), "{words:?}: {refused}");
    }
}

#[test]
fn weight_and_capacity_of_one_member_change_by_command_while_calls_go_on_and_nothing_else_moves() {
    let run = RunDir::new("set");
    let (one, two) = (Member::start(run.endpoint()), Member::start(run.endpoint()));
    let uri = two.uri();
    let both = format!(
        "{}[[pools.queue.members]]\nname = \"two\"\nuri = \"{uri}\"\n",
        queue(&one)
    );
    let kamailio = Kamailio::minimal(&run).start();
    let mut agent = AgentSetup::new(&run, &both).start();
    await_table(&kamailio, &agent);
    let client = SipClient::new(&run);
    let (live, _) = call(&client, &kamailio, "queue-1");
    let table = || kamailio.rpc(&["kamscale.members", "queue"]);
    let before = table();
    let words = ["two", "--weight", "0", "--capacity", "7"];
    let said = tell(&agent, &kamailio, "set", &words);
    assert!(said.contains("weight 0 and takes 7 calls"), "{said}");
    let mut after = table();
    let changed = after.iter_mut().find(|m| m["member"] == "two").unwrap();
    assert_eq!(
        (&changed["weight"], &changed["capacity"]),
        (&0.into(), &7.into())
    );
    let was = before.iter().find(|m| m["member"] == "two").unwrap();
    for key in ["weight", "capacity"] {
        changed[key] = was[key].clone();
    }
    assert_eq!(
        after, before,
        "slots, calls and all the rest are as they were"
    );
    // What an operator set outlives the agent; without values it is as configured again.
    agent.restart();
    await_table(&kamailio, &agent);
    assert_eq!(
        agent.cli(&["pool", "show", "queue"])["members"]["two"]["weight"],
        0
    );
    let said = tell(&agent, &kamailio, "set", &["two"]);
    assert!(said.contains("as the configuration has it again"), "{said}");
    assert_eq!(table(), before);
    assert_eq!(live.bye(), 200);
}

/// What a command of `kamscale` prints for people.
#[track_caller]
fn text(run: &RunDir, words: &[&str]) -> String {
    let socket = format!("unix:{}", run.file("agent-default.sock").display());
    let mut command = Command::new(built("kamscale"));
    let output = command.arg("--socket").arg(socket).args(words).output();
    let output = output.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn status_and_pools_are_shown_to_people_and_to_programs() {
    let run = RunDir::new("shown");
    let one = Member::start(run.endpoint());
    let kamailio = Kamailio::minimal(&run).start();
    let agent = AgentSetup::new(&run, &queue(&one)).start();
    await_table(&kamailio, &agent);
    let client = SipClient::new(&run);
    let (live, _) = call(&client, &kamailio, "queue-1");
    let status = await_status(&agent, "the call is seen", |s| {
        members(s, "queue")["one"]["calls"] == 1
    });
    assert_eq!(
        status["kamailio"]["pid"].as_u64(),
        Some(kamailio.pid().into())
    );
    assert_eq!(status["applied_generation_min"], status["generation"]);
    let pools = agent.cli(&["pool", "list"]);
    assert_eq!(pools["queue"]["calls"], 1);
    assert_eq!(pools["queue"]["selected"], 1);
    for (words, expected) in [
        (&["status"][..], &["queue", "kamailio"][..]),
        (&["pool", "list"], &["queue"]),
        (&["pool", "show", "queue"], &["one", "active", &one.uri()]),
        (&["events"], &["agent_started", "generation_published"]),
    ] {
        let said = text(&run, words);
        let missing = expected.iter().find(|word| !said.contains(**word));
        assert!(missing.is_none(), "{words:?} lacks {missing:?}:\n{said}");
        assert!(!said.contains('{'), "{words:?} is not for people:\n{said}");
    }
    let file = run.file("agent-default.toml").display().to_string();
    let checked = agent.cli(&["check", "--config", &file]);
    assert_eq!(checked["valid"], true);
    assert!(text(&run, &["check", "--config", &file]).contains("valid"));
    let bad = run.write("bad.toml", "[pools.queue]\nmode = \"sometimes\"\n");
    let bad = bad.display().to_string();
    let refused = agent.try_cli(&["check", "--config", &bad]).unwrap_err();
    assert!(
        refused.contains("bad.toml") && refused.contains("mode"),
        "{refused}"
    );
    assert_eq!(live.bye(), 200);
}

/// The samples of an exposition by name and labels; every line must be well formed.
#[track_caller]
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let kinds = ["HELP ", "TYPE ", "UNIT ", "EOF"];
            assert!(kinds.iter().any(|k| comment.starts_with(k)), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        assert!(name.starts_with("kamscale_"), "{line}");
        let value = value.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        assert!(
            samples.insert(name.to_owned(), value).is_none(),
            "twice: {line}"
        );
    }
    assert!(text.ends_with("# EOF\n"), "not complete");
    samples
}

#[test]
fn metrics_and_probes_tell_what_is_true() {
    let run = RunDir::new("metrics");
    let one = Member::start(run.endpoint());
    let agent = AgentSetup::new(&run, &queue(&one)).start();
    assert_eq!(get(&run, "/healthz").0, 200);
    let (status, why) = get(&run, "/readyz");
    assert!(
        status == 503 && why.contains("not attached"),
        "{status} {why}"
    );
    let mut kamailio = Kamailio::minimal(&run).start();
    await_table(&kamailio, &agent);
    wait_until("it is ready", PATIENCE, || get(&run, "/readyz").0 == 200);
    let client = SipClient::new(&run);
    let (live, _) = call(&client, &kamailio, "queue-1");
    let wanted = "kamscale_member_calls{pool=\"queue\",member=\"one\"}";
    let read = || samples(&get(&run, "/metrics").1);
    wait_until("the call is in the metrics", PATIENCE, || {
        read().get(wanted) == Some(&1.0)
    });
    let seen = read();
    for (name, value) in [
        ("kamscale_agent_up", 1.0),
        ("kamscale_kamailio_attached", 1.0),
        ("kamscale_generation", 1.0),
        ("kamscale_applied_generation_min", 1.0),
        ("kamscale_requests_total{feature=\"queue\"}", 1.0),
        ("kamscale_requests_total{feature=\"conference\"}", 0.0),
        ("kamscale_pool_calls{pool=\"queue\"}", 1.0),
        (
            "kamscale_pool_members{pool=\"queue\",state=\"active\"}",
            1.0,
        ),
        ("kamscale_pool_selected_total{pool=\"queue\"}", 1.0),
        ("kamscale_pool_refused_total{pool=\"queue\"}", 0.0),
    ] {
        assert_eq!(seen.get(name), Some(&value), "{name} in {seen:#?}");
    }
    assert!(seen.contains_key("kamscale_observation_age_seconds"));
    assert_eq!(live.bye(), 200);
    kamailio.stop();
    wait_until("it is not ready", PATIENCE, || {
        get(&run, "/readyz").0 == 503
    });
    assert_eq!(read().get("kamscale_kamailio_attached"), Some(&0.0));
    assert_eq!(get(&run, "/healthz").0, 200);
    let (status, body) = get(&run, "/nothing");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["error"]["code"]), (404, &"not_found".into()));
}
