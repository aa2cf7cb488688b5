//! When nobody answers probes the prober is suspected, not the members; what they do answer is believed.

use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};

use crate::health::{PROBING, ROUTES, members, table};
use crate::support::{config, publisher, shown};

#[track_caller]
fn await_suspicion(kamailio: &Kamailio<'_>, is: &str) {
    wait_until(&format!("panic: {is}"), PATIENCE, || {
        kamailio.rpc(&["kamscale.pools"])[0]["panic"] == is
    });
}

#[track_caller]
fn await_health(kamailio: &Kamailio<'_>, name: &str, health: &str) {
    wait_until(&format!("{name} is {health}"), PATIENCE, || {
        shown(kamailio, "conference", name)["health"] == health
    });
}

/// Two rooms whose owner by `hash` is that member.
fn rooms_of(kamailio: &Kamailio<'_>, name: &str) -> Vec<String> {
    let is_owner = |room: &String| {
        let explained = kamailio.rpc(&["kamscale.explain", "conference", room]);
        explained[0]["member"] == name
    };
    let rooms = (0..64).map(|n| format!("room-{n}"));
    rooms.filter(is_owner).take(2).collect()
}

#[test]
fn a_room_stays_where_it_is_while_the_prober_is_suspected() {
    let run = RunDir::new("health");
    let all = members(&run);
    let mut pools = table(&all[..2]);
    pools[0].members[0].capacity = 1;
    let _publisher = publisher(&run, pools);
    let kamailio = Kamailio::with_text(&run, &config(PROBING, ROUTES)).start();
    let client = SipClient::new(&run);
    for name in ["m0", "m1"] {
        await_health(&kamailio, name, "up");
    }
    let rooms = rooms_of(&kamailio, "m0");
    let answered = |room: &str| {
        let mut call = client.invite(kamailio.sip(), room);
        call.answered();
        call
    };
    // m0 has room for one call: the second room of its own is opened at m1.
    let first = answered(&rooms[0]);
    let second = answered(&rooms[1]);
    assert_eq!((all[0].counts().calls, all[1].counts().calls), (1, 1));
    assert_eq!(first.bye(), 200);
    let silent = |member: &Member| member.answer_options(Answer::Silence);
    all.iter().for_each(silent);
    await_suspicion(&kamailio, "yes");
    let third = answered(&rooms[1]);
    assert_eq!(all[1].counts().calls, 2, "the room was torn apart");
    for call in [second, third] {
        assert_eq!(call.bye(), 200);
    }
}

#[test]
fn members_that_say_that_they_are_down_get_no_call_though_they_are_most_of_the_pool() {
    let run = RunDir::new("health");
    let all = members(&run);
    let _publisher = publisher(&run, table(&all));
    let kamailio = Kamailio::with_text(&run, &config(PROBING, ROUTES)).start();
    let client = SipClient::new(&run);
    let maintained = [&all[0], &all[1]];
    for member in maintained {
        member.report_in_options(Some(("X-Kamscale", "state=maint")));
    }
    for name in ["m0", "m1"] {
        await_health(&kamailio, name, "down");
    }
    // The timer process sums every second.
    let beats = || kamailio.rpc(&["kamscale.status"])[0]["uptime_s"].as_u64();
    let seen = beats();
    wait_until("two seconds of the timer", PATIENCE, || {
        beats() >= seen.map(|s| s + 2)
    });
    await_suspicion(&kamailio, "no");
    for _ in 0..4 {
        let mut call = client.invite(kamailio.sip(), "any");
        call.answered();
        assert_eq!(call.bye(), 200);
    }
    let invites = maintained.map(|member| member.counts().invites);
    assert_eq!(invites, [0, 0], "INVITEs at members that said so");
    assert_eq!(all[2].counts().invites, 4);
}
