//! The figure of memory under changes: a minute of the long run (`make soak`), and what the stock dispatcher
//! loses by its own commands.

use std::time::Duration;

use serde_json::{Value, json};

use super::{cost, pools, script};
use crate::kamailio::Kamailio;
use crate::report::{self, Figure, Report};
use crate::run::RunDir;
use crate::soak::{self, Plan, figures};

const TIME: Duration = Duration::from_secs(60);
/// Pairs of dispatcher.add and dispatcher.remove.
const PAIRS: u32 = 300;

/// Bytes of shared memory that one dispatcher.add and dispatcher.remove leave behind.
fn stock_bytes_per_pair() -> f64 {
    let run = RunDir::new("churn");
    let list = run.write("dispatcher.list", pools::dispatcher_list(&[10]));
    let parameters = "modparam(\"dispatcher\", \"reload_delta\", 0)\n";
    let head = script::head(2, &list, parameters);
    let text = format!("{head}request_route {{ sl_send_reply(\"200\", \"OK\"); }}\n");
    let kamailio = Kamailio::with_text(&run, &text).start();
    let uri = format!("sip:{}", run.endpoint());
    let pair = || {
        for command in ["dispatcher.add", "dispatcher.remove"] {
            kamailio.rpc(&[command, "1", &uri]);
        }
    };
    let used = || {
        let shared = kamailio.rpc(&["core.shmmem"]);
        shared
            .iter()
            .find_map(|v: &Value| v["used"].as_u64())
            .unwrap_or(0)
    };
    pair();
    let before = used();
    (0..PAIRS).for_each(|_| pair());
    cost::number(used().saturating_sub(before)) / f64::from(PAIRS)
}

/// The figure; what is broken in the run goes to `broken`.
pub fn memory(report: &mut Report, broken: &mut Vec<String>) {
    eprintln!("bench: memory under changes");
    let stock = report::rounded(stock_bytes_per_pair());
    let outcome = soak::play(Plan {
        time: TIME,
        faults: false,
    });
    let grown = figures::growth_of(&outcome);
    if !grown.none {
        broken.push(format!("memory grew: {}", grown.of));
    }
    let value = report::rounded(grown.shared_per_change);
    report.figure(
        Figure::new("churn.memory", value, "B a change")
            .target("no growth", grown.none)
            .sides(
                grown.of.clone(),
                json!({"shared_bytes_per_add_and_remove": stock}),
            )
            .how(format!(
                "shared memory; all that grew: {}; dispatcher: {stock} B per add and remove; {}",
                grown.of,
                figures::course(&outcome)
            )),
    );
    broken.extend(outcome.broken);
}
