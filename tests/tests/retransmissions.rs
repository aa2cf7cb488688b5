//! An INVITE that comes again, at whatever time, neither counts again nor moves the call.

use std::time::Duration;

use kamscale_tests::{
    Call, Kamailio, Member, PATIENCE, RunDir, SipClient, SipMessage, wait_for, wait_until,
};

use crate::support::{SILENCE, answer, calls, config, member, pool, publisher, request_at, uri_of};

/// Without a guard: the script selects again for every INVITE that comes again.
const UNGUARDED: &str = r#"
request_route {
    route(IN_DIALOG);
    record_route();
    if (!ks_select_dst("conference", "round_robin")) { sl_send_reply("503", "No Member"); exit; }
    t_relay();
}
"#;

/// Two members played by hand, in the pool `conference`.
struct Pair<'a> {
    kamailio: Kamailio<'a>,
    phones: [SipClient; 2],
    client: SipClient,
}

impl<'a> Pair<'a> {
    fn start(run: &'a RunDir, guarded: bool) -> Self {
        let phones = [SipClient::new(run), SipClient::new(run)];
        let members = vec![
            member("a", uri_of(&phones[0])),
            member("b", uri_of(&phones[1])),
        ];
        let _publisher = publisher(run, vec![pool("conference", members)]);
        let setup = if guarded {
            Kamailio::minimal(run).define("KS_FR_TIMER", 20_000)
        } else {
            // tm recognizes what comes again for so long.
            let parameters = "modparam(\"tm\", \"wt_timer\", 60000)";
            Kamailio::with_text(run, &config(parameters, UNGUARDED))
        };
        Self {
            kamailio: setup.start(),
            phones,
            client: SipClient::new(run),
        }
    }

    /// Which of the two got the INVITE.
    fn called(&self) -> (usize, SipMessage) {
        let found = wait_for("a member gets the INVITE", PATIENCE, || {
            let got = |i: usize| Some((i, self.phones[i].receive(Duration::from_millis(20))?));
            got(0).or_else(|| got(1))
        });
        assert_eq!(found.1.method(), Some("INVITE"));
        found
    }

    /// The call is counted on the member that is called, and never was on the other.
    fn check(&self, called: usize, now: u32, when: &str) {
        let of = |i: usize| calls(&self.kamailio, "conference", ["a", "b"][i]);
        assert_eq!(of(called), (now, 1), "{when}: at the member called");
        assert_eq!(of(1 - called), (0, 0), "{when}: at the other member");
    }

    /// As [`Self::check`], but a count that is taken back at once is let pass.
    fn check_at_rest(&self, called: usize, now: u32, when: &str) {
        let of = |i: usize| calls(&self.kamailio, "conference", ["a", "b"][i]).0;
        let wanted = if called == 0 { (now, 0) } else { (0, now) };
        wait_until(when, PATIENCE, || (of(0), of(1)) == wanted);
        let dialogs = || self.kamailio.statistic("dialog:active_dialogs");
        wait_until(when, PATIENCE, || dialogs() == u64::from(now));
    }
}

fn invite_that_comes_again(guarded: bool) {
    let run = RunDir::new("calls");
    let pair = Pair::start(&run, guarded);
    let mut call = pair.client.invite(pair.kamailio.sip(), "conf-1");
    let (called, invite) = pair.called();
    let again = |call: &mut Call<'_>, when: &str| {
        for _ in 0..4 {
            call.send_again();
            assert!(call.next_reply(PATIENCE).is_some(), "{when}: no reply");
        }
    };
    again(&mut call, "before any answer");
    pair.check(called, 1, "INVITE again before any answer");
    answer(&pair.phones[called], pair.kamailio.sip(), &invite, 180);
    again(&mut call, "while it rings");
    pair.check(called, 1, "INVITE again while it rings");
    answer(&pair.phones[called], pair.kamailio.sip(), &invite, 200);
    call.answered();
    again(&mut call, "after the 200");
    let late = |now, when| {
        // Without a guard the script selects again, for a dialog that is dropped with the message.
        match guarded {
            true => pair.check(called, now, when),
            false => pair.check_at_rest(called, now, when),
        }
    };
    late(1, "INVITE again after the 200");
    let other = &pair.phones[1 - called];
    assert!(other.receive(SILENCE).is_none(), "the call moved");
    let (phone, sip) = (&pair.phones[called], pair.kamailio.sip());
    std::thread::scope(|scope| {
        scope.spawn(|| answer(phone, sip, &request_at(phone, "BYE"), 200));
        assert_eq!(call.bye(), 200);
    });
    call.send_again();
    assert!(call.next_reply(PATIENCE).is_some(), "INVITE after its BYE");
    late(0, "INVITE again after the BYE");
    assert!(other.receive(SILENCE).is_none(), "the ended call moved");
}

#[test]
fn an_invite_that_comes_again_neither_counts_nor_moves_in_minimal_cfg() {
    invite_that_comes_again(true);
}

#[test]
fn an_invite_that_comes_again_neither_counts_nor_moves_without_a_guard_in_the_script() {
    invite_that_comes_again(false);
}

/// Every INVITE comes twice at once, so that two workers have it in hands at the same time. Without
/// a guard in the script the dialog module itself may make two dialogs of it, or drop the one that
/// counts (`dlg_manage` looks and makes without a lock): then only the end is sure, nothing is left.
fn invites_in_pairs(guarded: bool) {
    const CALLS: u32 = 40;
    let run = RunDir::new("retransmissions");
    let callees = [Member::start(run.endpoint()), Member::start(run.endpoint())];
    let names = ["a", "b"];
    let members = callees.iter().zip(names).map(|(m, n)| member(n, m.uri()));
    let _publisher = publisher(&run, vec![pool("conference", members.collect())]);
    let kamailio = if guarded {
        Kamailio::minimal(&run).start()
    } else {
        Kamailio::with_text(&run, &config("children=4\n", UNGUARDED)).start()
    };
    let client = SipClient::new(&run);
    let mut open = Vec::new();
    for _ in 0..CALLS {
        let mut call = client.invite(kamailio.sip(), "conf-1");
        call.send_again();
        call.answered();
        open.push(call);
    }
    let sum = || -> u32 {
        let each = names.map(|n| calls(&kamailio, "conference", n).0);
        each.iter().sum()
    };
    let at_members: u64 = callees.iter().map(|m| m.counts().calls).sum();
    assert_eq!(at_members, u64::from(CALLS), "calls that the members have");
    if guarded {
        wait_until("each call is counted once", PATIENCE, || sum() == CALLS);
    }
    for call in &open {
        assert_eq!(call.bye(), 200);
    }
    wait_until("no call is counted any longer", PATIENCE, || sum() == 0);
}

#[test]
fn an_invite_that_two_workers_have_at_once_counts_once_in_minimal_cfg() {
    invites_in_pairs(true);
}

#[test]
fn an_invite_that_two_workers_have_at_once_leaves_no_count_without_a_guard_in_the_script() {
    invites_in_pairs(false);
}
