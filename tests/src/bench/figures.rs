//! From costs to the figures of the issue. A ratio is `other / ours` where more is better for us,
//! and `ours / other` where less is.

use serde_json::{Value, json};

use super::bed::Manager;
use super::cost::{Cost, Costs};
use super::pools::SIZES;
use super::script::{ADMIT, COMPARED, FEATURE, FLAT, LINEAR, Mode, ONCE, SHTINC, STICKY};
use crate::report::{Figure, Report};

/// What was measured under one memory manager.
#[derive(Debug, Default)]
pub struct Measured {
    /// [`Mode::Plain`].
    pub plain: Costs,
    /// [`Mode::Failover`].
    pub failover: Costs,
}

impl Measured {
    fn cost(&self, mode: Mode, name: &str) -> Cost {
        let costs = match mode {
            Mode::Plain => &self.plain,
            Mode::Failover => &self.failover,
        };
        costs.get(name).copied().unwrap_or_default()
    }
}

impl Cost {
    fn minus(self, other: Self) -> Self {
        let both = |a: Option<f64>, b: Option<f64>| Some(a? - b?);
        Self {
            ir: both(self.ir, other.ir),
            ns: both(self.ns, other.ns),
        }
    }

    fn value(self) -> Value {
        json!({"ir": rounded(self.ir), "ns": rounded(self.ns)})
    }
}

fn rounded(value: Option<f64>) -> Option<f64> {
    value.map(|v| (v * 10.0).round() / 10.0)
}

/// What a ratio should be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// More is better.
    AtLeast(f64),
    /// Less is better.
    AtMost(f64),
}

impl Goal {
    pub(super) fn ratio(self, ours: Option<f64>, other: Option<f64>) -> Option<f64> {
        let (ours, other) = (ours?, other?);
        let ratio = match self {
            Self::AtLeast(_) => other / ours,
            Self::AtMost(_) => ours / other,
        };
        Some((ratio * 1000.0).round() / 1000.0)
    }

    pub(super) fn text(self) -> String {
        match self {
            Self::AtLeast(value) => format!(">= {value}"),
            Self::AtMost(value) => format!("<= {value}"),
        }
    }

    pub(super) fn is_met(self, ratio: Option<f64>) -> bool {
        ratio.is_some_and(|r| match self {
            Self::AtLeast(value) => r >= value,
            Self::AtMost(value) => r <= value,
        })
    }
}

struct Comparison<'a> {
    name: String,
    goal: Goal,
    ours: Cost,
    other: Cost,
    what: &'a str,
}

const METHOD: &str = "callgrind, 200 calls unrolled, empty loop subtracted";

impl Comparison<'_> {
    fn add(self, report: &mut Report, manager: Manager) {
        let (ours, other) = (self.ours, self.other);
        let ratio = self.goal.ratio(ours.ir, other.ir);
        let shown = |v: Option<f64>| v.map_or("?".into(), |v| format!("{v:.0}"));
        let how = match ratio {
            None => "not measured: callgrind did not run".to_owned(),
            Some(_) => format!(
                "{} against {} Ir, {} against {} ns; {}, {}; {METHOD}",
                shown(ours.ir),
                shown(other.ir),
                shown(ours.ns),
                shown(other.ns),
                self.what,
                manager.name()
            ),
        };
        let suffix = if manager == Manager::Qm { ".qm" } else { "" };
        let name = format!("{}{suffix}", self.name);
        let mut figure = Figure::new(&name, ratio, "ratio")
            .sides(ours.value(), other.value())
            .how(how);
        if manager == Manager::Fm {
            figure = figure.target(&self.goal.text(), self.goal.is_met(ratio));
        }
        report.figure(figure);
        if manager == Manager::Fm {
            let how = format!("the same by the clock: {}", self.what);
            let wall = self.goal.ratio(ours.ns, other.ns);
            report.figure(Figure::new(&format!("{name}.wall"), wall, "ratio").how(how));
        }
    }
}

