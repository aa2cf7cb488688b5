//! What a script is told: codes, marks, tests, reports; and bad input.

use std::net::SocketAddr;

use kamailio::double::{Message, set_sockets, set_ticks};
use kamailio::message::Method;
use kamailio::rpc::{Args, Value};
use kamscale_shm::{DesiredState, TableSpec};

use super::{Site, logged, member, pool};
use crate::algorithm::Algorithm;
use crate::code;
use crate::report;
use crate::routing::{
    Choice, Fit, Mark, Target, count, is_active, is_from_pool, mark, mark_member, pool_exists,
    select,
};
use crate::server::{Server, Settings};
use crate::worker::{self, PoolName};

const P: PoolName<'static> = PoolName::Text(b"p");

#[test]
fn a_worker_never_routes_by_an_old_table() {
    let mut site = Site::of(1);
    for round in 0..50 {
        let name = format!("n{round}");
        site.publish(&[member(&name)]);
        assert_eq!(site.pick(Algorithm::RoundRobin, None), Some(name));
    }
    let row = site
        .server
        .observed
        .process(kamailio::process::number())
        .unwrap();
    assert_eq!(
        row.generation.load(std::sync::atomic::Ordering::Relaxed),
        51
    );
}

#[test]
fn known_pools_are_found_again_after_every_change() {
    set_ticks(1_000_000); // beyond the limit of lines that other tests have logged
    let mut site = Site::of(1);
    let later = site.worker.learn_pool("later");
    let choice = |number| Choice {
        pool: PoolName::Known(number),
        algorithm: Algorithm::RoundRobin,
        key: None,
        target: Target::Destination,
    };
    let mut msg = Message::new(Method::Options);
    let mut ask = |site: &mut Site| select(site.server, &mut site.worker, &mut msg, &choice(later));
    assert_eq!(ask(&mut site), code::NO_POOL);
    let both = vec![pool("a", &[member("x")]), pool("later", &[member("y")])];
    site.publisher
        .publish(&TableSpec {
            pools: both.clone(),
        })
        .unwrap();
    assert_eq!(ask(&mut site), 1);
    site.publisher
        .publish(&TableSpec {
            pools: both[..1].to_vec(),
        })
        .unwrap();
    assert_eq!(ask(&mut site), code::NO_POOL);
    let lines = logged();
    let line = lines.iter().find(|l| l.contains("\"later\"")).unwrap();
    assert!(
        line.contains("generation 1") && line.contains("kamscale.pools"),
        "{line}"
    );
}

#[test]
fn an_empty_pool_and_a_server_that_refuses_are_codes() {
    let mut site = Site::of(0);
    let mut msg = Message::new(Method::Options);
    assert_eq!(
        site.select(&mut msg, Algorithm::Hash, None),
        code::NO_MEMBER
    );
    assert_eq!(site.next(&mut msg), code::NOT_SELECTED);
    site.publish(&[member("a")]);
    msg.refuse = true;
    assert_eq!(site.select(&mut msg, Algorithm::Hash, None), code::FAILED);
    msg.refuse = false;
    assert_eq!(site.select(&mut msg, Algorithm::Hash, None), 1);
}

#[test]
fn the_domain_is_host_and_port_alone() {
    let mut site = Site::new(&[pool("p", &[member("a")])]);
    let mut msg = Message::new(Method::Register);
    let choice = Choice {
        pool: P,
        algorithm: Algorithm::Serial,
        key: None,
        target: Target::Domain,
    };
    assert_eq!(select(site.server, &mut site.worker, &mut msg, &choice), 1);
    assert_eq!(msg.domain.as_deref(), Some(&b"10.0.0.97:5060"[..]));
    assert_eq!(msg.destination, None);
}

#[test]
fn hash_without_a_key_goes_by_call_id() {
    let mut site = Site::of(5);
    let to = |site: &mut Site, call: &str| {
        let mut msg = Message::new(Method::Options).with_call_id(call);
        site.select(&mut msg, Algorithm::Hash, None);
        site.member_of(&msg)
    };
    for call in ["a", "b", "c", "d"] {
        assert_eq!(
            to(&mut site, call),
            site.pick(Algorithm::Hash, Some(call.as_bytes())).unwrap()
        );
    }
}

#[test]
fn a_marked_member_rests_and_comes_back_by_itself() {
    let mut site = Site::of(2);
    set_ticks(100);
    let mut msg = Message::new(Method::Options);
    assert_eq!(
        mark(site.server, &mut site.worker, &mut msg, Mark::Down),
        code::NOT_SELECTED
    );
    site.select(&mut msg, Algorithm::RoundRobin, None);
    let down = site.member_of(&msg);
    assert_eq!(mark(site.server, &mut site.worker, &mut msg, Mark::Down), 1);
    for algorithm in Algorithm::ALL {
        assert_ne!(
            site.pick(algorithm, Some(b"k")),
            Some(down.clone()),
            "{algorithm:?}"
        );
    }
    set_ticks(130);
    let mut picks: Vec<_> = (0..2)
        .map(|_| site.pick(Algorithm::RoundRobin, None).unwrap())
        .collect();
    picks.sort();
    assert_eq!(picks, ["m0", "m1"], "30 seconds later it is tried again");
    mark(site.server, &mut site.worker, &mut msg, Mark::Down);
    mark(site.server, &mut site.worker, &mut msg, Mark::Up);
    assert!((0..2).any(|_| site.pick(Algorithm::RoundRobin, None) == Some(down.clone())));
}

