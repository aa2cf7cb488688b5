//! Plays the scenarios: every policy on the same days, on as many threads as there are processors.
//!
//! What comes out depends on the seeds alone. It must not judge.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use kamscale_agent::plan::{Floor, Policy};
use kamscale_agent::simulate::report::About;
use kamscale_agent::simulate::rivals::{self, Foresight, Pool};
use kamscale_agent::simulate::{Kamscale, Outcome, POLICIES, Scaler, Scenario, run};
pub(crate) use kamscale_agent::simulate::{OPTIMUM, OWN};

/// Ours on a day that the operator announced: at least so many members while meetings are held.
pub(crate) const FLOOR: &str = "kamscale_floor";
/// The one scenario whose crowds an operator knows beforehand.
const ANNOUNCED: &str = "conference_day";
/// It has a figure of its own: a day of a thousand members takes as long as all others together.
pub(crate) const LARGE: &str = "thousand";

/// All policies in the order in which they are shown, each with what it is; ours with the floor beside
/// ours.
fn known() -> Vec<(&'static str, &'static str)> {
    let mut known = POLICIES.to_vec();
    let floor = "The same with a schedule floor: at least 8 members from 07:45 to 18:15";
    known.insert(1, (FLOOR, floor));
    known
}

/// The named scenarios that are played by everybody.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let names = Scenario::names().into_iter().filter(|name| *name != LARGE);
    names.filter_map(Scenario::named).collect()
}

/// The policies that play in a scenario, in the order in which they are shown.
pub(crate) fn policies(scenario: &Scenario) -> impl Iterator<Item = &'static str> + use<> {
    let announced = scenario.name == ANNOUNCED;
    let names = known().into_iter().map(|(name, _)| name);
    names.filter(move |name| *name != FLOOR || announced)
}

/// The scenarios as they are told to people.
pub(crate) fn about(scenarios: &[Scenario]) -> Vec<About> {
    let about = scenarios.iter().map(|scenario| About {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        starts_at_s: 0.0,
    });
    about.collect()
}

/// What each policy is.
pub(crate) fn titles() -> BTreeMap<String, String> {
    let titles = known().into_iter();
    titles
        .map(|(name, title)| (name.to_owned(), title.to_owned()))
        .collect()
}

/// Every policy on the days of these seeds in every scenario; by scenario, then seed, then policy.
pub(crate) fn all(scenarios: &[Scenario], seeds: RangeInclusive<u64>) -> Vec<Outcome> {
    let days: Vec<(&Scenario, u64)> = scenarios
        .iter()
        .flat_map(|scenario| seeds.clone().map(move |seed| (scenario, seed)))
        .collect();
    let next = AtomicUsize::new(0);
    let ended = Mutex::new(Vec::new());
    let progress = Progress::new(days.len());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Some((index, (scenario, seed))) = take(&next, &days) {
                    let outcomes = day(scenario, seed);
                    progress.ended(scenario, seed);
                    let mut ended = ended.lock().expect("no thread panicked");
                    ended.push((index, outcomes));
                }
            });
        }
    });
    let mut ended = ended.into_inner().expect("no thread panicked");
    ended.sort_by_key(|(index, _)| *index);
    ended
        .into_iter()
        .flat_map(|(_, outcomes)| outcomes)
        .collect()
}

fn take<T: Copy>(next: &AtomicUsize, all: &[T]) -> Option<(usize, T)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    all.get(index).map(|item| (index, *item))
}

/// All policies on one day. Ours comes first: the optimum is shown the demand, which any of them saw.
fn day(scenario: &Scenario, seed: u64) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for name in policies(scenario) {
        let foresight = outcomes
            .first()
            .map(|outcome| Foresight::of(scenario, &outcome.points));
        let mut scaler = scaler(name, scenario, foresight.as_ref());
        let played = run(scenario, scaler.as_mut(), seed, &mut |_| {});
        let mut outcome = played.unwrap_or_else(|error| panic!("{error}"));
        name.clone_into(&mut outcome.policy);
        outcomes.push(outcome);
    }
    outcomes
}

fn scaler(
    name: &str,
    scenario: &Scenario,
    foresight: Option<&Foresight>,
) -> Box<dyn Scaler + Send> {
    match name {
        OWN => Box::new(Kamscale::for_scenario(scenario)),
        FLOOR => Box::new(Kamscale::new(Policy {
            floors: vec![announced()],
            ..Kamscale::policy_for(scenario)
        })),
        _ => {
            let pool = Pool {
                min: scenario.min,
                max: scenario.max,
                capacity_calls: scenario.capacity_calls,
            };
            let rival = rivals::by_name(name, pool, foresight);
            rival.unwrap_or_else(|| panic!("there is no rival {name}"))
        }
    }
}

/// What an operator writes who knows that meetings begin at eight and end at six.
fn announced() -> Floor {
    Floor {
        name: "conference day".into(),
        cron: "45 7 * * *".into(),
        time_zone: "UTC".into(),
        duration_s: 10.5 * 3600.0,
        min: 8,
        inhibit_scale_in: false,
        parsed: Default::default(),
    }
}

/// Says on stderr how far it is: one line that is written again on a terminal, else one for each day.
#[derive(Debug)]
struct Progress {
    began: Instant,
    terminal: bool,
    days: usize,
    ended: AtomicUsize,
}

impl Progress {
    fn new(days: usize) -> Self {
        Self {
            began: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
            days,
            ended: AtomicUsize::new(0),
        }
    }

    fn ended(&self, scenario: &Scenario, seed: u64) {
        let ended = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
        let line = format!(
            "bench-plan: {ended} of {} days after {:.0} s: {} with seed {seed}",
            self.days,
            self.began.elapsed().as_secs_f64(),
            scenario.name
        );
        let (before, after) = match self.terminal {
            true if ended == self.days => ("\r", "\x1b[K\n"),
            true => ("\r", "\x1b[K"),
            false => ("", "\n"),
        };
        // Who closed stderr does not want to know.
        let _ = write!(std::io::stderr(), "{before}{line}{after}");
    }
}
