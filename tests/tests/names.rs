//! Members whose URIs have host names: the agent looks them up (dnsmasq on loopback answers), Kamailio
//! sends to addresses. Neither DNS that changes nor DNS that is away costs a call.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use kamscale_tests::{
    Agent, AgentSetup, DnsServer, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_for,
    wait_until,
};
use serde_json::Value;

use crate::elastic::{await_status, await_table, get, members};
use crate::health::PROBING;
use crate::support::{ask, await_calls, config, shown};

/// `X-Ask`: what a selection sets, and whether the sender is a member.
const ROUTES: &str = r#"
request_route {
    if ($hdr(X-Ask) != $null) {
        if (ks_is_from_pool("conference")) append_to_reply("X-From: member\r\n");
        ks_select_dst("conference", "serial");
        append_to_reply("X-Dst: $du\r\n");
    }
    route(IN_DIALOG);
    record_route();
    if (!ks_select_dst("conference", "sticky", "$rU")) { send_reply("503", "No Member"); exit; }
    t_relay();
}
"#;

/// A caller who waits for nobody would only fill Kamailio's memory with transactions that linger.
const BETWEEN_CALLS: Duration = Duration::from_millis(10);

fn host(name: &str, member: &Member) -> String {
    format!("host-record={name},{},1", member.address().ip())
}

fn strings<const N: usize>(records: [&str; N]) -> Vec<String> {
    records.map(str::to_owned).to_vec()
}

/// Fixed members, as (name, URI), and the server to ask.
fn pools(dns: &DnsServer<'_>, members: &[(&str, &str)]) -> String {
    let members = members.iter().map(|(name, uri)| {
        format!("[[pools.conference.members]]\nname = \"{name}\"\nuri = \"{uri}\"\n")
    });
    format!(
        "[dns]\nservers = [\"{}\"]\nmin_ttl_s = 1\ntimeout_s = 1\n[pools.conference]\n{}",
        dns.ip(),
        members.collect::<String>()
    )
}

/// What is said of a member's name once it is as wanted.
#[track_caller]
fn await_name(agent: &Agent<'_>, name: &str, what: &str, test: impl Fn(&Value) -> bool) -> Value {
    let of = |status: &Value| members(status, "conference").remove(name);
    let is_so = |status: &Value| of(status).is_some_and(|member| test(&member["name"]));
    of(&await_status(agent, what, is_so)).unwrap()
}

#[track_caller]
fn await_address(agent: &Agent<'_>, name: &str, member: &Member) {
    await_name(
        agent,
        name,
        &format!("{name} is at {}", member.uri()),
        |n| n["address"] == member.uri() && n["problem"].is_null(),
    );
}

fn destination(client: &SipClient, kamailio: &Kamailio<'_>) -> String {
    ask(client, kamailio, &[("X-Ask", "1")], "X-Dst")
}

