//! docs/migrating-from-dispatcher.md promises only what a test shows, and forgets no command of the
//! dispatcher module that is installed.

use std::fs;

use kamscale_tests::{Kamailio, RunDir, repository};

use crate::support::config;

/// The cells of every row that has a verdict.
fn rows(page: &str) -> Vec<Vec<&str>> {
    page.lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() == 4 && cells[2] != "verdict" && cells[2] != "---")
        .collect()
}

fn page() -> String {
    fs::read_to_string(repository().join("docs/migrating-from-dispatcher.md")).unwrap()
}

#[test]
fn what_is_same_or_better_names_a_test_that_there_is() {
    let page = page();
    let rows = rows(&page);
    assert!(rows.len() > 60, "{} rows", rows.len());
    let lines = page.lines().filter(|l| l.starts_with("| ")).count();
    let heads = page.matches("| verdict |").count();
    assert_eq!(rows.len() + heads, lines, "a row has not four cells");
    for row in rows {
        let (what, verdict, test) = (row[0], row[2], row[3]);
        let starts = |words: &[&str]| words.iter().any(|w| verdict.starts_with(w));
        if starts(&["left out"]) {
            assert_eq!(test, "", "{what}: {verdict}");
            continue;
        }
        assert!(starts(&["same", "better"]), "{what}: {verdict}");
        let (file, name) = test
            .trim_matches('`')
            .split_once("::")
            .unwrap_or((test, ""));
        let path = repository().join(format!("tests/tests/{file}.rs"));
        let source = fs::read_to_string(&path).unwrap_or_default();
        let is_there = source.contains(&format!("#[test]\nfn {name}()"));
        assert!(is_there, "{what}: there is no test {test}");
    }
}

#[test]
fn no_command_of_the_installed_dispatcher_is_forgotten() {
    let run = RunDir::new("migration");
    let list = run.write("dispatcher.list", "1 sip:127.0.0.1:9\n");
    let parameters = format!(
        "loadmodule \"dispatcher.so\"\nmodparam(\"dispatcher\", \"list_file\", \"{}\")\n",
        list.display()
    );
    let kamailio = Kamailio::with_text(
        &run,
        &config(&parameters, "request_route { route(IN_DIALOG); }"),
    );
    let kamailio = kamailio.start();
    let page = page();
    let methods = kamailio.rpc(&["system.listMethods"]);
    let commands = methods.iter().filter_map(|m| m.as_str());
    let commands: Vec<&str> = commands.filter(|m| m.starts_with("dispatcher.")).collect();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        assert!(
            page.contains(&format!("`{command}`")),
            "{command} is not told"
        );
    }
}