#[test]
fn a_mark_ends_though_kamailios_clock_began_anew_meanwhile() {
    const ROUND_S: u32 = 1 << 28;
    set_ticks(ROUND_S - 10);
    let mut site = Site::of(2);
    let mut msg = Message::new(Method::Options);
    site.select(&mut msg, Algorithm::RoundRobin, None);
    let down = site.member_of(&msg);
    mark(site.server, &mut site.worker, &mut msg, Mark::Down);
    let mut is_used = || {
        let mut picks = (0..2).map(|_| site.pick(Algorithm::RoundRobin, None));
        picks.any(|name| name.as_ref() == Some(&down))
    };
    for (ticks, used) in [(ROUND_S - 1, false), (19, false), (20, true)] {
        set_ticks(ticks);
        assert_eq!(is_used(), used, "at {ticks}");
    }
    assert_eq!(site.server.uptime_s(), 30);
}

#[test]
fn the_operators_word_goes_before_the_agents() {
    let mut site = Site::of(2);
    let set = |site: &mut Site, args: &[&str]| {
        report::set_state(site.server, &mut site.worker, &mut Args::from_texts(args))
    };
    set(&mut site, &["p", "m0", "draining"]).unwrap();
    site.publish(&[member("m0"), member("m1")]);
    assert!((0..4).all(|_| site.pick(Algorithm::RoundRobin, None).unwrap() == "m1"));
    set(&mut site, &["p", "m0", "active"]).unwrap();
    assert!((0..2).any(|_| site.pick(Algorithm::RoundRobin, None).unwrap() == "m0"));
    for (args, code, word) in [
        (&["p", "m0", "tired"][..], 400, "draining or disabled"),
        (&["p", "nobody", "draining"], 404, "kamscale.members p"),
        (&["q", "m0", "draining"], 404, "kamscale.pools"),
        (&["p"], 400, "MEMBER"),
    ] {
        let fault = set(&mut site, args).unwrap_err();
        assert!(fault.code == code && fault.text.contains(word), "{fault:?}");
    }
}

#[test]
fn a_message_from_a_member_is_known_by_address_and_port() {
    let mut site = Site::new(&[
        pool("p", &[member("a")]),
        pool("q", &[member("b")]),
        pool("r", &[]),
    ]);
    let mut ask = |source: &str, pool: Option<&[u8]>| {
        let mut msg = Message::new(Method::Options);
        msg.source = source.parse::<SocketAddr>().unwrap();
        is_from_pool(
            site.server,
            &mut site.worker,
            &msg,
            pool.map(PoolName::Text),
            (Fit::default(), None),
        )
    };
    assert_eq!(ask("10.0.0.97:5060", Some(b"p")), 1);
    assert_eq!(ask("10.0.0.97:5060", None), 1);
    assert_eq!(ask("10.0.0.97:5061", Some(b"p")), code::NO);
    assert_eq!(ask("10.0.0.97:5060", Some(b"q")), code::NO);
    assert_eq!(ask("10.0.0.98:5060", Some(b"q")), 1);
    assert_eq!(ask("[2001:db8::1]:5060", None), code::NO);
    assert_eq!(ask("10.0.0.97:5060", Some(b"nope")), code::NO_POOL);
}

#[test]
fn a_member_is_marked_by_its_name_or_its_uri() {
    let mut site = Site::of(2);
    let uri = member("m1").uri;
    for name in [&b"m1"[..], uri.as_bytes()] {
        let mut say = |mark| mark_member(site.server, &mut site.worker, P, name, mark);
        assert_eq!(say(Mark::Down), 1);
        let picks: Vec<_> = (0..4)
            .map(|_| site.pick(Algorithm::RoundRobin, None))
            .collect();
        assert!(
            picks.iter().all(|p| p.as_deref() == Some("m0")),
            "{picks:?}"
        );
        let mut say = |mark| mark_member(site.server, &mut site.worker, P, name, mark);
        assert_eq!(say(Mark::Up), 1);
        let picks: Vec<_> = (0..4)
            .map(|_| site.pick(Algorithm::RoundRobin, None))
            .collect();
        assert!(
            picks.iter().any(|p| p.as_deref() == Some("m1")),
            "{picks:?}"
        );
    }
    let nobody = mark_member(site.server, &mut site.worker, P, b"m7", Mark::Down);
    assert_eq!(nobody, code::NO_MEMBER);
}

