//! The watch over all members of the table, in a process of its own: which probe is due, what came of
//! the last one, and who changed. It sends nothing and runs no route: a [`Turn`] says what to do, and
//! nothing of the process may be held while that is done.

use std::sync::Arc;

use kamscale_shm::health::{Answer, NO_ANSWER};
use kamscale_shm::{ById, Health, Member, Table};

use super::events::{Event, Kind, Standing, standing};
use super::watched::{Watched, address, is_asked};
use super::{Machine, Probing, Token};
use crate::server::Server;

/// Probes that may wait for an answer at one time.
pub const MAX_OUTSTANDING: usize = 1024;
/// Probes that one turn sends at most.
pub const MAX_PER_TURN: usize = 128;

/// A probe to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Whom it asks.
    pub uri: Vec<u8>,
    /// The proxy that gets it instead; empty: none.
    pub proxy: Vec<u8>,
    /// Its From.
    pub from: Vec<u8>,
    /// The local socket that it leaves by; empty: Kamailio chooses.
    pub socket: Vec<u8>,
    /// How its pool is probed.
    pub probing: Arc<Probing>,
    /// What comes back with the answer.
    pub token: Token,
}

/// What is to be done now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Probes to send.
    pub probes: Vec<Probe>,
    /// Events, in their order.
    pub events: Vec<Event>,
}

/// The members under watch.
#[derive(Debug)]
pub struct Watch {
    /// Generation, and how many tables this process applied: together they tell tables apart.
    table: Option<(u64, u64)>,
    /// How the members of each pool are probed, in the order of the table.
    pools: Vec<Option<Arc<Probing>>>,
    /// Whether the operator lets members be probed.
    may_probe: bool,
    members: Vec<Watched>,
    outstanding: usize,
    /// Where the search for due probes goes on, so that nobody is starved by those before it.
    next: usize,
    number: u16,
    random: u64,
}

