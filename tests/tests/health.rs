//! Health: members are probed by a process of its own; who does not answer, or says that it takes
//! nothing new, gets no new request; who comes back is admitted.

use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};

use crate::support::{
    SILENCE, answer, await_calls, config, lines, member, pool, publish, publisher, refusal,
    request_at, shown, uri_of,
};

pub(crate) const PROBING: &str = r#"
modparam("tm", "fr_timer", 700)
modparam("kamscale", "probe_interval_s", 1)
modparam("kamscale", "probe_timeout_s", 1)
modparam("kamscale", "probe_failures", 2)
modparam("kamscale", "probe_successes", 3)
modparam("kamscale", "probe_from", "sip:prober@example.org")
"#;

pub(crate) const ROUTES: &str = r#"
request_route {
    route(IN_DIALOG);
    record_route();
    $var(how) = "round_robin";
    if ($rU == "first") $var(how) = "serial";
    if ($rU =~ "^room") $var(how) = "sticky";
    if (!ks_select_dst("conference", "$var(how)", "$rU")) { send_reply("503", "No Member"); exit; }
    if ($rU == "mark") ks_mark_dst("down");
    t_relay();
}
"#;

const NAMES: [&str; 3] = ["m0", "m1", "m2"];

pub(crate) fn members(run: &RunDir) -> [Member; 3] {
    std::array::from_fn(|_| Member::start(run.endpoint()))
}

pub(crate) fn table(members: &[Member]) -> Vec<kamscale_shm::PoolSpec> {
    let specs = members.iter().zip(NAMES).map(|(m, n)| member(n, m.uri()));
    vec![pool("conference", specs.collect())]
}

#[track_caller]
fn await_health(kamailio: &Kamailio<'_>, name: &str, health: &str) {
    wait_until(&format!("{name} is {health}"), PATIENCE, || {
        shown(kamailio, "conference", name)["health"] == health
    });
}

/// So many calls one after the other, all answered and hung up.
#[track_caller]
fn calls(client: &SipClient, kamailio: &Kamailio<'_>, count: u32) {
    for _ in 0..count {
        let mut call = client.invite(kamailio.sip(), "conf-1");
        call.answered();
        assert_eq!(call.bye(), 200);
    }
}

#[test]
fn a_member_that_stops_answering_gets_no_call_until_it_has_answered_often_enough() {
    let run = RunDir::new("health");
    let all = members(&run);
    let _publisher = publisher(&run, table(&all[..2]));
    let kamailio = Kamailio::with_text(&run, &config(PROBING, ROUTES)).start();
    let client = SipClient::new(&run);
    await_health(&kamailio, "m0", "up");
    await_health(&kamailio, "m1", "up");
    let m0 = shown(&kamailio, "conference", "m0");
    assert_eq!(m0["last_code"], 200, "{m0}");
    assert!(m0["latency_us"].as_u64().unwrap() > 0, "{m0}");

    all[0].answer_options(Answer::Silence);
    await_health(&kamailio, "m0", "down");
    let m0 = shown(&kamailio, "conference", "m0");
    assert_eq!(
        (&m0["usable"], &m0["last_code"]),
        (&"no".into(), &408.into()),
        "{m0}"
    );
    assert_eq!(m0["state"], "active", "down is not the agent's state");
    let seen = kamailio.observed("default").members;
    let down = seen.iter().filter(|m| m.down).count();
    assert_eq!(down, 1, "the agent sees which is down: {seen:?}");
    calls(&client, &kamailio, 4);
    assert_eq!((all[0].counts().invites, all[1].counts().invites), (0, 4));

    let before = all[0].counts().options;
    all[0].answer_options(Answer::Status(200));
    await_health(&kamailio, "m0", "up");
    assert!(all[0].counts().options >= before + 3, "admitted too early");
    calls(&client, &kamailio, 4);
    assert!(all[0].counts().invites >= 1, "m0 is not used again");
}

#[test]
fn a_new_member_gets_calls_once_it_has_answered() {
    let run = RunDir::new("health");
    let all = members(&run);
    all[2].answer_options(Answer::Status(500));
    let mut publisher = publisher(&run, table(&all[..1]));
    let kamailio = Kamailio::with_text(&run, &config(PROBING, ROUTES)).start();
    let client = SipClient::new(&run);
    publish(&mut publisher, table(&all));
    // At once: nobody has had the time to ask the new ones.
    calls(&client, &kamailio, 3);
    await_health(&kamailio, "m1", "up");
    await_health(&kamailio, "m2", "down");
    calls(&client, &kamailio, 6);
    assert_eq!(all[2].counts().invites, 0, "it answers 500");
    assert!(all[1].counts().invites >= 1, "m1 is not used");
    all[2].answer_options(Answer::Status(404));
    await_health(&kamailio, "m2", "up");
    calls(&client, &kamailio, 6);
    assert!(all[2].counts().invites >= 1, "m2 is not used");
}

