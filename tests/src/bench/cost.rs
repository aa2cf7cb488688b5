//! What one call of each case costs: instructions by callgrind, nanoseconds by the clock.

use std::collections::BTreeMap;

use super::bed::{Answer, Bed};
use super::script::{Case, EMPTY, NOTHING, UNROLLED};

/// What one call costs; `None` where it was not measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Instructions.
    pub ir: Option<f64>,
    /// Nanoseconds.
    pub ns: Option<f64>,
}

/// By the case's name.
pub type Costs = BTreeMap<String, Cost>;

/// Rounds under callgrind, of [`UNROLLED`] calls each.
const COUNTED_ROUNDS: u32 = 25;
/// How long the loop of one wall-clock sample shall take.
const SAMPLE_NS: f64 = 4e6;
/// Wall-clock samples per case.
pub const SAMPLES: usize = 15;

/// Checks that a case did what it should: a wrong answer is a broken promise.
fn check(case: &Case, answer: &Answer, broken: &mut Vec<String>) {
    let right = match case.port {
        Some(port) => answer.destination.ends_with(&format!(":{port}")),
        None => true,
    };
    if !right {
        let (name, is) = (&case.name, &answer.destination);
        broken.push(format!("{name} set {is:?} as destination"));
    }
}

/// Instructions per call. Each case runs twice, after a warm-up, so that what a request costs by
/// itself falls out; then the empty loop is subtracted.
#[must_use]
pub fn instructions(bed: &Bed<'_>, cases: &[Case], broken: &mut Vec<String>) -> Costs {
    let mut empty = 0.0;
    let mut costs = Costs::new();
    for case in cases {
        let rounds = (COUNTED_ROUNDS / case.heavy).max(1);
        let (_, _) = bed.instructions(&case.name, 1);
        let (few, _) = bed.instructions(&case.name, 1);
        let (many, answer) = bed.instructions(&case.name, 1 + rounds);
        check(case, &answer, broken);
        let round = number(many.saturating_sub(few)) / f64::from(rounds);
        if case.name == EMPTY {
            empty = round;
        }
        let ir = (round - empty) / f64::from(UNROLLED);
        let cost = Cost {
            ir: Some(ir),
            ns: None,
        };
        costs.insert(case.name.clone(), cost);
    }
    costs
}

/// Instructions of the first call in a request: with the look for a new table, the memory that it
/// allocates, and what the end of the request frees. What is dearer about a first `$du` is left out
/// by measuring against it. Into `costs`, which has `set_du` already, under the cases' own names.
pub fn first_calls(bed: &Bed<'_>, cases: &[Case], costs: &mut Costs, broken: &mut Vec<String>) {
    let mut nothing = 0.0;
    let set_du = costs.get("set_du").and_then(|c| c.ir).unwrap_or(0.0);
    for case in cases {
        let (_, _) = bed.instructions(&case.name, 2);
        let (without, _) = bed.instructions(&case.name, 1);
        let (with, answer) = bed.instructions(&case.name, 2);
        check(case, &answer, broken);
        let ir = number(with.saturating_sub(without));
        if case.name == NOTHING {
            nothing = ir;
        }
        let ir = Some(ir - nothing + set_du);
        costs.insert(case.name.clone(), Cost { ir, ns: None });
    }
}

/// Nanoseconds per call, into `costs`. The cases take turns, so that noise hits all of them.
pub fn wall(bed: &Bed<'_>, cases: &[Case], costs: &mut Costs, broken: &mut Vec<String>) {
    const TRIAL: u32 = 4;
    let rounds: Vec<u32> = cases
        .iter()
        .map(|case| {
            let trial = (TRIAL / case.heavy).max(1);
            let _ = bed.ask(&case.name, trial);
            let answer = bed.ask(&case.name, trial);
            check(case, &answer, broken);
            let one = (answer.took_ns / f64::from(trial)).max(20.0);
            whole(SAMPLE_NS / one).max(1)
        })
        .collect();
    let mut samples = vec![Vec::with_capacity(SAMPLES); cases.len()];
    for _ in 0..SAMPLES {
        for ((case, rounds), samples) in cases.iter().zip(&rounds).zip(&mut samples) {
            let answer = bed.ask(&case.name, *rounds);
            samples.push(answer.took_ns / f64::from(*rounds));
        }
    }
    let empty = cases.iter().position(|c| c.name == EMPTY);
    let empty = empty.map_or(0.0, |i| median(&samples[i]));
    for (case, samples) in cases.iter().zip(&samples) {
        let ns = (median(samples) - empty) / f64::from(UNROLLED);
        costs.entry(case.name.clone()).or_default().ns = Some(ns);
    }
}

/// The middle of some values.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A count as a number: counts here are far below 2^53.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
pub fn number(count: u64) -> f64 {
    count as f64
}

/// A positive value without its fraction.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped before"
)]
pub(super) fn whole(value: f64) -> u32 {
    value.clamp(0.0, 1e8) as u32
}
