//! The runs by name, and the world that they are played in: brought up where it does not run, and anew where the one before
//! decided in another way or lost a host. It must not judge.

use std::fs;
use std::sync::Mutex;
use std::time::Instant;

use kamscale_tests::RunDir;
use kamscale_tests::report::{self, rounded};

use crate::course::Course;
use crate::faults::{self, Fault};
use crate::judge::Outcome;
use crate::ledger::Ledger;
use crate::platform::{Decider, Platform};
use crate::story::{Kind, Story};
use crate::watcher::Watcher;
use crate::{by_feature, by_stack, timeline};

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) name: String,
    kind: Kind,
    decider: Decider,
    fault: Option<Fault>,
}

fn story(kind: Kind, decider: Decider) -> Run {
    Run {
        name: format!("{}.{}", kind.word(), decider.word()),
        kind,
        decider,
        fault: None,
    }
}

/// All of them, those after each other that need no new world between them.
pub(crate) fn all() -> Vec<Run> {
    let mut runs = Vec::new();
    for decider in [Decider::Aodh, Decider::Agent] {
        runs.extend([Kind::ByFeature, Kind::ByStack].map(|kind| story(kind, decider)));
    }
    let broken = |fault: Fault| Run {
        name: fault.word.into(),
        kind: fault.kind,
        decider: Decider::Agent,
        fault: Some(fault),
    };
    let (last, first): (Vec<Fault>, Vec<Fault>) =
        faults::ALL.into_iter().partition(|f| f.is_final());
    runs.extend(first.into_iter().chain(last).map(broken));
    runs
}

/// What a test has time for.
pub(crate) fn short() -> Vec<Run> {
    vec![story(Kind::ByFeature, Decider::Agent)]
}

/// The world, as far as these runs know it.
#[derive(Debug, Default)]
pub(crate) struct World {
    decider: Option<Decider>,
    pub(crate) up_s: Option<f64>,
    pub(crate) memory_mb: Option<f64>,
    pub(crate) failures: Vec<String>,
    /// One that runs is played in as it is, and neither started nor ended.
    is_given: bool,
}

impl World {
    /// One that runs, if it is `given`; otherwise one that is brought up and ended here.
    pub(crate) fn new(is_given: bool) -> Self {
        Self {
            is_given,
            ..Self::default()
        }
    }

    /// Ends what was started here.
    pub(crate) fn end(&mut self) {
        if !self.is_given
            && let Err(why) = Platform::script("down.sh", &[])
        {
            self.failures.push(format!("the end of the world: {why}"));
        }
    }

    /// Plays a run; what it came to.
    ///
    /// # Errors
    /// If there was no world to play it in.
    pub(crate) fn play(&mut self, run: &Run) -> Result<Outcome, String> {
        println!("\n=== {}", run.name);
        let platform = Platform::here();
        self.bring_up(run.decider)?;
        let files = RunDir::new("world");
        let ledger = Mutex::new(Ledger::default());
        let watcher = Watcher::new(&platform, &ledger);
        let offices = match run.kind {
            Kind::ByStack => by_stack::OFFICES,
            Kind::ByFeature => by_feature::OFFICES,
        };
        let what = (run.kind, run.decider, run.fault);
        let mut story = Story::new(what, (&platform, &watcher), (&files, &ledger), offices)?;
        std::thread::scope(|scope| {
            scope.spawn(|| watcher.look_on());
            let played = match run.kind {
                Kind::ByStack => by_stack::play(&mut story),
                Kind::ByFeature => by_feature::play(&mut story),
            };
            if let Err(why) = played {
                story.problem(why);
            }
            story.end();
            watcher.end();
        });
        if let (Some(fault), Some(injected)) = (run.fault, &story.injected)
            && let Err(why) = fault.mend(&platform, injected)
        {
            story.problem(why);
        }
        let course = watcher.course();
        let memory = course
            .moments
            .iter()
            .map(|m| m.memory_mb)
            .fold(0.0, f64::max)
            + platform.cloud_memory_mb();
        self.memory_mb = Some(self.memory_mb.unwrap_or(0.0).max(memory));
        let outcome = Outcome::of(&run.name, story, &course, watcher.t());
        // A host that is gone, or a story that broke off, would be the next run's burden.
        if run.fault.is_some_and(Fault::is_final) || !outcome.broken().is_empty() {
            self.decider = None;
        }
        keep(run, &files, &outcome, &course);
        Ok(outcome)
    }

    fn bring_up(&mut self, decider: Decider) -> Result<(), String> {
        if self.is_given || self.decider == Some(decider) {
            return Ok(());
        }
        // What ran before may have been touched by anybody.
        Platform::script("down.sh", &[])?;
        let began = Instant::now();
        Platform::script("up.sh", &[decider.word()])?;
        let up = rounded(began.elapsed().as_secs_f64());
        self.up_s = Some(self.up_s.unwrap_or(0.0).max(up));
        self.decider = Some(decider);
        Ok(())
    }
}

/// The picture, the whole course, and what the callers logged if a promise was broken.
fn keep(run: &Run, files: &RunDir, outcome: &Outcome, course: &Course) {
    let svg = report::write(
        &format!("world-{}.svg", run.name),
        &timeline::draw(outcome, course),
    );
    let lines = course
        .moments
        .iter()
        .filter_map(|m| serde_json::to_string(m).ok());
    let events = course.events.iter().map(ToString::to_string);
    let text: Vec<String> = lines.chain(events).collect();
    report::write(
        &format!("world-{}.jsonl", run.name),
        &(text.join("\n") + "\n"),
    );
    println!("{}", svg.display());
    if !outcome.broken().is_empty() {
        let kept = kamscale_tests::repository()
            .join("target/reports")
            .join(format!("world-{}.callers", run.name));
        let _ = fs::remove_dir_all(&kept);
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .arg(files.path())
            .arg(&kept)
            .status();
        if copied.is_ok_and(|s| s.success()) {
            println!("what the callers logged: {}", kept.display());
        }
    }
}
