//! What probing finds out about a member, and how it travels through the member's row: who probes
//! stores the number of a probe, whoever gets the answer stores it under that number, and who probes
//! takes it from there. It must not decide what an answer means.

use crate::layout::MemberRow;
use crate::sync::Ordering;

/// What probing says of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// It came while members are probed, and has not answered often enough yet: nothing goes there.
    New = 1,
    /// It was there before anybody could probe: it is used until its answers speak against it.
    Trusted = 2,
    /// It answers.
    Up = 3,
    /// It does not answer, or not well.
    Down = 4,
    /// It answers that it takes nothing new.
    Draining = 5,
}

impl Health {
    /// The health of that number.
    #[must_use]
    #[inline]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::New),
            2 => Some(Self::Trusted),
            3 => Some(Self::Up),
            4 => Some(Self::Down),
            5 => Some(Self::Draining),
            _ => None,
        }
    }

    /// Whether a member of this health takes new requests.
    #[must_use]
    #[inline]
    pub const fn takes(self) -> bool {
        matches!(self, Self::Trusted | Self::Up)
    }

    /// Its name for people; one that is not proven yet is unknown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New | Self::Trusted => "unknown",
            Self::Up => "up",
            Self::Down => "down",
            Self::Draining => "draining",
        }
    }
}

/// What a member says of its own state in an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Said {
    /// Nothing.
    #[default]
    Nothing = 0,
    /// It takes requests.
    Active = 1,
    /// It takes nothing new.
    Draining = 2,
    /// It serves nobody.
    Down = 3,
}

/// What a member reports of itself in an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its state.
    pub state: Said,
    /// Calls that it carries.
    pub calls: Option<u32>,
    /// Calls that it may carry.
    pub capacity: Option<u32>,
    /// Per cent of its weight that it asks for.
    pub weight: Option<u32>,
}

/// An answer to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub code: u16,
    /// Whether the member sent it; else somebody on this side gave up.
    pub is_reply: bool,
    /// What it says of itself.
    pub report: Report,
    /// Time from the probe to the answer.
    pub latency_us: u32,
}

/// Status that stands for no answer in time.
pub const NO_ANSWER: u16 = 408;
/// Status of a request that could not be sent, as Kamailio itself says it.
pub const NOT_SENT: u16 = 477;

const REPLY_BIT: u64 = 1 << 16;
const STATE_SHIFT: u32 = 20;
const NUMBER_SHIFT: u32 = 32;

impl MemberRow {
    /// Begins the probe of that number (not 0), at `now_ns`. For the process that probes.
    pub fn begin_probe(&self, number: u32, now_ns: u64) {
        self.answer.store(0, Ordering::Relaxed);
        self.probe_sent_ns.store(now_ns, Ordering::Relaxed);
        // Partner: the load in `take_answer`.
        self.probe.store(number, Ordering::Release);
    }

    /// The probe of that number goes out only now: those before it took their time. For the process that
    /// probes.
    pub fn send_probe(&self, number: u32, now_ns: u64) {
        if self.probe.load(Ordering::Relaxed) == number {
            self.probe_sent_ns.store(now_ns, Ordering::Relaxed);
        }
    }

    /// Nanoseconds since the last probe was sent. For the process that probes.
    #[must_use]
    pub fn probe_age_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.probe_sent_ns.load(Ordering::Relaxed))
    }

    /// Stores the answer to the probe of that number, unless another member has the row by now or
    /// another probe is under way. `tag` is the upper half of the member's id.
    pub fn take_answer(&self, tag: u32, number: u32, answer: &Answer, now_ns: u64) {
        let id = self.id.load(Ordering::Acquire);
        // Partner: the store in `begin_probe`.
        if id >> 32 != u64::from(tag) || self.probe.load(Ordering::Acquire) != number {
            return;
        }
        let report = &answer.report;
        let told = |value: Option<u32>| value.map_or(0, |v| v.saturating_add(1));
        self.reported_calls
            .store(told(report.calls), Ordering::Relaxed);
        self.reported_capacity
            .store(told(report.capacity), Ordering::Relaxed);
        self.reported_weight
            .store(told(report.weight), Ordering::Relaxed);
        self.answered_ns.store(now_ns, Ordering::Relaxed);
        let reply = if answer.is_reply { REPLY_BIT } else { 0 };
        let state = u64::from(report.state as u8) << STATE_SHIFT;
        let word = u64::from(number) << NUMBER_SHIFT | state | reply | u64::from(answer.code);
        // Partner: the load in `answer_to`.
        self.answer.store(word, Ordering::Release);
    }

    /// The answer to the probe of that number, if it is there. For the process that probes.
    #[must_use]
    pub fn answer_to(&self, number: u32) -> Option<Answer> {
        let word = self.answer.load(Ordering::Acquire);
        if word == 0 || word >> NUMBER_SHIFT != u64::from(number) {
            return None;
        }
        let state = match word >> STATE_SHIFT & 3 {
            1 => Said::Active,
            2 => Said::Draining,
            3 => Said::Down,
            _ => Said::Nothing,
        };
        let sent_ns = self.probe_sent_ns.load(Ordering::Relaxed);
        let taken_ns = self
            .answered_ns
            .load(Ordering::Relaxed)
            .saturating_sub(sent_ns);
        Some(Answer {
            code: u16::try_from(word & 0xffff).unwrap_or(0),
            is_reply: word & REPLY_BIT != 0,
            report: Report {
                state,
                ..self.report()
            },
            latency_us: u32::try_from(taken_ns / 1000).unwrap_or(u32::MAX),
        })
    }

    /// Nobody awaits an answer any longer: one that comes late is not noted. For the process that
    /// probes.
    pub fn end_probe(&self) {
        self.probe.store(0, Ordering::Release);
    }

    /// The numbers that the member reported last; its state is in [`Self::health_of`].
    #[must_use]
    pub fn report(&self) -> Report {
        let told = |cell: &crate::sync::AtomicU32| cell.load(Ordering::Relaxed).checked_sub(1);
        Report {
            state: Said::Nothing,
            calls: told(&self.reported_calls),
            capacity: told(&self.reported_capacity),
            weight: told(&self.reported_weight),
        }
    }

    /// Whether the last probe brought no answer at all, neither a good nor a bad one.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        let code = self.last_code.load(Ordering::Relaxed);
        [NO_ANSWER, NOT_SENT].map(u32::from).contains(&code)
    }

    /// Forgets what was found of an earlier owner of the slot. For the process that probes.
    pub fn forget_probes(&self) {
        for cell in [
            &self.latency_us,
            &self.last_code,
            &self.successes,
            &self.misses,
            &self.reported_calls,
            &self.reported_capacity,
            &self.reported_weight,
        ] {
            cell.store(0, Ordering::Relaxed);
        }
        self.answered_ns.store(0, Ordering::Relaxed);
    }
}
