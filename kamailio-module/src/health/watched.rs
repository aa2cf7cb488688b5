//! One member under watch: its course, its probe under way, and when the next one is due.

use std::sync::atomic::Ordering;

use kamscale_shm::health::Answer;
use kamscale_shm::layout::MemberRow;
use kamscale_shm::{DesiredState, Member, xxh3};

use super::events::Standing;
use super::{Machine, Probing, Token, verdict};

/// A new latency counts this part.
const LATENCY_PART: i64 = 5;

/// A member under watch.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) id: u64,
    pub(super) slot: u16,
    pub(super) pool: usize,
    pub(super) place: usize,
    /// See [`address`]: another address is another thing.
    pub(super) uri: u64,
    /// Whether it is probed at all; one that is not is taken for up.
    pub(super) probed: bool,
    /// See [`is_asked`].
    pub(super) asked: bool,
    pub(super) machine: Machine,
    pub(super) due_ms: u64,
    /// Number of the probe under way.
    pub(super) sent: Option<u16>,
    /// As events last had it, and who said so.
    pub(super) standing: Option<(Standing, &'static str)>,
}

/// A disabled member is left alone: nobody needs it, and it may be gone.
pub(super) fn is_asked(member: &Member<'_>, probed: bool) -> bool {
    probed && member.state() != DesiredState::Disabled
}

/// The hash of where it is asked.
pub(super) fn address(member: &Member<'_>) -> u64 {
    xxh3(member.uri()) ^ xxh3(member.proxy()).rotate_left(1)
}

impl Watched {
    /// Whether this goes on as it was: the same row, and the same address.
    pub(super) fn is(&self, member: &Member<'_>, slot: u16, probed: bool) -> bool {
        let asks = (probed, is_asked(member, probed));
        self.slot == slot && (self.probed, self.asked) == asks && self.uri == address(member)
    }

    pub(super) fn token(&self, number: u16) -> Token {
        Token {
            slot: self.slot,
            number,
            tag: u32::try_from(self.id >> 32).unwrap_or(0),
        }
    }

    /// What an answer makes of the member, into its row.
    pub(super) fn take(
        &mut self,
        row: &MemberRow,
        probing: &Probing,
        answer: &Answer,
        (now_ms, random): (u64, u64),
    ) {
        row.end_probe();
        let hurried = self.machine.is_in_a_hurry();
        let verdict = verdict(answer, &probing.codes);
        let changed = self.machine.step(verdict, probing.limits);
        let (successes, misses) = self.machine.in_a_row();
        row.successes.store(successes, Ordering::Relaxed);
        row.misses.store(misses, Ordering::Relaxed);
        row.last_code
            .store(u32::from(answer.code), Ordering::Relaxed);
        if answer.is_reply {
            let old = row.latency_us.load(Ordering::Relaxed);
            row.latency_us
                .store(smoothed(old, answer.latency_us), Ordering::Relaxed);
        }
        if changed {
            row.set_health(self.id, self.machine.health());
        }
        let wait_ms = match (hurried, self.machine.is_in_a_hurry()) {
            (_, true) => probing.pace.next_ms(true, random),
            // Those that came together part here.
            (true, false) => probing.pace.first_ms(random),
            (false, false) => probing.pace.next_ms(false, random),
        };
        self.due_ms = now_ms + wait_ms;
    }
}

/// An exponentially weighted mean; the first one counts whole.
fn smoothed(old: u32, new: u32) -> u32 {
    if old == 0 {
        return new.max(1);
    }
    let step = (i64::from(new) - i64::from(old)) / LATENCY_PART;
    u32::try_from(i64::from(old) + step).map_or(u32::MAX, |mean| mean.max(1))
}
