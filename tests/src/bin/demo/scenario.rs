//! The scenario: which parts run, who calls when, and what the agent was told. No verdicts here.

use std::path::PathBuf;
use std::time::Duration;

use kamscale_tests::{
    Agent, AgentSetup, Kamailio, PATIENCE, RunDir, Sipp, SippSetup, uas_command, wait_until,
};

/// Calls that one conference member may carry.
pub(crate) const CAPACITY: u32 = 20;
/// Most members that the conference pool may have.
pub(crate) const MOST_MEMBERS: u32 = 4;
/// Long calls: so many in all ...
pub(crate) const LONG_CALLS: u32 = 60;
/// ... three of them in each two seconds ...
const LONG_RATE: (u32, Duration) = (3, Duration::from_secs(2));
/// ... and each so long that all of them go on at once for a while.
const LONG_TALK: Duration = Duration::from_secs(50);
/// Short calls arrive once a second from beginning to end.
const SHORT_TALK: Duration = Duration::from_secs(2);
/// The queue is steady: two calls a second.
const QUEUE_RATE: u32 = 2;
const QUEUE_TALK: Duration = Duration::from_secs(5);
/// A conference member takes so long before it listens.
const BOOT_S: f64 = 2.0;
/// Where the members' own files are.
const MEMBER_DIR: &str = "members";

/// Everything that runs. The callers come later.
pub(crate) struct Stage<'a> {
    run: &'a RunDir,
    pub(crate) kamailio: Kamailio<'a>,
    pub(crate) agent: Agent<'a>,
    pub(crate) queue_members: Vec<Sipp>,
}

/// Those who call.
pub(crate) struct Callers {
    pub(crate) long: Sipp,
    pub(crate) short: Sipp,
    pub(crate) queue: Sipp,
}

impl<'a> Stage<'a> {
    /// Starts Kamailio, the queue's members and the agent, and waits until the one conference
    /// member that the pool must have takes calls.
    pub(crate) fn set_up(run: &'a RunDir) -> Self {
        let kamailio = Kamailio::minimal(run).start();
        let addresses = [run.endpoint(), run.endpoint()];
        let queue_members =
            [1, 2].map(|n| SippSetup::member(run, &format!("queue-{n}"), addresses[n - 1]).start());
        let agent = AgentSetup::new(run, &pools(run, addresses))
            .interval_s(0.5)
            .start();
        wait_until("the first conference member takes calls", PATIENCE, || {
            let members = kamailio.try_rpc(&["kamscale.members", "conference"]);
            members.is_ok_and(|m| m.first().is_some_and(|m| m["usable"] == "yes"))
        });
        Self {
            run,
            kamailio,
            agent,
            queue_members: queue_members.into(),
        }
    }

    /// Starts the calls.
    pub(crate) fn call(&self) -> Callers {
        let caller =
            |name: &str, user: &str| SippSetup::caller(self.run, name, self.kamailio.sip(), user);
        let second = Duration::from_secs(1);
        Callers {
            long: caller("long", "conf-day")
                .rate(LONG_RATE.0, LONG_RATE.1)
                .calls(LONG_CALLS)
                .talk(LONG_TALK)
                .start(),
            short: caller("short", "conf-short")
                .rate(1, second)
                .talk(SHORT_TALK)
                .start(),
            queue: caller("queue", "queue-sales")
                .rate(QUEUE_RATE, second)
                .talk(QUEUE_TALK)
                .start(),
        }
    }

    /// Ends the queue's members, so that their statistics are whole.
    pub(crate) fn end_queue(&mut self) {
        for member in &mut self.queue_members {
            member.finish();
            member.wait(PATIENCE);
        }
    }

    /// Where a conference member has its own files.
    pub(crate) fn member_dir(&self, name: &str) -> PathBuf {
        self.run.path().join(MEMBER_DIR).join(name)
    }
}

impl Callers {
    /// No new calls; the running ones end as they would.
    pub(crate) fn finish(&mut self) {
        for caller in [&mut self.long, &mut self.short, &mut self.queue] {
            caller.finish();
        }
    }

    /// Whether all calls are over.
    pub(crate) fn all_ended(&mut self) -> bool {
        [&mut self.long, &mut self.short, &mut self.queue]
            .into_iter()
            .all(|c| c.ended().is_some())
    }
}

fn pools(run: &RunDir, queue: [std::net::SocketAddr; 2]) -> String {
    format!(
        r#"
[pools.conference]
feature = "conference"
mode = "on"
min = 1
max = {MOST_MEMBERS}
scale_out_load = 0.60
scale_in_load = 0.50
stabilization_s = 6
cooldown_out_s = 2
cooldown_in_s = 3
drain_timeout_s = 600
empty_for_s = 3
protect_new_s = 5
# A day in a minute: calls end so fast that it would look like an outage.
outage_guard_s = 0
boot_s = {BOOT_S}
max_shrink_share = 1

[pools.conference.member]
capacity_calls = {CAPACITY}

[pools.conference.local]
start = ["sh", "-c", '''{start}''']
stop_signal = "SIGUSR1" # SIPp: no new calls, then the end
stop_timeout_s = 10
addresses = "{first}-{last}"
ready_options = 2
ready_interval_s = 0.3
boot_timeout_s = 60

[pools.queue]
mode = "paused"

[[pools.queue.members]]
name = "queue-1"
uri = "sip:{one}"
capacity_calls = 50

[[pools.queue.members]]
name = "queue-2"
uri = "sip:{two}"
capacity_calls = 50
"#,
        start = uas_command(run, MEMBER_DIR, BOOT_S),
        first = run.address(101),
        last = run.address(120),
        one = queue[0],
        two = queue[1],
    )
}
