//! Probing as each pool and member wants it, and as the operator lets it be.

use kamscale_shm::{MemberOptions, MemberSpec, PoolOptions, PoolSpec, ProbeOptions};
use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};

use crate::health::{PROBING, ROUTES};
use crate::support::{answer, config, member, pool, publish, publisher, request_at, shown, uri_of};

fn with(name: &str, uri: String, options: MemberOptions) -> MemberSpec {
    MemberSpec {
        options,
        ..member(name, uri)
    }
}

fn probed(name: &str, members: Vec<MemberSpec>, probe: ProbeOptions) -> PoolSpec {
    PoolSpec {
        options: PoolOptions {
            probe,
            ..PoolOptions::default()
        },
        ..pool(name, members)
    }
}

fn unprobed() -> MemberOptions {
    MemberOptions {
        probe: false,
        ..MemberOptions::default()
    }
}

#[test]
fn each_pool_is_probed_in_its_own_way_and_a_member_in_its_own() {
    let run = RunDir::new("probing");
    let (usual, queue, own, proxy) = (
        SipClient::new(&run),
        SipClient::new(&run),
        SipClient::new(&run),
        SipClient::new(&run),
    );
    let (of_pool, of_member) = (run.endpoint(), run.endpoint());
    let of_queue = ProbeOptions {
        method: "INFO".into(),
        from: "sip:queue@example.org".into(),
        socket: format!("udp:{of_pool}"),
        codes: "486".into(),
        ..ProbeOptions::default()
    };
    let particular = MemberOptions {
        probe_from: "sip:own@example.org".into(),
        probe_socket: "side".into(),
        ..MemberOptions::default()
    };
    let hidden = run.endpoint();
    let proxied = MemberOptions {
        proxy: uri_of(&proxy),
        ..MemberOptions::default()
    };
    let pools = vec![
        pool("conference", vec![member("m0", uri_of(&usual))]),
        probed(
            "queue",
            vec![
                member("q0", uri_of(&queue)),
                with("q1", uri_of(&own), particular),
            ],
            of_queue,
        ),
        pool("hidden", vec![with("h0", format!("sip:{hidden}"), proxied)]),
    ];
    let _publisher = publisher(&run, pools);
    let sockets = format!("listen=udp:{of_pool}\nlisten=udp:{of_member} name \"side\"\n");
    let parameters = format!("{sockets}{PROBING}");
    let kamailio = Kamailio::with_text(&run, &config(&parameters, ROUTES)).start();

    let probe = request_at(&usual, "OPTIONS");
    assert!(probe.header("From").unwrap().contains("prober@example.org"));
    let probe = request_at(&queue, "INFO");
    let (from, via) = (probe.header("From"), probe.header("Via"));
    assert!(from.unwrap().contains("queue@example.org"), "{probe}");
    assert!(via.unwrap().contains(&of_pool.ip().to_string()), "{probe}");
    answer(&queue, of_pool, &probe, 486);
    let probe = request_at(&own, "INFO");
    let (from, via) = (probe.header("From"), probe.header("Via"));
    assert!(from.unwrap().contains("own@example.org"), "{probe}");
    assert!(
        via.unwrap().contains(&of_member.ip().to_string()),
        "{probe}"
    );
    answer(&own, of_member, &probe, 200);
    let probe = request_at(&proxy, "OPTIONS");
    assert!(probe.start_line().contains(&hidden.to_string()), "{probe}");
    wait_until("486 is good in this pool", PATIENCE, || {
        shown(&kamailio, "queue", "q0")["last_code"] == 486
    });
    assert_eq!(shown(&kamailio, "queue", "q0")["misses"], 0);
    wait_until("200 is none of its codes", PATIENCE, || {
        shown(&kamailio, "queue", "q1")["misses"].as_u64() > Some(0)
    });
}

#[test]
fn who_is_not_probed_is_used_at_once_whether_it_answers_or_not() {
    let run = RunDir::new("probing");
    let silent = Member::start(run.endpoint());
    silent.answer_options(Answer::Silence);
    let mut publisher = publisher(&run, vec![pool("queue", Vec::new())]);
    let kamailio = Kamailio::with_text(&run, &config(PROBING, ROUTES)).start();
    let interval_ms = Some(0);
    let never = ProbeOptions {
        interval_ms,
        ..ProbeOptions::default()
    };
    let client = SipClient::new(&run);
    let tables = [
        vec![pool(
            "conference",
            vec![with("m0", silent.uri(), unprobed())],
        )],
        vec![probed(
            "conference",
            vec![member("m1", silent.uri())],
            never,
        )],
    ];
    for table in tables {
        publish(&mut publisher, table);
        for _ in 0..2 {
            let mut call = client.invite(kamailio.sip(), "conf-1");
            call.answered();
            assert_eq!(call.bye(), 200);
        }
    }
    assert_eq!(silent.counts().options, 0);
}

#[test]
fn probing_is_turned_off_and_on_by_the_operator_and_stays_off_over_a_restart() {
    let run = RunDir::new("probing");
    let silent = Member::start(run.endpoint());
    silent.answer_options(Answer::Silence);
    let _publisher = publisher(
        &run,
        vec![pool("conference", vec![member("m0", silent.uri())])],
    );
    let mut kamailio = Kamailio::with_text(&run, &config(PROBING, ROUTES)).start();
    let is_usable = |kamailio: &Kamailio<'_>, wanted: &str| {
        wait_until(&format!("usable: {wanted}"), PATIENCE, || {
            shown(kamailio, "conference", "m0")["usable"] == wanted
        });
    };
    is_usable(&kamailio, "no");
    let off = kamailio.rpc(&["kamscale.probe", "off"]);
    assert_eq!(off[0]["probing"], "off");
    is_usable(&kamailio, "yes");
    kamailio.restart();
    assert_eq!(kamailio.rpc(&["kamscale.probe"])[0]["probing"], "off");
    assert_eq!(kamailio.rpc(&["kamscale.status"])[0]["probing"], "off");
    let before = silent.counts().options;
    let client = SipClient::new(&run);
    let mut call = client.invite(kamailio.sip(), "conf-1");
    call.answered();
    assert_eq!(call.bye(), 200);
    assert_eq!(silent.counts().options, before);
    kamailio.rpc(&["kamscale.probe", "on"]);
    is_usable(&kamailio, "no");
    let wrong = kamailio.try_rpc(&["kamscale.probe", "maybe"]).unwrap_err();
    assert!(wrong.contains("on or off"), "{wrong}");
}
