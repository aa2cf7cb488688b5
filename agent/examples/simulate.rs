//! Runs scenarios with the plan function and prints their figures: `simulate [SEEDS] [SCENARIO...]`.

use std::time::Instant;

use kamscale_agent::simulate::{Kamscale, Scenario, run};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let seeds: u64 = args.next().map_or(Ok(3), |seeds| seeds.parse())?;
    let mut names: Vec<String> = args.collect();
    if names.is_empty() {
        let all = Scenario::names().into_iter();
        names = all
            .filter(|name| *name != "thousand")
            .map(String::from)
            .collect();
    }
    println!(
        "{:<15} {:>4} {:>8} {:>6} {:>8} {:>5} {:>7} {:>8} {:>6} {:>7} {:>5} {:>8} {:>6}",
        "scenario",
        "seed",
        "offered",
        "lost",
        "lost %",
        "cut",
        "crashed",
        "member-h",
        "x",
        "actions",
        "rev",
        "surge s",
        "wall s"
    );
    for name in names {
        let scenario = Scenario::named(&name).ok_or_else(|| format!("no scenario {name}"))?;
        for seed in 1..=seeds {
            let mut scaler = Kamscale::for_scenario(&scenario);
            let began = Instant::now();
            let figures = run(&scenario, &mut scaler, seed, &mut |_| {})?.figures;
            println!(
                "{:<15} {:>4} {:>8} {:>6} {:>8.4} {:>5} {:>7} {:>8.1} {:>6.3} {:>7} {:>5} {:>8} {:>6.2}",
                name,
                seed,
                figures.offered_calls,
                figures.lost_calls,
                100.0 * figures.lost_share,
                figures.cut_calls,
                figures.crashed_calls,
                figures.member_hours,
                figures.member_hours / figures.least_member_hours,
                figures.actions,
                figures.reversals_15min,
                figures
                    .surge_to_capacity_s
                    .map_or("-".into(), |surge_s| format!("{surge_s:.0}")),
                began.elapsed().as_secs_f64()
            );
        }
    }
    Ok(())
}
