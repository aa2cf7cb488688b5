//! Sticky keys: which member holds a key as long as any of its calls lives. A table of fixed size
//! in the observed file, written by all processes of Kamailio, without any lock.
//!
//! A key has two *candidate* groups, of which the first is its *home*; its entry is in one of
//! them and never moves. Three things are one compare-and-swap each: taking a key (one call more,
//! only while the entry is the key's), giving it back (one less; free after the last), and moving
//! it to another member. So an entry is never free while a call counts on it.
//!
//! That a key has one entry only is decided at its home. Who wants to open it reads the home's
//! `published` word, finds no entry of the key, claims a free entry, which nobody else can see yet,
//! and publishes it by swapping `published` from what it has read to the entry. If that fails, some
//! other key of that home (or this one) was published meanwhile, and it looks again. A published
//! entry is live as soon as anybody looks at the word: who comes by marks it so
//! (`Keys::settle`); so nobody waits for anybody who was interrupted. Dead processes leave nothing
//! behind, as all of Kamailio ends with any of its processes.
//!
//! Other nodes that hold a key are one call more on it, which the process that shares takes and gives
//! back like any other. What has changed is noted by group, after the change, so that this process
//! need not look through the table.
//!
//! `tests/loom_keys.rs` runs this file under the model checker.

use crate::bits::Bits;
use crate::key_group::Groups;
use crate::key_word::{Published, State};
use crate::limits::KEYS_PER_GROUP;
use crate::sync::{AtomicU64, Ordering};

pub use crate::key_group::{KeyEntry, KeyGroup};
pub use crate::key_word::{Holder, MAX_KEY_CALLS};

/// What came of [`Keys::take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// One call more: give `entry` back once ([`Keys::give_back`]). `holder` has the key.
    Held {
        /// The key's entry.
        entry: usize,
        /// The member at that moment.
        holder: Holder,
    },
    /// The key was not live, and there was no member for it.
    Nowhere,
    /// No room for another key, or [`MAX_KEY_CALLS`] reached for this one: nothing was taken.
    Full,
}

/// What came of [`Keys::move_to`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The new member has the key.
    Done,
    /// Nothing was changed: this member has it.
    HeldBy(Holder),
}

/// Which keys may be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// Any, also with calls of others.
    Always,
    /// Only one without another call than the caller's.
    IfAlone,
}

/// A claimed entry that is not published yet.
#[derive(Clone, Copy)]
struct Claim {
    entry: usize,
    state: State,
}

/// The table.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    groups: Groups<'a>,
    /// Where changed groups are noted, if anybody wants to know.
    changed: Option<Bits<'a>>,
}

/// A live key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveKey {
    /// Its entry.
    pub entry: usize,
    /// The key.
    pub key: u64,
    /// The member that holds it.
    pub holder: Holder,
    /// Its calls, with one for all other nodes that hold it.
    pub calls: u64,
}

impl<'a> Keys<'a> {
    /// The table in these groups; those that change are noted in `changed`.
    #[must_use]
    pub const fn new(groups: &'a [KeyGroup], changed: Option<Bits<'a>>) -> Self {
        let groups = Groups(groups);
        Self { groups, changed }
    }

    /// The member that holds a key; `None` if no call of it lives.
    #[must_use]
    pub fn find(&self, key: u64) -> Option<Holder> {
        loop {
            let last = self.settle(key)?;
            let found = self.groups.search(key, |_, entry| {
                let state = State(entry.state.load(Ordering::Acquire));
                // Partner: the Release store in `claim`: who reads the next owner's key sees below
                // that the entry is not this one's any more.
                if !state.is_live() || entry.key.load(Ordering::Acquire) != key {
                    return None;
                }
                let again = State(entry.state.load(Ordering::Acquire));
                let is_same = again.is_live() && again.claim() == state.claim();
                is_same.then(|| again.holder())
            });
            if found.is_some() {
                return found;
            }
            // Nothing else of this home was opened meanwhile, so it was not passed over.
            if self.groups.home(key)?.published.load(Ordering::Acquire) == last.0 {
                return None;
            }
        }
    }

    /// Counts one call more on a key, and opens it if none of its calls lives: at the member that
    /// `place` finds, which is asked once at most.
    pub fn take(&self, key: u64, place: impl FnOnce() -> Option<Holder>) -> Taken {
        let (mut place, mut mine) = (Some(place), None);
        loop {
            let Some(last) = self.settle(key) else {
                return Taken::Full;
            };
            if let Some(taken) = self.take_live(key) {
                if let Some(claim) = mine {
                    self.drop_claim(claim);
                }
                if let Taken::Held { entry, .. } = taken {
                    self.note(entry);
                }
                return taken;
            }
            let claim = match (mine, place.take()) {
                (Some(claim), _) => claim,
                (None, None) => return Taken::Full,
                (None, Some(place)) => {
                    let Some(holder) = place() else {
                        return Taken::Nowhere;
                    };
                    let Some(claim) = self.claim(key, holder) else {
                        return Taken::Full;
                    };
                    *mine.insert(claim)
                }
            };
            if self.publish(key, last, claim) {
                let (entry, holder) = (claim.entry, claim.state.holder());
                self.note(entry);
                return Taken::Held { entry, holder };
            }
        }
    }

