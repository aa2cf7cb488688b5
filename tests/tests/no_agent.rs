//! A Kamailio without an agent routes by `pools_file`; the first agent that publishes takes over,
//! and from then on its table is what a restart finds.

use kamscale_tests::{Kamailio, Member, RunDir, SipClient, Watch};

use crate::support::{ask, await_calls, config, member, pool, publish, publisher, shown};

const ROUTES: &str = r#"
request_route {
    if ($hdr(X-Key) != $null) {
        ks_select_dst("conference", "hash", "$hdr(X-Key)");
        append_to_reply("X-Dst: $du\r\nX-Generation: $ks_generation\r\n");
    }
    route(IN_DIALOG);
    record_route();
    if (!ks_select_dst("conference", "least_calls")) { send_reply("503", "No Member"); exit; }
    t_relay();
}
"#;

fn destination(client: &SipClient, kamailio: &Kamailio<'_>) -> (String, String) {
    let of = |header| ask(client, kamailio, &[("X-Key", "room-1")], header);
    (of("X-Dst"), of("X-Generation"))
}

#[test]
fn pools_come_from_the_file_until_an_agent_publishes() {
    let run = RunDir::new("no-agent");
    let (one, two) = (Member::start(run.endpoint()), Member::start(run.endpoint()));
    let file = run.file("pools");
    run.write(
        "pools",
        format!("conference one {} capacity=5 # by hand\n", one.uri()),
    );
    let parameter = format!(
        "modparam(\"kamscale\", \"pools_file\", \"{}\")",
        file.display()
    );
    let mut kamailio = Kamailio::with_text(&run, &config(&parameter, ROUTES)).start();
    let client = SipClient::new(&run);
    let mut watch = Watch::new(&run.shm_dir(), "default");
    assert!(watch.sample(0.0).pools.is_empty(), "nobody published");
    assert_eq!(destination(&client, &kamailio), (one.uri(), "0".into()));
    assert_eq!(kamailio.rpc(&["kamscale.status"])[0]["agent_pid"], 0);
    let mut call = client.invite(kamailio.sip(), "conf-1");
    call.answered();
    await_calls(&kamailio, "conference", "one", 1, 1);

    // An agent comes: the very member that the file named keeps its call and its counts.
    let members = vec![member("one", one.uri()), member("two", two.uri())];
    let mut agent = publisher(&run, vec![pool("conference", members)]);
    kamscale_tests::wait_until(
        "the agent's table is in use",
        kamscale_tests::PATIENCE,
        || destination(&client, &kamailio).1 == "1",
    );
    let seen = watch.sample(1.0).pools;
    assert!(
        seen.contains_key("conference"),
        "who looked before sees it, too"
    );
    publish(
        &mut agent,
        vec![pool("conference", vec![member("two", two.uri())])],
    );
    assert_eq!(destination(&client, &kamailio), (two.uri(), "2".into()));
    assert_eq!(call.bye(), 200, "the call that began without an agent");
    assert_eq!(shown(&kamailio, "conference", "two")["calls"], 0);

    // It goes again, and Kamailio is restarted: what it published last is there, not the file.
    drop(agent);
    kamailio.restart();
    assert_eq!(destination(&client, &kamailio), (two.uri(), "2".into()));
}
