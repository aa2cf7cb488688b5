//! Decisions on record: all that the plan was given and what came out, so that a decision can be
//! explained, and replayed from the audit file with the same result.
//!
//! It decides nothing itself.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::{Memory, Observation, Plan, Policy, decide};

/// Differences that are kept; one is enough to know that something is wrong.
const KEPT_DIFFERENCES: usize = 20;

/// Everything that a decision depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// What was seen.
    pub observation: Observation,
    /// What the operator wants.
    pub policy: Policy,
    /// What was remembered before.
    pub memory: Memory,
    /// The moment, in unix seconds.
    pub now_s: f64,
}

impl Input {
    /// The decision, and what is remembered after it.
    pub fn decide(&self) -> (Plan, Memory) {
        decide(&self.observation, &self.policy, &self.memory, self.now_s)
    }
}

/// A decision with everything that it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What it depended on.
    pub input: Input,
    /// What came out.
    pub plan: Plan,
}

/// What came of a replay.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Replayed {
    /// Decisions in the file.
    pub decisions: usize,
    /// Those that came out the same.
    pub same: usize,
    /// The first of the others.
    pub differences: Vec<Difference>,
}

/// A decision that came out differently.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The line in the file, from 1.
    pub line: usize,
    /// The pool.
    pub pool: String,
    /// When it was decided, in unix seconds.
    pub now_s: f64,
    /// The parts of the plan that differ, with both values.
    pub parts: Vec<Part>,
}

/// One part of a plan, twice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// As it was decided then.
    pub recorded: Value,
    /// As it is decided now.
    pub replayed: Value,
}

/// Why a file cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error("{file}: cannot be read: {source}")]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is no event of an agent, or of another version.
    #[error("{file}:{line}: {problem}; is it an audit file of this version?")]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

/// Decides everything in an audit file again.
///
/// # Errors
/// [`ReplayError`]. A last line that was cut off is none: the agent may be writing it.
pub fn replay(file: &Path) -> Result<Replayed, ReplayError> {
    let read = |source| ReplayError::Read {
        file: file.into(),
        source,
    };
    let mut lines = BufReader::new(std::fs::File::open(file).map_err(read)?)
        .lines()
        .enumerate()
        .peekable();
    let mut replayed = Replayed::default();
    while let Some((index, text)) = lines.next() {
        let line = index + 1;
        let text = text.map_err(read)?;
        let wrong = |error: serde_json::Error| ReplayError::Line {
            file: file.into(),
            line,
            problem: error.to_string(),
        };
        let event = match serde_json::from_str::<Value>(&text) {
            Ok(event) => event,
            Err(_) if lines.peek().is_none() => break,
            Err(error) => return Err(wrong(error)),
        };
        if event["event"] == "decision" && !event["input"].is_null() {
            compare(&event, line, &mut replayed).map_err(wrong)?;
        }
    }
    Ok(replayed)
}

fn compare(event: &Value, line: usize, replayed: &mut Replayed) -> serde_json::Result<()> {
    let input = Input::deserialize(&event["input"])?;
    let recorded = Plan::deserialize(event)?;
    let (plan, _) = input.decide();
    replayed.decisions += 1;
    if plan == recorded {
        replayed.same += 1;
    } else if replayed.differences.len() < KEPT_DIFFERENCES {
        replayed.differences.push(Difference {
            line,
            pool: event["pool"].as_str().unwrap_or_default().to_owned(),
            now_s: input.now_s,
            parts: parts(&recorded, &plan)?,
        });
    }
    Ok(())
}

fn parts(recorded: &Plan, replayed: &Plan) -> serde_json::Result<Vec<Part>> {
    let recorded = serde_json::to_value(recorded)?;
    let replayed = serde_json::to_value(replayed)?;
    let names = replayed.as_object().into_iter().flat_map(|map| map.keys());
    Ok(names
        .filter(|name| recorded[*name] != replayed[*name])
        .map(|name| Part {
            name: name.clone(),
            recorded: recorded[name].clone(),
            replayed: replayed[name].clone(),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::plan::{MemberView, Phase, Quality, Signal, SignalKind};

    /// A pool whose only member carries so many of 10 calls.
    fn decision(calls: u32, now_s: f64) -> Decision {
        let member = MemberView {
            name: "ccp-1".into(),
            phase: Phase::Active,
            calls: Some(calls),
            capacity: 10,
            down: false,
            elastic: true,
            age_s: 1.0 / 3.0,
        };
        let observation = Observation {
            quality: Quality::Good,
            boot_id: Some(u64::MAX),
            members: vec![member],
            signals: vec![Signal {
                kind: SignalKind::Requests,
                of: None,
                used: 0.1 + 0.2,
                reported: None,
                age_s: 0.0,
            }],
            started: Some(u64::MAX),
            refused: None,
            failed_creates: 0,
            quota_reached: false,
            unconfirmed_creates: 0,
            booted_s: vec![1e-9],
            others_fell: false,
            agent_restarted: false,
        };
        let input = Input {
            observation,
            policy: Policy::default(),
            memory: Memory::default(),
            now_s,
        };
        let (plan, _) = input.decide();
        Decision { input, plan }
    }

    #[test]
    fn what_the_journal_wrote_is_decided_again_without_a_difference() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("audit.jsonl");
        let journal = Journal::new(Some(file.clone()));
        for (calls, now_s) in [(1, 1_792_000_000.123_456_7), (9, 1_792_000_010.0)] {
            journal.record_decision("ccp", &decision(calls, now_s));
        }
        let replayed = replay(&file).unwrap();
        assert_eq!((replayed.decisions, replayed.same), (2, 2), "{replayed:#?}");

        let text = std::fs::read_to_string(&file).unwrap();
        let other = text.replacen("\"scale_out_load\":0.7", "\"scale_out_load\":0.05", 1);
        std::fs::write(&file, format!("{other}{{\"event\":\"deci")).unwrap();
        let replayed = replay(&file).unwrap();
        assert_eq!((replayed.decisions, replayed.same), (2, 1));
        let difference = &replayed.differences[0];
        assert_eq!((difference.line, difference.pool.as_str()), (1, "ccp"));
        let names: Vec<&str> = difference.parts.iter().map(|p| p.name.as_str()).collect();
        assert!(names.contains(&"signals"), "{difference:?}");
    }

    #[test]
    fn a_file_that_is_no_audit_file_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("audit.jsonl");
        std::fs::write(&file, "{}\nnot json\n{}\n").unwrap();
        let error = replay(&file).unwrap_err().to_string();
        assert!(error.contains("audit.jsonl:2: "), "{error}");
    }
}
