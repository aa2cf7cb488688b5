//! The watch over members, turn by turn: a clock of the test's own, answers as the double gives them,
//! real rows.

mod pools;
mod suspicion;
pub(super) mod ward;

use std::collections::BTreeMap;

use kamailio::double::Answer;
use kamscale_shm::{DesiredState, Health, MemberSpec, Table};

use super::member;
use crate::health::{MAX_OUTSTANDING, MAX_PER_TURN, Token, answered, not_sent, sending};
use ward::{TURN_MS, Ward, ok, probing};

#[test]
fn a_member_goes_down_without_answers_and_comes_back_with_enough_of_them() {
    let mut ward = Ward::new(&[member("a")], Some(probing(1000)));
    assert!(ward.usable("a"), "one that was there before is trusted");
    ward.turns(30, ok);
    assert_eq!(ward.health("a"), Some(Health::Up));
    ward.turns(100, || None);
    assert_eq!(ward.health("a"), Some(Health::Down));
    assert!(!ward.usable("a"));
    assert_eq!(ward.told(), ["member-down a probe"]);
    let mut answers = 0;
    while !ward.usable("a") {
        for probe in ward.turn() {
            answered(ward.server, probe.token.to_word(), &mut Answer::reply(404));
            answers += 1;
        }
    }
    assert_eq!(answers, 2, "answers until it was admitted");
    ward.turn();
    assert_eq!(ward.told(), ["member-up a probe"]);
}

#[test]
fn a_member_that_comes_later_is_probed_at_once_and_waits_until_it_is_admitted() {
    let mut ward = Ward::new(&[member("a")], Some(probing(60_000)));
    ward.turn();
    ward.publish(&[member("a"), member("b")]);
    assert!(!ward.usable("b"), "before the watch has seen it");
    let probes = ward.turn();
    let to_b = probes.iter().find(|p| p.uri == member("b").uri.as_bytes());
    let first = to_b.expect("b is probed at once").token;
    assert!(!ward.usable("b"));
    answered(ward.server, first.to_word(), &mut Answer::reply(200));
    ward.turn();
    assert!(!ward.usable("b"), "one answer of two");
    ward.turns(70, ok);
    assert!(ward.usable("b") && ward.usable("a"));
    assert_eq!(ward.told(), ["member-up b probe"]);
}

#[test]
fn a_slot_that_another_member_gets_carries_nothing_over() {
    let mut ward = Ward::new(&[], Some(probing(1000)));
    let (server, now_ns) = (ward.server, ward.now_ms * 1_000_000);
    let row = server.observed.member(0).unwrap();
    // Tables of files have their slots in the order of the lines: 0 is of a, then of b.
    let [a, b] = ["a", "b"].map(|name| ward.table_of_file(&format!("p {name} sip:10.0.0.1\n")));
    let id = |table: &Table| table.pool(0).unwrap().member(0).unwrap().id();
    let first = ward.watch.turn(server, &a, 1, now_ns).probes[0].token;
    let report = || Answer::reply(503).with("X-FS-Calls", "9");
    answered(server, first.to_word(), &mut report());
    ward.watch.turn(server, &a, 1, now_ns);
    assert_eq!(row.health_of(id(&a)), Some(Health::Draining));
    assert_eq!(row.report().calls, Some(9));
    let later_ns = now_ns + 10_000_000_000;
    let of_a = ward.watch.turn(server, &a, 1, later_ns).probes[0].token;

    let probes = ward.watch.turn(server, &b, 2, later_ns).probes;
    assert_eq!(row.health_of(id(&a)), None, "the row is not of a any more");
    assert_eq!(row.health_of(id(&b)), Some(Health::New));
    assert_eq!(row.report().calls, None, "the report of another");
    assert!(!server.observed.is_usable(0, id(&b), || 0));
    assert_eq!(probes.len(), 1, "b is probed at once");
    let of_b = probes[0].token;
    assert_eq!(of_a.slot, of_b.slot, "nothing is tried");
    // The answer to the probe of a comes now, and one that has b's number but a's name.
    let number = of_b.number;
    for stale in [of_a, Token { number, ..of_a }] {
        answered(server, stale.to_word(), &mut report());
        ward.watch.turn(server, &b, 2, later_ns);
        assert_eq!(row.report().calls, None, "the report of another");
        assert_eq!(row.health_of(id(&b)), Some(Health::New), "by {stale:?}");
    }
    answered(server, of_b.to_word(), &mut report());
    ward.watch.turn(server, &b, 2, later_ns);
    assert_eq!(row.health_of(id(&b)), Some(Health::Draining));
}

