//! Tests of the configuration: what is refused, and how the error reads.

use std::path::Path;

use super::*;

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
    assert_eq!(pool.policy().stabilization_s, 600.0);
    assert_eq!(pool.mode(), crate::plan::Mode::On);
    assert_eq!(pool.feature("conference"), "conference");
    assert_eq!(config.agent.listens().len(), 1);
    assert!(describe(&config).contains("Pool conference: scaled out and in, 1 to 4 members"));
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
            "",
            "agent.toml:2: pools.conference.max: missing; an elastic pool needs",
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
        (
            "[pools",
            "[agent]\ndecide = \"aodh\"\n[pools",
            "agent.toml:3: agent.decide: \"aodh\" is",
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
    // serde lists all keys of a section in its error about an unknown one.
    let sections = [
        "agent",
        "pools.x",
        "pools.x.member",
        "pools.x.local",
        "pools.x.members.0",
    ];
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
                let line = line.trim_start_matches('[');
                line.starts_with(&format!("{key} =")) || line.contains(&format!(".{key}]"))
            });
            assert!(there, "{section}: {key} is missing in agent.toml.example");
        }
    }
}