/// Counting and selecting.
pub fn selections(report: &mut Report, manager: Manager, measured: &Measured) {
    Comparison {
        name: "count.vs_update_stat".into(),
        goal: Goal::AtMost(1.0),
        ours: measured.cost(Mode::Plain, "ks_count"),
        other: measured.cost(Mode::Plain, "update_stat"),
        what: "ks_count(\"all\") and update_stat(\"st1\",\"+1\")",
    }
    .add(report, manager);
    for (name, _) in COMPARED {
        for size in SIZES {
            against_plain(report, manager, measured, name, size);
            against_failover(report, manager, measured, name, size);
        }
    }
    // Under fm a single allocation costs what the heap happens to look like: no figure to compare.
    if manager == Manager::Qm {
        for (name, _) in COMPARED {
            first_calls(report, measured, name);
        }
    }
    if manager == Manager::Fm {
        against_shtinc(report, measured);
    }
    flatness(report, manager, measured);
    by_expression(report, manager, measured);
}

fn against_plain(report: &mut Report, manager: Manager, all: &Measured, name: &str, size: usize) {
    let ours = all.cost(Mode::Plain, &format!("ks_{name}_{size}"));
    Comparison {
        name: format!("select.{name}.{size}.vs_ds_plain"),
        goal: Goal::AtLeast(2.0),
        ours,
        other: all.cost(Mode::Plain, &format!("ds_{name}_{size}")),
        what: "failover=0; ds_select_dst, flags=0, xavp_ctx_mode=1; hash: both by Call-ID",
    }
    .add(report, manager);
    Comparison {
        name: format!("select.{name}.{size}.vs_set_du"),
        goal: Goal::AtMost(1.5),
        ours,
        other: all.cost(Mode::Plain, "set_du"),
        what: "failover=0; $du = a constant as long as a member's URI",
    }
    .add(report, manager);
}

fn against_failover(
    report: &mut Report,
    manager: Manager,
    all: &Measured,
    name: &str,
    size: usize,
) {
    let cost = |case: &str| all.cost(Mode::Failover, case);
    let stock = cost(&format!("ds_{name}_{size}")).minus(cost("clear_stock"));
    let fresh = cost(&format!("ks_{name}_{size}")).minus(cost("clear_ours"));
    let figure = format!("select.{name}.{size}.vs_ds_failover_limit1");
    Comparison {
        name: figure.clone(),
        goal: Goal::AtLeast(5.0),
        ours: fresh,
        other: stock,
        what: "each as for a new request: both allocate and free their xavps; the cost of clearing \
               what is not there is subtracted on both sides",
    }
    .add(report, manager);
    let in_place = cost(&format!("ks_{name}_{size}_in_place"));
    let suffix = if manager == Manager::Qm { ".qm" } else { "" };
    let ratio = Goal::AtLeast(5.0).ratio(in_place.ir, stock.ir);
    report.figure(
        Figure::new(&format!("{figure}.in_place{suffix}"), ratio, "ratio")
            .sides(in_place.value(), stock.value())
            .how("ours selects again in one request: its memory is overwritten in place"),
    );
}

/// By the clock beside `$shtinc`, a counter under a lock: a whole selection by a sticky key against the
/// look-up alone that scripts build it from, and an admission against a counter.
fn against_shtinc(report: &mut Report, all: &Measured) {
    let other = all.cost(Mode::Plain, SHTINC);
    let admit = format!("ks_admit(\"{FEATURE}\") by a rate, let in");
    let sticky = "ks_select_dst(\"p1000\", \"sticky\", \"$ci\") of a key without a call, which looks \
                  in both places and then chooses";
    for (name, case, what) in [("sticky.ns", STICKY, sticky), ("admit.ns", ADMIT, &admit)] {
        let (ours, goal) = (all.cost(Mode::Plain, case), Goal::AtMost(1.0));
        let ratio = goal.ratio(ours.ns, other.ns);
        let how = format!("by the clock: {what}, against $shtinc(keys=>$ci), both of one key");
        let figure = Figure::new(name, ratio, "ratio").sides(ours.value(), other.value());
        report.figure(figure.how(how).target(&goal.text(), goal.is_met(ratio)));
    }
}

