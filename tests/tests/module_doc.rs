//! docs/module.md has what the module exports, and nothing else: each thing under a heading of its own,
//! with an example, parameters with the default that the code has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use kamscale_tests::{RunDir, repository};

use crate::rpc::start;
use crate::support::publisher;

fn page() -> String {
    fs::read_to_string(repository().join("docs/module.md")).unwrap()
}

/// The module's own exports, all files of them.
fn exports() -> String {
    let source = repository().join("kamailio-module/src");
    let mut files = vec![source.join("exports.rs")];
    let mut folders = vec![source.join("exports")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => files.push(path),
            }
        }
    }
    let texts = files.iter().map(|f| fs::read_to_string(f).unwrap());
    texts.collect::<Vec<_>>().join("\n")
}

/// What stands in quotes right behind each place of `before`.
fn quoted<'a>(text: &'a str, before: &str) -> BTreeSet<&'a str> {
    let rests = text.split(before).skip(1);
    rests.filter_map(|rest| rest.split('"').next()).collect()
}

/// The names of all things of one kind, by the trait that makes them.
fn names<'a>(source: &'a str, kind: &str) -> BTreeSet<&'a str> {
    let head = format!(" {kind} for ");
    let bodies = source.split(head.as_str()).skip(1);
    let name = |body: &'a str| {
        let rest = body.split_once("const NAME: &'static CStr = c\"")?.1;
        rest.split('"').next()
    };
    bodies.filter_map(name).collect()
}

/// The things under one heading of the page: name without parameters, and what is said of it.
fn sections<'a>(page: &'a str, heading: &str) -> BTreeMap<&'a str, &'a str> {
    let Some((_, part)) = page.split_once(&format!("\n## {heading}\n")) else {
        return BTreeMap::new();
    };
    let part = part.split("\n## ").next().unwrap_or_default();
    let things = part.split("\n### `").skip(1);
    things
        .map(|thing| {
            let (title, body) = thing.split_once('`').unwrap();
            let name = title.split(['(', ' ']).next().unwrap_or_default();
            let body = body.split("\n### ").next().unwrap_or_default();
            (name.trim_start_matches('$'), body)
        })
        .collect()
}

#[track_caller]
fn same(what: &str, documented: &BTreeMap<&str, &str>, exported: &BTreeSet<&str>) {
    assert!(!exported.is_empty(), "no {what} is found in the code");
    let documented: BTreeSet<&str> = documented.keys().copied().collect();
    assert_eq!(
        &documented, exported,
        "{what} in docs/module.md, and in the code"
    );
}

/// Every one has an example that uses it.
#[track_caller]
fn have_examples(things: &BTreeMap<&str, &str>, usage: impl Fn(&str) -> String) {
    for (name, body) in things {
        let example = body.split("```").nth(1).unwrap_or_default();
        let usage = usage(name);
        assert!(
            example.contains(&usage),
            "{name}: no example with {usage}: {example}"
        );
    }
}

/// The default of an integer parameter, as its static begins.
fn default_of(source: &str, parameter: &str) -> Option<String> {
    let (_, rest) = source.split_once(&format!("parameter::int(c\"{parameter}\", &"))?;
    let variable = rest.split(')').next()?.rsplit("::").next()?.to_owned();
    let (_, rest) =
        source.split_once(&format!("static {variable}: AtomicI32 = AtomicI32::new("))?;
    rest.split(')').next().map(str::to_owned)
}

#[test]
fn parameters_are_documented_with_their_defaults() {
    let (page, source) = (page(), exports());
    let documented = sections(&page, "Parameters");
    let integers = quoted(&source, "kamailio::parameter::int(c\"");
    let texts = quoted(&source, "kamailio::parameter::text(c\"");
    same(
        "parameters",
        &documented,
        &integers.union(&texts).copied().collect(),
    );
    have_examples(&documented, |name| {
        format!("modparam(\"kamscale\", \"{name}\", ")
    });
    let more = [
        "kamailio-module/src/server.rs",
        "kamscale-shm/src/reply_codes.rs",
    ]
    .map(|file| fs::read_to_string(repository().join(file)).unwrap());
    let stands = |text: &str| source.contains(text) || more.iter().any(|m| m.contains(text));
    // Codes are ranges in the code: `200-407` is `(200, 407)`.
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        format!("({from}, {to})")
    };
    for (name, body) in &documented {
        let (_, default) = body
            .split_once("Default: ")
            .unwrap_or_else(|| panic!("{name}"));
        let default = default.split(".\n").next().unwrap_or_default();
        let kind = body.split(['(', ')']).nth(1).unwrap_or_default();
        if integers.contains(name) {
            let is = default_of(&source, name);
            assert_eq!((kind, Some(default)), ("integer", is.as_deref()), "{name}");
        } else {
            assert_eq!(kind, "text", "{name}");
            let value = default.trim_matches('`');
            let is_so = stands(&format!("\"{value}\""))
                || value.split(';').all(|part| stands(&range(part)));
            assert!(value == "none" || is_so, "{name}: default {value}");
        }
    }
}

