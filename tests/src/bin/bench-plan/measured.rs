//! Measures by the clock: a round of decisions for 1,000 pools, a day of 1,000 members, and how both
//! grow. These figures depend on the machine, all others do not; what is measured by the wall clock
//! depends on what else the machine does, too.

use std::time::Instant;

use kamscale_agent::plan::{MemberView, Memory, Observation, Phase, Policy, Quality, decide};
use kamscale_agent::simulate::{self, Kamscale, Scenario, run, scale};
use kamscale_tests::report::{Figure, Report, rounded};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::play::LARGE;
use crate::row::{Spread, decimal};

/// Sizes of the estate whose growth is measured, in pools of 100 members.
pub(crate) const POOLS: [u32; 4] = simulate::POOLS;

const ROUND_POOLS: u32 = 1000;
const MEMBERS: u32 = 100;
const CAPACITY: u32 = 200;
/// Longer than everything that the plan remembers: four windows of 15 minutes.
const WARM_UP_ROUNDS: u32 = 400;
const ROUNDS: u32 = 300;
const ROUND_S: f64 = 10.0;
const MOST_MS: f64 = 5.0;

/// One round of decisions for 1,000 pools of 100 active members.
pub(crate) fn decisions(report: &mut Report) {
    let policy = Policy::default();
    let mut pools: Vec<Observation> = (0..ROUND_POOLS).map(pool).collect();
    let mut memories = vec![Memory::default(); pools.len()];
    let (mut rounds_ms, mut walls_ms) = (Vec::new(), Vec::new());
    let mut acted = 0_u64;
    for round in 0..WARM_UP_ROUNDS + ROUNDS {
        look(&mut pools, round);
        let now_s = 1.8e9 + f64::from(round) * ROUND_S;
        let (began, began_ms) = (Instant::now(), processor_ms());
        for (observation, memory) in pools.iter().zip(&mut memories) {
            let (plan, next) = decide(observation, &policy, memory, now_s);
            acted += u64::from(plan.acts());
            *memory = next;
        }
        if round >= WARM_UP_ROUNDS {
            rounds_ms.push(processor_ms() - began_ms);
            walls_ms.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    let best_ms = rounds_ms.iter().copied().fold(f64::INFINITY, f64::min);
    let wall_ms = Spread::of(walls_ms).map_or(f64::NAN, |ms| ms.median);
    let value = Spread::of(rounds_ms);
    let figure = match value {
        Some(ms) => Figure::new("decide.1000_pools_ms", rounded(ms.median), "ms")
            .worst(rounded(ms.worst), None)
            .target(&format!("< {MOST_MS}"), ms.median < MOST_MS),
        None => Figure::new("decide.1000_pools_ms", None::<f64>, "ms"),
    };
    let wall = Figure::new("decide.1000_pools_wall_ms", rounded(wall_ms), "ms");
    report.figure(wall.how("the same by the wall clock, whatever else the machine did meanwhile"));
    report.figure(figure.how(format!(
        "processor time of one thread, median of {ROUNDS} rounds after {WARM_UP_ROUNDS} to warm up, the \
         best {best_ms:.2} ms; {MEMBERS} active members each, default \
         policy, {acted} plans that act"
    )));
}

/// Processor time of this thread: a neighbour on the machine does not lengthen it.
fn processor_ms() -> f64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    let spent = std::time::Duration::try_from(spent).unwrap_or_default();
    spent.as_secs_f64() * 1e3
}

/// A pool at 60 to 65 % load.
fn pool(number: u32) -> Observation {
    let member = |member: u32| MemberView {
        name: format!("pool{number}-{member}"),
        phase: Phase::Active,
        calls: Some(0),
        capacity: CAPACITY,
        down: false,
        elastic: true,
        age_s: 5000.0,
    };
    Observation {
        quality: Quality::Good,
        boot_id: Some(1),
        members: (0..MEMBERS).map(member).collect(),
        signals: Vec::new(),
        started: Some(0),
        refused: Some(0),
        failed_creates: 0,
        quota_reached: false,
        unconfirmed_creates: 0,
        booted_s: Vec::new(),
        others_fell: false,
        agent_restarted: false,
    }
}

/// What is seen in this round: calls move a little between members, as many begin as end.
fn look(pools: &mut [Observation], round: u32) {
    for (number, pool) in (0_u32..).zip(pools) {
        for (index, member) in (0_u32..).zip(&mut pool.members) {
            member.calls = Some(120 + (number * 7 + index * 13 + round * 5) % 11);
        }
        pool.started = Some(u64::from(round) * 80);
    }
}

/// 24 hours of a pool of about 1,000 members.
pub(crate) fn thousand_members(report: &mut Report) {
    let name = "simulate.thousand_members_24h_s";
    let Some(scenario) = Scenario::named(LARGE) else {
        let why = "the simulator has no such scenario any more";
        report.figure(Figure::new(name, None::<f64>, "s").how(why));
        return;
    };
    let began = Instant::now();
    let outcome = run(
        &scenario,
        &mut Kamscale::for_scenario(&scenario),
        1,
        &mut |_| {},
    );
    let took_s = began.elapsed().as_secs_f64();
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    let most = outcome.points.iter().map(|point| point.active).max();
    let figures = outcome.figures;
    report.figure(Figure::new(name, rounded(took_s), "s").how(format!(
        "scenario {LARGE} with kamscale on one thread: {} calls, {} lost, {} cut, {} active at most",
        figures.offered_calls,
        figures.lost_calls,
        figures.cut_calls,
        most.unwrap_or(0)
    )));
}

/// An hour of so many pools of 100 members.
pub(crate) fn growth(report: &mut Report, pools: u32) {
    let size = scale(pools, 1).unwrap_or_else(|error| panic!("{error}"));
    let name = |what: &str| format!("simulate.scale.{}.{what}", size.members);
    let course = format!(
        "an hour of {} members in {pools} pools, {} at the peak, {} threads",
        size.members, size.peak_members, size.threads
    );
    let wall = Figure::new(&name("wall_s"), rounded(size.wall_s), "s");
    let events = json!({"events": size.events, "events_per_s": size.events_per_s.round()});
    report.figure(wall.sides(events, json!(null)).how(format!(
        "{course}; {:.1} million events per second",
        size.events_per_s / 1e6
    )));
    let decide = Figure::new(&name("decide_us"), rounded(size.decide_us), "us");
    let decisions = json!({"decisions": size.decisions, "seconds": rounded(size.decide_s)});
    report.figure(decide.sides(decisions, json!(null)).how(format!(
        "mean of {:.0} decisions, the simulator's translation included; {course}",
        decimal(size.decisions)
    )));
}
