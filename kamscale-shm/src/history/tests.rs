//! Differences are found, and come back from their words.

use super::*;
use crate::desired::{DesiredReader, Refresh};
use crate::limits::HISTORY_SLOTS;
use crate::publisher::Publisher;
use crate::spec::DesiredState;

fn member(name: &str) -> MemberSpec {
    MemberSpec {
        name: name.to_owned(),
        uri: format!("sip:{name}.example"),
        state: DesiredState::Active,
        weight: 100,
        priority: 0,
        capacity: 20,
        options: Default::default(),
    }
}

fn table(pools: &[(&str, &[&str])]) -> TableSpec {
    let pool = |(name, members): &(&str, &[&str])| PoolSpec {
        name: (*name).to_owned(),
        hash_bits: 10,
        members: members.iter().map(|m| member(m)).collect(),
        options: Default::default(),
    };
    TableSpec {
        pools: pools.iter().map(pool).collect(),
    }
}

fn shown(changes: &[Change]) -> Vec<String> {
    let one = |c: &Change| {
        let what = c.what.name();
        format!("{}/{} {what} {} {}", c.pool, c.member, c.from, c.to)
    };
    changes.iter().map(one).collect()
}

#[test]
fn the_same_table_in_another_order_has_no_changes() {
    let one = table(&[("a", &["m", "n"]), ("b", &["m"])]);
    assert_eq!(changes(&one, &one), []);
    let other = table(&[("b", &["m"]), ("a", &["n", "m"])]);
    assert_eq!(changes(&one, &other), []);
}

#[test]
fn every_kind_of_change_is_found() {
    let before = table(&[("a", &["m", "n"]), ("b", &["x"]), ("old", &["y"])]);
    let mut after = table(&[("b", &["x"]), ("a", &["m", "o"]), ("new", &["z"])]);
    after.pools[0].hash_bits = 12;
    let changed = &mut after.pools[1].members[0];
    changed.state = DesiredState::Draining;
    changed.weight = 50;
    changed.priority = 7;
    changed.capacity = 30;
    changed.uri = "sip:elsewhere".to_owned();
    changed.options.socket = "side".to_owned();
    changed.options.attributes = "a=1".to_owned();
    changed.options.proxy = "sip:proxy".to_owned();
    (changed.options.probe, changed.options.probe_from) = (false, "sip:me@x".to_owned());
    let options = &mut after.pools[0].options;
    (options.slow_start_s, options.respect_capacity) = (30, true);
    (options.overflow, options.panic_threshold) = ("a".to_owned(), Some(20));
    (options.probe.interval_ms, options.probe.codes) = (Some(500), "2xx".to_owned());
    assert_eq!(
        shown(&changes(&before, &after)),
        [
            "b/ hash_bits 10 12",
            "b/ slow_start_s 0 30",
            "b/ respect_capacity off on",
            "b/ overflow  a",
            "b/ panic_threshold  20",
            "b/ probe  interval_ms=500 codes=2xx",
            "a/m state active draining",
            "a/m weight 100 50",
            "a/m priority 0 7",
            "a/m capacity 20 30",
            "a/m uri sip:m.example sip:elsewhere",
            "a/m socket  side",
            "a/m attributes  a=1",
            "a/m proxy  sip:proxy",
            "a/m probe on off from=sip:me@x",
            "a/o member_added  sip:o.example",
            "a/n member_removed sip:n.example ",
            "new/ pool_added  ",
            "new/z member_added  sip:z.example",
            "old/ pool_removed  ",
        ]
    );
}

#[test]
fn a_pool_that_only_went_is_told() {
    let before = table(&[("a", &["m"]), ("b", &["m"])]);
    let after = table(&[("b", &["m"])]);
    assert_eq!(shown(&changes(&before, &after)), ["a/ pool_removed  "]);
    assert_eq!(changes(&after, &before).len(), 2);
}

#[test]
fn what_does_not_fit_is_counted_and_the_rest_comes_back() {
    let names: Vec<String> = (0..500).map(|n| format!("member-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = changes(&TableSpec::default(), &table(&[("a", &names)]));
    let words = encode(1_700_000_000, &all);
    assert!(words.len() <= HISTORY_WORDS, "{} words", words.len());
    let found = decode(7, &words).unwrap();
    assert_eq!(
        (found.generation, found.time_s, found.total),
        (7, 1_700_000_000, 501)
    );
    assert!(found.changes.len() > 50, "{} changes", found.changes.len());
    assert_eq!(found.changes, all[..found.changes.len()]);
}

#[test]
fn words_that_are_no_record_are_none() {
    for words in [&[][..], &[0], &[u64::MAX; 9], &[0x0a31_0931_3131; 3]] {
        assert_eq!(decode(1, words), None, "{words:x?}");
    }
}

#[test]
fn a_reader_sees_the_last_publications_newest_first_also_after_a_new_publisher() {
    let dir = tempfile::tempdir().unwrap();
    let mut reader = DesiredReader::new(dir.path().join("t.desired"));
    let mut publisher = Publisher::open(dir.path(), "t").unwrap();
    let count = HISTORY_SLOTS as u64 + 5;
    for n in 1..=count {
        if n == 20 {
            drop(publisher);
            publisher = Publisher::open(dir.path(), "t").unwrap();
        }
        let mut spec = table(&[("a", &["m"])]);
        spec.pools[0].members[0].capacity = u32::try_from(n).unwrap();
        publisher.publish(&spec).unwrap();
    }
    assert_eq!(reader.refresh(1), Refresh::Applied(count));
    let found = reader.publications(usize::MAX);
    let generations: Vec<u64> = found.iter().map(|p| p.generation).collect();
    let wanted: Vec<u64> = (count + 1 - HISTORY_SLOTS as u64..=count).rev().collect();
    assert_eq!(generations, wanted);
    for publication in &found {
        let n = publication.generation;
        assert_eq!(
            shown(&publication.changes),
            [format!("a/m capacity {} {n}", n - 1)],
            "generation {n}"
        );
    }
    assert_eq!(reader.publications(3).len(), 3);
}
