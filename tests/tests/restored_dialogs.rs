//! Calls that are not counted are nobody's zero: with dialogs from a database, or without the
//! dialog module, the module says so to the agent, which then removes nothing.

use kamscale_tests::{Kamailio, RunDir};

use crate::support::{config, lines};

const ROUTES: &str = "request_route { route(IN_DIALOG); }";

#[test]
fn calls_are_not_tracked_while_dialogs_come_from_a_database() {
    const TABLES: &str = "/usr/share/kamailio/dbtext/kamailio";
    let run = RunDir::new("restored");
    for table in ["version", "dialog", "dialog_vars"] {
        match std::fs::read_to_string(format!("{TABLES}/{table}")) {
            Ok(text) => drop(run.write(&format!("db-{table}"), text)),
            Err(why) => return println!("SKIPPED: no table {table} for db_text: {why}"),
        }
    }
    let dir = run.file("db");
    std::fs::create_dir(&dir).unwrap();
    for table in ["version", "dialog", "dialog_vars"] {
        std::fs::rename(run.file(&format!("db-{table}")), dir.join(table)).unwrap();
    }
    let url = format!("text://{}", dir.display());
    let parameters = format!(
        "modparam(\"dialog\", \"db_mode\", 1)\nmodparam(\"dialog\", \"db_url\", \"{url}\")\n"
    );
    // The database module comes before the one that uses it.
    let dialog = "loadmodule \"dialog.so\"";
    let both = format!("loadmodule \"db_text.so\"\n{dialog}");
    let text = config(&parameters, ROUTES).replace(dialog, &both);
    let kamailio = Kamailio::with_text(&run, &text).start();
    assert!(!kamailio.observed("default").calls_tracked);
    assert_eq!(
        lines(&kamailio.log(), &["db_mode", "removes nothing"]).len(),
        1
    );
}

#[test]
fn calls_are_not_tracked_without_the_dialog_module() {
    let run = RunDir::new("restored");
    let text = config("", ROUTES).replace("loadmodule \"dialog.so\"\n", "");
    let kamailio = Kamailio::with_text(&run, &text).start();
    assert!(!kamailio.observed("default").calls_tracked);
    assert_eq!(
        lines(&kamailio.log(), &["dialog.so", "removes nothing"]).len(),
        1
    );
}

#[test]
fn calls_are_tracked_with_it() {
    let run = RunDir::new("restored");
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    assert!(kamailio.observed("default").calls_tracked);
}