#[test]
fn a_member_that_moves_is_asked_at_once_and_what_its_old_address_said_is_over() {
    let mut ward = Ward::new(&[member("a")], Some(probing(60_000)));
    ward.turns(1300, ok);
    ward.turns(2600, || None);
    assert_eq!(ward.health("a"), Some(Health::Down));
    let moved = MemberSpec {
        uri: "sip:10.9.9.9".to_owned(),
        ..member("a")
    };
    ward.publish(&[moved]);
    let probes = ward.turn();
    assert_eq!(probes.len(), 1);
    assert_eq!(probes[0].uri, b"sip:10.9.9.9");
    assert!(ward.usable("a"));
    ward.turns(80, || None);
    assert!(!ward.usable("a"), "the new address does not answer either");
    let disabled = |state| MemberSpec {
        state,
        ..member("a")
    };
    ward.publish(&[disabled(DesiredState::Disabled)]);
    assert_eq!(ward.turns(3000, ok), 0, "a disabled member was asked");
    ward.publish(&[disabled(DesiredState::Active)]);
    let probes = ward.turn();
    assert!(!ward.usable("a"), "nobody asked it while it was disabled");
    assert_eq!(probes.len(), 1, "it is asked at once");
    ward.turns(80, ok);
    assert!(ward.usable("a"));
    let told = ward.told();
    assert_eq!(told.last().unwrap(), "member-up a probe", "{told:?}");
}

#[test]
fn a_member_that_drains_takes_nothing_new_and_says_so() {
    let mut ward = Ward::new(&[member("a"), member("b")], Some(probing(1000)));
    ward.turns(40, ok);
    ward.turns(40, || Some(Answer::reply(503)));
    assert_eq!(ward.health("a"), Some(Health::Draining));
    assert!(!ward.usable("a"));
    let mut told = ward.told();
    told.sort();
    assert_eq!(told, ["member-draining a probe", "member-draining b probe"]);
    ward.turns(80, ok);
    assert!(ward.usable("a") && ward.usable("b"));
    let closed = || Some(Answer::reply(200).with("X-FS-Status", "closed"));
    ward.turns(40, closed);
    assert_eq!(ward.health("b"), Some(Health::Draining));
    let report = || {
        let text = "calls=12; capacity=40; weight=50; state=active";
        Some(Answer::reply(200).with("X-Kamscale", text))
    };
    ward.turns(80, report);
    assert_eq!(ward.health("b"), Some(Health::Up));
    let row = ward.server.observed.member(0).unwrap().report();
    assert_eq!(
        (row.calls, row.capacity, row.weight),
        (Some(12), Some(40), Some(50))
    );
}

#[test]
fn who_speaks_against_a_member_is_told_and_the_worst_counts() {
    let mut ward = Ward::new(&[member("a")], None);
    ward.turn();
    assert_eq!(
        ward.turns(100, ok),
        0,
        "probes though nobody asked for them"
    );
    let row = ward.server.observed.member(0).unwrap();
    let id = ward.table().pool(0).unwrap().member(0).unwrap().id();
    row.set_override(id, Some(DesiredState::Draining));
    ward.turn();
    row.mark_down(id, u64::MAX);
    ward.turn();
    row.mark_up(id);
    ward.turn();
    row.set_override(id, None);
    ward.turn();
    let drained = MemberSpec {
        state: DesiredState::Draining,
        ..member("a")
    };
    ward.publish(&[drained]);
    ward.turn();
    ward.turn();
    let told = ward.told();
    let wanted = [
        "member-draining a operator",
        "member-down a mark",
        "member-draining a operator",
        "member-up a operator",
        "member-draining a table",
    ];
    assert_eq!(told, wanted);
}