#[test]
fn calls_follow_the_address_of_a_name_and_none_is_lost() {
    let run = RunDir::new("names");
    let (one, two) = (Member::start(run.endpoint()), Member::start(run.endpoint()));
    let srv = "srv-host=_sip._udp.conf.test,host.test,5060,1,1";
    let records = |member: &Member| strings([srv, "local-ttl=1", &host("host.test", member)]);
    let Some(mut dns) = DnsServer::start(&run, &records(&one)) else {
        return;
    };
    let kamailio = Kamailio::with_text(&run, &config(PROBING, ROUTES)).start();
    let agent = AgentSetup::new(&run, &pools(&dns, &[("a", "sip:conf.test")])).start();
    await_table(&kamailio, &agent);
    let client = SipClient::new(&run);
    wait_until("$du is an address", PATIENCE, || {
        destination(&client, &kamailio) == one.uri()
    });
    assert!(one.counts().options > 0, "it was asked before it was used");
    let mut room = client.invite(kamailio.sip(), "room");
    room.answered();
    await_calls(&kamailio, "conference", "a", 1, 1);
    let slot = shown(&kamailio, "conference", "a")["slot"].clone();

    let (ended, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let caller = SipClient::new(&run);
        let (sip, ended, calls) = (kamailio.sip(), &ended, &calls);
        let flow = scope.spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let mut call = caller.invite(sip, "room");
                call.answered();
                assert_eq!(call.bye(), 200);
                calls.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(BETWEEN_CALLS);
            }
        });
        wait_until("calls flow", PATIENCE, || calls.load(Ordering::Relaxed) > 5);
        dns.serve(&records(&two));
        wait_until("calls go to the new address", PATIENCE, || {
            assert!(!flow.is_finished(), "a call was lost");
            two.counts().invites > 5
        });
        ended.store(true, Ordering::Relaxed);
        flow.join().expect("every call was answered");
    });
    await_address(&agent, "a", &two);
    let flowed = calls.load(Ordering::Relaxed);
    let begun = one.counts().invites + two.counts().invites;
    assert_eq!(begun, flowed + 1, "each call went to one of both");
    // The member is the same one: its row, its call from before, its room.
    await_calls(&kamailio, "conference", "a", 1, flowed + 1);
    assert_eq!(shown(&kamailio, "conference", "a")["slot"], slot);
    assert_eq!(room.bye(), 200);
    assert_eq!(
        one.counts().byes,
        one.counts().invites,
        "the old address hangs up its own calls"
    );
    await_calls(&kamailio, "conference", "a", 0, flowed + 1);
    wait_until("the new address has answered", PATIENCE, || {
        two.counts().options > 0 && shown(&kamailio, "conference", "a")["health"] == "up"
    });

    // A request from a member's address is known as such.
    assert_eq!(ask(&client, &kamailio, &[("X-Ask", "1")], "X-From"), "");
    let here = format!("host-record=host.test,{},1", client.address().ip());
    dns.serve(&strings([srv, "local-ttl=1", &here]));
    wait_until("the caller's address is a member's", PATIENCE, || {
        ask(&client, &kamailio, &[("X-Ask", "1")], "X-From") == "member"
    });
}

#[test]
fn a_name_that_cannot_be_found_keeps_its_address_also_when_the_agent_restarts() {
    let run = RunDir::new("names");
    let (one, two) = (Member::start(run.endpoint()), Member::start(run.endpoint()));
    let Some(mut dns) = DnsServer::start(&run, &[host("conf.test", &one)]) else {
        return;
    };
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let named = pools(&dns, &[("a", "sip:conf.test:5060")]);
    let mut agent = AgentSetup::new(&run, &named).start();
    await_table(&kamailio, &agent);
    await_address(&agent, "a", &one);
    let client = SipClient::new(&run);
    let fails = |n: &Value, why: &str| n["problem"].as_str().is_some_and(|p| p.contains(why));

    // The name is not there any more; then nobody answers.
    dns.serve(&[]);
    let gone = await_name(&agent, "a", "the name is missed", |n| {
        fails(n, "no address in DNS")
    });
    assert_eq!(gone["name"]["address"], one.uri());
    assert!(gone["name"]["found_s"].as_f64() > Some(0.0), "{gone}");
    assert_eq!(gone["state"], "active");
    dns.leave();
    await_name(&agent, "a", "DNS is missed", |n| {
        fails(n, "A records of conf.test") || fails(n, "no answer")
    });
    assert_eq!(destination(&client, &kamailio), one.uri());
    let lost = agent
        .events()
        .iter()
        .filter(|e| e["event"] == "names_lost")
        .count();
    assert_eq!(lost, 1, "said once: {:?}", agent.events());
    let metrics = get(&run, "/metrics").1;
    for line in [
        "kamscale_member_names{state=\"kept\"} 1",
        "kamscale_member_name_age_seconds{pool=\"conference\",member=\"a\"} ",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }

    let before = agent.cli(&["status"])["generation"].clone();
    agent.kill();
    agent.restart();
    await_name(&agent, "a", "DNS is missed again", |n| {
        !n["problem"].is_null()
    });
    let status = agent.cli(&["status"]);
    assert_eq!(status["generation"], before, "nothing had to be published");
    let mut call = client.invite(kamailio.sip(), "conf-1");
    call.answered();
    assert_eq!(call.bye(), 200);
    assert_eq!(one.counts().invites, 1);

    dns.serve(&[host("conf.test", &two)]);
    await_address(&agent, "a", &two);
    wait_until("requests go to the new address", PATIENCE, || {
        destination(&client, &kamailio) == two.uri()
    });
    let back = agent
        .events()
        .iter()
        .filter(|e| e["event"] == "names_found")
        .count();
    assert_eq!(back, 1, "{:?}", agent.events());
}

