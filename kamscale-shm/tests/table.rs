//! Tables through the real files: what is published is what is read, compared with a plain model;
//! and any bytes at all are refused without harm.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kamscale_shm::spec::{DesiredState, MemberSpec, PoolSpec, TableSpec};
use kamscale_shm::{DesiredReader, Observed, Publisher, Refresh, Table, xxh3};
use kamscale_shm::{MemberOptions, PoolOptions, ProbeOptions};
use proptest::prelude::*;

fn member(name: &str, state: DesiredState, weight: u16, capacity: u32) -> MemberSpec {
    let number = xxh3(name.as_bytes()) % 200 + 1;
    MemberSpec {
        name: name.to_owned(),
        uri: format!("sip:10.0.{}.{}:5060", number, number),
        state,
        weight,
        priority: u16::from(weight > 100),
        capacity,
        options: member_options(name, capacity),
    }
}

/// Of every fourth member nothing, of the others some, of some everything.
fn member_options(name: &str, number: u32) -> MemberOptions {
    let text = |of: u32, text: &str| match number % 4 {
        0 => String::new(),
        rest if rest == of || rest == 3 => format!("{text}{name}"),
        _ => String::new(),
    };
    MemberOptions {
        socket: text(1, "udp:10.0.0.1:"),
        attributes: text(2, "site=fra;name="),
        proxy: text(1, "sip:proxy."),
        probe: number % 8 != 2,
        probe_from: text(2, "sip:from@"),
        probe_socket: text(1, "socket-"),
    }
}

/// Of one pool nothing, of the others something; each overflows into the first of those before it.
fn pool_options(number: usize, before: Option<&String>) -> PoolOptions {
    let n = u32::try_from(number).unwrap();
    if n == 0 {
        return PoolOptions::default();
    }
    PoolOptions {
        slow_start_s: n * 7,
        respect_capacity: n % 2 == 1,
        overflow: before.cloned().unwrap_or_default(),
        panic_threshold: (n % 3 != 0).then_some(100),
        probe: ProbeOptions {
            interval_ms: (n % 2 == 0).then_some(n % 4 * 500),
            jitter_percent: (n % 3 == 1).then_some(0),
            timeout_ms: (n % 4 == 1).then_some(900),
            failures: (n % 2 == 1).then_some(1000),
            successes: (n % 3 == 2).then_some(1000),
            method: if n % 2 == 1 { "INFO" } else { "" }.to_owned(),
            from: if n % 3 == 1 { "sip:me@x" } else { "" }.to_owned(),
            socket: if n % 4 == 1 { "tls:[::1]:5061" } else { "" }.to_owned(),
            codes: if n % 2 == 0 { "2xx;404" } else { "" }.to_owned(),
        },
    }
}

fn state() -> impl Strategy<Value = DesiredState> {
    prop_oneof![
        4 => Just(DesiredState::Active),
        1 => Just(DesiredState::Draining),
        1 => Just(DesiredState::Joining),
        1 => Just(DesiredState::Disabled),
    ]
}

/// Pools of members by name: the plain model.
fn model() -> impl Strategy<Value = BTreeMap<String, BTreeMap<String, (DesiredState, u16, u32)>>> {
    let member = (state(), 0_u16..300, 0_u32..50);
    let pool = proptest::collection::btree_map("m[0-9]{1,2}", member, 0..12);
    proptest::collection::btree_map("p[0-9]", pool, 0..6)
}

fn spec_of(model: &BTreeMap<String, BTreeMap<String, (DesiredState, u16, u32)>>) -> TableSpec {
    type Members = BTreeMap<String, (DesiredState, u16, u32)>;
    let first = model.keys().next();
    let pool = |(number, (name, members)): (usize, (&String, &Members))| PoolSpec {
        name: name.clone(),
        hash_bits: 10,
        members: members
            .iter()
            .map(|(n, (s, w, c))| member(n, *s, *w, *c))
            .collect(),
        options: pool_options(number, first),
    };
    TableSpec {
        pools: model.iter().enumerate().map(pool).collect(),
    }
}