#[test]
fn nobody_is_probed_unless_it_is_asked_for() {
    let run = RunDir::new("health");
    let all = members(&run);
    let _publisher = publisher(&run, table(&all[..2]));
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let client = SipClient::new(&run);
    calls(&client, &kamailio, 2);
    let watcher = |d: &String| d.contains("kamscale");
    assert!(
        !kamailio.processes().values().any(watcher),
        "a process of its own"
    );
    assert_eq!(kamailio.rpc(&["kamscale.status"])[0]["probing"], "no");
    assert!(shown(&kamailio, "conference", "m0").get("health").is_none());
    std::thread::sleep(SILENCE);
    assert_eq!(all.each_ref().map(|m| m.counts().options), [0; 3]);
}

#[test]
fn a_member_that_stops_gracefully_keeps_its_calls_and_gets_no_new_one() {
    let run = RunDir::new("health");
    let all = members(&run);
    let _publisher = publisher(&run, table(&all[..2]));
    let kamailio = Kamailio::with_text(&run, &config(PROBING, ROUTES)).start();
    let client = SipClient::new(&run);
    await_health(&kamailio, "m0", "up");
    let mut open = client.invite(kamailio.sip(), "first");
    open.answered();
    assert_eq!(all[0].counts().calls, 1, "serial takes the first");
    // As Asterisk does while it waits for its last call.
    all[0].answer_options(Answer::Status(503));
    await_health(&kamailio, "m0", "draining");
    let seen = kamailio.observed("default").members;
    assert!(
        seen.iter().all(|m| !m.down),
        "draining is not down: {seen:?}"
    );
    calls(&client, &kamailio, 4);
    assert_eq!(
        all[0].counts().invites,
        1,
        "a new call at a member that stops"
    );
    assert_eq!(open.bye(), 200, "BYE of a call that was there");
    assert_eq!((all[0].counts().byes, all[0].counts().calls), (1, 0));
    await_calls(&kamailio, "conference", "m0", 0, 1);
}

#[test]
fn a_live_room_stays_at_a_member_that_drains_and_leaves_one_that_is_down() {
    let run = RunDir::new("health");
    let all = members(&run);
    let _publisher = publisher(&run, table(&all[..2]));
    let kamailio = Kamailio::with_text(&run, &config(PROBING, ROUTES)).start();
    let client = SipClient::new(&run);
    let mut first = client.invite(kamailio.sip(), "room-1");
    first.answered();
    let at = usize::from(all[1].counts().calls == 1);
    let (name, here, there) = (NAMES[at], &all[at], &all[1 - at]);
    await_health(&kamailio, NAMES[1 - at], "up");
    here.answer_options(Answer::Status(503));
    await_health(&kamailio, name, "draining");
    let mut second = client.invite(kamailio.sip(), "room-1");
    second.answered();
    assert_eq!(here.counts().calls, 2, "the room was torn apart");
    // New rooms, of which some would be there.
    for room in 2..8 {
        let mut call = client.invite(kamailio.sip(), &format!("room-{room}"));
        call.answered();
        assert_eq!(call.bye(), 200);
    }
    assert_eq!(
        there.counts().invites,
        6,
        "a new room at a member that drains"
    );
    here.answer_options(Answer::Silence);
    await_health(&kamailio, name, "down");
    let mut third = client.invite(kamailio.sip(), "room-1");
    third.answered();
    assert_eq!(
        (here.counts().calls, there.counts().calls),
        (2, 1),
        "a call to the dead"
    );
    for call in [&first, &second, &third] {
        assert_eq!(call.bye(), 200);
    }
}

