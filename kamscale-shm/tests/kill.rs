//! kill -9 between real processes, at random moments, on either side and on both: what loom cannot
//! see (invariant 4). The tables, counters and overrides must come through, and whoever is started
//! again goes on.
//!
//! The test binary starts itself: a *role* is a test that does nothing unless the environment
//! chooses it. `KAMSCALE_KILL_ROUNDS` makes it longer, `KAMSCALE_KILL_SEED` repeats the delays.

#![cfg(test)]

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::mem::offset_of;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kamscale_shm::hash::mix;
use kamscale_shm::layout::{DesiredFile, TableSlot};
use kamscale_shm::limits::TABLE_SLOTS;
use kamscale_shm::observed::add;
use kamscale_shm::rows::RowTable;
use kamscale_shm::spec::{DesiredState, MemberSpec, PoolSpec, TableSpec};
use kamscale_shm::{
    DesiredReader, Observed, Observer, Publisher, Refresh, ShmError, Snapshot, Table, encode,
    member_id, publication,
};

const INSTANCE: &str = "k";
const ROLE: &str = "KAMSCALE_KILL_ROLE";
const DIR: &str = "KAMSCALE_KILL_DIR";
/// How long anything that must come may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

// ---------------------------------------------------------------- random numbers

/// A seeded sequence (SplitMix64 with the project's own finaliser).
struct Draw(u64);

impl Draw {
    /// Seeded from the environment or the clock; says with what.
    fn announced(test: &str) -> Self {
        let chosen = std::env::var("KAMSCALE_KILL_SEED")
            .ok()
            .and_then(|s| s.parse().ok());
        let seed = chosen.unwrap_or_else(kamscale_shm::clock::monotonic_ns);
        println!("{test}: KAMSCALE_KILL_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(kamscale_shm::hash::STEP);
        mix(self.0) % limit
    }

    /// Spins or sleeps for a random time: this is the random moment itself.
    fn wait_up_to(&mut self, limit: Duration) {
        let nanos = u64::try_from(limit.as_nanos()).unwrap();
        let until = Instant::now() + Duration::from_nanos(self.below(nanos));
        while Instant::now() < until {
            std::thread::yield_now();
        }
    }
}

fn rounds(default: u64) -> u64 {
    std::env::var("KAMSCALE_KILL_ROUNDS")
        .ok()
        .and_then(|r| r.parse().ok())
        .unwrap_or(default)
}

/// Waits until `what` gives something.
fn await_some<T>(name: &str, mut what: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = what() {
            return value;
        }
        assert!(Instant::now() < end, "never came: {name}");
        std::thread::yield_now();
    }
}

// ---------------------------------------------------------------- processes

/// A process in one of the roles below. Without its parent it ends by itself (its input closes).
struct Process {
    role: &'static str,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(role: &'static str, dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", role, "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DIR, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            role,
            child,
            input,
            output,
        }
    }

    fn tell(&mut self, word: &str) {
        writeln!(self.input, "{word}").unwrap();
    }

    /// The numbers that the role reports now.
    fn ask(&mut self) -> Vec<u64> {
        self.tell("?");
        loop {
            let mut line = String::new();
            let bytes = self.output.read_line(&mut line).unwrap();
            assert!(
                bytes > 0,
                "{} ended by itself: see its panic above",
                self.role
            );
            if let Some((_, numbers)) = line.split_once("answer:") {
                return numbers
                    .split_whitespace()
                    .map(|n| n.parse().unwrap())
                    .collect();
            }
        }
    }

    /// kill -9; the role must have been alive until then.
    fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(
            status.signal(),
            Some(9),
            "{} ended by itself: {status}",
            self.role
        );
    }

    /// Lets it end in order, after a last report.
    fn end(mut self) -> Vec<u64> {
        let report = self.ask();
        drop(self.input);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{} failed: {status}", self.role);
        report
    }
}

/// What the parent wants of the role that runs here.
#[derive(Default)]
struct Orders {
    go: AtomicBool,
    stop: AtomicBool,
}

impl Orders {
    fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The directory, if this process was started in this role.
fn in_role(role: &str) -> Option<PathBuf> {
    (std::env::var(ROLE).ok()? == role).then(|| std::env::var_os(DIR).unwrap().into())
}

/// Listens to the parent beside the role's own work.
fn obey(report: impl Fn() -> Vec<u64> + Send + 'static) -> Arc<Orders> {
    let orders = Arc::new(Orders::default());
    let mine = Arc::clone(&orders);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            match line.as_deref() {
                Ok("?") => {
                    let numbers: Vec<String> = report().iter().map(u64::to_string).collect();
                    println!("\nanswer: {}", numbers.join(" "));
                }
                Ok("go") => mine.go.store(true, Ordering::Relaxed),
                _ => break,
            }
        }
        mine.stop.store(true, Ordering::Relaxed);
    });
    orders
}

