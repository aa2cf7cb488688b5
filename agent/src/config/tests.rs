//! Tests of the configuration: what is refused, and how the error reads.

mod features;
mod inventory;
mod openstack;
mod options;
mod sources;
mod stacks;

use std::path::Path;

use super::*;
use crate::plan::{Policy, Target};

const LOCAL: &str = r#"
[pools.conference]
max = 4
[pools.conference.local]
start = ["sipp", "-i", "{address}"]
addresses = "127.0.1.1-127.0.1.9"
"#;

fn error(text: &str) -> String {
    Config::parse(Path::new("agent.toml"), text)
        .unwrap_err()
        .to_string()
}

#[test]
fn defaults_are_filled_in() {
    let config = Config::parse(Path::new("agent.toml"), LOCAL).unwrap();
    let pool = &config.pools["conference"];
    assert_eq!(pool.policy("conference").stabilization_s, 900.0);
    assert_eq!(pool.mode(), crate::plan::Mode::On);
    assert_eq!(pool.feature("conference"), "conference");
    assert_eq!(config.agent.listens().len(), 1);
    assert!(describe(&config).contains("Pool conference: scaled out and in, 2 to 4 members"));
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let text = LOCAL.replace("max = 4", "max = 4\nmaximum = 5");
    let error = error(&text);
    assert!(
        error.starts_with("agent.toml:4: pools.conference.maximum: unknown field"),
        "{error}"
    );
}

#[test]
fn a_wrong_type_is_named_with_its_line() {
    let error = error(&LOCAL.replace("max = 4", "max = \"four\""));
    assert!(
        error.starts_with("agent.toml:3: pools.conference.max: invalid type"),
        "{error}"
    );
}

#[test]
fn text_that_is_no_toml_is_named_with_its_line() {
    let error = error(&LOCAL.replace("max = 4", "max = = 4"));
    assert!(error.starts_with("agent.toml:3: max: "), "{error}");
}