#[test]
fn what_a_member_reports_of_itself_is_shown_and_honoured() {
    let run = RunDir::new("health");
    let all = members(&run);
    all[0].report_in_options(Some(("X-Kamscale", "calls=12; capacity=40; weight=50")));
    all[1].report_in_options(Some(("x-fs-status", "closed")));
    let _publisher = publisher(&run, table(&all[..2]));
    let kamailio = Kamailio::with_text(&run, &config(PROBING, ROUTES)).start();
    await_health(&kamailio, "m0", "up");
    await_health(&kamailio, "m1", "draining");
    let m0 = shown(&kamailio, "conference", "m0");
    for (what, is) in [
        ("reported_calls", 12),
        ("reported_capacity", 40),
        ("reported_weight", 50),
    ] {
        assert_eq!(m0[what], is, "{m0}");
    }
    let m1 = shown(&kamailio, "conference", "m1");
    assert_eq!(
        (&m1["last_code"], &m1["usable"]),
        (&200.into(), &"no".into()),
        "{m1}"
    );
    calls(&SipClient::new(&run), &kamailio, 3);
    assert_eq!(all[1].counts().invites, 0, "it said that it is closed");
    all[1].report_in_options(Some(("X-Kamscale", "state=active")));
    await_health(&kamailio, "m1", "up");
}

#[test]
fn failures_count_over_all_workers_until_they_are_too_many() {
    let run = RunDir::new("health");
    let all = members(&run);
    let _publisher = publisher(&run, table(&all[..1]));
    let parameters = r#"children=4
modparam("kamscale", "mark_down_failures", 3)
modparam("kamscale", "mark_down_window_s", 60)
"#;
    let kamailio = Kamailio::with_text(&run, &config(parameters, ROUTES)).start();
    let client = SipClient::new(&run);
    for failures in 1..=3 {
        assert_eq!(shown(&kamailio, "conference", "m0")["usable"], "yes");
        client.invite(kamailio.sip(), "mark").answered();
        assert_eq!(shown(&kamailio, "conference", "m0")["failures"], failures);
    }
    assert_eq!(
        shown(&kamailio, "conference", "m0")["usable"],
        "no",
        "three are too many"
    );
    let status = client.invite(kamailio.sip(), "conf-1").final_status();
    assert_eq!(status, 503);
}

#[test]
fn a_probe_is_what_was_configured_and_only_the_named_answers_are_good() {
    let run = RunDir::new("health");
    let phone = SipClient::new(&run);
    let by_hand = vec![member("m0", uri_of(&phone))];
    let _publisher = publisher(&run, vec![pool("conference", by_hand)]);
    let parameters = format!(
        "{PROBING}modparam(\"kamscale\", \"probe_method\", \"INFO\")\n\
         modparam(\"kamscale\", \"probe_codes\", \"480-488\")\n"
    );
    let kamailio = Kamailio::with_text(&run, &config(&parameters, ROUTES)).start();
    let status = &kamailio.rpc(&["kamscale.status"])[0];
    assert_eq!(status["probing"], "INFO every 1 s");
    let first = request_at(&phone, "INFO");
    assert_eq!(first.uri_of("From"), Some("sip:prober@example.org"));
    assert_eq!(first.uri_of("To"), Some(uri_of(&phone).as_str()));
    answer(&phone, kamailio.sip(), &first, 486);
    for (code, health) in [(486, "up"), (200, "down"), (488, "up"), (408, "down")] {
        wait_until(&format!("{code} makes it {health}"), PATIENCE, || {
            while let Some(probe) = phone.receive(SILENCE) {
                answer(&phone, kamailio.sip(), &probe, code);
            }
            shown(&kamailio, "conference", "m0")["health"] == health
        });
    }
}

#[test]
fn probing_that_cannot_be_is_refused_at_the_start() {
    let run = RunDir::new("health");
    for (parameters, words) in [
        ("\"probe_codes\", \"2xx;many\"", ["probe_codes", "\"many\""]),
        (
            "\"probe_method\", \"INVITE\"",
            ["probe_method", "begins a call"],
        ),
        ("\"probe_from\", \"prober\"", ["probe_from", "no SIP URI"]),
    ] {
        let text = config(&format!("modparam(\"kamscale\", {parameters})\n"), ROUTES);
        let log = refusal(&run, &Kamailio::with_text(&run, &text));
        assert!(
            !lines(&log, &words).is_empty(),
            "no line with {words:?} in\n{log}"
        );
    }
    let without_tm = "listen=KS_LISTEN\nloadmodule KS_MODULE\n\
        modparam(\"kamscale\", \"shm_dir\", KS_SHM_DIR)\n\
        modparam(\"kamscale\", \"probe_interval_s\", 5)\nrequest_route { exit; }\n";
    let log = refusal(&run, &Kamailio::with_text(&run, without_tm));
    let words = ["probe_interval_s", "loadmodule \"tm.so\""];
    assert!(
        !lines(&log, &words).is_empty(),
        "no line with {words:?} in\n{log}"
    );
}