fn owners(table: &Table, pool: &str) -> Vec<Option<u64>> {
    let Some(index) = table.pool_index(pool.as_bytes()) else {
        return Vec::new();
    };
    let pool = table.pool(index).unwrap();
    (0..300_u64)
        .map(|k| {
            pool.owner(xxh3(&k.to_le_bytes()), |m| m.is_active())
                .map(|m| m.id())
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_is_published_is_what_is_read(steps in proptest::collection::vec(model(), 1..6)) {
        let dir = tempfile::tempdir().unwrap();
        let mut publisher = Publisher::open(dir.path(), "t").unwrap();
        let mut reader = DesiredReader::new(dir.path().join("t.desired"));
        let mut slots: BTreeMap<(String, String), u32> = BTreeMap::new();
        for (step, model) in steps.iter().enumerate() {
            let spec = spec_of(model);
            let generation = publisher.publish(&spec).unwrap();
            prop_assert_eq!(generation, step as u64 + 1);
            prop_assert_eq!(reader.refresh(1), Refresh::Applied(generation));
            prop_assert_eq!(reader.refresh(1), Refresh::Unchanged);
            let mut read = reader.table().to_spec();
            read.pools.sort_by(|a, b| a.name.cmp(&b.name));
            prop_assert_eq!(&read, &spec);
            let mut now = BTreeMap::new();
            for pool in reader.table().pools() {
                let name = String::from_utf8(pool.name().to_vec()).unwrap();
                let active = pool.members().filter(|m| m.is_active()).count();
                prop_assert_eq!(pool.active_len(), active);
                for position in 0..active {
                    prop_assert!(pool.active(position).unwrap().is_active());
                }
                for number in [0, u64::MAX / 3, u64::MAX / 2, u64::MAX] {
                    prop_assert_eq!(pool.weighted(number).is_some(), active > 0);
                    prop_assert!(pool.weighted(number).is_none_or(|m| m.is_active()));
                }
                let takes = pool.members().any(|m| m.live() > 0);
                prop_assert!(owners(reader.table(), &name).iter().all(|o| o.is_some() == takes));
                for m in pool.members() {
                    let key = (name.clone(), String::from_utf8(m.name().to_vec()).unwrap());
                    let slot = publisher.slot(&key.0, &key.1).unwrap();
                    prop_assert_eq!(slot as usize, m.slot());
                    prop_assert_eq!(*slots.get(&key).unwrap_or(&slot), slot, "a slot moved");
                    now.insert(key, slot);
                }
            }
            slots = now;
        }
        // An agent that comes back finds all of it.
        drop(publisher);
        let publisher = Publisher::open(dir.path(), "t").unwrap();
        prop_assert_eq!(publisher.generation(), steps.len() as u64);
        for ((pool, name), slot) in slots {
            prop_assert_eq!(publisher.slot(&pool, &name), Some(slot));
        }
    }

    #[test]
    fn a_change_in_one_pool_moves_no_key_of_another(
        before in model(), name in "p[0-9]", after in proptest::collection::btree_map(
            "m[0-9]{1,2}", (state(), 0_u16..300, 0_u32..50), 0..12)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut publisher = Publisher::open(dir.path(), "t").unwrap();
        let mut reader = DesiredReader::new(dir.path().join("t.desired"));
        publisher.publish(&spec_of(&before)).unwrap();
        reader.refresh(1);
        let was: BTreeMap<_, _> =
            before.keys().map(|p| (p.clone(), owners(reader.table(), p))).collect();
        let mut changed = before.clone();
        changed.insert(name.clone(), after);
        publisher.publish(&spec_of(&changed)).unwrap();
        reader.refresh(1);
        for (pool, owners_before) in was {
            if pool != name {
                prop_assert_eq!(owners(reader.table(), &pool), owners_before);
            }
        }
    }

    #[test]
    fn any_bytes_in_the_table_are_refused_or_harmless(
        model in model(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 1..8),
        honest_checksum in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut publisher = Publisher::open(dir.path(), "t").unwrap();
        publisher.publish(&spec_of(&model)).unwrap();
        let mut reader = DesiredReader::new(dir.path().join("t.desired"));
        reader.refresh(1);
        let mut words = reader.into_table().into_words();
        let length = usize::try_from(words[1]).unwrap();
        for (at, value) in damage {
            words[at.index(length)] = value;
        }
        if honest_checksum {
            // Whoever computes the checksum right is still not believed.
            words[2] = kamscale_shm::checksum::of(&words[kamscale_shm::encode::CHECKED_FROM..length]);
        }
        if let Ok(table) = Table::adopt(words, length) {
            let spec = table.to_spec();
            for pool in &spec.pools {
                owners(&table, &pool.name);
            }
            for pool in table.pools() {
                let names = (0..pool.active_len()).filter_map(|i| pool.active(i)).map(|m| m.name().len());
                prop_assert!(names.sum::<usize>() < 16 * 64);
                for number in [0, u64::MAX / 2, u64::MAX] {
                    prop_assert!(pool.weighted(number).is_none_or(|m| m.uri().len() < 256));
                }
                prop_assert!(pool.members().all(|m| m.host_port().len() < 256 && m.address().is_none_or(|_| true)));
                let mut next = Some(pool);
                let steps = std::iter::from_fn(|| {
                    next = next?.overflow().and_then(|i| table.pool(i));
                    next
                });
                prop_assert!(steps.count() <= kamscale_shm::limits::MAX_OVERFLOWS, "a chain without end");
            }
            table.members_at("10.0.1.1".parse().unwrap()).for_each(drop);
        }
    }

    #[test]
    fn any_bytes_as_a_file_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..9000)) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("t.desired"), &bytes).unwrap();
        fs::write(dir.path().join("t.observed"), &bytes).unwrap();
        let mut reader = DesiredReader::new(dir.path().join("t.desired"));
        prop_assert_eq!(reader.refresh(1), Refresh::Unchanged);
        prop_assert!(kamscale_shm::Observer::open(dir.path(), "t").is_err());
        let observed = Observed::create(dir.path(), "t", &[]).unwrap();
        prop_assert_eq!(observed.look_for_desired(None), None);
        let publisher = Publisher::open(dir.path(), "t").unwrap();
        prop_assert_eq!(publisher.generation(), 0);
    }
}