// ---------------------------------------------------------------- tables

const RESIDENTS: usize = 8;

fn resident_id(number: usize) -> u64 {
    member_id("resident", &format!("r{number}"))
}

fn member(name: String, draw: &mut Draw, generation: u64) -> MemberSpec {
    let uri = format!(
        "sip:{name}.g{generation}.example:{}",
        1024 + draw.below(60_000)
    );
    let state = match draw.below(4) {
        0 => DesiredState::Draining,
        1 => DesiredState::Joining,
        _ => DesiredState::Active,
    };
    let capacity = u32::try_from(draw.below(1000)).unwrap();
    MemberSpec {
        name,
        uri,
        state,
        weight: 100,
        priority: 0,
        capacity,
    }
}

/// The table of a generation: known to who reads it, so that every word of it can be checked.
/// Pools in the order of their names.
fn table_of(generation: u64) -> TableSpec {
    let mut draw = Draw(generation.wrapping_mul(977));
    let mut pool = |name: String, hash_bits: u8, members: u64| {
        let members = (0..members).map(|m| member(format!("r{m}"), &mut draw, generation));
        PoolSpec {
            name,
            hash_bits,
            members: members.collect(),
        }
    };
    // Members that are always there: their slots and keys must never move.
    let mut residents = pool("resident".into(), 10, RESIDENTS as u64);
    residents
        .members
        .iter_mut()
        .for_each(|m| m.state = DesiredState::Active);
    let mut pools = vec![residents];
    for number in 0..mix(generation) % 5 {
        pools.push(pool(
            format!("v{number}"),
            10,
            mix(generation + number) % 16,
        ));
    }
    if (generation / 64).is_multiple_of(2) {
        // A long one, so that many kills come in the middle of its words; without weight, so that
        // its rows cost no time before.
        let mut wide = pool("wide".into(), 16, 3);
        wide.members.iter_mut().for_each(|m| m.weight = 0);
        pools.push(wide);
    }
    TableSpec { pools }
}

/// What one reader checks of everything it applies.
#[derive(Default)]
struct Checker {
    generation: u64,
    slots: HashMap<Vec<u8>, usize>,
    /// Owner of each row of the pool of residents.
    owners: Vec<u16>,
}

impl Checker {
    fn check(&mut self, table: &Table, generation: u64) {
        assert_eq!(
            table.generation(),
            generation,
            "another table than its generation's"
        );
        assert!(
            generation > self.generation,
            "{} then {generation}: back",
            self.generation
        );
        self.generation = generation;
        let mut read = table.to_spec();
        read.pools.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(
            read,
            table_of(generation),
            "not the table of generation {generation}"
        );
        self.check_slots(table);
        self.check_owners(table);
    }

    fn check_slots(&mut self, table: &Table) {
        let mut taken = HashSet::new();
        for slot in table
            .pools()
            .flat_map(|p| p.members().map(|m| m.slot()).collect::<Vec<_>>())
        {
            assert!(taken.insert(slot), "slot {slot} belongs to two members");
        }
        let pool = table.pool(table.pool_index(b"resident").unwrap()).unwrap();
        for member in pool.members() {
            let known = *self
                .slots
                .entry(member.name().to_vec())
                .or_insert(member.slot());
            assert_eq!(
                member.slot(),
                known,
                "the slot of a member that stayed moved"
            );
        }
        let known = *self
            .slots
            .entry(b"the pool".to_vec())
            .or_insert(pool.slot());
        assert_eq!(pool.slot(), known, "the slot of a pool that stayed moved");
    }

    fn check_owners(&mut self, table: &Table) {
        if self.owners.is_empty() {
            let pool = &table_of(1).pools[0];
            self.owners = RowTable::new(10, &encode::weighted(pool))
                .owners()
                .collect();
        }
        let pool = table.pool(table.pool_index(b"resident").unwrap()).unwrap();
        for row in (0..self.owners.len()).step_by(37) {
            let owner = pool.owner((row as u64) << 54, |_| true).unwrap();
            let expected = resident_id(usize::from(self.owners[row]));
            assert_eq!(owner.id(), expected, "a key of members that stayed moved");
        }
    }
}

