//! 1,000 pool changes a second under load with 8 workers: no selection fails, nothing crashes, no
//! request sees half a change, and nothing grows. (The stock dispatcher dies of this.)

use std::time::{Duration, Instant};

use kamscale_tests::{Kamailio, RunDir, SipClient};

use crate::load::{
    Load, LoadTotals, agent_side, alone, ask, generations, marked, memory_kb, pids, selecting,
};

const WORKERS: usize = 8;
const CALLERS: usize = 4;
const CHANGES_PER_S: u64 = 1000;
const MEMBERS: u64 = 20;
/// What the memory of a worker may differ by, whatever the number of changes.
const MAY_GROW_KB: u64 = 256;

/// How long it goes on; `KAMSCALE_CHURN_S` makes it longer.
fn seconds() -> u64 {
    let wanted = std::env::var("KAMSCALE_CHURN_S").ok();
    wanted.and_then(|s| s.parse().ok()).unwrap_or(20)
}

/// Memory of each worker: all that it may write, and what of it is really there.
fn memory(kamailio: &Kamailio<'_>) -> Vec<(u32, u64, u64)> {
    let workers = kamailio.observed("default").workers.into_iter();
    workers
        .filter(|w| w.rank > 0)
        .map(|w| {
            (
                w.pid,
                memory_kb(w.pid, "VmData"),
                memory_kb(w.pid, "RssAnon"),
            )
        })
        .collect()
}

fn print_figures(changes: u64, took: Duration, totals: &LoadTotals, kamailio: &Kamailio<'_>) {
    let workers = kamailio.observed("default").workers;
    let sum =
        |of: fn(&kamscale_shm::WorkerObserved) -> u64| -> u64 { workers.iter().map(of).sum() };
    println!(
        "churn: {changes} changes in {:.1} s = {:.0} per second; {} requests = {:.0} per second, \
         {} failed, {} saw two generations; {} tables applied, {} rejected, {} copies torn",
        took.as_secs_f64(),
        f64::from(u32::try_from(changes).unwrap_or(u32::MAX)) / took.as_secs_f64(),
        totals.answered,
        f64::from(u32::try_from(totals.answered).unwrap_or(u32::MAX)) / took.as_secs_f64(),
        totals.failures.len(),
        totals.halves,
        sum(|w| w.applied),
        sum(|w| w.rejected),
        sum(|w| w.torn),
    );
}

#[test]
fn a_thousand_changes_a_second_harm_nobody() {
    let run = RunDir::new("churn");
    let _alone = alone();
    let mut publisher = agent_side(&run);
    publisher.publish(&marked(1, MEMBERS)).unwrap();
    let (kamailio, targets) = selecting(&run, WORKERS);
    let before = pids(&kamailio);
    let load = Load::start(&run, &targets, CALLERS);
    let changes = seconds() * CHANGES_PER_S;
    let start = Instant::now();
    let mut early = Vec::new();
    for change in 1..=changes {
        // Where this process does not get its turn in time, the next ones come in a burst.
        let due = start + Duration::from_micros(change * 1_000_000 / CHANGES_PER_S);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        publisher.publish(&marked(1 + change, MEMBERS)).unwrap();
        if change == changes / 10 {
            early = memory(&kamailio);
        }
    }
    let took = start.elapsed();
    let totals = load.stop();
    print_figures(changes, took, &totals, &kamailio);
    assert!(totals.failures.is_empty(), "{:#?}", totals.failures);
    assert_eq!(totals.halves, 0);
    assert_eq!(publisher.generation(), 1 + changes);
    let client = SipClient::new(&run);
    for target in targets {
        let selected = ask(&client, target).unwrap();
        let newest = 1 + changes;
        assert_eq!((selected.left, selected.right), (newest, newest));
    }
    assert_eq!(generations(&kamailio), vec![1 + changes; WORKERS]);
    assert_eq!(pids(&kamailio), before, "the same processes to the end");
    let workers = kamailio.observed("default").workers;
    assert!(workers.iter().all(|w| w.rejected == 0), "{workers:?}");
    for (was, is) in early.into_iter().zip(memory(&kamailio)) {
        let grown = is.1.saturating_sub(was.1).max(is.2.saturating_sub(was.2));
        assert!(
            grown < MAY_GROW_KB,
            "(pid, data, resident): {was:?}, then {is:?} kB"
        );
    }
}
