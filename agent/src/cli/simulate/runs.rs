//! Runs: all combinations of scenario, seed and policy, on as many threads as there are processors.
//!
//! What comes out does not depend on the threads: every run has its seed, and outcomes are put in the
//! order in which they were asked for. Progress goes to stderr.

use std::io::{IsTerminal, Write};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use super::super::Failure;
use super::setup::Setup;
use super::usage;
use crate::simulate::rivals::Foresight;
use crate::simulate::{Kamscale, OPTIMUM, Outcome, Scenario, ScenarioError, run};

/// One run that is asked for.
#[derive(Debug, Clone, Copy)]
struct Job<'a> {
    scenario: &'a Scenario,
    seed: u64,
    policy: &'a str,
}

/// What a thread tells while it works.
enum News {
    /// So much of this job is done, from 0 to 1.
    Share(usize, f64),
    /// This job has ended.
    Done(usize, Box<Result<Outcome, ScenarioError>>),
}

/// Runs everything; outcomes by scenario, then seed, then policy.
pub(super) fn all(setup: &Setup, seeds: &[u64]) -> Result<Vec<Outcome>, Failure> {
    let mut progress = Progress::new(std::io::stderr().is_terminal());
    for note in &setup.notes {
        progress.line(&format!("note: {note}"));
    }
    let jobs = jobs(setup, seeds);
    // The optimum is shown the demand, which any other run with the same seed has seen.
    let (last, first): (Vec<_>, Vec<_>) =
        (0..jobs.len()).partition(|index| jobs[*index].policy == OPTIMUM);
    progress.total = jobs.len();
    let mut outcomes: Vec<Option<Outcome>> = jobs.iter().map(|_| None).collect();
    for stage in [first, last] {
        for (index, outcome) in side_by_side(setup, &jobs, &stage, &outcomes, &mut progress) {
            outcomes[index] = Some(outcome.map_err(|error| usage(error.to_string()))?);
        }
    }
    progress.clear();
    Ok(outcomes.into_iter().flatten().collect())
}

fn jobs<'a>(setup: &'a Setup, seeds: &[u64]) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    for scenario in &setup.scenarios {
        for seed in seeds {
            jobs.extend(setup.policies.iter().map(|policy| Job {
                scenario,
                seed: *seed,
                policy,
            }));
        }
    }
    jobs
}

fn side_by_side(
    setup: &Setup,
    jobs: &[Job<'_>],
    stage: &[usize],
    before: &[Option<Outcome>],
    progress: &mut Progress,
) -> Vec<(usize, Result<Outcome, ScenarioError>)> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let (sender, news) = channel();
    let mut ended = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(stage.len()) {
            let sender = sender.clone();
            let next = &next;
            scope.spawn(move || {
                while let Some(index) = stage.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = one(setup, &jobs[*index], *index, before, &sender);
                    // Nobody listens only when another thread panicked, which ends all.
                    let _ = sender.send(News::Done(*index, Box::new(outcome)));
                }
            });
        }
        // The threads' senders are left: the loop ends with the last of them.
        drop(sender);
        for told in news {
            match told {
                News::Share(index, share) => progress.share(&jobs[index], share),
                News::Done(index, outcome) => {
                    progress.done(&jobs[index], outcome.as_ref().as_ref().ok());
                    ended.push((index, *outcome));
                }
            }
        }
    });
    ended
}

fn one(
    setup: &Setup,
    job: &Job<'_>,
    index: usize,
    before: &[Option<Outcome>],
    news: &Sender<News>,
) -> Result<Outcome, ScenarioError> {
    let foresight = if job.policy == OPTIMUM {
        Some(foresight(job, before)?)
    } else {
        None
    };
    let scaler = setup.scaler(job.policy, job.scenario, foresight.as_ref());
    let mut scaler = scaler.ok_or_else(|| ScenarioError {
        name: job.scenario.name.clone(),
        problem: format!("policy {} is not known", job.policy),
    })?;
    let mut told = 0.0;
    run(job.scenario, scaler.as_mut(), job.seed, &mut |share| {
        if share >= told + 0.01 {
            told = share;
            let _ = news.send(News::Share(index, share));
        }
    })
}

fn foresight(job: &Job<'_>, before: &[Option<Outcome>]) -> Result<Foresight, ScenarioError> {
    let same =
        |outcome: &&Outcome| outcome.scenario == job.scenario.name && outcome.seed == job.seed;
    if let Some(outcome) = before.iter().flatten().find(same) {
        return Ok(Foresight::of(job.scenario, &outcome.points));
    }
    let mut kamscale = Kamscale::for_scenario(job.scenario);
    let outcome = run(job.scenario, &mut kamscale, job.seed, &mut |_| {})?;
    Ok(Foresight::of(job.scenario, &outcome.points))
}

/// What is told on stderr: one line that is written again on a terminal, else one for each run.
struct Progress {
    terminal: bool,
    total: usize,
    done: usize,
}

impl Progress {
    fn new(terminal: bool) -> Progress {
        Progress {
            terminal,
            total: 0,
            done: 0,
        }
    }

    fn share(&mut self, job: &Job<'_>, share: f64) {
        if self.terminal {
            self.show(&format!(
                "{} {} seed {}: {:.0} % ({} of {} runs done)",
                job.scenario.name,
                job.policy,
                job.seed,
                share * 100.0,
                self.done,
                self.total
            ));
        }
    }

    fn done(&mut self, job: &Job<'_>, outcome: Option<&Outcome>) {
        self.done += 1;
        if let (false, Some(outcome)) = (self.terminal, outcome) {
            let figures = &outcome.figures;
            self.line(&format!(
                "{} {} seed {}: {} lost, {} cut, {:.1} member-hours ({} of {} runs)",
                job.scenario.name,
                job.policy,
                job.seed,
                figures.lost_calls,
                figures.cut_calls,
                figures.member_hours,
                self.done,
                self.total
            ));
        }
    }

    fn line(&mut self, text: &str) {
        self.clear();
        // Who closed stderr does not want to know.
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    fn show(&mut self, text: &str) {
        // Back to the line's start, and clear what the longer line before leaves.
        let _ = write!(std::io::stderr(), "\r{text}\x1b[K");
        let _ = std::io::stderr().flush();
    }

    fn clear(&mut self) {
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
