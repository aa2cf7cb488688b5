//! A pool that is changed from outside is used by the very next request of every worker, without
//! a restart, and as one unit: no request sees half of a change.

use std::collections::BTreeSet;

use kamscale_shm::TableSpec;
use kamscale_tests::{Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};
use serde_json::Value;

use crate::load::{Load, agent_side, alone, ask, generations, marked, pids, selecting};
use crate::support::{member, pool};

const WORKERS: usize = 4;

#[test]
fn the_next_request_of_every_worker_uses_the_change_and_every_worker_is_seen_to_have_it() {
    let run = RunDir::new("pool change");
    let (kamailio, targets) = selecting(&run, WORKERS);
    let client = SipClient::new(&run);
    let before = pids(&kamailio);
    assert!(
        ask(&client, targets[0]).is_err(),
        "there is no pool before an agent came"
    );
    let mut publisher = agent_side(&run);
    publisher.publish(&marked(1, 3)).unwrap();
    wait_until("the new agent's first table is found", PATIENCE, || {
        targets.iter().all(|t| ask(&client, *t).is_ok())
    });
    let mut workers = BTreeSet::new();
    for mark in 2..=100 {
        let generation = publisher.publish(&marked(mark, 3)).unwrap();
        for target in &targets {
            let selected = ask(&client, *target).unwrap();
            assert_eq!((selected.left, selected.right), (mark, mark), "{target}");
            workers.insert(selected.worker);
        }
        assert_eq!(generations(&kamailio), vec![generation; WORKERS]);
    }
    assert_eq!(workers.len(), WORKERS);
    let rows = kamailio.rpc(&["kamscale.workers"]);
    let serving: Vec<&Value> = rows
        .iter()
        .flat_map(|row| {
            row.as_array()
                .map_or(std::slice::from_ref(row), Vec::as_slice)
        })
        .filter(|row| row["rank"].as_i64() > Some(0))
        .collect();
    assert_eq!(serving.len(), WORKERS, "{rows:?}");
    for row in serving {
        let pid = row["pid"].as_u64().and_then(|p| u32::try_from(p).ok());
        assert!(pid.is_some_and(|p| workers.contains(&p)), "{row}");
        assert_eq!(row["generation"].as_u64(), Some(publisher.generation()));
        assert_eq!(row["rejected"], 0);
    }
    assert_eq!(pids(&kamailio), before);
}

#[test]
fn a_request_never_sees_half_of_a_change_of_several_pools() {
    let run = RunDir::new("half a change");
    let _alone = alone();
    let mut publisher = agent_side(&run);
    publisher.publish(&marked(1, 3)).unwrap();
    let (kamailio, targets) = selecting(&run, WORKERS);
    let load = Load::start(&run, &targets, WORKERS);
    let mut mark = 1;
    while mark < 1000 || load.answered() < 20_000 {
        mark += 1;
        publisher.publish(&marked(mark, 3)).unwrap();
    }
    load.go_on(100);
    assert_eq!(load.newest(), mark);
    let totals = load.stop();
    let torn: u64 = kamailio
        .observed("default")
        .workers
        .iter()
        .map(|w| w.torn)
        .sum();
    println!(
        "{mark} changes during {} requests, {} saw two generations, {torn} copies torn",
        totals.answered, totals.halves
    );
    assert!(totals.failures.is_empty(), "{:?}", totals.failures);
    assert_eq!(totals.halves, 0, "of {}", totals.answered);
}

#[test]
fn new_calls_go_to_the_new_member_and_live_ones_stay_where_they_are() {
    let run = RunDir::new("live calls");
    let (old, new) = (Member::start(run.endpoint()), Member::start(run.endpoint()));
    let conference = |members| TableSpec {
        pools: vec![pool("conference", members)],
    };
    let mut publisher = agent_side(&run);
    let only_old = conference(vec![member("old", old.uri())]);
    publisher.publish(&only_old).unwrap();
    let kamailio = Kamailio::minimal(&run).start();
    let before = pids(&kamailio);
    let client = SipClient::new(&run);
    let mut live = client.invite(kamailio.sip(), "conf-1");
    live.answered();
    let only_new = conference(vec![member("new", new.uri())]);
    publisher.publish(&only_new).unwrap();
    for _ in 0..8 {
        let mut call = client.invite(kamailio.sip(), "conf-1");
        call.answered();
        assert_eq!(call.bye(), 200);
    }
    assert_eq!((old.counts().invites, new.counts().invites), (1, 8));
    assert_eq!(live.bye(), 200);
    assert_eq!((old.counts().byes, old.counts().calls), (1, 0));
    publisher.publish(&conference(Vec::new())).unwrap();
    assert_eq!(client.invite(kamailio.sip(), "conf-1").final_status(), 503);
    assert_eq!(pids(&kamailio), before);
}
