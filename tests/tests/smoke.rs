//! The harness itself: its parts come up, talk to each other and go away.

use std::net::SocketAddr;
use std::time::Duration;

use kamscale_tests::{Answer, Member, PATIENCE, RunDir, SipClient, SippSetup, wait_until};

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
