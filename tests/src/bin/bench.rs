//! `make bench`: measures ours and the stock way in the same Kamailio and the same run, prints the
//! figures and writes `target/reports/bench.json`. It fails on a wrong answer, never on a slow one.

use std::process::ExitCode;
use std::time::Instant;

use kamscale_shm::bucket::Allowance;
use kamscale_tests::RunDir;
use kamscale_tests::bench::bed::{Bed, Manager};
use kamscale_tests::bench::figures::{self, Measured};
use kamscale_tests::bench::script::Mode;
use kamscale_tests::bench::{
    agent, calls, changes, churn, contended, cost, growth, moved, pools, publish, published,
    script, storm,
};
use kamscale_tests::report::Report;

fn main() -> ExitCode {
    let mut report = Report::new("bench");
    let mut broken = Vec::new();
    // `bench moved`: one part of it.
    let only = std::env::args().nth(1);
    let parts: [(&str, Part); 9] = [
        ("functions", functions),
        ("calls", |report, _| calls::whole_calls(report)),
        ("growth", |report, broken| {
            growth::by_pools(report, broken);
            growth::by_workers(report);
        }),
        ("contended", |report, _| contended::selections(report)),
        ("publish", |report, _| publications(report)),
        ("moved", moved::changes),
        ("churn", churn::memory),
        ("admission", |report, _| storm::admission(report)),
        ("agent", agent::cost),
    ];
    if let Some(only) = &only
        && !parts.iter().any(|(name, _)| name == only)
    {
        let names = parts.map(|(name, _)| name).join(", ");
        eprintln!("bench: there is no part {only:?}; there are: {names}");
        return ExitCode::from(2);
    }
    for (name, part) in parts {
        if only.as_ref().is_none_or(|only| only == name) {
            let began = Instant::now();
            part(&mut report, &mut broken);
            eprintln!("bench: {name} took {:.0} s", began.elapsed().as_secs_f64());
        }
    }
    print!("{}", report.table());
    println!("report: {}", report.write().display());
    for promise in &broken {
        eprintln!("bench: a broken promise: {promise}");
    }
    ExitCode::from(u8::from(!broken.is_empty()))
}

/// Measures something; the last is what is broken and not only slow.
type Part = fn(&mut Report, &mut Vec<String>);

fn functions(report: &mut Report, broken: &mut Vec<String>) {
    for manager in [Manager::Fm, Manager::Qm] {
        let measured = Measured {
            plain: costs(Mode::Plain, manager, broken),
            failover: costs(Mode::Failover, manager, broken),
        };
        figures::selections(report, manager, &measured);
    }
}

fn publications(report: &mut Report) {
    for size in pools::SIZES {
        eprintln!("bench: publishing a pool of {size}");
        changes::publication(report, size, publish::measure(size));
    }
}

/// What every call costs in this mode: instructions first, then nanoseconds.
fn costs(mode: Mode, manager: Manager, broken: &mut Vec<String>) -> cost::Costs {
    let cases = mode.cases();
    let mut costs = cost::Costs::new();
    for callgrind in [true, false] {
        let tool = if callgrind { "callgrind" } else { "the clock" };
        eprintln!("bench: {mode:?}, {}, by {tool}", manager.name());
        let run = RunDir::new("bench");
        let publisher = published(&run, &pools::table(&pools::SIZES));
        publisher.admit(0, script::FEATURE, Some(Allowance::new(1e9, 1e9)), None);
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
