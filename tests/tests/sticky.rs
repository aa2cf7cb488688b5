//! `sticky`: a room stays on its member while any of its calls lives, whatever happens to the pool
//! and whoever asks; it is free after the last call, however that ends; and nothing leaks.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kamscale_shm::layout::ObservedFile;
use kamscale_shm::limits::{KEY_GROUPS, KEYS_PER_GROUP};
use kamscale_shm::{DesiredState, MemberSpec};
use kamscale_tests::{
    AgentSetup, Answer, Call, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until,
};

use crate::elastic::{await_active, await_status, await_table, call, elastic};
use crate::support::{
    answer, ask, calls, config, lines, member, pool, publish, publisher, request_at, uri_of,
};

/// OPTIONS with a key only ask; calls go to the room that they dial.
const ROUTES: &str = r#"
request_route {
    if ($hdr(X-Key) != $null) {
        ks_select_dst("conference", "sticky", "$hdr(X-Key)");
        append_to_reply("X-Code: $rc\r\nX-Member: $ks_member\r\n");
    }
    route(IN_DIALOG);
    record_route();
    if (!ks_select_dst("conference", "sticky", "$rU")) { sl_send_reply("503", "No Member"); exit; }
    if ($rU == "lost-bye") { dlg_set_timeout("2"); }
    if ($rU == "silence") { t_set_fr("0", "1500"); }
    t_on_failure("NEXT");
    t_relay();
}
failure_route[NEXT] {
    if (t_is_canceled() || !t_check_status("503")) exit;
    if ($rU == "marked") ks_mark_dst();
    if (ks_next_dst()) { t_on_failure("NEXT"); t_relay(); exit; }
    t_reply("480", "Nowhere Else");
}
"#;