fn one_pool(members: usize) -> TableSpec {
    let members = (0..members).map(|i| member(&format!("m{i}"), DesiredState::Active, 100, 10));
    TableSpec {
        pools: vec![PoolSpec {
            name: "p".into(),
            hash_bits: 12,
            members: members.collect(),
            options: Default::default(),
        }],
    }
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .write_all_at(bytes, at)
        .unwrap();
}

#[test]
fn a_file_cut_short_under_a_reader_leaves_it_alive_with_its_table() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.desired");
    let mut publisher = Publisher::open(dir.path(), "t").unwrap();
    publisher.publish(&one_pool(4)).unwrap();
    let mut reader = DesiredReader::new(path.clone());
    assert_eq!(reader.refresh(1), Refresh::Applied(1));
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(0)
        .unwrap();
    assert_eq!(
        reader.refresh(1),
        Refresh::Unchanged,
        "SIGBUS was not answered"
    );
    assert_eq!(reader.table().member_count(), 4);
    // The agent makes the file anew; the next epoch shows it.
    assert_eq!(publisher.publish(&one_pool(5)).unwrap(), 2);
    assert_eq!(reader.refresh(2), Refresh::Applied(2));
    assert_eq!(reader.table().member_count(), 5);
}

#[test]
fn a_table_damaged_in_place_is_refused_and_the_next_one_taken() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.desired");
    let mut publisher = Publisher::open(dir.path(), "t").unwrap();
    publisher.publish(&one_pool(4)).unwrap();
    let mut reader = DesiredReader::new(path.clone());
    reader.refresh(1);
    publisher.publish(&one_pool(3)).unwrap();
    let slot = std::mem::offset_of!(kamscale_shm::layout::DesiredFile, slots)
        + 2 * size_of::<kamscale_shm::layout::TableSlot>();
    overwrite(&path, slot as u64 + 16 + 40, &[0xff; 64]);
    assert!(matches!(reader.refresh(1), Refresh::Rejected(_)));
    assert_eq!(
        reader.refresh(1),
        Refresh::Unchanged,
        "one bad table is refused once"
    );
    assert_eq!(reader.table().member_count(), 4);
    publisher.publish(&one_pool(6)).unwrap();
    assert_eq!(reader.refresh(1), Refresh::Applied(3));
}