#[test]
fn a_member_whose_name_was_never_found_is_not_used_and_says_why() {
    let run = RunDir::new("names");
    let one = Member::start(run.endpoint());
    let Some(mut dns) = DnsServer::start(&run, &[]) else {
        return;
    };
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let pools = "[dns]\nmin_ttl_s = 1\n[pools.conference]\n";
    let agent = AgentSetup::new(&run, pools)
        .resolv_conf(dns.resolv_conf())
        .start();
    let client = SipClient::new(&run);
    agent.cli(&["member", "add", "conference", "a", "sip:conf.test:5060"]);
    let unknown = await_name(&agent, "a", "the name is missed", |n| {
        !n["problem"].is_null()
    });
    assert_eq!(unknown["state"], "joining");
    assert!(unknown["name"]["address"].is_null(), "{unknown}");
    await_table(&kamailio, &agent);
    assert_eq!(client.invite(kamailio.sip(), "conf-1").final_status(), 503);

    dns.serve(&[host("conf.test", &one)]);
    await_address(&agent, "a", &one);
    let mut call = wait_for("the member takes calls", PATIENCE, || {
        let mut call = client.invite(kamailio.sip(), "conf-1");
        (call.final_status() == 200).then_some(call)
    });
    call.answered();
    assert_eq!(call.bye(), 200);
}

#[test]
fn members_of_one_name_take_its_destinations_apart_and_the_next_priority_when_they_go() {
    let run = RunDir::new("names");
    let all: [Member; 3] = std::array::from_fn(|_| Member::start(run.endpoint()));
    let hosts = ["one.test", "two.test", "rest.test"];
    let naptr = "naptr-record=conf.test,1,1,s,SIP+D2U,,_sip._udp.conf.test";
    let of = |host: &str, priority: u32| {
        format!("srv-host=_sip._udp.conf.test,{host},5060,{priority},1")
    };
    let addresses = || {
        hosts
            .iter()
            .zip(&all)
            .map(|(name, member)| host(name, member))
    };
    let zone = |srv: &[String]| {
        let mut records = strings([naptr, "local-ttl=1"]);
        records.extend(srv.iter().cloned().chain(addresses()));
        records
    };
    let first = [of("one.test", 1), of("two.test", 1), of("rest.test", 2)];
    let Some(mut dns) = DnsServer::start(&run, &zone(&first)) else {
        return;
    };
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let named = [("a", "sip:conf.test"), ("b", "sip:conf.test")];
    let agent = AgentSetup::new(&run, &pools(&dns, &named)).start();
    await_table(&kamailio, &agent);
    let taken = |agent: &Agent<'_>| {
        let members = members(&agent.cli(&["status"]), "conference");
        let mut taken: Vec<String> = members
            .values()
            .filter_map(|m| Some(m["name"]["address"].as_str()?.to_owned()))
            .collect();
        taken.sort();
        taken
    };
    let mut expected = vec![all[0].uri(), all[1].uri()];
    expected.sort();
    assert_eq!(taken(&agent), expected);

    dns.serve(&zone(&first[2..]));
    wait_until("both went to what is left", PATIENCE, || {
        taken(&agent) == [all[2].uri(), all[2].uri()]
    });
}

#[test]
fn names_in_pools_file_are_left_to_kamailio_and_the_log_says_what_that_means() {
    let run = RunDir::new("names");
    let one = Member::start(run.endpoint());
    let Some(dns) = DnsServer::start(&run, &[host("conf.test", &one)]) else {
        return;
    };
    let file = run.write(
        "pools",
        "conference a sip:conf.test:5060\nconference b sip:conf.test\n",
    );
    let parameter = format!(
        "modparam(\"kamscale\", \"pools_file\", \"{}\")",
        file.display()
    );
    let setup = Kamailio::with_text(&run, &config(&parameter, ROUTES));
    let kamailio = setup.resolv_conf(dns.resolv_conf()).start();
    let client = SipClient::new(&run);
    assert_eq!(destination(&client, &kamailio), "sip:conf.test:5060");
    let mut call = client.invite(kamailio.sip(), "conf-1");
    call.answered();
    assert_eq!(call.bye(), 200);
    assert_eq!(one.counts().invites, 1);
    let words = "conference/a has a host name (sip:conf.test:5060), and 1 more";
    assert!(kamailio.log().contains(words), "{}", kamailio.log());
}
