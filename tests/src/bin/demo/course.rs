//! The course of the day: samples several times a second, the agent's events as they come, one line
//! a second for who watches, until the day is over.

use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kamscale_tests::report::rounded;
use kamscale_tests::{Sample, Watch};
use serde_json::Value;

use crate::scenario::{Callers, Stage};

const SAMPLE_EVERY: Duration = Duration::from_millis(200);
/// The pool has been back at its minimum for so long: the day may end.
const CALM_S: f64 = 6.0;
/// No day is so long on any machine; whatever is not done by then is a broken promise.
const LONGEST: Duration = Duration::from_secs(600);

/// What was seen.
pub(crate) struct Course {
    pub(crate) samples: Vec<Sample>,
    /// The agent's events, with `t` in seconds since the first call.
    pub(crate) events: Vec<Value>,
    /// Seconds from the first call to the end of the last.
    pub(crate) seconds: f64,
}

struct Watcher<'a, 'b> {
    stage: &'a Stage<'b>,
    watch: &'a mut Watch,
    began: Instant,
    /// Unix time of the beginning.
    began_unix_s: f64,
    samples: Vec<Sample>,
    last_line_s: f64,
}

/// Watches from the first call to the last.
pub(crate) fn watch(stage: &Stage<'_>, callers: &mut Callers, watch: &mut Watch) -> Course {
    let mut watcher = Watcher {
        stage,
        watch,
        began: Instant::now(),
        began_unix_s: unix_s(),
        samples: Vec::new(),
        last_line_s: f64::NEG_INFINITY,
    };
    let mut calm_since: Option<f64> = None;
    let mut finishing = false;
    while watcher.began.elapsed() < LONGEST {
        let now = watcher.look();
        let back = callers.long.ended().is_some()
            && now
                .pools
                .get("conference")
                .is_some_and(|members| members.len() == 1);
        calm_since = if back {
            calm_since.or(Some(now.t))
        } else {
            None
        };
        if !finishing && calm_since.is_some_and(|since| now.t - since >= CALM_S) {
            finishing = true;
            callers.finish();
        }
        if finishing && callers.all_ended() && now.calls("conference") + now.calls("queue") == 0 {
            break;
        }
        sleep(SAMPLE_EVERY);
    }
    callers.finish();
    let seconds = watcher.began.elapsed().as_secs_f64();
    let events = watcher.events();
    Course {
        samples: watcher.samples,
        events,
        seconds,
    }
}

impl Watcher<'_, '_> {
    fn look(&mut self) -> Sample {
        let t = rounded(self.began.elapsed().as_secs_f64());
        let sample = self.watch.sample(t);
        self.samples.push(sample.clone());
        if t - self.last_line_s >= 1.0 {
            self.last_line_s = t;
            println!("{}", self.line(&sample));
        }
        sample
    }

    fn line(&self, now: &Sample) -> String {
        let states = ["active", "joining", "draining"].map(|s| (now.count("conference", s), s));
        let states = states.iter().filter(|(n, _)| *n > 0);
        let states: Vec<String> = states.map(|(n, s)| format!("{n} {s}")).collect();
        let calls = now.members("conference").map(|(_, m)| m.calls.to_string());
        let calls: Vec<String> = calls.collect();
        let events = self.events();
        let of_conference = |e: &&Value| e["event"] == "decision" && e["pool"] == "conference";
        let decision = events.iter().rfind(of_conference);
        let decision = decision.map_or(String::new(), |e| {
            format!("{:5.1} s: {}", e["t"].as_f64().unwrap_or(0.0), verdict(e))
        });
        format!(
            "{:5.1} s | {:3} calls offered | conference {:2} [{:>11}] {:20} | queue {:2} | {decision}",
            now.t,
            now.requests.get("calls").unwrap_or(&0),
            now.calls("conference"),
            calls.join(" "),
            states.join(", "),
            now.calls("queue"),
        )
    }

    /// The agent's events since the beginning, on this clock.
    fn events(&self) -> Vec<Value> {
        let mut events = self.stage.agent.events();
        for event in &mut events {
            let t = event["t"].as_f64().unwrap_or(0.0) - self.began_unix_s;
            event["t"] = rounded(t).into();
        }
        events.retain(|e| e["t"].as_f64() >= Some(0.0));
        events
    }
}

/// The last part of a decision's reason: what is done.
pub(crate) fn verdict(event: &Value) -> &str {
    let reason = event["reason"].as_str().unwrap_or_default();
    let wanted = reason.find("wanted").map_or(reason, |at| &reason[at..]);
    wanted
        .split_once("; ")
        .map_or(wanted, |(_, verdict)| verdict)
}

fn unix_s() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |d| d.as_secs_f64())
}