    /// Counts one call less on the key of an entry that the caller took. After the last one the
    /// entry is free.
    pub fn give_back(&self, number: usize) {
        let Some(entry) = self.groups.entry(number) else {
            return;
        };
        let mut state = State(entry.state.load(Ordering::Relaxed));
        while state.is_live() {
            // AcqRel: whatever was done under a call comes before the entry's next owner.
            match swap(&entry.state, state, state.one_less()) {
                Ok(_) => return self.note(number),
                Err(now) => state = State(now),
            }
        }
    }

    /// Gives a key that the caller took to another member.
    pub fn move_to(&self, number: usize, from: Holder, to: Holder, may: May) -> Moved {
        let Some(entry) = self.groups.entry(number) else {
            return Moved::HeldBy(from);
        };
        let mut state = State(entry.state.load(Ordering::Acquire));
        loop {
            if state.holder() != from || (may == May::IfAlone && state.count() > 1) {
                return Moved::HeldBy(state.holder());
            }
            match swap(&entry.state, state, state.moved(to)) {
                Ok(_) => {
                    self.note(number);
                    return Moved::Done;
                }
                Err(now) => state = State(now),
            }
        }
    }

    /// The key of an entry that the caller took, and the member that holds it.
    #[must_use]
    pub fn taken(&self, entry: usize) -> Option<(u64, Holder)> {
        let entry = self.groups.entry(entry)?;
        let state = State(entry.state.load(Ordering::Acquire));
        state
            .is_live()
            .then(|| (entry.key.load(Ordering::Acquire), state.holder()))
    }

    /// The live keys, each as it is when its turn comes. Looks at every group: not for the way of a
    /// request.
    pub fn live(self) -> impl Iterator<Item = LiveKey> {
        self.groups.all().filter_map(|(n, entry)| live(n, entry))
    }

    /// The entries of a group, each with its key if that is live.
    pub fn of_group(self, group: usize) -> impl Iterator<Item = (usize, Option<LiveKey>)> {
        let entries = self.groups.group(group);
        entries.map(|(number, entry)| (number, live(number, entry)))
    }

    /// Notes that an entry has changed.
    #[inline]
    fn note(&self, entry: usize) {
        if let Some(changed) = self.changed {
            changed.put(entry / KEYS_PER_GROUP);
        }
    }

    /// What was published last at a key's home, after making sure that it is live.
    fn settle(&self, key: u64) -> Option<Published> {
        // Partner: the swap in `publish`: the entry's words are there.
        let last = Published(self.groups.home(key)?.published.load(Ordering::Acquire));
        if let Some(entry) = last.entry().and_then(|e| self.groups.entry(e)) {
            let state = State(entry.state.load(Ordering::Relaxed));
            // Another claim of the same entry, by whomever, has another number.
            if state.is_claimed() && state.claim() == last.claim() {
                let _ = swap(&entry.state, state, state.live());
            }
        }
        Some(last)
    }

    /// Counts a call on a key that is live.
    fn take_live(&self, key: u64) -> Option<Taken> {
        self.groups.search(key, |number, entry| {
            // Partner: the swap to live in `settle`: the key is there.
            let mut state = State(entry.state.load(Ordering::Acquire));
            while state.is_live() && entry.key.load(Ordering::Acquire) == key {
                if state.count() == MAX_KEY_CALLS {
                    return Some(Taken::Full);
                }
                match swap(&entry.state, state, state.one_more()) {
                    Ok(_) => {
                        let (entry, holder) = (number, state.holder());
                        return Some(Taken::Held { entry, holder });
                    }
                    Err(now) => state = State(now),
                }
            }
            None
        })
    }

    /// Claims a free entry among the candidates, at home unless that is nearly full.
    fn claim(&self, key: u64, holder: Holder) -> Option<Claim> {
        for (number, entry) in self.groups.by_room(key) {
            let state = State(entry.state.load(Ordering::Relaxed));
            let claimed = state.claimed(holder);
            if state.is_free() && swap(&entry.state, state, claimed).is_ok() {
                // Partner: the Acquire load in `find`.
                entry.key.store(key, Ordering::Release);
                let (entry, state) = (number, claimed);
                return Some(Claim { entry, state });
            }
        }
        None
    }

    /// Gives up a claim that was not published: nobody else knows of it.
    fn drop_claim(&self, claim: Claim) {
        if let Some(entry) = self.groups.entry(claim.entry) {
            entry.state.store(claim.state.freed().0, Ordering::Release);
        }
    }

    /// Publishes a claim if nothing was published at the key's home since `last`.
    fn publish(&self, key: u64, last: Published, claim: Claim) -> bool {
        let next = last.then(claim.entry, claim.state.claim());
        // Release: who sees the word sees the entry (`settle`), and every earlier one as live.
        let done = self.groups.home(key).is_some_and(|h| {
            let word = &h.published;
            word.compare_exchange(last.0, next.0, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        });
        done && self.settle(key).is_some()
    }
}

/// The key of an entry, if it is live.
fn live(number: usize, entry: &KeyEntry) -> Option<LiveKey> {
    // Partner: the swap to live in `settle`: the key is there.
    let state = State(entry.state.load(Ordering::Acquire));
    let key = entry.key.load(Ordering::Acquire);
    // Another owner's key is seen only with another claim.
    let again = State(entry.state.load(Ordering::Acquire));
    (again.is_live() && state.is_live() && again.claim() == state.claim()).then(|| LiveKey {
        entry: number,
        key,
        holder: again.holder(),
        calls: again.count(),
    })
}

/// Every change of a state: acquires what the one before released.
fn swap(word: &AtomicU64, from: State, to: State) -> Result<u64, u64> {
    word.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Acquire)
}
