//! The harness itself: its parts come up, talk to each other and go away.

use std::net::SocketAddr;
use std::time::Duration;

use kamscale_tests::{
    AgentSetup, Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, SippSetup, wait_until,
};

#[test]
fn sipp_calls_sipp_and_its_statistics_say_so() {
    let run = RunDir::new("smoke");
    let address = run.endpoint();
    let mut member = SippSetup::member(&run, "member", address).start();
    let client = SipClient::new(&run);
    wait_until("the member answers OPTIONS", PATIENCE, || {
        client.options(address, Duration::from_millis(200)) == Some(200)
    });
    let mut caller = SippSetup::caller(&run, "caller", address, "conf-1")
        .rate(20, Duration::from_secs(1))
        .calls(10)
        .talk(Duration::from_millis(100))
        .start();
    assert!(caller.wait(PATIENCE), "{}", caller.errors());
    let totals = caller.totals();
    assert_eq!((totals.successful, totals.failed), (10, 0));
    assert_eq!(caller.steps()["7_200_Recv"], 10);
    member.finish();
    member.wait(PATIENCE);
    assert_eq!(member.steps()["6_BYE_Recv"], 10);
}

#[test]
fn a_member_does_as_it_is_told() {
    let run = RunDir::new("smoke");
    let member = Member::start(run.endpoint());
    let client = SipClient::new(&run);
    let at: SocketAddr = member.address();
    let mut call = client.invite(at, "conf-1");
    call.answered();
    assert_eq!(member.counts().calls, 1);
    assert_eq!(call.bye(), 200);
    member.answer_invites(Answer::Status(503));
    assert_eq!(client.invite(at, "conf-1").final_status(), 503);
    wait_until("the member saw both ACKs", PATIENCE, || {
        member.counts().acks == 2
    });
    let counts = member.counts();
    assert_eq!((counts.invites, counts.byes, counts.calls), (2, 1, 0));
}

#[test]
fn a_call_through_kamailio_is_counted_on_the_member_that_the_agent_published() {
    let run = RunDir::new("smoke");
    let member = Member::start(run.endpoint());
    let kamailio = Kamailio::minimal(&run).start();
    let pools = format!(
        "[pools.conference]\nmode = \"paused\"\n\
         [[pools.conference.members]]\nname = \"one\"\nuri = \"{}\"\n",
        member.uri()
    );
    let agent = AgentSetup::new(&run, &pools).start();
    wait_until("Kamailio knows the member", PATIENCE, || {
        let members = kamailio.try_rpc(&["kamscale.members", "conference"]);
        members.is_ok_and(|m| m[0]["state"] == "active")
    });
    let client = SipClient::new(&run);
    let mut call = client.invite(kamailio.sip(), "conf-1");
    call.answered();
    let calls = || kamailio.observed("default").members[0].calls;
    assert_eq!(calls(), 1);
    assert_eq!(kamailio.statistic("dialog:active_dialogs"), 1);
    assert_eq!(call.bye(), 200);
    wait_until("the call is no longer counted", PATIENCE, || calls() == 0);
    assert_eq!(member.counts().calls, 0);
    assert_eq!(client.invite(kamailio.sip(), "queue-1").final_status(), 503);
    assert!(agent.events().iter().any(|e| e["event"] == "agent_started"));
}