/// The loops above look for a new table once; this is what a request pays that selects once.
fn first_calls(report: &mut Report, all: &Measured, name: &str) {
    for (mode, against) in [
        (Mode::Plain, "vs_ds_plain"),
        (Mode::Failover, "vs_ds_failover_limit1"),
    ] {
        let ours = all.cost(mode, &format!("once_ks_{name}_{ONCE}"));
        let other = all.cost(mode, &format!("once_ds_{name}_{ONCE}"));
        let figure = format!("select.{name}.{ONCE}.{against}.first_in_request.qm");
        let ratio = Goal::AtLeast(0.0).ratio(ours.ir, other.ir);
        report.figure(
            Figure::new(&figure, ratio, "ratio")
                .sides(ours.value(), other.value())
                .how(
                    "one call in a request, with the memory that the message then holds and frees",
                ),
        );
    }
}

fn flatness(report: &mut Report, manager: Manager, all: &Measured) {
    let suffix = if manager == Manager::Qm { ".qm" } else { "" };
    let flat = |name: &str| {
        let ir = |size| all.cost(Mode::Plain, &format!("ks_{name}_{size}")).ir;
        Goal::AtLeast(0.0).ratio(ir(10), ir(10_000))
    };
    let worst = COMPARED
        .map(|(name, _)| flat(name))
        .into_iter()
        .try_fold(0.0_f64, |worst, is| Some(worst.max(is?)));
    let name = format!("select.flatness{suffix}");
    let mut figure = Figure::new(&name, worst, "ratio").how(format!(
        "Ir with 10,000 members / with 10, the worse of round_robin and hash, {}; {METHOD}",
        manager.name()
    ));
    if manager == Manager::Fm {
        let goal = Goal::AtMost(1.2);
        figure = figure.target(&goal.text(), goal.is_met(worst));
    }
    report.figure(figure);
    for name in FLAT
        .into_iter()
        .chain(["sticky"])
        .filter(|n| *n != "serial")
    {
        let (goal, is) = (Goal::AtMost(1.2), flat(name));
        let cost = |size| all.cost(Mode::Plain, &format!("ks_{name}_{size}")).value();
        let mut figure = Figure::new(&format!("select.{name}.flatness{suffix}"), is, "ratio")
            .sides(cost(10_000), cost(10))
            .how(format!(
                "Ir with 10,000 members / with 10, {}",
                manager.name()
            ));
        if manager == Manager::Fm {
            figure = figure.target(&goal.text(), goal.is_met(is));
        }
        report.figure(figure);
    }
    for name in FLAT.into_iter().chain([LINEAR]) {
        let linear = name == LINEAR;
        let how = if linear {
            "linear by design: looks at every member"
        } else {
            ""
        };
        let figure = format!("select.flatness.{name}{suffix}");
        let cost = |size| all.cost(Mode::Plain, &format!("ks_{name}_{size}")).value();
        let figure = Figure::new(&figure, flat(name), "ratio").how(how);
        report.figure(figure.sides(cost(10_000), cost(10)));
    }
}

/// What a computed key or pool name costs more.
fn by_expression(report: &mut Report, manager: Manager, all: &Measured) {
    let suffix = if manager == Manager::Qm { ".qm" } else { "" };
    for (name, case, how) in [
        (
            "key",
            "ks_hash_key_10",
            "hash with the key \"$ci\", 10 members",
        ),
        (
            "pool",
            "ks_named_10",
            "round_robin from the pool \"$var(pool)\", 10 members",
        ),
    ] {
        let cost = all.cost(Mode::Plain, case);
        let figure = Figure::new(
            &format!("select.computed_{name}{suffix}"),
            rounded(cost.ir),
            "Ir",
        );
        report.figure(figure.how(how));
    }
}