// ---------------------------------------------------------------- roles

/// The agent: publishes as fast as it can, over whatever an earlier one left.
#[test]
fn role_publisher() {
    let Some(dir) = in_role("role_publisher") else {
        return;
    };
    let published = Arc::new(AtomicU64::new(0));
    let orders = obey({
        let published = Arc::clone(&published);
        move || vec![published.load(Ordering::Relaxed)]
    });
    let mut publisher = Publisher::open(&dir, INSTANCE).unwrap();
    if publisher.generation() > 0 {
        let mut found = publisher.published().unwrap().clone();
        found.pools.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(
            found,
            table_of(publisher.generation()),
            "not what the dead one published"
        );
    }
    let mut observer: Option<Observer> = None;
    while !orders.stop() {
        if !observer.as_ref().is_some_and(Observer::is_current) {
            observer = Observer::open(&dir, INSTANCE).ok();
        }
        if let Some(observer) = observer
            .as_ref()
            .filter(|_| publisher.generation().is_multiple_of(64))
        {
            publisher.learn(&observer.snapshot());
        }
        let next = publisher.generation() + 1;
        assert_eq!(publisher.publish(&table_of(next)).unwrap(), next);
        publisher.beat();
        published.store(next, Ordering::Relaxed);
    }
}

/// A Kamailio process that does nothing but apply and check tables.
#[test]
fn role_reader() {
    let Some(dir) = in_role("role_reader") else {
        return;
    };
    let counts: Arc<[AtomicU64; 3]> = Arc::default();
    let orders = obey({
        let counts = Arc::clone(&counts);
        move || counts.iter().map(|c| c.load(Ordering::Relaxed)).collect()
    });
    let mut reader = DesiredReader::new(dir.join("k.desired"));
    reader.reserve();
    let mut checker = Checker::default();
    let mut epoch = 1;
    while !orders.stop() {
        match reader.refresh(epoch) {
            Refresh::Applied(generation) => {
                checker.check(reader.table(), generation);
                add(&counts[0], generation - counts[0].load(Ordering::Relaxed));
                add(&counts[1], 1);
            }
            Refresh::Torn => add(&counts[2], 1),
            Refresh::Rejected(why) => panic!("a table that was published is refused: {why}"),
            // No file yet: look again. Then it stays that one file.
            Refresh::Unchanged if checker.generation == 0 => epoch += 1,
            Refresh::Unchanged => {}
        }
    }
}

/// Processes (here threads) of a Kamailio that count, each in its own row.
const COUNTERS: usize = 2;
/// Rows of members on which the operator's word is set all the time.
const OVERRIDDEN: std::ops::Range<usize> = 1000..1008;
/// A row that goes from one member to another all the time: the first has an override, the second
/// never had one.
const CHANGING: usize = 2000;

fn overridden_id(slot: usize) -> u64 {
    member_id("overridden", &format!("m{slot}"))
}

fn changing_ids() -> (u64, u64) {
    (
        member_id("changing", "with"),
        member_id("changing", "without"),
    )
}

/// Kamailio: owns the observed file and, once told to go, counts and overrides without end.
#[test]
fn role_kamailio() {
    let Some(dir) = in_role("role_kamailio") else {
        return;
    };
    let applied = Arc::new(AtomicU64::new(0));
    let orders = obey({
        let applied = Arc::clone(&applied);
        move || vec![applied.load(Ordering::Relaxed)]
    });
    let features = ["calls".to_owned(), "registrations".to_owned()];
    // The lock of a killed one is free.
    let observed = Observed::create(&dir, INSTANCE, &features).unwrap();
    while !orders.go.load(Ordering::Relaxed) && !orders.stop() {
        std::thread::yield_now();
    }
    std::thread::scope(|scope| {
        for process in 0..COUNTERS {
            let (observed, orders) = (&observed, &orders);
            scope.spawn(move || count_without_end(observed, process, orders));
        }
        scope.spawn(|| apply_without_end(&observed, &applied, &orders));
        override_without_end(&observed, &orders);
    });
    observed.close();
}

