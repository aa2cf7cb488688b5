//! Which member owns a key: a table of 2^bits rows, a pure function of the configured set
//! {(id, weight)} and of nothing else: not of order, history or host.
//!
//! Every member offers an endless series of *claims*, each on a row with a score that falls with
//! its weight; a row belongs to the best claim (weighted rendezvous hashing, Thaler and Ravishankar
//! 1998, Schindelhauer and Schomaker 2005, with the race run over rows instead of over members).
//! So a member that joins or leaves moves its own share of the rows and no other. Two hosts with
//! the same members agree. A member's share has a relative standard deviation of
//! sqrt(W / (2 w 2^bits)), W being the sum of weights.
//!
//! States (down, draining, slow start) do not change the rows: the look-up passes over members
//! that take nothing now ([`crate::table::Pool::owner`]).

mod packed;
mod tables;

pub use tables::RowTables;

use crate::hash::{ById, STEP, mix};
use packed::Packed;

/// No member: the value of rows in a pool in which nobody has weight.
pub const NOBODY: u16 = u16::MAX;
/// Precision of a claim's score below one claim.
const FRACTION_BITS: u32 = 20;

/// What places a member: its identity and its configured weight (0: it owns nothing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighted {
    /// [`crate::hash::member_id`].
    pub id: u64,
    /// Relative share.
    pub weight: u16,
}

/// A claim: `score = tau / weight`, compared exactly, the lower id on ties.
#[derive(Clone, Copy, Debug)]
struct Claim {
    tau: u64,
    member: Weighted,
}

impl Claim {
    fn beats(&self, other: &Self) -> bool {
        let mine = u128::from(self.tau) * u128::from(other.member.weight);
        let theirs = u128::from(other.tau) * u128::from(self.member.weight);
        mine < theirs || (mine == theirs && self.member.id < other.member.id)
    }
}

/// The rows of one pool, kept by the publisher so that a change costs its share and not the whole.
#[derive(Clone, Debug)]
pub struct RowTable {
    bits: u8,
    /// The owner's index per row, or [`NOBODY`]; empty once forgotten ([`Self::forget`]).
    owners: Vec<u16>,
    /// The owners once the rest is forgotten.
    packed: Packed,
    /// The owner's tau per row; empty once forgotten.
    taus: Vec<u64>,
    members: Vec<Weighted>,
    /// Every member has offered its claims with tau < horizon x weight.
    horizon: u64,
    /// The smallest total weight for which the horizon was raised. For a much larger one there are
    /// far more claims below it than the rows need, and making them anew is cheaper.
    raised_for: u64,
}

fn total_weight(members: &[Weighted]) -> u64 {
    members.iter().map(|m| u64::from(m.weight)).sum()
}

impl RowTable {
    /// The rows of these members; the member's index is the row's value.
    #[must_use]
    pub fn new(bits: u8, members: &[Weighted]) -> Self {
        let mut table = Self {
            bits,
            owners: vec![NOBODY; 1 << bits],
            packed: Packed::default(),
            taus: vec![u64::MAX; 1 << bits],
            members: members.to_vec(),
            horizon: 0,
            raised_for: total_weight(members),
        };
        table.fill(table.owners.len());
        table
    }

    /// Makes the table that of `members`, moving no row that need not move. Equal to [`Self::new`]
    /// of the same members; members are recognised by id.
    pub fn change(&mut self, members: &[Weighted]) {
        let total = total_weight(members);
        if self.taus.is_empty() || total == 0 || total > 2 * self.raised_for {
            *self = Self::new(self.bits, members);
            return;
        }
        let new: ById<(u16, u16)> = (0..)
            .zip(members)
            .map(|(index, m)| (m.id, (index, m.weight)))
            .collect();
        let moved: Vec<Option<(u16, u16)>> = self
            .members
            .iter()
            .map(|m| new.get(&m.id).copied())
            .collect();
        // Rows of members that went or lost weight fall free; the others keep theirs by new index.
        let mut free = 0;
        for owner in &mut self.owners {
            let before = self.members.get(usize::from(*owner));
            let after = moved.get(usize::from(*owner)).copied().flatten();
            *owner = match (before, after) {
                // A gain in weight keeps the row and betters its score.
                (Some(before), Some((index, weight))) if weight >= before.weight => index,
                _ => {
                    free += 1;
                    NOBODY
                }
            };
        }
        let mut changed = vec![true; members.len()];
        for (old, new) in self.members.iter().zip(&moved) {
            if let Some((index, weight)) = new {
                changed[usize::from(*index)] = *weight != old.weight;
            }
        }
        self.members = members.to_vec();
        self.offer_again(&changed, free);
    }

