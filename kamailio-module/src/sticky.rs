//! `sticky`: a key stays on its member while any of its calls lives. Where a new key goes follows
//! from the table and the members' room, so that workers and nodes agree; where a live one is, from
//! the table of keys that all processes share ([`kamscale_shm::keys`]).

use kamailio::log::{Level, RateLimit};
use kamscale_shm::hash::mix;
use kamscale_shm::keys::{Holder, May, Moved, Taken};
use kamscale_shm::limits::{MAX_MEMBERS, MAX_POOLS};
use kamscale_shm::{Member, Observed, Pool};
use std::sync::atomic::Ordering::Relaxed;

use crate::selection::Usable;

/// One line in so many seconds and process.
const LOG_EVERY_S: u32 = 10;

/// Where a pool's members are in the table in use, by slot: the key's member without a search.
#[derive(Debug)]
pub struct Places {
    at: Box<[u16]>,
    /// Pools (by slot) that were looked through since the table is in use.
    known: Box<[bool]>,
}

impl Places {
    /// Nothing known yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            at: vec![0; MAX_MEMBERS].into(),
            known: vec![false; MAX_POOLS].into(),
        }
    }

    /// Another table is in use: what was found is a guess from now on.
    pub fn forget(&mut self) {
        self.known.fill(false);
    }

    /// The member that holds a key; `None` if it has left the pool.
    fn member<'a>(&mut self, pool: &Pool<'a>, holder: Holder) -> Option<Member<'a>> {
        let guess = self.guess(pool, holder);
        match self.known.get_mut(pool.slot()) {
            Some(known) if guess.is_none() && !*known => *known = true,
            _ => return guess,
        }
        for (index, member) in (0..).zip(pool.members()) {
            if let Some(place) = self.at.get_mut(member.slot()) {
                *place = index;
            }
        }
        self.guess(pool, holder)
    }

    fn guess<'a>(&self, pool: &Pool<'a>, holder: Holder) -> Option<Member<'a>> {
        let index = usize::from(*self.at.get(holder.slot())?);
        pool.member(index).filter(|m| holder_of(m) == holder)
    }
}

impl Default for Places {
    fn default() -> Self {
        Self::new()
    }
}

/// What a key is in the table of keys: two pools may use the same.
fn id(key: u64, pool: u64) -> u64 {
    mix(key ^ pool.rotate_left(32))
}

/// Whether any call of a key lives in the pool whose name has this hash.
#[must_use]
pub fn is_live(observed: &Observed, pool: u64, key: u64) -> bool {
    observed.keys().find(id(key, pool)).is_some()
}

/// How many calls of a key live here, and whether any lives at another node; `None`: it is not live.
/// Looks through all keys: not for the way of a request.
#[must_use]
pub fn lives(observed: &Observed, pool: u64, key: u64) -> Option<(u64, bool)> {
    let live = observed.keys().live().find(|l| l.key == id(key, pool))?;
    let elsewhere = observed.nodes().held().has(live.entry);
    Some((live.calls.saturating_sub(u64::from(elsewhere)), elsewhere))
}

fn holder_of(member: &Member<'_>) -> Holder {
    Holder::new(member.slot(), member.id())
}

/// A member, and the entry that counts the call on the key; none if the table of keys was full.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// Where the call goes.
    pub member: Member<'a>,
    /// What must be given back when the call ends or moves.
    pub entry: Option<usize>,
}

/// A request with a key.
#[derive(Debug)]
pub struct Sticky<'p, 'a> {
    /// The pool.
    pub pool: &'p Pool<'a>,
    /// The hash of the key.
    pub key: u64,
    /// Which members may get the request.
    pub usable: &'p Usable<'p>,
    /// Where members are.
    pub places: &'p mut Places,
    /// Whether the table is the newest: a member that is not in it is gone then.
    pub is_newest: bool,
    /// Set if a live key's member is not in a table that may be an old one: nothing was chosen, and
    /// nothing is counted; look again with the newest.
    pub missed: bool,
}