#[test]
fn functions_are_documented_with_their_names_in_other_languages() {
    let (page, source) = (page(), exports());
    let documented = sections(&page, "Functions");
    same("functions", &documented, &names(&source, "ScriptFunction"));
    have_examples(&documented, |name| format!("{name}("));
    let kemi = source
        .lines()
        .filter(|line| line.contains("kamailio::kemi::function::<"))
        .filter_map(|line| line.split('"').nth(1));
    for name in kemi {
        let native = documented.iter().find(|(_, body)| {
            let call = format!("`KSR.kamscale.{name}(");
            body.contains(&call)
        });
        assert!(native.is_some(), "KSR.kamscale.{name} is not documented");
    }
}

#[test]
fn pseudo_variables_are_documented() {
    let (page, source) = (page(), exports());
    let documented = sections(&page, "Pseudo-variables");
    same(
        "pseudo-variables",
        &documented,
        &names(&source, "PseudoVariable"),
    );
    have_examples(&documented, |name| format!("${name}"));
}

#[test]
fn event_routes_are_documented() {
    let (page, source) = (page(), exports());
    let documented = sections(&page, "Event routes");
    let exported: BTreeSet<&str> = quoted(&source, "c\"kamscale:");
    let names: BTreeSet<&str> = documented
        .keys()
        .filter_map(|name| name.strip_prefix("kamscale:"))
        .collect();
    assert_eq!(
        names, exported,
        "event routes in docs/module.md, and in the code"
    );
    have_examples(&documented, |name| format!("event_route[{name}]"));
}

#[test]
fn algorithms_are_documented() {
    let page = page();
    let (_, part) = page.split_once("\n## Algorithms\n").unwrap();
    let part = part.split("\n## ").next().unwrap_or_default();
    let module = repository().join("kamailio-module/src");
    let source = fs::read_to_string(module.join("algorithm.rs")).unwrap();
    let exported = quoted(&source, " => \"");
    assert!(exported.contains("round_robin"), "{exported:?}");
    let rows = part
        .lines()
        .filter_map(|l| l.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.collect::<BTreeSet<_>>(), exported);
}

/// Asked of the running server, so also what the tables of exports really came to.
#[test]
fn commands_and_statistics_are_documented() {
    let run = RunDir::new("module_doc");
    let _publisher = publisher(&run, Vec::new());
    let kamailio = start(&run, "", "request_route { route(IN_DIALOG); }");
    let page = page();
    let methods = kamailio.rpc(&["system.listMethods"]);
    let commands: BTreeSet<&str> = methods
        .iter()
        .filter_map(|m| m.as_str().filter(|m| m.starts_with("kamscale.")))
        .collect();
    let documented = sections(&page, "RPC commands");
    same("RPC commands", &documented, &commands);
    have_examples(&documented, |name| format!("kamcmd {name}"));

    let (_, part) = page.split_once("\n## Statistics\n").unwrap();
    let part = part.split("\n## ").next().unwrap_or_default();
    let rows = part
        .lines()
        .filter_map(|l| l.strip_prefix("| `")?.split('`').next());
    let told: BTreeSet<String> = rows.map(|row| row.replace("FEATURE", "calls")).collect();
    let lines = kamailio.rpc(&["stats.get_statistics", "kamscale:"]);
    let shown: BTreeSet<String> = lines
        .iter()
        .filter_map(|l| l.as_str()?.strip_prefix("kamscale:")?.split(' ').next())
        .filter(|name| !name.ends_with("-queue"))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        told, shown,
        "statistics in docs/module.md, and those of the server"
    );
}
