//! `kamailio-cfg/minimal.cfg`: what a caller sees of it, whatever the members do.

use std::time::Duration;

use kamscale_tests::{
    Agent, AgentSetup, Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until,
};

/// Kamailio with two queue members, `bad` and `good`, and an empty conference pool.
struct Scene<'a> {
    kamailio: Kamailio<'a>,
    _agent: Agent<'a>,
    bad: Member,
    good: Member,
    client: SipClient,
}

impl<'a> Scene<'a> {
    fn new(run: &'a RunDir) -> Self {
        let (bad, good) = (Member::start(run.endpoint()), Member::start(run.endpoint()));
        let kamailio = Kamailio::minimal(run).define("KS_CHILDREN", 2).start();
        let pools = format!(
            "[pools.conference]\nmode = \"paused\"\n[pools.queue]\nmode = \"paused\"\n\
             [[pools.queue.members]]\nname = \"bad\"\nuri = \"{}\"\n\
             [[pools.queue.members]]\nname = \"good\"\nuri = \"{}\"\n",
            bad.uri(),
            good.uri()
        );
        let agent = AgentSetup::new(run, &pools).start();
        wait_until("Kamailio knows both members", PATIENCE, || {
            let members = kamailio.try_rpc(&["kamscale.members", "queue"]);
            members.is_ok_and(|m| m.len() == 2)
        });
        Self {
            kamailio,
            _agent: agent,
            bad,
            good,
            client: SipClient::new(run),
        }
    }

    fn requests(&self, feature: &str) -> u64 {
        let features = self.kamailio.observed("default").features;
        features
            .iter()
            .find(|f| f.name == feature)
            .map_or(0, |f| f.requests)
    }

    fn calls(&self) -> u32 {
        let members = self.kamailio.observed("default").members;
        members.iter().map(|m| m.calls).sum()
    }

    /// Calls until the bad member was offered one (each worker has its own turn in the pool), and
    /// one more, which must not go there: all of them are answered by the good one.
    fn calls_are_answered_by_the_good_one(&self) {
        let offered = || {
            let bad = self.bad.counts();
            bad.invites + bad.invites_again
        };
        let mut calls = 0;
        let mut call = || {
            let mut call = self.client.invite(self.kamailio.sip(), "queue-sales");
            call.answered();
            assert_eq!(call.bye(), 200);
            calls += 1;
            assert_eq!(self.good.counts().byes, calls);
        };
        wait_until("the bad member is tried", PATIENCE, || {
            call();
            offered() > 0
        });
        let offered_once = offered();
        call();
        assert_eq!(
            offered(),
            offered_once,
            "it was tried again while it is marked"
        );
        wait_until("no call is counted any more", PATIENCE, || {
            self.calls() == 0
        });
    }
}

#[test]
fn what_no_pool_serves_is_refused_in_order() {
    let run = RunDir::new("minimal");
    let scene = Scene::new(&run);
    let sip = scene.kamailio.sip();
    let patience = Duration::from_secs(5);
    assert_eq!(scene.client.options(sip, patience), Some(200));
    assert_eq!(scene.client.invite(sip, "nobody").final_status(), 404);
    let refused = scene.client.invite(sip, "conf-1").final_reply();
    assert_eq!(refused.status(), Some(503));
    let wait_s = refused
        .header("Retry-After")
        .and_then(|text| text.parse::<u32>().ok());
    assert!(wait_s.is_some_and(|s| (10..=30).contains(&s)), "{wait_s:?}");
    let message = scene
        .client
        .request("MESSAGE", &format!("sip:conf-1@{sip}"));
    let reply = scene.client.exchange(&message, sip, patience);
    assert_eq!(reply.and_then(|r| r.status()), Some(405));
    wait_until("refused calls leave no dialog", PATIENCE, || {
        scene.kamailio.statistic("dialog:active_dialogs") == 0
    });
    assert_eq!(
        (scene.requests("calls"), scene.requests("conference")),
        (2, 1)
    );
}

#[test]
fn a_member_that_refuses_is_left_out() {
    let run = RunDir::new("minimal");
    let scene = Scene::new(&run);
    scene.bad.answer_invites(Answer::Status(503));
    scene.calls_are_answered_by_the_good_one();
}

#[test]
fn a_member_that_says_nothing_is_left_out() {
    let run = RunDir::new("minimal");
    let scene = Scene::new(&run);
    scene.bad.answer_invites(Answer::Silence);
    scene.calls_are_answered_by_the_good_one();
}

#[test]
fn a_busy_callee_is_no_failure_of_the_member() {
    let run = RunDir::new("minimal");
    let scene = Scene::new(&run);
    for member in [&scene.bad, &scene.good] {
        member.answer_invites(Answer::Status(486));
    }
    assert_eq!(
        scene
            .client
            .invite(scene.kamailio.sip(), "queue-1")
            .final_status(),
        486
    );
    assert_eq!(scene.bad.counts().invites + scene.good.counts().invites, 1);
    wait_until("the call is not counted", PATIENCE, || scene.calls() == 0);
    let failures = scene.kamailio.observed("default").members;
    assert!(failures.iter().all(|m| m.failures == 0 && !m.down));
}

#[test]
fn a_caller_may_give_up() {
    let run = RunDir::new("minimal");
    let scene = Scene::new(&run);
    for member in [&scene.bad, &scene.good] {
        member.answer_invites(Answer::Ring);
    }
    let mut call = scene.client.invite(scene.kamailio.sip(), "queue-1");
    wait_until("it rings", PATIENCE, || {
        call.next_reply(Duration::from_secs(5))
            .and_then(|r| r.status())
            == Some(180)
    });
    assert_eq!(scene.calls(), 1);
    call.cancel();
    assert_eq!(call.final_status(), 487);
    assert_eq!(scene.bad.counts().cancels + scene.good.counts().cancels, 1);
    wait_until("the call is not counted", PATIENCE, || scene.calls() == 0);
}

#[test]
fn an_invite_that_comes_again_is_counted_once() {
    let run = RunDir::new("minimal");
    let scene = Scene::new(&run);
    let mut call = scene.client.invite(scene.kamailio.sip(), "queue-1");
    for _ in 0..5 {
        call.send_again();
    }
    call.answered();
    call.send_again();
    assert_eq!((scene.requests("queue"), scene.calls()), (1, 1));
    assert_eq!(scene.bad.counts().invites + scene.good.counts().invites, 1);
    assert_eq!(call.bye(), 200);
    wait_until("the call is not counted", PATIENCE, || scene.calls() == 0);
    assert_eq!(scene.requests("queue"), 1);
}