#[test]
fn rules_between_values_name_key_line_and_remedy() {
    let cases = [
        (
            "max = 4",
            "max = 4\nmin = 5",
            "agent.toml:4: pools.conference.min: min 5 is above max 4",
        ),
        (
            "max = 4",
            "max = 1",
            "agent.toml:3: pools.conference.max: max 1 is below the default min = 2; write min = 1",
        ),
        (
            "max = 4",
            "max = 4\nsurvive_losses = 4",
            "agent.toml:4: pools.conference.survive_losses: a pool of at most 4 cannot lose 4",
        ),
        (
            "max = 4",
            "max = 4\ntarget = {erlang_b = {blocking = 1.5}}",
            "agent.toml:4: pools.conference.target.erlang_b.blocking: 1.5 is no probability",
        ),
        (
            "max = 4",
            "max = 4\ntarget = {erlang_c = {wait = 0.2, answer_s = 20}}",
            "agent.toml:4: pools.conference.target.erlang_c.answer_s: unexpected keys",
        ),
        (
            "max = 4",
            "",
            "agent.toml:2: pools.conference.max: missing; what is elastic needs",
        ),
        (
            "max = 4",
            "max = 4\nscale_in_load = 0.8",
            "agent.toml:4: pools.conference.scale_in_load: 0.8 must be below scale_out_load 0.7",
        ),
        (
            "127.0.1.9",
            "127.0.1.2",
            "agent.toml:6: pools.conference.local.addresses: 2 addresses",
        ),
        (
            "{address}",
            "{host}",
            "agent.toml:5: pools.conference.local.start: unknown placeholder",
        ),
        (
            "[pools",
            "[agent]\nlisten = \"0.0.0.0:80\"\n[pools",
            "agent.toml:3: agent.listen: \"0.0.",
        ),
    ];
    for (from, to, expected) in cases {
        let error = error(&LOCAL.replacen(from, to, 1));
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_fixed_member_is_found_by_its_place() {
    let text = "[[pools.queue.members]]\nname = \"a\"\nuri = \"sip:127.0.0.1\"\n\
                [[pools.queue.members]]\nname = \"b\"\nuri = \"http://x\"\n";
    let error = error(text);
    assert!(
        error.starts_with("agent.toml:6: pools.queue.members.1.uri: no SIP URI"),
        "{error}"
    );
}

/// A pool with these lines of its section and these sections behind it.
fn pool(keys: &str, sections: &str) -> String {
    LOCAL.replace("max = 4", &format!("max = 4\n{keys}")) + sections
}

#[test]
fn every_target_can_be_written() {
    let target = |text: &str| {
        let text = pool(&format!("target = {text}"), "");
        let config = Config::parse(Path::new("agent.toml"), &text).unwrap();
        config.pools["conference"].policy("conference").target
    };
    assert_eq!(target("\"load\""), Target::Load);
    let erlang_b = Target::ErlangB { blocking: 0.001 };
    assert_eq!(target("{erlang_b = {blocking = 0.001}}"), erlang_b);
    assert_eq!(
        target("{erlang_c = {wait = 0.2}}"),
        Target::ErlangC { wait: 0.2 }
    );
    let answer_time = Target::AnswerTime {
        answer_s: 20.0,
        hold_s: 180.0,
    };
    assert_eq!(
        target("{answer_time = {answer_s = 20, hold_s = 180}}"),
        answer_time
    );
}

#[test]
fn signals_have_defaults_by_their_kind_and_need_a_capacity_where_none_is_natural() {
    let text = pool("", "[[pools.conference.signals]]\nkind = \"cpu\"\n");
    let config = Config::parse(Path::new("agent.toml"), &text).unwrap();
    let policy = config.pools["conference"].policy("conference");
    let cpu = &policy.signals[0];
    assert_eq!(
        (cpu.capacity, cpu.scale_out_load, cpu.scale_in_load),
        (1.0, 0.50, 0.30)
    );
    let cases = [
        (
            "kind = \"waiting\"",
            "capacity: missing; write how many callers",
        ),
        ("kind = \"calls\"\ncapacity = 1", "kind: calls always count"),
        (
            "kind = \"cpu\"\nscale_in_load = 0.6",
            "scale_in_load: 0.6 must",
        ),
        ("kind = \"disk\"", "kind: unknown variant"),
    ];
    for (keys, expected) in cases {
        let error = error(&pool(
            "",
            &format!("[[pools.conference.signals]]\n{keys}\n"),
        ));
        let expected = format!("pools.conference.signals.0.{expected}");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn a_floor_that_cannot_hold_is_named_by_its_place() {
    let floor = "[[pools.conference.floors]]\nname = \"day\"\ncron = \"0 8 * * 1-5\"\n\
                 time_zone = \"Europe/Berlin\"\nduration_s = 36000\nmin = 3\n";
    let config = Config::parse(Path::new("agent.toml"), &pool("", floor)).unwrap();
    let meaning = describe(&config);
    assert!(
        meaning.contains("\"day\": at least 3 from \"0 8 * * 1-5\" (Europe/Berlin) on"),
        "{meaning}"
    );
    let cases = [
        (
            "min = 3",
            "min = 5",
            "agent.toml:13: pools.conference.floors.0.min: 5 is above max 4",
        ),
        (
            "36000",
            "0",
            "agent.toml:12: pools.conference.floors.0.duration_s: ",
        ),
        (
            "Berlin",
            "Bonn",
            "agent.toml:11: pools.conference.floors.0.time_zone: ",
        ),
        (
            "0 8 *",
            "0 25 *",
            "agent.toml:10: pools.conference.floors.0.cron: ",
        ),
    ];
    for (from, to, expected) in cases {
        let error = error(&pool("", &floor.replace(from, to)));
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn fixed_and_paused_pools_need_no_minimum() {
    let text = "[pools.queue]\nmode = \"paused\"\nmax = 1\n[[pools.queue.members]]\n\
                name = \"a\"\nuri = \"sip:127.0.0.1\"\n";
    let config = Config::parse(Path::new("agent.toml"), text).unwrap();
    assert_eq!(config.pools["queue"].policy("queue").min, 0);
}

#[test]
fn a_pool_without_actuator_cannot_be_scaled() {
    let error = error("[pools.queue]\nmode = \"on\"\nmax = 2\n");
    assert!(
        error.starts_with("agent.toml:2: pools.queue.mode: nothing here can make"),
        "{error}"
    );
}

#[test]
fn the_example_is_valid_and_names_every_key() {
    let text = include_str!("../../agent.toml.example");
    let config = Config::parse(Path::new("agent.toml.example"), text).unwrap();
    assert!(config.pools["conference"].local.is_some());
    let written = config.pools["conference"].policy("conference");
    let defaults = Policy {
        max: written.max,
        signals: written.signals.clone(),
        floors: written.floors.clone(),
        budget_member_hours: written.budget_member_hours,
        capacity_calls: written.capacity_calls,
        jitter_seed: written.jitter_seed,
        ..Policy::default()
    };
    assert_eq!(written, defaults, "the example shows the defaults");
    // serde lists all keys of a section in its error about an unknown one.
    let sections = [
        "agent",
        "host",
        "prometheus",
        "dns",
        "pools.x",
        "stacks.x",
        "pools.x.probe",
        "pools.x.member",
        "pools.x.local",
        "pools.x.heat",
        "nodes",
        "pools.x.members.0",
        "pools.x.signals.0",
        "pools.x.floors.0",
    ];
    assert!(config.stacks.contains_key("platform"));
    for section in sections {
        let header = match section.strip_suffix(".0") {
            Some(list) => format!("[[{list}]]"),
            None => format!("[{section}]"),
        };
        let error = error(&format!("{header}\nno_such_key = 1\n"));
        let keys: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert!(keys.len() >= 3, "{error}");
        for key in keys {
            let there = text.lines().any(|line| {
                let line = line.trim_start_matches("# ").trim_start_matches('[');
                line.starts_with(&format!("{key} =")) || line.contains(&format!(".{key}]"))
            });
            assert!(there, "{section}: {key} is missing in agent.toml.example");
        }
    }
}
