//! The timing wheel: what happens next, in exact order of time.
//!
//! Near moments lie unsorted in buckets of about a second; only the bucket whose turn it is is kept
//! in order. So an event costs about the same however many wait. Far moments wait in a heap. It must
//! not know what the events mean.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A bucket is 2^20 microseconds wide.
const BUCKET_BITS: u32 = 20;
/// So many buckets: two hours and twenty minutes.
const BUCKETS: u64 = 8192;
/// The sequence number is below this; the rank stands above it.
const RANK_SHIFT: u32 = 56;

/// A moment of the simulation: microseconds since its start, so that order and equality are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Moment(pub(super) u64);

impl Moment {
    /// From seconds since the start; what is negative or no number is the start.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float cast saturates, and both ends are moments"
    )]
    pub(super) fn from_s(seconds: f64) -> Moment {
        Moment((seconds * 1e6).round() as u64)
    }

    /// Seconds since the start; exact for 285 years.
    pub(super) fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// So much later.
    pub(super) fn after(self, span: Moment) -> Moment {
        Moment(self.0.saturating_add(span.0))
    }

    /// Microseconds since `earlier`.
    pub(super) fn since(self, earlier: Moment) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// One event that waits.
#[derive(Debug, Clone)]
struct Entry<T> {
    at: Moment,
    /// Rank, then sequence: the order at the same moment.
    order: u64,
    event: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Entry<T>) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Entry<T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    /// Reversed: the heap's greatest is the earliest.
    fn cmp(&self, other: &Entry<T>) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// Events by time; at the same moment by rank, then in the order in which they came.
#[derive(Debug)]
pub(super) struct Wheel<T> {
    /// Everything up to the end of the bucket `turn`.
    current: BinaryHeap<Entry<T>>,
    /// Bucket `b` lies at `b % BUCKETS`, for `turn < b < turn + BUCKETS`.
    buckets: Vec<Vec<Entry<T>>>,
    /// How many lie in buckets.
    near: usize,
    /// What lies beyond the buckets.
    far: BinaryHeap<Entry<T>>,
    turn: u64,
    sequence: u64,
}

impl<T> Wheel<T> {
    /// Nothing waits.
    pub(super) fn new() -> Wheel<T> {
        Wheel {
            current: BinaryHeap::new(),
            buckets: (0..BUCKETS).map(|_| Vec::new()).collect(),
            near: 0,
            far: BinaryHeap::new(),
            turn: 0,
            sequence: 0,
        }
    }

    /// Puts in an event; at the same moment a lower rank comes first.
    pub(super) fn push(&mut self, at: Moment, rank: u8, event: T) {
        let order = (u64::from(rank) << RANK_SHIFT) | self.sequence;
        self.sequence += 1;
        let entry = Entry { at, order, event };
        let bucket = at.0 >> BUCKET_BITS;
        if bucket <= self.turn {
            self.current.push(entry);
        } else if bucket < self.turn + BUCKETS {
            self.buckets[place(bucket)].push(entry);
            self.near += 1;
        } else {
            self.far.push(entry);
        }
    }

    /// When the next event is.
    pub(super) fn next_at(&mut self) -> Option<Moment> {
        self.turn_to_next();
        self.current.peek().map(|entry| entry.at)
    }

    /// Takes out the next event.
    pub(super) fn pop(&mut self) -> Option<(Moment, T)> {
        self.turn_to_next();
        self.current.pop().map(|entry| (entry.at, entry.event))
    }

    /// Turns until an event lies in `current`, if there is any.
    fn turn_to_next(&mut self) {
        while self.current.is_empty() {
            let far_turn = self.far.peek().map(|entry| entry.at.0 >> BUCKET_BITS);
            match far_turn {
                None if self.near == 0 => return,
                Some(far_turn) if self.near == 0 => self.turn = far_turn,
                _ => self.turn += 1,
            }
            let emptied = std::mem::take(&mut self.current).into_vec();
            let bucket = &mut self.buckets[place(self.turn)];
            let full = std::mem::replace(bucket, emptied);
            self.near -= full.len();
            self.current = BinaryHeap::from(full);
            while self
                .far
                .peek()
                .is_some_and(|entry| entry.at.0 >> BUCKET_BITS <= self.turn)
            {
                self.current.extend(self.far.pop());
            }
        }
    }
}

/// Where a bucket lies.
fn place(bucket: u64) -> usize {
    (bucket % BUCKETS) as usize
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use proptest::prelude::*;

    use super::*;

    /// Later by so much, with this rank, or take one out.
    fn operations() -> impl Strategy<Value = Vec<Option<(u64, u8)>>> {
        let near = (0u64..3_000_000, 0u8..3).prop_map(Some);
        let same = (0u64..2, 0u8..3).prop_map(Some);
        let far = (0u64..40_000_000_000, 0u8..3).prop_map(Some);
        prop::collection::vec(prop_oneof![near, same, far, Just(None), Just(None)], 0..300)
    }

    proptest! {
        #[test]
        fn events_come_out_as_from_a_plain_heap(operations in operations()) {
            let mut wheel = Wheel::new();
            let mut heap = BinaryHeap::new();
            let mut now = Moment(0);
            for (number, operation) in operations.into_iter().enumerate() {
                if let Some((later, rank)) = operation {
                    let at = now.after(Moment(later));
                    wheel.push(at, rank, number);
                    heap.push(Reverse((at, rank, number)));
                    continue;
                }
                let expected = heap.pop().map(|Reverse((at, _, number))| (at, number));
                prop_assert_eq!(wheel.next_at(), expected.map(|(at, _)| at));
                prop_assert_eq!(wheel.pop(), expected);
                now = expected.map_or(now, |(at, _)| at);
            }
            while let Some(Reverse((at, _, number))) = heap.pop() {
                prop_assert_eq!(wheel.pop(), Some((at, number)));
            }
            prop_assert_eq!(wheel.pop(), None);
        }
    }

    #[test]
    fn looking_ahead_loses_nothing_that_comes_before() {
        let mut wheel = Wheel::new();
        wheel.push(Moment::from_s(5000.0), 0, "late");
        assert_eq!(wheel.next_at(), Some(Moment::from_s(5000.0)));
        wheel.push(Moment::from_s(1.0), 0, "early");
        wheel.push(Moment::from_s(20_000.0), 0, "far");
        let order: Vec<_> = std::iter::from_fn(|| wheel.pop())
            .map(|(_, name)| name)
            .collect();
        assert_eq!(order, ["early", "late", "far"]);
    }

    #[test]
    fn seconds_survive_the_way_through_a_moment() {
        assert_eq!(Moment::from_s(86_400.25).seconds(), 86_400.25);
        assert_eq!(Moment::from_s(-1.0), Moment(0));
        assert_eq!(Moment::from_s(f64::NAN), Moment(0));
    }
}
