//! The figures of a whole call: ours beside the dispatcher with its count of calls, and beside a
//! destination set by hand.

use serde_json::{Map, Value, json};

use super::bed::Manager;
use super::call::{CallCost, MESSAGES, Setting, Way, measure};
use super::figures::Goal;
use crate::report::{Figure, Report};

/// Members of the pool of the figures with a target.
const MEMBERS: usize = 10;
/// The sizes for which the exact search for the least loaded member is compared.
const SIZES: [usize; 2] = [MEMBERS, 1000];
/// How ours selects: the same as the dispatcher's algorithm 10.
const ALIKE: &str = "least_calls";

fn value(cost: &CallCost) -> Value {
    let each = MESSAGES.iter().zip(cost.each);
    let mut sides: Map<String, Value> = each
        .map(|(name, ir)| ((*name).to_owned(), json!(ir.round())))
        .collect();
    sides.insert("ir".into(), json!(cost.whole().round()));
    Value::Object(sides)
}

fn at(way: Way, manager: Manager) -> Setting {
    Setting {
        way,
        members: MEMBERS,
        dialog: true,
        manager,
    }
}

/// One comparison of whole calls; only the recommended memory manager has a target.
fn compare(report: &mut Report, name: &str, goal: Option<Goal>, sides: [&CallCost; 2], what: &str) {
    let [ours, other] = sides;
    let ratio = Goal::AtMost(1.0).ratio(Some(ours.whole()), Some(other.whole()));
    let how = format!(
        "{:.0} against {:.0} Ir a call; {what}; callgrind, mean of 40 calls of 5 messages through one \
         worker",
        ours.whole(),
        other.whole()
    );
    let mut figure = Figure::new(name, ratio, "ratio").sides(value(ours), value(other));
    if let Some(goal) = goal {
        figure = figure.target(&goal.text(), goal.is_met(ratio));
    }
    report.figure(figure.how(how));
}

/// All of them.
pub fn whole_calls(report: &mut Report) {
    for manager in [Manager::Fm, Manager::Qm] {
        let suffix = if manager == Manager::Qm { ".qm" } else { "" };
        let goal = |most| (manager == Manager::Fm).then_some(Goal::AtMost(most));
        let run = |way| {
            eprintln!("bench: a whole call, {way:?}, {}", manager.name());
            measure(&at(way, manager))
        };
        let [ours, stock, fixed] = [Way::Ours(ALIKE), Way::Stock, Way::Fixed].map(run);
        let what = format!(
            "{ALIKE} of {MEMBERS} members against algorithm 10 with its count of calls and one member \
             for failover; both with dialogs; {}",
            manager.name()
        );
        let name = format!("call.cost.vs_dispatcher{suffix}");
        compare(report, &name, goal(1.0), [&ours, &stock], &what);
        let what = format!(
            "{ALIKE} of {MEMBERS} members against $du set by hand and dlg_manage(); {}",
            manager.name()
        );
        let name = format!("call.cost.vs_fixed_du{suffix}");
        compare(report, &name, goal(1.03), [&ours, &fixed], &what);
        if manager == Manager::Fm {
            without_dialogs(report, &ours);
            least_loaded(report, [ours, stock, fixed]);
        }
    }
}

/// Ours has dialogs, because it counts calls by them; what others do without them costs less.
fn without_dialogs(report: &mut Report, ours: &CallCost) {
    for (way, name) in [(Way::Stock, "vs_dispatcher"), (Way::Fixed, "vs_fixed_du")] {
        let other = measure(&Setting {
            dialog: false,
            ..at(way, Manager::Fm)
        });
        let what = "the other side without the dialog module, which then knows no calls; fm";
        let name = format!("call.cost.{name}.without_dialog");
        compare(report, &name, None, [ours, &other], what);
    }
}

/// What finding the least loaded member costs in the INVITE, all that it brings with it included.
fn least_loaded(report: &mut Report, ten: [CallCost; 3]) {
    for size in SIZES {
        let [ours, stock, fixed] = match size {
            MEMBERS => ten,
            members => [Way::Ours(ALIKE), Way::Stock, Way::Fixed].map(|way| {
                measure(&Setting {
                    members,
                    ..at(way, Manager::Fm)
                })
            }),
        };
        let invite = |cost: &CallCost| cost.each[0] - fixed.each[0];
        let (ours, stock) = (invite(&ours), invite(&stock));
        let ratio = Goal::AtMost(1.0).ratio(Some(ours), Some(stock));
        let name = format!("select.{ALIKE}.{size}.vs_ds_call_load");
        report.figure(
            Figure::new(&name, ratio, "ratio")
                .sides(json!({"ir": ours.round()}), json!({"ir": stock.round()}))
                .how(format!(
                    "{ours:.0} against {stock:.0} Ir in an INVITE beyond one with $du set by hand: both \
                     look at every member, count the call and remember for failover; fm"
                )),
        );
    }
}