#[test]
fn many_members_are_asked_evenly_and_never_too_many_at_once() {
    let names: Vec<String> = (0..2000).map(|i| format!("m{i}")).collect();
    let members: Vec<_> = names.iter().map(|n| member(n)).collect();
    let mut ward = Ward::new(&members, Some(probing(10_000)));
    let mut most = 0;
    for _ in 0..200 {
        most = most.max(ward.turns(1, ok));
    }
    // 10 a turn in the mean; in one herd it would be 2000.
    assert!(most <= 40, "{most} of 2000 trusted members in one turn");
    // A thousand that come together are asked as fast as may be, and then part.
    let mut ward = Ward::new(&[], Some(probing(10_000)));
    ward.turn();
    ward.publish(&members);
    let burst = ward.turns(1, ok);
    assert_eq!(burst, MAX_PER_TURN);
    ward.turns(300, ok);
    let mut most = 0;
    for _ in 0..200 {
        most = most.max(ward.turns(1, ok));
    }
    assert!(
        most <= 40,
        "{most} of 2000 members that came together in one turn"
    );
}

#[test]
fn probes_that_nobody_answers_are_bounded_and_everybody_gets_a_turn() {
    let members: Vec<_> = (0..3000).map(|i| member(&format!("m{i}"))).collect();
    let mut settings = probing(500);
    settings.timeout_ms = 2000;
    let mut ward = Ward::new(&members, Some(settings));
    let mut open: Vec<u64> = Vec::new();
    let mut asked: BTreeMap<u16, u32> = BTreeMap::new();
    for _ in 0..400 {
        let now = ward.now_ms + TURN_MS;
        open.retain(|sent| now - sent < 2000);
        for probe in ward.turn() {
            open.push(now);
            *asked.entry(probe.token.slot).or_default() += 1;
        }
        assert!(open.len() <= MAX_OUTSTANDING, "{} wait", open.len());
    }
    assert_eq!(asked.len(), 3000, "somebody was never asked");
    let (least, most) = (asked.values().min().unwrap(), asked.values().max().unwrap());
    assert!(most - least <= 2, "asked {least} to {most} times");
}

#[test]
fn an_answer_that_comes_too_late_is_none() {
    let mut ward = Ward::new(&[member("a")], Some(probing(1000)));
    let next = |ward: &mut Ward| loop {
        if let Some(probe) = ward.turn().pop() {
            return probe.token.to_word();
        }
    };
    let row = ward.server.observed.member(0).unwrap();
    let late = || Answer::reply(200).with("X-FS-Calls", "9");
    let misses = || row.misses.load(std::sync::atomic::Ordering::Relaxed);
    let first = next(&mut ward);
    while misses() == 0 {
        ward.turn();
    }
    answered(ward.server, first, &mut late());
    assert_eq!(row.report().calls, None, "noted though nobody awaits it");
    let second = next(&mut ward);
    answered(ward.server, first, &mut late());
    assert_eq!(
        row.report().calls,
        None,
        "taken for the answer to the next probe"
    );
    ward.turn();
    assert_eq!((misses(), ward.health("a")), (1, Some(Health::Trusted)));
    answered(ward.server, second, &mut late());
    ward.turn();
    assert_eq!((misses(), ward.health("a")), (0, Some(Health::Up)));
    assert_eq!(row.report().calls, Some(9));
}

#[test]
fn a_probe_is_late_by_the_time_when_it_went_out() {
    let mut ward = Ward::new(&[member("a")], Some(probing(1000)));
    let token = loop {
        if let Some(probe) = ward.turn().first() {
            break probe.token;
        }
    };
    // Those before it took three seconds; the answer is awaited for one.
    ward.now_ms += 3000;
    sending(ward.server, token, ward.now_ms * 1_000_000);
    ward.turn();
    let row = ward.server.observed.member(0).unwrap();
    let misses = || row.misses.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(misses(), 0, "it went out just now");
    ward.now_ms += 1000;
    ward.turn();
    assert_eq!(misses(), 1);
}

#[test]
fn a_probe_that_cannot_be_sent_is_a_miss() {
    let mut ward = Ward::new(&[member("a")], Some(probing(1000)));
    for _ in 0..80 {
        for probe in ward.turn() {
            not_sent(ward.server, probe.token);
        }
    }
    assert_eq!(ward.health("a"), Some(Health::Down));
    let row = ward.server.observed.member(0).unwrap();
    assert_eq!(
        row.last_code.load(std::sync::atomic::Ordering::Relaxed),
        477
    );
}