impl Watch {
    /// Watches nobody yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            table: None,
            pools: Vec::new(),
            may_probe: true,
            members: Vec::new(),
            outstanding: 0,
            next: 0,
            number: 0,
            random: kamscale_shm::hash::mix(seed) | 1,
        }
    }

    /// Before the fork: the members that are there already are trusted until they prove otherwise.
    pub fn begin(&mut self, server: &Server, table: &Table, now_ns: u64) {
        self.adopt(server, table, now_ns / 1_000_000, Health::Trusted);
        // Numbers of tables are counted per process: the process that will watch has its own.
        self.table = Some((table.generation(), u64::MAX));
    }

    /// One turn, at this moment; `applied` counts the tables that this process applied.
    pub fn turn(&mut self, server: &Server, table: &Table, applied: u64, now_ns: u64) -> Turn {
        let now_ms = now_ns / 1_000_000;
        let mut turn = Turn::default();
        let current = (table.generation(), applied);
        let may_probe = server.observed.may_probe();
        if self.table != Some(current) || self.may_probe != may_probe {
            if self.table.is_none_or(|(was, _)| was != current.0) {
                turn.events.push(Event::applied(current.0));
            }
            self.adopt(server, table, now_ms, Health::New);
            self.table = Some(current);
        }
        if server.settings.probing.is_some() {
            self.take_answers(server, now_ns);
            self.send_due(server, table, now_ns, &mut turn.probes);
        }
        self.compare(server, table, &mut turn.events);
        turn
    }

    /// Takes the members of another table; those that stay go on as they were.
    fn adopt(&mut self, server: &Server, table: &Table, now_ms: u64, health: Health) {
        let begin = |known: Option<&Watched>| match known {
            // Its old answers say nothing about its new address.
            Some(known) if known.asked || !known.probed => (Health::Trusted, known.standing),
            // One that was disabled was not asked: who knows what it is now.
            Some(known) => (Health::New, known.standing),
            None if health == Health::Trusted => (health, None),
            None => (health, Some((Standing::Pending, "table"))),
        };
        let mut before = ById::default();
        before.extend(self.members.drain(..).map(|w| (w.id, w)));
        self.outstanding = 0;
        self.may_probe = server.observed.may_probe();
        self.pools.clear();
        let usual = server.settings.probing.as_ref();
        let usual = usual
            .filter(|_| self.may_probe)
            .map(|p| Arc::new(p.clone()));
        for (pool_at, pool) in (0..).map_while(|i| Some((i, table.pool(i)?))) {
            let probing = match &usual {
                Some(usual) if pool.has_options() => usual.of_pool(&pool.probe()).map(Arc::new),
                usual => usual.clone(),
            };
            self.pools.push(probing);
            for (place, member) in pool.members().enumerate() {
                let Ok(slot) = u16::try_from(member.slot()) else {
                    continue;
                };
                let probing = self.pools[pool_at].clone();
                let probing = probing.filter(|_| member.is_probed());
                let mut watched = match before.remove(&member.id()) {
                    Some(known) if known.is(&member, slot, probing.is_some()) => known,
                    known => {
                        let begin = begin(known.as_ref());
                        self.watch(server, (&member, slot), probing.as_deref(), begin, now_ms)
                    }
                };
                (watched.pool, watched.place) = (pool_at, place);
                self.outstanding += usize::from(watched.sent.is_some());
                self.members.push(watched);
            }
        }
    }

    /// Watches a member from now on; one that has just come, or moved, is asked at once.
    fn watch(
        &mut self,
        server: &Server,
        (member, slot): (&Member<'_>, u16),
        probing: Option<&Probing>,
        (health, standing): (Health, Option<(Standing, &'static str)>),
        now_ms: u64,
    ) -> Watched {
        let mut due_ms = now_ms;
        // Who is not asked is believed.
        let health = if probing.is_some() {
            health
        } else {
            Health::Trusted
        };
        if server.settings.probing.is_some()
            && let Some(row) = server.observed.member(member.slot())
        {
            row.end_probe();
            row.forget_probes();
            row.set_health(member.id(), health);
            // Those that are there at the start are spread.
            if let Some(probing) = probing.filter(|_| standing.is_none()) {
                due_ms += probing.pace.first_ms(self.random());
            }
        }
        Watched {
            id: member.id(),
            slot,
            pool: 0,
            place: 0,
            uri: address(member),
            probed: probing.is_some(),
            asked: is_asked(member, probing.is_some()),
            machine: Machine::new(health),
            due_ms,
            sent: None,
            standing,
        }
    }

    fn take_answers(&mut self, server: &Server, now_ns: u64) {
        let now_ms = now_ns / 1_000_000;
        let mut random = self.random();
        for watched in &mut self.members {
            let Some(number) = watched.sent else {
                continue;
            };
            let row = server.observed.member(usize::from(watched.slot));
            let probing = self.pools.get(watched.pool).and_then(Option::as_deref);
            let Some((row, probing)) = row.zip(probing) else {
                continue;
            };
            let late = row.probe_age_ns(now_ns) / 1_000_000 >= probing.timeout_ms;
            let answer = row.answer_to(u32::from(number));
            let Some(answer) = answer.or(late.then(no_answer)) else {
                continue;
            };
            random = kamscale_shm::hash::mix(random.wrapping_add(watched.id));
            watched.sent = None;
            self.outstanding = self.outstanding.saturating_sub(1);
            watched.take(row, probing, &answer, (now_ms, random));
        }
    }

    fn send_due(&mut self, server: &Server, table: &Table, now_ns: u64, probes: &mut Vec<Probe>) {
        let now_ms = now_ns / 1_000_000;
        let count = self.members.len();
        let from = self.next.min(count);
        for at in (from..count).chain(0..from) {
            if probes.len() >= MAX_PER_TURN || self.outstanding >= MAX_OUTSTANDING {
                self.next = at;
                return;
            }
            let due = |w: &&mut Watched| w.asked && w.sent.is_none() && w.due_ms <= now_ms;
            let Some(watched) = self.members.get_mut(at).filter(due) else {
                continue;
            };
            let member = table
                .pool(watched.pool)
                .and_then(|pool| pool.member(watched.place));
            let row = server.observed.member(usize::from(watched.slot));
            let Some((member, row)) = member.zip(row).filter(|(m, _)| m.id() == watched.id) else {
                continue;
            };
            let Some(probing) = self.pools.get(watched.pool).cloned().flatten() else {
                continue;
            };
            // 0 stands for no probe at all.
            self.number = self.number.checked_add(1).unwrap_or(1);
            watched.sent = Some(self.number);
            self.outstanding += 1;
            row.begin_probe(u32::from(self.number), now_ns);
            probes.push(probe_of(&member, probing, watched.token(self.number)));
        }
    }

    fn compare(&mut self, server: &Server, table: &Table, events: &mut Vec<Event>) {
        let now_s = crate::server::now();
        for watched in &mut self.members {
            let Some(pool) = table.pool(watched.pool) else {
                continue;
            };
            let Some(member) = pool.member(watched.place) else {
                continue;
            };
            let Some(row) = server.observed.member(member.slot()) else {
                continue;
            };
            let probing = watched.probed;
            let now = standing(&member, row, probing, now_s);
            let before = watched.standing.replace(now).unwrap_or(now);
            if before.0 == now.0 {
                continue;
            }
            // Who held it lets it go, and that is the reason why it is up.
            let reason = match now.0 {
                Standing::Up if before.0 != Standing::Pending || probing => before.1,
                _ => now.1,
            };
            let reason = match (before.0, now.0) {
                (Standing::Pending, Standing::Up) if probing => "probe",
                _ => reason,
            };
            if let Some(kind) = Kind::of(now.0) {
                let mut event =
                    Event::of_member(kind, pool.name(), &member, row, (before.0, reason));
                event.generation = table.generation();
                events.push(event);
            }
        }
    }

    /// The next number, spread over `u64` (xorshift64*, Vigna 2016).
    fn random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// The probe of a member: as its pool has it, unless the member says otherwise.
fn probe_of(member: &Member<'_>, probing: Arc<Probing>, token: Token) -> Probe {
    let or = |own: &[u8], else_: &[u8]| if own.is_empty() { else_ } else { own }.to_vec();
    // Its requests leave by its own socket, and so its probes do where nothing else is said.
    let of_pool = or(probing.socket.as_bytes(), member.socket());
    Probe {
        uri: member.uri().to_vec(),
        proxy: or(member.proxy(), probing.proxy.as_bytes()),
        from: or(member.probe_from(), probing.from.as_bytes()),
        socket: or(member.probe_socket(), &of_pool),
        probing,
        token,
    }
}

fn no_answer() -> Answer {
    Answer {
        code: NO_ANSWER,
        is_reply: false,
        report: kamscale_shm::health::Report::default(),
        latency_us: 0,
    }
}
