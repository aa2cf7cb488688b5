//! Plays scenarios: those that need quiet one after the other, the others in a few lanes. A scenario that
//! panics has failed; the others go on.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use kamscale_tests::report::rounded;

use crate::play::{Beside, Scenario};
use crate::stage::{Scene, Stage};

/// Scenarios at once: more only wait for the one engine of Heat.
const LANES: usize = 2;

/// What came of a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) name: &'static str,
    pub(crate) began_s: f64,
    pub(crate) seconds: f64,
    pub(crate) problem: Option<String>,
}

/// Plays all of them: first those that may run beside each other.
pub(crate) fn play(stage: &Stage, scenarios: &[&Scenario]) -> Vec<Verdict> {
    let began = Instant::now();
    let numbered = scenarios.iter().enumerate();
    let (together, alone): (Vec<_>, Vec<_>) = numbered.partition(|(_, s)| match s.beside {
        Beside::Others => true,
        Beside::OthersInShort => !stage.full,
        Beside::Nothing => false,
    });
    let waiting = Mutex::new(VecDeque::from(together));
    let verdicts = Mutex::new(Vec::new());
    let work = |queue: &Mutex<VecDeque<(usize, &&Scenario)>>| {
        loop {
            let next = queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some((number, scenario)) = next else {
                break;
            };
            let verdict = one(stage, scenario, number, began);
            verdicts
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(verdict);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| work(&waiting));
        }
    });
    work(&Mutex::new(VecDeque::from(alone)));
    verdicts
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

fn one(stage: &Stage, scenario: &Scenario, number: usize, began: Instant) -> Verdict {
    let start = Instant::now();
    println!("...  {}", scenario.name);
    // A thread of its own name: a panic says which scenario it was.
    let play = || {
        let scene = Scene::new(stage, scenario.name, number);
        (scenario.play)(&scene);
    };
    let outcome = std::thread::scope(|scope| {
        let named = std::thread::Builder::new().name(scenario.name.into());
        let thread = named.spawn_scoped(scope, AssertUnwindSafe(play));
        thread
            .unwrap_or_else(|e| panic!("starting a thread: {e}"))
            .join()
    });
    let seconds = rounded(start.elapsed().as_secs_f64());
    let problem = outcome.err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned()))
            .unwrap_or_else(|| "it panicked".into())
    });
    match &problem {
        None => println!("ok  {} ({seconds:.1} s)", scenario.name),
        Some(why) => {
            let why = why.lines().next().unwrap_or_default();
            println!("FAILED  {} ({seconds:.1} s): {why}", scenario.name);
        }
    }
    Verdict {
        name: scenario.name,
        began_s: rounded((start - began).as_secs_f64()),
        seconds,
        problem,
    }
}