    /// The members, by index.
    #[must_use]
    pub fn members(&self) -> &[Weighted] {
        &self.members
    }

    /// The owner's index per row.
    pub fn owners(&self) -> impl Iterator<Item = u16> + '_ {
        self.owners.iter().copied().chain(self.packed.iter())
    }

    /// Keeps the owners alone: a tenth of the memory or less, and the next change makes the table anew.
    pub fn forget(&mut self) {
        if self.taus.is_empty() {
            return;
        }
        self.packed = Packed::of(&self.owners, self.members.len());
        self.owners = Vec::new();
        self.taus = Vec::new();
    }

    /// Rows by which the next change costs its share only.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.taus.len()
    }

    /// How many rows there are, as bits.
    #[must_use]
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether this is the table of these members, in this order.
    #[must_use]
    pub fn is_of(&self, bits: u8, members: &[Weighted]) -> bool {
        self.bits == bits && self.members == members
    }

    /// All claims below the horizon again: those of the changed members everywhere, those of the
    /// others where a row is free or went to a changed member (elsewhere they lost already).
    fn offer_again(&mut self, changed: &[bool], free: usize) {
        let horizon = self.horizon;
        let mut unowned = free;
        for index in (0..changed.len()).filter(|i| changed[*i]) {
            unowned -= self.offer(index, 0, horizon, |_| true);
        }
        if free > 0 {
            let open: Vec<bool> = self
                .owners
                .iter()
                .map(|owner| changed.get(usize::from(*owner)).copied().unwrap_or(true))
                .collect();
            for index in (0..changed.len()).filter(|i| !changed[*i]) {
                unowned -= self.offer(index, 0, horizon, |row| open[row]);
            }
        }
        self.fill(unowned);
    }

    /// Raises the horizon until every row is owned.
    fn fill(&mut self, mut unowned: usize) {
        let total = total_weight(&self.members);
        if total == 0 || unowned == 0 {
            return;
        }
        self.raised_for = self.raised_for.min(total);
        let step = (((4 * self.owners.len() as u64) << FRACTION_BITS) / total).max(1);
        while unowned > 0 {
            let next = self.horizon + step;
            for index in 0..self.members.len() {
                unowned -= self.offer(index, self.horizon, next, |_| true);
            }
            self.horizon = next;
        }
    }

    /// Offers a member's claims with `from x weight <= tau < to x weight` on rows that `may`
    /// allows; how many rows had no owner before.
    fn offer(&mut self, index: usize, from: u64, to: u64, may: impl Fn(usize) -> bool) -> usize {
        let member = self.members[index];
        let Ok(owner) = u16::try_from(index) else {
            return 0;
        };
        let weight = u64::from(member.weight);
        let (start, end) = (from * weight, to * weight);
        let mut filled = 0;
        let mut number = start >> FRACTION_BITS;
        while number << FRACTION_BITS < end {
            let x = mix(member.id.wrapping_add((number + 1).wrapping_mul(STEP)));
            let tau = number << FRACTION_BITS | (x & ((1 << FRACTION_BITS) - 1));
            number += 1;
            if tau < start || tau >= end {
                continue;
            }
            let row = usize::try_from(x >> (64 - self.bits)).unwrap_or(0);
            if !may(row) {
                continue;
            }
            let claim = Claim { tau, member };
            let held = self.members.get(usize::from(self.owners[row]));
            let held = held.map(|held| Claim {
                tau: self.taus[row],
                member: *held,
            });
            if held.is_none_or(|held| claim.beats(&held)) {
                filled += usize::from(held.is_none());
                (self.owners[row], self.taus[row]) = (owner, tau);
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests;
