//! How the cost grows: with the number of pools, and with workers that select at the same time.

use std::collections::HashSet;

use serde_json::json;

use super::bed::{Bed, Manager};
use super::cost::{self, median, number};
use super::pools;
use super::script::{self, Case, EMPTY, Mode, UNROLLED};
use crate::report::{Figure, Report};
use crate::run::RunDir;

/// Pools in one table.
const POOLS: [usize; 4] = [1, 10, 100, 1000];
/// Workers that run a case at once: more than the machine has cores would only share them.
const WORKERS: [u32; 2] = [1, 2];
/// How long a worker runs a case, in one sample.
const SAMPLE_NS: f64 = 20e6;
const SAMPLES: usize = 15;
/// The rows of the pools that are only there to be many.
const FEW_BITS: u8 = 10;

fn chosen(names: &[&str]) -> Vec<Case> {
    let cases = Mode::Plain.cases().into_iter();
    cases
        .filter(|c| c.name == EMPTY || names.contains(&c.name.as_str()))
        .collect()
}

/// Instructions of a selection from one of so many pools.
///
/// # Panics
/// If the pools cannot be published.
pub fn by_pools(report: &mut Report, broken: &mut Vec<String>) {
    let cases = chosen(&["ks_round_robin_10", "ks_named_10"]);
    let run = RunDir::new("growth");
    let mut table = pools::table(&[10]);
    let mut publisher = super::published(&run, &table);
    let list = run.write("dispatcher.list", pools::dispatcher_list(&[10]));
    let text = script::config(Mode::Plain, 1, &list, &cases);
    let bed = Bed::start(&run, &text, Manager::Fm, true);
    for count in POOLS {
        for number in table.pools.len()..count {
            let mut pool = pools::pool(1);
            pool.name = format!("other{number}");
            pool.hash_bits = FEW_BITS;
            table.pools.push(pool);
        }
        let done = publisher.publish(&table);
        done.unwrap_or_else(|e| panic!("publishing {count} pools: {e}"));
        let costs = cost::instructions(&bed, &cases, broken);
        let ir = |name: &str| costs.get(name).and_then(|c| c.ir).map(f64::round);
        report.figure(
            Figure::new(
                &format!("growth.pools.{count}"),
                ir("ks_round_robin_10"),
                "Ir",
            )
            .sides(
                json!({"named_by_a_variable": ir("ks_named_10")}),
                json!(null),
            )
            .how("one selection, pool named by a constant; fm"),
        );
    }
}

/// Calls per second of all workers together.
pub fn by_workers(report: &mut Report) {
    let names = [
        "ks_round_robin_1000",
        "ds_round_robin_1000",
        "ks_count",
        "update_stat",
    ];
    let cases = chosen(&names);
    let run = RunDir::new("growth");
    let _publisher = super::published(&run, &pools::table(&pools::SIZES));
    let list = run.write("dispatcher.list", pools::dispatcher_list(&pools::SIZES));
    let most = WORKERS.into_iter().max().unwrap_or(1);
    let text = script::config(Mode::Plain, most, &list, &cases);
    let bed = Bed::start(&run, &text, Manager::Fm, false);
    for workers in WORKERS {
        let rates = names.map(|name| rate(&bed, name, workers));
        let [ours, stock, count, update] = rates.map(f64::round);
        report.figure(
            Figure::new(&format!("growth.workers.{workers}"), ours, "selections/s")
                .sides(json!({"count": count}), json!({"select": stock, "update_stat": update}))
                .how(format!(
                    "all workers together, round_robin, 1000 members, the loop's own cost included; \
                     ds_select_dst: {stock:.0}/s; by the clock, so other programs show; fm"
                )),
        );
    }
}

/// Calls per second; NaN if so many workers could not be had at once.
fn rate(bed: &Bed<'_>, case: &str, workers: u32) -> f64 {
    const TRIAL: u32 = 200;
    let trial = bed.ask(case, TRIAL);
    let one = (trial.took_ns / f64::from(TRIAL)).max(100.0);
    let rounds = cost::whole(SAMPLE_NS / one).max(1);
    let samples: Vec<f64> = (0..SAMPLES)
        .filter_map(|_| {
            for _ in 0..workers {
                bed.send(case, rounds);
            }
            let answers: Vec<_> = (0..workers).map(|_| bed.receive()).collect();
            let began = answers.iter().map(|a| a.began_us).fold(f64::MAX, f64::min);
            let ended = answers.iter().map(|a| a.ended_us).fold(0.0, f64::max);
            let calls = number(u64::from(workers) * u64::from(rounds) * u64::from(UNROLLED));
            // One worker may have taken two requests, one after the other.
            let pids: HashSet<u32> = answers.iter().map(|a| a.worker).collect();
            (pids.len() == answers.len()).then_some(calls / (ended - began) * 1e6)
        })
        .collect();
    median(&samples)
}
