//! `latency`: who answers its probes sooner gets more of the calls, and who answers late is not left out.

use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};

use crate::support::{ask, config, member, pool, publisher, shown};

const PROBING: &str = r#"
modparam("kamscale", "probe_interval_s", 1)
modparam("kamscale", "probe_timeout_s", 3)
"#;

const ROUTES: &str = r#"
request_route {
    if ($hdr(X-Alg) != $null) {
        ks_select_dst("p", "$hdr(X-Alg)");
        append_to_reply("X-Member: $ks_member\r\n");
    }
    route(IN_DIALOG);
}
"#;

#[test]
fn the_one_that_answers_its_probes_sooner_gets_more() {
    let run = RunDir::new("latency");
    let (near, far) = (Member::start(run.endpoint()), Member::start(run.endpoint()));
    far.answer_options(Answer::Late(200, 300));
    let members = vec![member("near", near.uri()), member("far", far.uri())];
    let _publisher = publisher(&run, vec![pool("p", members)]);
    let kamailio = Kamailio::with_text(&run, &config(PROBING, ROUTES)).start();
    let client = SipClient::new(&run);
    wait_until("both latencies are known", PATIENCE, || {
        let us = |name| {
            shown(&kamailio, "p", name)["latency_us"]
                .as_i64()
                .unwrap_or(0)
        };
        us("near") > 0 && us("far") > 200_000 && us("far") > 2 * us("near")
    });
    let to = |algorithm: &str, name: &str| {
        let headers = [("X-Alg", algorithm)];
        let member = || ask(&client, &kamailio, &headers, "X-Member");
        (0..60).filter(|_| member() == name).count()
    };
    let sooner = to("latency", "near");
    assert!(
        sooner >= 50,
        "nobody carries anything: {sooner} of 60 to the nearer one"
    );
    let even = to("p2c", "near");
    assert!(
        (10..50).contains(&even),
        "p2c does not look at it: {even} of 60"
    );
    // Who is farther is used when the nearer one is out.
    kamailio.rpc(&["kamscale.set_state", "p", "near", "disabled"]);
    assert_eq!(to("latency", "far"), 60);
}
