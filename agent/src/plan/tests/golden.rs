//! Golden scenarios: an observation history in, plans with reasons out, compared with the text
//! beside it. `BLESS=1` writes the text anew.
//!
//! A line of a scenario is `at SECONDS [times N every SECONDS]: WORDS`. Words are members as
//! `NAME=PHASE/CALLS[,new][,down][,fixed][,age=S]` (they stay until changed; calls `?` were not seen;
//! a booting one was just ordered), `NAME=gone`, and events:
//! `missing`, `partial`, `boot=ID`, `restart`, `failed`, `finished`, `mode=MODE`, `min=N`,
//! `rate=N` (so many calls begin per second from now on), and any part of an observation as JSON
//! without spaces (it lasts for the line). A line `policy JSON` changes the policy from then on.
//! Members that the plan drains or takes back change by themselves; a removed one goes.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of calls, chosen to fit"
)]

use std::fmt::Write;
use std::path::Path;

use super::super::{Action, Memory, Observation, Phase, Policy, Quality, decide};
use super::{member, observation, policy};

#[test]
fn scenarios_decide_as_written() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan/tests/golden");
    let mut compared = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let input = entry.unwrap().path();
        if input.extension().is_none_or(|extension| extension != "in") {
            continue;
        }
        let actual = play(&std::fs::read_to_string(&input).unwrap());
        let output = input.with_extension("out");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&output, &actual).unwrap();
        }
        let expected = std::fs::read_to_string(&output).unwrap_or_default();
        assert_eq!(
            actual,
            expected,
            "{}: BLESS=1 rewrites it",
            output.display()
        );
        compared += 1;
    }
    assert!(compared >= 8, "only {compared} scenarios");
}

/// Plays a scenario and writes down each plan that says something else than the one before.
fn play(scenario: &str) -> String {
    let mut policy = policy();
    let mut seen = observation(Vec::new());
    let mut memory = Memory::default();
    let mut text = String::new();
    let mut last = String::new();
    let (mut rate, mut started) = (0.0, 0.0);
    for line in scenario.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with('#') {
            let _ = writeln!(text, "{line}");
            continue;
        }
        if let Some(part) = line.strip_prefix("policy ") {
            policy = merged(&policy, part);
            continue;
        }
        let (when, words) = line.split_once(':').unwrap();
        let when: Vec<&str> = when.split_whitespace().collect();
        let (mut now_s, times, every_s): (f64, u32, f64) = match when[..] {
            ["at", at] => (at.parse().unwrap(), 1, 0.0),
            ["at", at, "times", times, "every", every] => (
                at.parse().unwrap(),
                times.parse().unwrap(),
                every.parse().unwrap(),
            ),
            _ => panic!("{line}"),
        };
        for round in 0..times {
            seen = Observation {
                boot_id: seen.boot_id,
                started: seen.started,
                refused: seen.refused,
                ..Observation::of(seen.members)
            };
            started += rate * if round > 0 { every_s } else { 0.0 };
            if rate > 0.0 {
                seen.started = Some(started as u64);
            }
            for word in words.split_whitespace() {
                if word.starts_with('{') {
                    seen = merged(&seen, word);
                    continue;
                }
                match word.split_once('=').unwrap_or((word, "")) {
                    ("rate", per_s) => rate = per_s.parse().unwrap(),
                    (key, value) if happens(key, value, &mut seen, &mut policy) => {}
                    // Members are said once; what the plan does with them must stay.
                    _ if round > 0 => {}
                    (name, what) => {
                        seen.members.retain(|member| member.name != name);
                        if what != "gone" {
                            seen.members.push(parse(name, what));
                        }
                        seen.members.sort_by(|a, b| a.name.cmp(&b.name));
                    }
                }
            }
            let (plan, next) = decide(&seen, &policy, &memory, now_s);
            memory = next;
            let actions = serde_json::to_string(&plan.actions).unwrap();
            let cause = plan.cause.name();
            let entry = format!("  {actions} {cause}\n  {}\n", plan.reason);
            // Figures alone are no news: a minute of waiting is one entry.
            let words: String = entry.chars().filter(|c| !c.is_ascii_digit()).collect();
            if words != last {
                let _ = write!(text, "at {now_s}\n{entry}");
                last = words;
            }
            follow(&mut seen, &plan.actions);
            now_s += every_s;
        }
    }
    text
}

/// Takes in a word that is no member; false for members.
fn happens(key: &str, value: &str, seen: &mut Observation, policy: &mut Policy) -> bool {
    match (key, value) {
        ("missing", _) => seen.quality = Quality::Missing("not attached".into()),
        ("partial", _) => seen.quality = Quality::Partial("one row".into()),
        ("restart", _) => seen.agent_restarted = true,
        ("failed", _) => seen.failed_creates = 1,
        ("finished", _) => seen.booted_s.push(5.0),
        ("boot", id) => seen.boot_id = Some(id.parse().unwrap()),
        ("min", min) => policy.min = min.parse().unwrap(),
        ("mode", mode) => policy.mode = serde_json::from_value(mode.into()).unwrap(),
        _ => return false,
    }
    true
}

/// A value with some of its parts replaced.
fn merged<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T, part: &str) -> T {
    let mut value = serde_json::to_value(value).unwrap();
    let part: serde_json::Value = serde_json::from_str(part).unwrap();
    for (key, new) in part.as_object().unwrap() {
        value[key] = new.clone();
    }
    serde_json::from_value(value).unwrap()
}

/// What happens to members by the plan.
fn follow(seen: &mut super::Observation, actions: &[Action]) {
    for action in actions {
        match action {
            Action::Drain { member } | Action::TakeBack { member } => {
                let draining = matches!(action, Action::Drain { .. });
                let phase = if draining {
                    Phase::Draining
                } else {
                    Phase::Active
                };
                let member = seen.members.iter_mut().find(|known| known.name == *member);
                member.unwrap().phase = phase;
            }
            Action::Remove { member } => seen.members.retain(|known| known.name != *member),
            Action::Boot { .. } | Action::Hold => {}
        }
    }
}

fn parse(name: &str, what: &str) -> super::MemberView {
    let mut flags = what.split(',');
    let (phase, calls) = flags.next().unwrap().split_once('/').unwrap();
    let phase = match phase {
        "booting" => Phase::Booting,
        "active" => Phase::Active,
        "draining" => Phase::Draining,
        "leaving" => Phase::Leaving,
        "held" => Phase::Held,
        other => panic!("{other}"),
    };
    let mut member = member(name, phase, calls.parse().ok());
    if phase == Phase::Booting {
        member.age_s = 1.0;
    }
    for flag in flags {
        if let Some(age_s) = flag.strip_prefix("age=") {
            member.age_s = age_s.parse().unwrap();
            continue;
        }
        match flag {
            "new" => member.age_s = 1.0,
            "down" => member.down = true,
            "fixed" => member.elastic = false,
            other => panic!("{other}"),
        }
    }
    member
}
