//! Calls: a steady crowd of SIPp's that comes and goes when told, and single calls that stay until they
//! are hung up. Every one is counted.

use std::time::Duration;

use kamscale_tests::{Call, Kamailio, RunDir, SipClient, Sipp, SippSetup};

/// How long one call of a crowd lasts. A crowd that is told to end has ended after so long.
const TALK: Duration = Duration::from_secs(4);
/// Calls by which the first use of a newcomer is seen at once.
const SHORT_TALK: Duration = Duration::from_millis(500);
/// A crowd ends within this, on any machine.
const END: Duration = Duration::from_secs(40);

/// Calls that were made, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) offered: u64,
    /// Not answered as they should have been.
    pub(crate) failed: u64,
    /// Answered, but not ended by the caller.
    pub(crate) cut: u64,
}

impl Calls {
    /// Adds others.
    pub(crate) fn add(&mut self, other: Self) {
        self.offered += other.offered;
        self.failed += other.failed;
        self.cut += other.cut;
    }
}

/// So many calls at once, replaced as they end.
#[derive(Debug)]
pub(crate) struct Crowd {
    sipp: Sipp,
}

impl Crowd {
    /// Starts one that calls `user`.
    pub(crate) fn start(
        run: &RunDir,
        name: &str,
        kamailio: &Kamailio<'_>,
        user: &str,
        calls: u32,
    ) -> Self {
        let setup = SippSetup::caller(run, name, kamailio.sip(), user);
        // All within half a second, and spread enough that they do not all end at one moment.
        let setup = setup.rate(calls * 2, Duration::from_secs(1)).talk(TALK);
        Self {
            sipp: setup.option(&["-l", &calls.to_string()]).start(),
        }
    }

    /// Starts four short calls a second: about two of them go on at any time.
    pub(crate) fn short(run: &RunDir, name: &str, kamailio: &Kamailio<'_>, user: &str) -> Self {
        let setup = SippSetup::caller(run, name, kamailio.sip(), user);
        let setup = setup.rate(4, Duration::from_secs(1)).talk(SHORT_TALK);
        Self {
            sipp: setup.start(),
        }
    }

    /// No new calls. To be told once: the second time SIPp breaks off the running ones.
    pub(crate) fn finish(&mut self) {
        self.sipp.finish();
    }

    /// Waits until a crowd that was told to end has ended, and counts.
    #[track_caller]
    pub(crate) fn counted(mut self) -> Calls {
        self.sipp.wait(END);
        let steps = self.sipp.steps();
        let step = |name: &str| steps.get(name).copied().unwrap_or(0);
        let totals = self.sipp.totals();
        let (offered, answered) = (step("0_INVITE_Sent"), step("3_200_Recv"));
        let calls = Calls {
            offered,
            failed: offered.abs_diff(answered),
            cut: answered.abs_diff(step("7_200_Recv")),
        };
        // SIPp's own verdict counts, too: what it calls failed was one or the other.
        let unseen = totals.failed.saturating_sub(calls.failed + calls.cut);
        Calls {
            failed: calls.failed + unseen,
            ..calls
        }
    }
}

/// A call that stays until it is hung up, and the address of the member that has it.
#[derive(Debug)]
pub(crate) struct Pin<'a> {
    call: Call<'a>,
    pub(crate) address: String,
}

impl<'a> Pin<'a> {
    /// Calls `user`.
    #[track_caller]
    pub(crate) fn start(client: &'a SipClient, kamailio: &Kamailio<'_>, user: &str) -> Self {
        let mut call = client.invite(kamailio.sip(), user);
        call.answered();
        let contact = call.replies().last().and_then(|r| r.uri_of("Contact"));
        let address = contact.and_then(|uri| uri.rsplit(['@', ':']).nth(1));
        let address = address.unwrap_or_default().to_owned();
        Self { call, address }
    }

    /// Hangs up and counts.
    #[track_caller]
    pub(crate) fn end(self) -> Calls {
        let status = self.call.bye();
        Calls {
            offered: 1,
            failed: 0,
            cut: u64::from(status != 200),
        }
    }
}
