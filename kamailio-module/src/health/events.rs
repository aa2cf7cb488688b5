//! What a member is to those who call it, from everything that speaks about it, and the event that a
//! change of it makes. It runs no route.

use std::sync::atomic::Ordering;

use kamscale_shm::layout::MemberRow;
use kamscale_shm::{DesiredState, Health, Member};

/// What a member is to new requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It takes them.
    Up,
    /// It is not in use yet.
    Pending,
    /// It takes nothing new, and keeps what it has.
    Draining,
    /// Nothing goes there.
    Down,
}

impl Standing {
    /// Its name in the script and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Pending => "pending",
            Self::Draining => "draining",
            Self::Down => "down",
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `event_route[kamscale:member-up]`
    Up,
    /// `event_route[kamscale:member-down]`
    Down,
    /// `event_route[kamscale:member-draining]`
    Draining,
    /// `event_route[kamscale:table-applied]`
    TableApplied,
}

impl Kind {
    /// What becomes of a member with this standing; `None` if nobody needs to know.
    #[must_use]
    pub const fn of(standing: Standing) -> Option<Self> {
        match standing {
            Standing::Up => Some(Self::Up),
            Standing::Down => Some(Self::Down),
            Standing::Draining => Some(Self::Draining),
            Standing::Pending => None,
        }
    }

    /// The part of its event route's name after the colon.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "member-up",
            Self::Down => "member-down",
            Self::Draining => "member-draining",
            Self::TableApplied => "table-applied",
        }
    }
}

/// One event, with all that a route may ask about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// The pool; empty for a table.
    pub pool: String,
    /// The member; empty for a table.
    pub member: String,
    /// Its URI.
    pub uri: String,
    /// What it was before.
    pub before: &'static str,
    /// Who said so: `probe`, `mark`, `operator` or `table`.
    pub reason: &'static str,
    /// Status of its last answer to a probe; 0: none.
    pub code: u32,
    /// Time to its answers, smoothed; 0: none.
    pub latency_us: u32,
    /// The table in which it stands.
    pub generation: u64,
}

impl Event {
    /// A table came into use.
    #[must_use]
    pub const fn applied(generation: u64) -> Self {
        Self {
            kind: Kind::TableApplied,
            pool: String::new(),
            member: String::new(),
            uri: String::new(),
            before: "",
            reason: "table",
            code: 0,
            latency_us: 0,
            generation,
        }
    }

    /// A member changed.
    #[must_use]
    pub fn of_member(
        kind: Kind,
        pool: &[u8],
        member: &Member<'_>,
        row: &MemberRow,
        change: (Standing, &'static str),
    ) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self {
            kind,
            pool: text(pool),
            member: text(member.name()),
            uri: text(member.uri()),
            before: change.0.name(),
            reason: change.1,
            code: row.last_code.load(Ordering::Relaxed),
            latency_us: row.latency_us.load(Ordering::Relaxed),
            generation: 0,
        }
    }
}

/// What a member is, and who says so: of everything that speaks about it, what weighs most.
#[must_use]
pub fn standing(
    member: &Member<'_>,
    row: &MemberRow,
    probing: bool,
    now_s: u64,
) -> (Standing, &'static str) {
    let of_state = |state| match state {
        DesiredState::Active => Standing::Up,
        DesiredState::Joining => Standing::Pending,
        DesiredState::Draining => Standing::Draining,
        DesiredState::Disabled => Standing::Down,
    };
    let desired = of_state(member.state());
    let id = member.id();
    if desired == Standing::Pending || !row.is_of(id) {
        // One that boots answers nothing, which is no news.
        let waits = probing && desired == Standing::Up;
        return (if waits { Standing::Pending } else { desired }, "table");
    }
    let health = row.health_of(id).filter(|_| probing).map(|h| match h {
        Health::New => Standing::Pending,
        Health::Trusted | Health::Up => Standing::Up,
        Health::Down => Standing::Down,
        Health::Draining => Standing::Draining,
    });
    let marked = row.down_until_s.load(Ordering::Relaxed) > now_s;
    let said = [
        (row.override_of(id).map(of_state), "operator"),
        (health, "probe"),
        (marked.then_some(Standing::Down), "mark"),
    ];
    said.into_iter()
        .filter_map(|(standing, who)| Some((standing?, who)))
        .fold(
            (desired, "table"),
            |most, one| {
                if one.0 > most.0 { one } else { most }
            },
        )
}