/// Every round adds 1 to `applied`, 1 and 2 to the features, 1 to the pool, and one call that ends,
/// in this order: so a dead one's counters can be checked against each other.
fn count_without_end(observed: &Observed, process: usize, orders: &Orders) {
    let row = observed.process(process).unwrap();
    row.pid.store(std::process::id(), Ordering::Release);
    for round in 0.. {
        if orders.stop() {
            return;
        }
        add(&row.applied, 1);
        add(&row.features.0[0], 1);
        add(&row.features.0[1], 2);
        add(&row.pools[0].selected, 1);
        let slot = round % RESIDENTS;
        let member = observed.member(slot).unwrap();
        member.claim(resident_id(slot));
        member.calls.fetch_add(1, Ordering::Relaxed);
        member.calls_total.fetch_add(1, Ordering::Relaxed);
        member.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

fn override_without_end(observed: &Observed, orders: &Orders) {
    let words = [
        None,
        Some(DesiredState::Draining),
        Some(DesiredState::Disabled),
    ];
    let (with, without) = changing_ids();
    let row = observed.member(CHANGING).unwrap();
    for round in 0.. {
        if orders.stop() {
            return;
        }
        let slot = OVERRIDDEN.start + round % OVERRIDDEN.len();
        let target = observed.member(slot).unwrap();
        target.set_override(
            overridden_id(slot),
            words[round / OVERRIDDEN.len() % words.len()],
        );
        row.set_override(with, Some(DesiredState::Disabled));
        row.claim(without);
    }
}

/// The timer's look at the agent's file, and a worker that applies what is there.
fn apply_without_end(observed: &Observed, applied: &AtomicU64, orders: &Orders) {
    let mut reader = DesiredReader::new(observed.desired_path().to_path_buf());
    reader.reserve();
    let mut checker = Checker::default();
    let mut known = None;
    for round in 0_u64.. {
        if orders.stop() {
            return;
        }
        if round.is_multiple_of(64) {
            observed.beat(round);
            known = observed.look_for_desired(known);
        }
        match reader.refresh(observed.server().desired_epoch.load(Ordering::Acquire)) {
            Refresh::Applied(generation) => {
                checker.check(reader.table(), generation);
                applied.store(generation, Ordering::Relaxed);
            }
            Refresh::Rejected(why) => panic!("a table that was published is refused: {why}"),
            Refresh::Torn | Refresh::Unchanged => std::thread::yield_now(),
        }
    }
}

// ---------------------------------------------------------------- the desired file from outside

/// The desired file as plain bytes, read past the code under test.
struct Raw(File);

impl Raw {
    fn of(dir: &Path) -> Option<Self> {
        File::open(dir.join("k.desired")).ok().map(Self)
    }

    fn word(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, at as u64).unwrap();
        u64::from_ne_bytes(bytes)
    }

    fn generation(&self) -> u64 {
        self.word(offset_of!(DesiredFile, generation))
    }

    fn stamp(&self, generation: u64) -> u64 {
        let slot = publication::slot_of(generation, TABLE_SLOTS);
        self.word(offset_of!(DesiredFile, slots) + slot * size_of::<TableSlot>())
    }

    /// Whether a publication was begun and not finished.
    fn is_half_way(&self) -> bool {
        let generation = self.generation();
        self.stamp(generation + 1) > 2 * generation
    }

    fn identity(&self) -> u64 {
        self.0.metadata().unwrap().ino()
    }
}

#[derive(Debug, Default)]
struct Killed {
    publishers: u64,
    while_starting: u64,
    half_way: u64,
    kamailios: u64,
    generation: u64,
}

/// Kills a publisher at a random moment of its start, of its work, or (most often) in the middle of
/// a publication, and checks what it leaves.
fn kill_publisher(publisher: Process, raw: &Raw, draw: &mut Draw, killed: &mut Killed) {
    let before = raw.generation();
    match draw.below(4) {
        0 => draw.wait_up_to(Duration::from_millis(12)),
        1 => {
            await_some("a newer generation", || {
                (raw.generation() > before).then_some(())
            });
            draw.wait_up_to(Duration::from_millis(20));
        }
        _ => {
            let wanted = before + 1 + draw.below(8);
            // A fast machine may be half-way too shortly to be seen: any moment then.
            await_some("a publication to interrupt", || {
                let generation = raw.generation();
                let seen = generation >= wanted && raw.is_half_way();
                (seen || generation > wanted + 64).then_some(())
            });
            draw.wait_up_to(Duration::from_micros(100));
        }
    }
    publisher.kill();
    killed.publishers += 1;
    killed.while_starting += u64::from(raw.generation() == before);
    killed.half_way += u64::from(raw.is_half_way());
    killed.generation = raw.generation();
    assert!(killed.generation >= before, "the generation went back");
}

#[test]
fn a_publisher_killed_at_any_moment_leaves_whole_tables_and_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut draw = Draw::announced("publisher killed");
    let mut readers = [(); 2].map(|()| Process::start("role_reader", dir.path()));
    let mut publisher = Process::start("role_publisher", dir.path());
    let raw = await_some("the first table", || {
        Raw::of(dir.path()).filter(|raw| raw.generation() > 0)
    });
    let mut killed = Killed::default();
    for _ in 0..rounds(48) {
        kill_publisher(publisher, &raw, &mut draw, &mut killed);
        publisher = Process::start("role_publisher", dir.path());
        if draw.below(2) == 0 {
            for reader in &mut readers {
                await_some("a newer generation at a reader after a restart", || {
                    (reader.ask()[0] > killed.generation).then_some(())
                });
            }
        }
    }
    for reader in &mut readers {
        await_some(
            "a newer generation at a reader after the last restart",
            || (reader.ask()[0] > killed.generation).then_some(()),
        );
    }
    let file = Raw::of(dir.path()).unwrap().identity();
    assert_eq!(
        file,
        raw.identity(),
        "a restart made a new file, and so forgot the table"
    );
    publisher.end();
    println!("{killed:?}; generation {} at the end", raw.generation());
    for reader in readers {
        let report = reader.end();
        println!(
            "a reader: {} tables applied and checked, {} torn",
            report[1], report[2]
        );
    }
}