impl<'a> Sticky<'_, 'a> {
    /// The key's member if one of its calls lives, else the one that it would get. Counts nothing.
    pub fn look(&mut self) -> Option<Member<'a>> {
        let held = match self.usable.observed.keys().find(self.id()) {
            Some(holder) => self.member(holder)?,
            None => None,
        };
        match held.filter(|m| self.usable.keeps(m)) {
            Some(member) => (!self.usable.was_tried(&member)).then_some(member),
            None => self.place(),
        }
    }

    /// The member that holds the key; `Some(None)` if it has left the pool, `None` if the table is
    /// too old to know it.
    fn member(&mut self, holder: Holder) -> Option<Option<Member<'a>>> {
        let member = self.places.member(self.pool, holder);
        self.missed = member.is_none() && !self.is_newest;
        (!self.missed).then_some(member)
    }

    /// Counts a call on the key and says where it goes. `mine` is the call's entry if it has one
    /// already (failover). `None`: no member takes it, and nothing is counted any more.
    pub fn hold(&mut self, mine: Option<usize>) -> Option<Held<'a>> {
        let (keys, id) = (self.usable.observed.keys(), self.id());
        let known = mine.and_then(|entry| Some((entry, keys.taken(entry)?)));
        let (entry, holder) = match known {
            Some((entry, (key, holder))) if key == id => (entry, holder),
            _ => {
                if let Some(entry) = mine {
                    keys.give_back(entry);
                }
                match keys.take(id, || self.place().as_ref().map(holder_of)) {
                    Taken::Held { entry, holder } => (entry, holder),
                    Taken::Nowhere => return None,
                    Taken::Full => return self.without_room(),
                }
            }
        };
        let member = self.stay_or_move(entry, holder);
        if member.is_none() {
            keys.give_back(entry);
        }
        let entry = Some(entry);
        member.map(|member| Held { member, entry })
    }

    /// The member of a key that this call counts on. The key moves if its member is down, disabled
    /// or gone, and if this request failed there and no other call of the key lives: a room in
    /// which somebody is stays whole.
    fn stay_or_move(&mut self, entry: usize, mut holder: Holder) -> Option<Member<'a>> {
        loop {
            let at = self.member(holder)?;
            let may = match at.filter(|m| self.usable.keeps(m)) {
                Some(member) if !self.usable.was_tried(&member) => return Some(member),
                Some(_) => May::IfAlone,
                None => May::Always,
            };
            let to = self.place()?;
            let keys = self.usable.observed.keys();
            match keys.move_to(entry, holder, holder_of(&to), may) {
                Moved::Done => return Some(to),
                Moved::HeldBy(now) if now == holder => return None,
                Moved::HeldBy(now) => holder = now,
            }
        }
    }

    /// The member of a key that is not live: the owner by `hash` of those with room. Who has just come up
    /// gets its share of new keys alone.
    fn place(&self) -> Option<Member<'a>> {
        let takes = |m: &Member<'a>| self.usable.is(m) && self.usable.has_room(m);
        if self.usable.is_ramping() {
            let may = |m: &Member<'a>| takes(m) && self.usable.takes_key(m, self.key);
            let owner = self.pool.owner(self.key, may);
            if owner.is_some() {
                return owner;
            }
        }
        let owner = self.pool.owner(self.key, takes);
        // Nobody with a weight takes it: any active member is better than none.
        owner.or_else(|| {
            let active = (0..self.pool.active_len()).filter_map(|i| self.pool.active(i));
            active.into_iter().find(takes)
        })
    }

    fn id(&self) -> u64 {
        id(self.key, self.pool.name_hash())
    }

    #[cold]
    fn without_room(&self) -> Option<Held<'a>> {
        static LIMIT: RateLimit = RateLimit::new(LOG_EVERY_S);
        self.usable.observed.keys_refused().fetch_add(1, Relaxed);
        let name = String::from_utf8_lossy(self.pool.name());
        LIMIT.write(
            Level::Warning,
            format_args!(
                "pool {name}: no room for another sticky key (kamscale.status: sticky_keys): its \
                 calls go by hash and do not stick"
            ),
        );
        self.place().map(|member| Held {
            member,
            entry: None,
        })
    }
}
