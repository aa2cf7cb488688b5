//! Callers as they are: they come by chance, give up when nobody answers, and come again; who is told when
//! to come again keeps to it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kamscale_shm::hash::mix;

use crate::bench::cost::number;
use crate::call::Call;
use crate::client::SipClient;
use crate::message::SipMessage;

/// How long a caller waits for an answer.
pub(super) const GIVE_UP: Duration = Duration::from_secs(2);
/// How often one tries.
pub(super) const TRIES: u32 = 4;
/// Until who gave up tries again.
const PAUSE: Duration = Duration::from_secs(1);
/// Answers that are still on their way at the end.
const LAST: Duration = Duration::from_millis(500);

/// When what happened, in seconds since the beginning.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    /// Somebody wants to call.
    pub(super) wanted: Vec<f64>,
    /// An INVITE was sent.
    pub(super) attempts: Vec<f64>,
    /// It was answered while the caller waited.
    pub(super) answered: Vec<f64>,
    /// It was refused.
    pub(super) refused: Vec<f64>,
    /// Nobody answered in time.
    pub(super) given_up: Vec<f64>,
    /// It was answered after the caller had given up.
    pub(super) late: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The next one calls.
    Arrival,
    /// The caller tries (again), with so many tries left.
    Try(u32),
    GiveUp(u32),
    HangUp(u32),
}

struct Attempt<'a> {
    call: Call<'a>,
    left: u32,
    is_waiting: bool,
    is_answered: bool,
}

/// All callers.
pub(super) struct Storm<'a> {
    client: &'a SipClient,
    target: SocketAddr,
    talk: Duration,
    began: Instant,
    due: BinaryHeap<Reverse<(Instant, Due)>>,
    /// By number, which is in the Call-ID.
    attempts: HashMap<u32, Attempt<'a>>,
    number: u32,
    chance: u64,
    course: Course,
}

impl<'a> Storm<'a> {
    pub(super) fn new(client: &'a SipClient, target: SocketAddr, talk: Duration) -> Self {
        Self {
            client,
            target,
            talk,
            began: Instant::now(),
            due: BinaryHeap::new(),
            attempts: HashMap::new(),
            number: 0,
            chance: 0,
            course: Course::default(),
        }
    }

    /// So many come per second, until so many seconds since `began`.
    pub(super) fn play(&mut self, began: Instant, until_s: f64, per_s: f64) {
        self.began = began;
        let end = began + Duration::from_secs_f64(until_s);
        self.plan(Instant::now(), Due::Arrival);
        while Instant::now() < end {
            self.go_on(per_s);
        }
        self.due.retain(|Reverse((_, due))| *due != Due::Arrival);
    }

    /// What came of it.
    pub(super) fn end(mut self) -> Course {
        let end = Instant::now() + LAST;
        while Instant::now() < end {
            self.go_on(0.0);
        }
        self.course
    }

    fn now_s(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn plan(&mut self, at: Instant, due: Due) {
        self.due.push(Reverse((at, due)));
    }

    /// Waits for the next moment at which something is to be done, and takes what comes meanwhile.
    fn go_on(&mut self, per_s: f64) {
        let longest = Duration::from_millis(20);
        let next = self.due.peek().map(|Reverse((at, _))| *at);
        let rest = next.map_or(longest, |at| at.saturating_duration_since(Instant::now()));
        if !rest.is_zero()
            && let Some(reply) = self.client.receive(rest.min(longest))
        {
            self.take(reply);
        }
        while let Some(Reverse((at, due))) = self.due.peek().copied()
            && at <= Instant::now()
        {
            self.due.pop();
            self.act(at, due, per_s);
        }
    }

    fn act(&mut self, at: Instant, due: Due, per_s: f64) {
        match due {
            Due::Arrival => {
                self.chance += 1;
                // Independent callers: the gaps are exponentially distributed.
                let even = (number(mix(self.chance) >> 32) + 1.0) / 4_294_967_297.0;
                self.plan(
                    at + Duration::from_secs_f64(-even.ln() / per_s),
                    Due::Arrival,
                );
                self.course.wanted.push(self.began.elapsed().as_secs_f64());
                self.attempt(TRIES);
            }
            Due::Try(left) => self.attempt(left),
            Due::GiveUp(number) => self.give_up(number),
            Due::HangUp(number) => {
                if let Some(attempt) = self.attempts.remove(&number) {
                    self.hang_up(&attempt.call);
                }
            }
        }
    }

    fn attempt(&mut self, tries: u32) {
        self.course.attempts.push(self.now_s());
        self.number += 1;
        let number = self.number;
        let request = self
            .client
            .request("INVITE", &format!("sip:room@{}", self.target))
            .replacing("Call-ID", &format!("{number}@storm"));
        let attempt = Attempt {
            call: Call::start(self.client, self.target, request),
            left: tries - 1,
            is_waiting: true,
            is_answered: false,
        };
        self.attempts.insert(number, attempt);
        self.plan(Instant::now() + GIVE_UP, Due::GiveUp(number));
    }

    fn take(&mut self, reply: SipMessage) {
        let of_invite = reply.cseq().is_some_and(|(_, method)| method == "INVITE");
        let id = reply
            .header("Call-ID")
            .and_then(|id| id.strip_suffix("@storm"));
        let (Some(number), Some(status)) = (id.and_then(|n| n.parse().ok()), reply.status()) else {
            return;
        };
        let now_s = self.now_s();
        let Some(attempt) = self.attempts.get_mut(&number) else {
            return;
        };
        if !of_invite || status < 200 {
            return;
        }
        let retry_after = reply.header("Retry-After").and_then(|s| s.parse().ok());
        attempt.call.take(reply);
        let (was_waiting, was_answered) = (attempt.is_waiting, attempt.is_answered);
        attempt.is_waiting = false;
        if status >= 300 {
            let left = attempt.left;
            self.attempts.remove(&number);
            if was_waiting {
                self.course.refused.push(now_s);
                let pause = retry_after.map_or(PAUSE, Duration::from_secs);
                self.again(left, pause);
            }
        } else if !was_answered {
            attempt.is_answered = true;
            if was_waiting {
                self.course.answered.push(now_s);
                self.plan(Instant::now() + self.talk, Due::HangUp(number));
            } else {
                self.course.late.push(now_s);
                // The call that nobody wants any more.
                self.plan(Instant::now(), Due::HangUp(number));
            }
        }
    }

    fn give_up(&mut self, number: u32) {
        let now_s = self.now_s();
        let Some(attempt) = self.attempts.get_mut(&number).filter(|a| a.is_waiting) else {
            return;
        };
        attempt.is_waiting = false;
        attempt.call.cancel();
        let left = attempt.left;
        self.course.given_up.push(now_s);
        self.again(left, PAUSE);
    }

    fn again(&mut self, left: u32, pause: Duration) {
        if left > 0 {
            self.plan(Instant::now() + pause, Due::Try(left));
        }
    }

    fn hang_up(&self, call: &Call<'_>) {
        self.client.send(&call.in_dialog("BYE", 2), self.target);
    }
}