// ---------------------------------------------------------------- the observed file from outside

/// What an agent sees over many lives of Kamailio.
#[derive(Default)]
struct Watcher {
    boots: HashSet<u64>,
    observer: Option<Observer>,
    last: Option<Snapshot>,
    overrides: Vec<(u32, Option<DesiredState>)>,
    snapshots: u64,
}

impl Watcher {
    /// Looks at the file as an agent does: reopens it if it was replaced, and checks the growth.
    fn look(&mut self, dir: &Path) -> Option<&Snapshot> {
        if !self.observer.as_ref().is_some_and(Observer::is_current) {
            if let Some(old) = self.observer.take() {
                assert!(old.snapshot().closed, "a replaced file does not say so");
            }
            self.observer = match Observer::open(dir, INSTANCE) {
                Ok(new) => Some(new),
                Err(ShmError::Missing(_)) => None,
                Err(other) => panic!("a file in place is not whole: {other}"),
            };
        }
        let now = self.observer.as_ref()?.snapshot();
        if let Some(last) = self.last.as_ref().filter(|l| l.boot_id == now.boot_id) {
            assert_grown(last, &now);
        } else {
            assert!(self.boots.insert(now.boot_id), "a boot id came again");
        }
        let (_, without) = changing_ids();
        let wrong = now
            .members
            .iter()
            .find(|m| m.id == without && m.override_state.is_some());
        assert_eq!(
            wrong, None,
            "an override passed to the next member of its slot"
        );
        self.snapshots += 1;
        self.last = Some(now);
        self.last.as_ref()
    }

    /// The dead one's file: its counters agree with each other; its overrides are to be kept.
    fn after_death(&mut self, dir: &Path) {
        let Some(dead) = self.look(dir).cloned() else {
            return;
        };
        let counters = COUNTERS as u64;
        let begun: u64 = dead.workers.iter().map(|w| w.applied).sum();
        let total: u64 = dead.members.iter().map(|m| m.calls_total).sum();
        let selected = dead.pools.first().map_or(0, |p| p.selected);
        for (what, is) in [
            ("features[0]", dead.features[0].requests),
            ("features[1]", dead.features[1].requests.div_ceil(2)),
            ("pools[0]", selected),
            ("calls_total", total),
        ] {
            assert!(
                is <= begun && is + counters >= begun,
                "{what}: {is} of {begun} rounds"
            );
        }
        let calls: u64 = dead.members.iter().map(|m| u64::from(m.calls)).sum();
        assert!(calls <= counters, "{calls} calls, more than there can be");
        self.overrides = overrides_of(&dead);
    }

    /// A new life has the overrides of the one before, and no counts.
    fn after_birth(&mut self, dir: &Path) {
        let old = self.last.as_ref().map(|s| s.boot_id);
        await_some("a file of the new Kamailio", || {
            self.look(dir)
                .filter(|now| Some(now.boot_id) != old)
                .map(|_| ())
        });
        let born = self.last.as_ref().unwrap();
        assert!(!born.closed, "a new file that says it is old");
        assert_eq!(
            overrides_of(born),
            self.overrides,
            "the operator's word was lost"
        );
        assert!(born.features.iter().all(|f| f.requests == 0) && born.workers.is_empty());
    }
}