#[test]
fn another_layout_version_is_named_on_both_sides() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.desired");
    drop(Publisher::open(dir.path(), "t").unwrap());
    overwrite(&path, 8, &9_u32.to_le_bytes());
    let mut reader = DesiredReader::new(path);
    assert_eq!(reader.refresh(1), Refresh::Unchanged);
    let observed = Observed::create(dir.path(), "t", &[]).unwrap();
    assert_eq!(observed.look_for_desired(None), None);
    drop(observed);
    overwrite(&dir.path().join("t.observed"), 8, &9_u32.to_le_bytes());
    let error = kamscale_shm::Observer::open(dir.path(), "t")
        .unwrap_err()
        .to_string();
    let needed = format!("needs {}.", kamscale_shm::layout::MAJOR);
    assert!(
        error.contains("layout 9.") && error.contains(&needed),
        "{error}"
    );
}

#[test]
fn a_second_owner_of_either_side_is_refused_and_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let observed = Observed::create(dir.path(), "t", &["conference".into()]).unwrap();
    let mut publisher = Publisher::open(dir.path(), "t").unwrap();
    publisher.publish(&one_pool(2)).unwrap();
    let second = Observed::create(dir.path(), "t", &[])
        .unwrap_err()
        .to_string();
    assert!(
        second.contains("another process") && second.contains("instance"),
        "{second}"
    );
    assert!(Publisher::open(dir.path(), "t").is_err());
    let observer = kamscale_shm::Observer::open(dir.path(), "t").unwrap();
    assert_eq!(observer.snapshot().features.len(), 1);
    drop(observed);
    drop(publisher);
    Observed::create(dir.path(), "t", &[]).unwrap();
    assert!(
        !observer.is_current() && observer.snapshot().closed,
        "the old file says it is old"
    );
}

#[test]
fn the_operators_word_outlives_a_restart_of_kamailio() {
    let dir = tempfile::tempdir().unwrap();
    let id = kamscale_shm::member_id("p", "m1");
    let observed = Observed::create(dir.path(), "t", &[]).unwrap();
    observed
        .member(3)
        .unwrap()
        .set_override(id, Some(DesiredState::Draining));
    observed
        .member(3)
        .unwrap()
        .calls
        .store(7, core::sync::atomic::Ordering::Relaxed);
    drop(observed);
    let observed = Observed::create(dir.path(), "t", &[]).unwrap();
    let row = observed.member(3).unwrap();
    assert_eq!(row.override_of(id), Some(DesiredState::Draining));
    assert_eq!(row.calls_of(id), 0, "the calls went with the old Kamailio");
    row.claim(kamscale_shm::member_id("p", "other"));
    assert!(
        row.is_usable(id, false, || 0) && row.override_of(id).is_none(),
        "a new owner of the slot"
    );
}

#[test]
fn a_publisher_sees_that_its_table_was_damaged_and_publishing_again_mends_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.desired");
    let mut publisher = Publisher::open(dir.path(), "t").unwrap();
    publisher.publish(&one_pool(4)).unwrap();
    let damages: [&dyn Fn(); 4] = [
        &|| fs::remove_file(&path).unwrap(),
        &|| cut(&path),
        &|| overwrite(&path, 128, &[0xff; 8]),
        &|| (0..5).for_each(|slot| overwrite(&path, 4096 + slot * (16 << 20), &[7; 9000])),
    ];
    for (number, damage) in damages.iter().enumerate() {
        assert!(publisher.is_in_force());
        damage();
        assert!(!publisher.is_in_force(), "damage {number} was not seen");
        let generation = publisher.publish(&one_pool(4)).unwrap();
        let mut reader = DesiredReader::new(path.clone());
        assert_eq!(
            reader.refresh(1),
            Refresh::Applied(generation),
            "damage {number}"
        );
    }
}

fn cut(path: &Path) {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(5000)
        .unwrap();
}
