//! Against the real Gnocchi where it is up; faults are played by a cloud of recorded answers.

mod faults;
mod pure;
mod real;

use super::Sink;
use crate::nodes::{FeatureReport, NodeReport, PoolReport};

/// A report of a node with one feature, one pool and its members.
fn report(node: &str, at_s: u32, offered: u64, members: &[(&str, u32)]) -> NodeReport {
    let feature = FeatureReport {
        offered,
        admitted: offered,
        refused: 0,
    };
    let calls: u32 = members.iter().map(|(_, calls)| calls).sum();
    let pool = PoolReport {
        started: offered,
        refused: 0,
        calls: calls.into(),
        capacity: 100,
        boot_id: 7,
    };
    let members = members.iter();
    NodeReport {
        node: node.into(),
        at_s: f64::from(at_s) + 0.25,
        revision: 3,
        features: [("calls".into(), feature)].into(),
        pools: [("ccp".into(), pool)].into(),
        members: members
            .map(|(name, calls)| (("ccp".into(), (*name).into()), *calls))
            .collect(),
        ..NodeReport::default()
    }
}

fn push(sink: &Sink, report: &NodeReport) {
    sink.push(report, &mut report.calls());
}
