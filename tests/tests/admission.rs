//! Admission: what is let in while there is less room than demand, what the others are told, and
//! that the agent follows what its pools can take.

use std::time::Duration;

use kamscale_shm::Publisher;
use kamscale_shm::bucket::Allowance;
use kamscale_tests::{
    AgentSetup, Kamailio, Member, PATIENCE, RunDir, SipClient, SipMessage, SippSetup, wait_until,
};
use serde_json::Value;

use crate::elastic::call;
use crate::support::config;

const PARAMETERS: &str = r#"
modparam("kamscale", "feature", "calls")
modparam("kamscale", "feature", "conference")
modparam("kamscale", "emergency", "112")
"#;
/// Every request tells by its answer whether it was let in.
const ROUTES: &str = r#"
request_route {
    if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
    ks_count("conference");
    if (!ks_admit("conference")) {
        append_to_reply("Retry-After: $ks_retry_after\r\n");
        sl_send_reply("503", "Too Many");
        exit;
    }
    sl_send_reply("202", "Let In");
}
"#;
/// The number of the feature.
const CONFERENCE: usize = 1;

#[track_caller]
fn send(client: &SipClient, kamailio: &Kamailio<'_>, user: &str) -> SipMessage {
    let request = client.request("MESSAGE", &format!("sip:{user}@{}", kamailio.sip()));
    let reply = client.exchange(&request, kamailio.sip(), PATIENCE);
    reply.unwrap_or_else(|| panic!("no answer to a MESSAGE to {user}"))
}

/// What `kamscale.features` says of the feature.
#[track_caller]
fn feature(kamailio: &Kamailio<'_>) -> Value {
    kamailio.rpc(&["kamscale.features"])[CONFERENCE].clone()
}

#[test]
fn all_workers_let_in_together_what_the_agent_allows_and_the_rest_hears_when_to_come_again() {
    let run = RunDir::new("admission");
    let text = config(&format!("children=4\n{PARAMETERS}"), ROUTES);
    let kamailio = Kamailio::with_text(&run, &text).start();
    let agent = Publisher::open(&run.shm_dir(), "default").unwrap();
    let client = SipClient::new(&run);
    assert_eq!(
        send(&client, &kamailio, "room").status(),
        Some(202),
        "nobody limits yet"
    );
    assert_eq!(feature(&kamailio)["allowed_per_s"], "unlimited");

    // Seven at once, and then one in an hour.
    let hour_ns = 3_600_000_000_000;
    let allowance = Allowance {
        interval_ns: hour_ns,
        ahead_ns: 6 * hour_ns,
    };
    agent.admit(CONFERENCE, "conference", Some(allowance), None);
    // The desired file came after Kamailio: its timer has to see it first.
    wait_until("the rate is in force", PATIENCE, || {
        feature(&kamailio)["allowed_per_s"] != "unlimited"
    });
    let replies: Vec<SipMessage> = (0..40).map(|_| send(&client, &kamailio, "room")).collect();
    let (let_in, refused): (Vec<_>, Vec<_>) = replies
        .iter()
        .partition(|reply| reply.status() == Some(202));
    assert_eq!(let_in.len(), 7);
    let mut waits: Vec<u32> = refused
        .iter()
        .map(|reply| reply.header("Retry-After").unwrap().parse().unwrap())
        .collect();
    waits.sort_unstable();
    assert!(
        waits.iter().all(|wait_s| (10..=30).contains(wait_s)),
        "{waits:?}"
    );
    waits.dedup();
    assert!(
        waits.len() > 5,
        "they would all come again together: {waits:?}"
    );

    let seen = feature(&kamailio);
    assert_eq!(
        (&seen["requests"], &seen["admitted"], &seen["refused"]),
        (&Value::from(41), &Value::from(8), &Value::from(33))
    );
    assert_eq!(kamailio.statistic("kamscale:refused-conference"), 33);
    assert_eq!(
        send(&client, &kamailio, "112").status(),
        Some(202),
        "an emergency"
    );
    agent.admit(CONFERENCE, "conference", None, None);
    assert_eq!(
        send(&client, &kamailio, "room").status(),
        Some(202),
        "the limit is off"
    );
}

