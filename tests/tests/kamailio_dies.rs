//! Kamailio ends, in order or by kill -9, and comes back: the pools are there at its first request,
//! the agent finds it again by itself, and removes nothing on what it did not see.

use kamscale_shm::{Observer, TableSpec};
use kamscale_tests::{AgentSetup, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};
use serde_json::Value;

use crate::elastic::{active, await_status, elastic};
use crate::load::agent_side;
use crate::support::{member, pool};

fn requests(status: &Value) -> Option<i64> {
    let features = status["features"].as_array()?;
    features.iter().find(|f| f["name"] == "conference")?["requests"].as_i64()
}

#[test]
fn pools_are_there_at_the_first_request_though_no_agent_runs() {
    let run = RunDir::new("no agent");
    let one = Member::start(run.endpoint());
    let conference = TableSpec {
        pools: vec![pool("conference", vec![member("one", one.uri())])],
    };
    let mut publisher = agent_side(&run);
    publisher.publish(&conference).unwrap();
    drop(publisher);
    let mut kamailio = Kamailio::minimal(&run).start();
    let client = SipClient::new(&run);
    client.invite(kamailio.sip(), "conf-1").answered();
    for killed in [false, true] {
        let before = Observer::open(&run.shm_dir(), "default").unwrap();
        let boot_id = before.snapshot().boot_id;
        if killed {
            kamailio.kill();
            assert!(!before.snapshot().closed, "nobody could say so");
        } else {
            kamailio.stop();
            assert!(before.snapshot().closed, "it ended in order");
        }
        kamailio.restart();
        client.invite(kamailio.sip(), "conf-1").answered();
        assert!(before.snapshot().closed, "its successor says so");
        assert!(!before.is_current());
        let now = kamailio.observed("default");
        assert!(!now.closed);
        assert_ne!(now.boot_id, boot_id);
        assert_eq!(now.features[0].requests, 1, "counters of the new one");
    }
    assert_eq!(one.counts().invites, 3);
}

fn survives(how: fn(&mut Kamailio<'_>), problem: &str) {
    let run = RunDir::new("kamailio dies");
    let mut kamailio = Kamailio::minimal(&run).start();
    let agent = AgentSetup::new(&run, &elastic(&run, "max = 3")).start();
    await_status(&agent, "a member serves", |s| active(s).len() == 1);
    wait_until("Kamailio knows it", PATIENCE, || {
        let members = kamailio.try_rpc(&["kamscale.members", "conference"]);
        members.is_ok_and(|m| m[0]["state"] == "active")
    });
    let client = SipClient::new(&run);
    for _ in 0..3 {
        client.invite(kamailio.sip(), "conf-1").answered();
    }
    let full = await_status(&agent, "two members serve 3 calls", |s| {
        active(s).len() == 2 && requests(s) == Some(3)
    });

    how(&mut kamailio);
    let lost = await_status(&agent, "the agent knows it", |s| {
        s["kamailio"]["attached"] == false
    });
    let why = lost["kamailio"]["problem"].as_str().unwrap_or_default();
    assert!(why.contains(problem), "{why}");
    // Longer than all the waits after which an idle member would go.
    let until = lost["now_s"].as_f64().unwrap() + 2.0;
    let later = await_status(&agent, "2 s have passed", |s| {
        s["now_s"].as_f64() > Some(until)
    });
    assert_eq!(active(&later), active(&full), "the same processes");

    kamailio.restart();
    client.invite(kamailio.sip(), "conf-1").answered();
    let mut seen = Vec::new();
    await_status(
        &agent,
        "it is attached again and the call is counted",
        |s| {
            seen.extend(s["features"].as_array().cloned().unwrap_or_default());
            s["kamailio"]["attached"] == true
                && s["kamailio"]["pid"].as_u64() == Some(kamailio.pid().into())
                && s["kamailio"]["boot_id"] != full["kamailio"]["boot_id"]
                && requests(s) == Some(1)
        },
    );
    for feature in seen {
        assert!(
            feature["requests_per_s"].as_f64() >= Some(0.0) || feature["requests_per_s"].is_null(),
            "{feature}"
        );
    }
}

#[test]
fn the_agent_finds_a_kamailio_again_that_ended_in_order() {
    survives(|kamailio| kamailio.stop(), "ended");
}

#[test]
fn the_agent_finds_a_kamailio_again_that_was_killed() {
    survives(|kamailio| kamailio.kill(), "sign of life");
}
