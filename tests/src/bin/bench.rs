//! `make bench`: measures ours and the stock way in the same Kamailio and the same run, prints the
//! figures and writes `target/reports/bench.json`. It fails on a wrong answer, never on a slow one.

use std::process::ExitCode;

use kamscale_tests::RunDir;
use kamscale_tests::bench::bed::{Bed, Manager};
use kamscale_tests::bench::figures::{self, Measured};
use kamscale_tests::bench::script::Mode;
use kamscale_tests::bench::{changes, cost, growth, pools, publish, published, script};
use kamscale_tests::report::Report;

fn main() -> ExitCode {
    let mut report = Report::new("bench");
    let mut broken = Vec::new();
    // `bench publish` or `bench calls`: one half of it.
    let only = std::env::args().nth(1).unwrap_or_default();
    for manager in [Manager::Fm, Manager::Qm] {
        if only == "publish" {
            break;
        }
        let measured = Measured {
            plain: costs(Mode::Plain, manager, &mut broken),
            failover: costs(Mode::Failover, manager, &mut broken),
        };
        figures::selections(&mut report, manager, &measured);
    }
    if only != "publish" {
        eprintln!("bench: growth");
        growth::by_pools(&mut report, &mut broken);
        growth::by_workers(&mut report);
    }
    for size in pools::SIZES {
        if only == "calls" {
            break;
        }
        eprintln!("bench: publishing a pool of {size}");
        changes::publication(&mut report, size, publish::measure(size));
    }
    print!("{}", report.table());
    println!("report: {}", report.write().display());
    for promise in &broken {
        eprintln!("bench: a broken promise: {promise}");
    }
    ExitCode::from(u8::from(!broken.is_empty()))
}

/// What every call costs in this mode: instructions first, then nanoseconds.
fn costs(mode: Mode, manager: Manager, broken: &mut Vec<String>) -> cost::Costs {
    let cases = mode.cases();
    let mut costs = cost::Costs::new();
    for callgrind in [true, false] {
        let tool = if callgrind { "callgrind" } else { "the clock" };
        eprintln!("bench: {mode:?}, {}, by {tool}", manager.name());
        let run = RunDir::new("bench");
        let _publisher = published(&run, &pools::table(&pools::SIZES));
        let list = run.write("dispatcher.list", pools::dispatcher_list(&pools::SIZES));
        let text = script::config(mode, 1, &list, &cases);
        let bed = Bed::start(&run, &text, manager, callgrind);
        if callgrind {
            costs = cost::instructions(&bed, &cases, broken);
            cost::first_calls(&bed, &script::once(&cases), &mut costs, broken);
        } else {
            cost::wall(&bed, &cases, &mut costs, broken);
        }
    }
    costs
}