fn keys(kamailio: &Kamailio<'_>) -> (u64, u64) {
    let status = &kamailio.rpc(&["kamscale.status"])[0];
    let number = |name: &str| {
        status[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {status}"))
    };
    (number("sticky_keys"), number("sticky_refused"))
}

#[track_caller]
fn await_keys(kamailio: &Kamailio<'_>, live: u64, when: &str) {
    wait_until(&format!("{live} keys live {when}"), PATIENCE, || {
        keys(kamailio).0 == live
    });
}

/// Where a new request with the key would go.
#[track_caller]
fn place(client: &SipClient, kamailio: &Kamailio<'_>, key: &str) -> String {
    ask(client, kamailio, &[("X-Key", key)], "X-Member")
}

/// A call that is answered.
#[track_caller]
fn open<'c>(client: &'c SipClient, kamailio: &Kamailio<'_>, room: &str) -> Call<'c> {
    let mut call = client.invite(kamailio.sip(), room);
    call.answered();
    call
}

/// So many members; each answers everything.
fn start_members(run: &RunDir, count: usize) -> (Vec<Member>, Vec<MemberSpec>) {
    let members: Vec<Member> = (0..count).map(|_| Member::start(run.endpoint())).collect();
    let specs = members.iter().enumerate();
    let specs = specs
        .map(|(i, m)| member(&format!("m{i}"), m.uri()))
        .collect();
    (members, specs)
}

/// The pool as it is published in a step of the course: always with all members that have rooms.
fn course(step: usize, all: &[MemberSpec]) -> Vec<MemberSpec> {
    let idle = |i| member(&format!("new{i}"), format!("sip:127.0.0.1:{}", 7000 + i));
    let mut members = all.to_vec();
    match step % 4 {
        0 => members.reverse(),
        1 => members
            .iter_mut()
            .zip(0..)
            .for_each(|(m, i)| m.weight = 1 + i * 90),
        2 => (0..30).for_each(|i| members.insert(0, idle(i))),
        _ => members
            .iter_mut()
            .for_each(|m| m.state = DesiredState::Draining),
    }
    // Whoever is new has no room: it answers nobody, so a call that went there would fail.
    for member in &mut members {
        if member.name.starts_with("new") {
            member.capacity = 1;
            member.weight = 500;
        }
    }
    members
}

#[test]
fn a_room_stays_while_the_pool_changes_and_many_workers_select() {
    const ROOMS: usize = 12;
    const CHANGES: usize = 24;
    let run = RunDir::new("sticky");
    let (members, specs) = start_members(&run, 4);
    let mut publisher = publisher(&run, vec![pool("conference", specs.clone())]);
    let kamailio = Kamailio::with_text(&run, &config("children=8\n", ROUTES)).start();
    let sip = kamailio.sip();
    let room = |i: usize| format!("room-{}", i % ROOMS);
    let host = SipClient::new(&run);
    let first: Vec<Call<'_>> = (0..ROOMS)
        .map(|i| open(&host, &kamailio, &room(i)))
        .collect();
    await_keys(&kamailio, ROOMS as u64, "with a call in each room");

    let clients: Vec<SipClient> = (0..4).map(|_| SipClient::new(&run)).collect();
    let (busy, made) = (AtomicBool::new(true), AtomicUsize::new(0));
    let talk = |client: &SipClient, number: usize| -> Vec<(String, String)> {
        let mut told = Vec::new();
        while busy.load(Ordering::Relaxed) {
            let name = room(told.len() * 5 + number);
            let mut guest = client.invite(sip, &name);
            guest.answered();
            told.push((name, guest.call_id().to_owned()));
            assert_eq!(guest.bye(), 200);
            made.fetch_add(1, Ordering::Relaxed);
        }
        told
    };
    let mut told: Vec<(String, String)> = Vec::new();
    std::thread::scope(|scope| {
        let talks = clients.iter().enumerate();
        let talks: Vec<_> = talks
            .map(|(n, client)| scope.spawn(move || talk(client, n)))
            .collect();
        let enough = || made.load(Ordering::Relaxed) > 3 * ROOMS;
        for step in (0..).take_while(|step| *step < CHANGES || !enough()) {
            publish(
                &mut publisher,
                vec![pool("conference", course(step, &specs))],
            );
        }
        busy.store(false, Ordering::Relaxed);
        for talk in talks {
            told.extend(talk.join().unwrap());
        }
    });
    told.extend(
        first
            .iter()
            .enumerate()
            .map(|(i, c)| (room(i), c.call_id().to_owned())),
    );
    let mut at: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (name, id) in &told {
        let found = members
            .iter()
            .position(|m| m.counts().call_ids.contains(id));
        let found = found.unwrap_or_else(|| panic!("{name}: no member had the call {id}"));
        at.entry(name).or_default().insert(found);
    }
    assert!(
        at.values().all(|members| members.len() == 1),
        "rooms are split: {at:?}"
    );
    for call in &first {
        assert_eq!(call.bye(), 200);
    }
    await_keys(&kamailio, 0, "after the last call of each room");
    assert_eq!(keys(&kamailio).1, 0, "keys were refused");
}

#[test]
fn a_room_is_held_to_its_last_call_and_then_free() {
    let run = RunDir::new("sticky");
    let (_members, mut specs) = start_members(&run, 3);
    let mut publisher = publisher(&run, vec![pool("conference", specs.clone())]);
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let client = SipClient::new(&run);
    let at = place(&client, &kamailio, "room");
    assert_eq!(keys(&kamailio).0, 0, "who only asks holds nothing");
    let calls: Vec<Call<'_>> = (0..3).map(|_| open(&client, &kamailio, "room")).collect();
    specs
        .iter_mut()
        .filter(|m| m.name == at)
        .for_each(|m| m.state = DesiredState::Draining);
    publish(&mut publisher, vec![pool("conference", specs)]);
    for call in &calls {
        assert_eq!(
            place(&client, &kamailio, "room"),
            at,
            "the member drains, the room is live"
        );
        assert_eq!(call.bye(), 200);
    }
    await_keys(&kamailio, 0, "after the last BYE");
    let now = place(&client, &kamailio, "room");
    assert_ne!(
        now, at,
        "a room without a call is new, and not for a member that drains"
    );
}

#[test]
fn a_room_is_free_however_its_only_call_ends() {
    let run = RunDir::new("sticky");
    let phone = SipClient::new(&run);
    let specs = vec![member("m", uri_of(&phone))];
    let _publisher = publisher(&run, vec![pool("conference", specs)]);
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let client = SipClient::new(&run);
    for (way, status) in [
        ("busy", 486),
        ("cancelled", 487),
        ("lost-bye", 200),
        // Last, as its INVITE comes again and again.
        ("silence", 408),
    ] {
        let mut call = client.invite(kamailio.sip(), way);
        let invite = request_at(&phone, "INVITE");
        await_keys(&kamailio, 1, way);
        match way {
            "cancelled" => {
                answer(&phone, kamailio.sip(), &invite, 180);
                assert!(call.next_reply(PATIENCE).is_some());
                call.cancel();
                let cancel = request_at(&phone, "CANCEL");
                answer(&phone, kamailio.sip(), &cancel, 200);
                answer(&phone, kamailio.sip(), &invite, 487);
            }
            "silence" => {}
            _ => answer(&phone, kamailio.sip(), &invite, status),
        }
        assert_eq!(call.final_status(), status, "{way}");
        if status == 200 {
            call.ack();
        }
        await_keys(&kamailio, 0, &format!("after the end of {way}"));
        assert_eq!(calls(&kamailio, "conference", "m").0, 0, "{way}");
    }
}

#[test]
fn a_room_fails_over_with_its_first_call_and_not_with_a_later_one() {
    let run = RunDir::new("sticky");
    let (members, specs) = start_members(&run, 3);
    let _publisher = publisher(&run, vec![pool("conference", specs)]);
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let client = SipClient::new(&run);
    let number = |name: String| name[1..].parse::<usize>().unwrap();
    for room in ["plain", "marked"] {
        let owner = number(place(&client, &kamailio, room));
        members[owner].answer_invites(Answer::Status(503));
        let mut first = client.invite(kamailio.sip(), room);
        first.answered();
        let at = number(place(&client, &kamailio, room));
        assert_ne!(at, owner, "{room}: the room is where its first call is");
        members[owner].answer_invites(Answer::Status(200));
        assert_eq!(
            number(place(&client, &kamailio, room)),
            at,
            "{room}: and stays there"
        );

        members[at].answer_invites(Answer::Status(503));
        let mut guest = client.invite(kamailio.sip(), room);
        if room == "plain" {
            assert_eq!(
                guest.final_status(),
                480,
                "a guest would be alone elsewhere"
            );
            assert_eq!(number(place(&client, &kamailio, room)), at);
        } else {
            guest.answered();
            assert_ne!(
                number(place(&client, &kamailio, room)),
                at,
                "its member is down"
            );
            assert_eq!(guest.bye(), 200);
        }
        members[at].answer_invites(Answer::Status(200));
        assert_eq!(first.bye(), 200);
        await_keys(&kamailio, 0, room);
        for name in ["m0", "m1", "m2"] {
            kamailio.rpc(&["kamscale.set_state", "conference", name, "active"]);
        }
    }
}

/// Writes what a table without any room looks like: every entry a live key.
fn fill(run: &RunDir) {
    const LIVE: u64 = 2 << 44 | 1;
    let path = run.shm_dir().join("default.observed");
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    for group in 0..KEY_GROUPS {
        let entry = [LIVE.to_ne_bytes(), u64::MAX.to_ne_bytes()].concat();
        let at = std::mem::offset_of!(ObservedFile, keys) + 128 * group + 8;
        file.write_all_at(&entry.repeat(KEYS_PER_GROUP), at as u64)
            .unwrap();
    }
}

#[test]
fn a_full_table_is_counted_and_logged_and_calls_go_by_hash() {
    let run = RunDir::new("sticky");
    let (_members, specs) = start_members(&run, 3);
    let _publisher = publisher(&run, vec![pool("conference", specs)]);
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let client = SipClient::new(&run);
    let owner = place(&client, &kamailio, "room");
    let mut live = client.invite(kamailio.sip(), "room");
    live.answered();
    assert_eq!(live.bye(), 200);
    await_keys(&kamailio, 0, "before");
    fill(&run);
    let all = (KEY_GROUPS * KEYS_PER_GROUP) as u64;
    assert_eq!(keys(&kamailio), (all, 0));
    let mut call = client.invite(kamailio.sip(), "room");
    call.answered();
    assert_eq!(keys(&kamailio), (all, 1));
    assert_eq!(
        calls(&kamailio, "conference", &owner),
        (1, 2),
        "at the owner by hash"
    );
    assert_eq!(
        lines(&kamailio.log(), &["no room for another sticky key"]).len(),
        1
    );
    assert_eq!(call.bye(), 200);
    wait_until("the call has ended", PATIENCE, || {
        calls(&kamailio, "conference", &owner).0 == 0
    });
    assert_eq!(
        keys(&kamailio),
        (all, 1),
        "a call that held nothing gave something back"
    );
}

#[test]
fn rooms_stay_over_a_restart_of_the_agent() {
    let run = RunDir::new("sticky");
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let mut agent = AgentSetup::new(&run, &elastic(&run, "min = 3\nmax = 3")).start();
    await_active(&agent, 3);
    await_table(&kamailio, &agent);
    let client = SipClient::new(&run);
    let rooms: Vec<String> = (0..6).map(|i| format!("room-{i}")).collect();
    let first: Vec<_> = rooms
        .iter()
        .map(|room| call(&client, &kamailio, room))
        .collect();
    agent.cli(&["member", "drain", "conference", "conference-1"]);
    await_status(&agent, "conference-1 drains", |s| {
        s["pools"]["conference"]["members"]["conference-1"]["state"] == "draining"
    });
    for restart in [false, true] {
        if restart {
            agent.restart();
        } else {
            agent.kill();
        }
        for (room, (_, at)) in rooms.iter().zip(&first) {
            let (guest, there) = call(&client, &kamailio, room);
            assert_eq!(there, *at, "{room}, agent restarted: {restart}");
            assert_eq!(guest.bye(), 200);
        }
        assert_eq!(keys(&kamailio).0, 6);
    }
    for (call, _) in &first {
        assert_eq!(call.bye(), 200);
    }
    await_keys(&kamailio, 0, "after the last call");
}