#[test]
fn a_storm_fills_the_pool_and_the_refused_demand_is_seen() {
    let run = RunDir::new("admission");
    let kamailio = Kamailio::minimal(&run).start();
    let members = [Member::start(run.endpoint()), Member::start(run.endpoint())];
    let mut toml = String::from(
        "[features.conference]\nadmit = \"capacity\"\nadmit_load = 1.0\n\
         [pools.conference]\nmode = \"paused\"\n",
    );
    for (number, member) in members.iter().enumerate() {
        toml += &format!(
            "[[pools.conference.members]]\nname = \"conf-{number}\"\nuri = \"{}\"\ncapacity_calls = 10\n",
            member.uri()
        );
    }
    let agent = AgentSetup::new(&run, &toml).start();
    wait_until("the agent limits", PATIENCE, || {
        feature(&kamailio)["allowed_per_s"] != "unlimited"
    });
    // 20 calls a second of 4 s each: four times what fits.
    let caller = SippSetup::caller(&run, "storm", kamailio.sip(), "conf-1");
    let caller = caller
        .rate(20, Duration::from_secs(1))
        .talk(Duration::from_secs(4));
    let mut caller = caller.start();
    let calls = || {
        members
            .iter()
            .map(|member| member.counts().calls)
            .sum::<u64>()
    };
    wait_until("the pool is nearly full", PATIENCE, || calls() >= 17);
    let refused = || feature(&kamailio)["refused"].as_u64().unwrap_or(0);
    let mut most = 0;
    wait_until("very many are refused", PATIENCE, || {
        most = most.max(calls());
        refused() > 120
    });
    // Calls end by chance within a round of the agent.
    assert!(most <= 25, "{most} calls where 20 fit");
    let status = agent.cli(&["status"]);
    let shown = &status["features"].as_array().unwrap()[CONFERENCE];
    assert!(shown["refused"].as_u64() > Some(100), "{shown}");
    assert!(shown["allowed_per_s"].as_f64() > Some(0.0), "{shown}");
    let plan = agent.cli(&["plan", "conference"]);
    let seen = &plan["input"]["observation"]["refused"];
    assert!(
        seen.as_u64() > Some(100),
        "the plan must see refused demand: {seen}"
    );
    caller.finish();
}

/// The one place is taken when the agent is killed, so that nothing is let in then.
#[test]
fn a_pool_that_was_full_when_the_agent_died_is_not_closed_for_ever() {
    let run = RunDir::new("admission alone");
    let kamailio = Kamailio::minimal(&run).start();
    let member = Member::start(run.endpoint());
    let toml = format!(
        "[features.conference]\nadmit = \"capacity\"\nadmit_load = 1.0\n\
         [pools.conference]\nmode = \"paused\"\n[[pools.conference.members]]\n\
         name = \"conf-0\"\nuri = \"{}\"\ncapacity_calls = 1\n",
        member.uri()
    );
    let mut agent = AgentSetup::new(&run, &toml).start();
    let allowed = || feature(&kamailio)["allowed_per_s"].clone();
    wait_until("the agent limits", PATIENCE, || {
        allowed() != "unlimited" && allowed() != "0.0"
    });
    let client = SipClient::new(&run);
    let (first, _) = call(&client, &kamailio, "conf-1");
    wait_until("nothing is let in", PATIENCE, || allowed() == "0.0");
    agent.kill();
    assert_eq!(first.bye(), 200);
    wait_until("its word is over", PATIENCE, || allowed() == "unlimited");
    let (second, _) = call(&client, &kamailio, "conf-1");
    assert_eq!(second.bye(), 200);
}