#[test]
fn what_must_fit_beside_the_address_is_said_by_words() {
    set_sockets(&["side"]);
    let mut tcp = member("a");
    tcp.uri += ";transport=tcp";
    tcp.options.socket = "side".to_owned();
    tcp.state = DesiredState::Draining;
    let mut site = Site::new(&[pool("p", &[tcp])]);
    let mut msg = Message::new(Method::Options);
    let mut ask = |msg: &Message, fit: &str, uri: Option<&str>| {
        let fit = Fit::from_words(fit.as_bytes()).unwrap();
        let how = (fit, uri.map(str::as_bytes));
        is_from_pool(site.server, &mut site.worker, msg, Some(P), how)
    };
    msg.source = "10.0.0.97:9".parse().unwrap();
    assert_eq!(ask(&msg, "", None), code::NO);
    assert_eq!(ask(&msg, "any_port", None), 1);
    assert_eq!(ask(&msg, "any_port, transport", None), code::NO);
    msg.transport = "tcp";
    assert_eq!(ask(&msg, "any_port,transport", None), 1);
    assert_eq!(ask(&msg, "any_port,socket", None), code::NO);
    msg.received_by = kamailio::socket::find(b"side");
    assert_eq!(ask(&msg, "any_port,socket", None), 1);
    assert_eq!(ask(&msg, "any_port,active", None), code::NO);
    let there = "sip:x@10.0.0.97;transport=tcp";
    assert_eq!(ask(&msg, "transport", Some(there)), 1);
    assert_eq!(ask(&msg, "", Some("sip:10.0.0.97:5061")), code::NO);
    assert_eq!(ask(&msg, "any_port", Some("sip:a.example")), code::NO);
    assert_eq!(Fit::from_words(b"any port"), None);
}

#[test]
fn pools_and_members_can_be_asked_for() {
    let mut site = Site::of(2);
    let uri = member("m1").uri;
    let active = |site: &mut Site, uri: Option<&str>| {
        is_active(site.server, &mut site.worker, P, uri.map(str::as_bytes))
    };
    assert_eq!(pool_exists(site.server, &mut site.worker, P), 1);
    assert_eq!(
        pool_exists(site.server, &mut site.worker, PoolName::Text(b"no")),
        code::NO
    );
    assert_eq!(active(&mut site, None), 1);
    assert_eq!(active(&mut site, Some(&uri)), 1);
    assert_eq!(active(&mut site, Some("sip:elsewhere")), code::NO);
    let mut drained = vec![member("m0"), member("m1")];
    drained[1].state = DesiredState::Draining;
    site.publish(&drained);
    assert_eq!(active(&mut site, Some(&uri)), code::NO);
    assert_eq!(active(&mut site, None), 1);
}

#[test]
fn requests_are_counted_per_feature_and_reported() {
    let mut site = Site::of(1);
    for _ in 0..3 {
        assert_eq!(count(site.server, 1), 1);
    }
    assert_eq!(count(site.server, 4000), code::FAILED);
    let Value::List(features) = report::features(site.server, &mut site.worker) else {
        panic!()
    };
    assert_eq!(
        features[1],
        Value::Struct(vec![
            (c"feature", Value::Text("conference".into())),
            (c"requests", Value::Int(3)),
            (c"admitted", Value::Int(0)),
            (c"refused", Value::Int(0)),
            (c"allowed_per_s", Value::Text("unlimited".into())),
        ])
    );
}

#[test]
fn bad_settings_stop_the_start_and_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let start = |change: fn(&mut Settings)| {
        let mut settings = Settings {
            shm_dir: dir.path().join("shm"),
            ..Settings::default()
        };
        change(&mut settings);
        Server::start(settings).map(|_| ()).unwrap_err()
    };
    let error = start(|s| s.features = vec!["a b".into()]);
    assert!(
        error.contains("feature") && error.contains("a b"),
        "{error}"
    );
    let error = start(|s| s.instance = "../x".into());
    assert!(error.contains("instance"), "{error}");
    let error = start(|s| s.pools_file = Some("/nowhere/pools".into()));
    assert!(
        error.contains("pools_file") && error.contains("/nowhere/pools"),
        "{error}"
    );
}

#[test]
fn one_run_of_the_script_sees_one_table_and_the_next_one_the_newest() {
    let mut site = Site::of(1);
    worker::begin_run();
    assert_eq!(
        site.pick(Algorithm::RoundRobin, None).as_deref(),
        Some("m0")
    );
    site.publish(&[member("new")]);
    assert_eq!(site.pick(Algorithm::Hash, None).as_deref(), Some("m0"));
    worker::end_run();
    assert_eq!(site.pick(Algorithm::Hash, None).as_deref(), Some("new"));
    site.publish(&[member("newer")]);
    worker::begin_run();
    let first = site.pick(Algorithm::RoundRobin, None);
    assert_eq!(
        first.as_deref(),
        Some("newer"),
        "a run begins with the newest"
    );
    worker::end_run();
}