fn overrides_of(snapshot: &Snapshot) -> Vec<(u32, Option<DesiredState>)> {
    let set = snapshot
        .members
        .iter()
        .filter(|m| m.override_state.is_some());
    set.map(|m| (m.slot, m.override_state)).collect()
}

fn assert_grown(before: &Snapshot, after: &Snapshot) {
    for (old, new) in before.features.iter().zip(&after.features) {
        assert!(
            old.requests <= new.requests,
            "requests went back: {old:?}, {new:?}"
        );
    }
    for (old, new) in before.pools.iter().zip(&after.pools) {
        assert!(
            old.selected <= new.selected,
            "selections went back: {old:?}, {new:?}"
        );
    }
    for old in &before.members {
        let new = after.members.iter().find(|m| m.slot == old.slot).unwrap();
        assert!(
            old.calls_total <= new.calls_total,
            "calls went back: {old:?}, {new:?}"
        );
    }
}

/// One life of Kamailio that ends by kill -9: while starting, or while it counts.
fn live_and_die(dir: &Path, watcher: &mut Watcher, draw: &mut Draw) {
    let mut kamailio = Process::start("role_kamailio", dir);
    if draw.below(4) == 0 {
        draw.wait_up_to(Duration::from_millis(12));
    } else {
        watcher.after_birth(dir);
        kamailio.tell("go");
        let until = Instant::now() + Duration::from_micros(draw.below(40_000));
        while Instant::now() < until {
            watcher.look(dir);
        }
    }
    kamailio.kill();
    watcher.after_death(dir);
}

#[test]
fn a_kamailio_killed_at_any_moment_leaves_right_counters_and_the_operators_word() {
    let dir = tempfile::tempdir().unwrap();
    let mut draw = Draw::announced("kamailio killed");
    let mut watcher = Watcher::default();
    let lives = rounds(48);
    for _ in 0..lives {
        live_and_die(dir.path(), &mut watcher, &mut draw);
    }
    let kamailio = Process::start("role_kamailio", dir.path());
    watcher.after_birth(dir.path());
    kamailio.end();
    let last = watcher.look(dir.path()).unwrap();
    assert!(last.closed, "one that ended in order does not say so");
    let (boots, snapshots) = (watcher.boots.len(), watcher.snapshots);
    println!("{lives} kills, {boots} boot ids, {snapshots} snapshots");
}

#[test]
fn both_sides_killed_at_any_moment_find_each_other_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut draw = Draw::announced("both killed");
    let (mut watcher, mut killed) = (Watcher::default(), Killed::default());
    let mut publisher = Process::start("role_publisher", dir.path());
    let raw = await_some("the first table", || {
        Raw::of(dir.path()).filter(|raw| raw.generation() > 0)
    });
    for _ in 0..rounds(30) {
        let mut kamailio = Process::start("role_kamailio", dir.path());
        watcher.after_birth(dir.path());
        kamailio.tell("go");
        let (first, both) = (draw.below(2) == 0, draw.below(3) == 0);
        if first || both {
            kill_publisher(publisher, &raw, &mut draw, &mut killed);
            if !both {
                // Kamailio goes on by the last table; the next agent is heard.
                publisher = Process::start("role_publisher", dir.path());
                await_some("the next agent's table in Kamailio", || {
                    (kamailio.ask()[0] > killed.generation).then_some(())
                });
            } else {
                publisher = Process::start("role_publisher", dir.path());
            }
        } else {
            await_some("the agent's table in a new Kamailio", || {
                (kamailio.ask()[0] > 0).then_some(())
            });
        }
        draw.wait_up_to(Duration::from_millis(10));
        kamailio.kill();
        killed.kamailios += 1;
        watcher.after_death(dir.path());
        assert_resident_rows(watcher.last.as_ref().unwrap());
    }
    publisher.end();
    let (boots, end) = (watcher.boots.len(), raw.generation());
    println!(
        "{killed:?}; {boots} boot ids, {} snapshots, generation {end}",
        watcher.snapshots
    );
}

/// Counts of a member stand in the slot that the agent gave it, whoever was killed.
fn assert_resident_rows(dead: &Snapshot) {
    for row in dead
        .members
        .iter()
        .filter(|m| (m.slot as usize) < RESIDENTS)
    {
        assert_eq!(
            row.id,
            resident_id(row.slot as usize),
            "slot {} changed hands",
            row.slot
        );
    }
}
