//! Tests of what stands around the pools: Heat, who decides, several nodes.

use super::*;

const GROUP: &str = r#"
[pools.conference]
max = 4
[pools.conference.heat]
actuator = "heat_autoscaling_group"
stack = "conference"
"#;

const NODES: &str = r#"
[nodes]
name = "lb1"
all = ["lb1", "lb2"]
[gnocchi]
[lease]
endpoints = ["http://127.0.0.1:2379"]
[pools.queue]
"#;

#[test]
fn a_group_of_heat_is_an_actuator_with_the_templates_names() {
    let config = Config::parse(Path::new("agent.toml"), GROUP).unwrap();
    let heat = config.pools["conference"].heat.as_ref().unwrap();
    assert_eq!(heat.size_parameter(), "desired");
    assert_eq!(config.decider("conference"), Decider::Agent);
    assert!(config.needs_cloud());
    let aodh = GROUP.replace("max = 4", "max = 4\ndecide = \"aodh\"");
    let config = Config::parse(Path::new("agent.toml"), &aodh).unwrap();
    assert_eq!(config.decider("conference"), Decider::Aodh);
}

#[test]
fn a_fixed_pool_needs_nobody_who_decides() {
    let text = "[agent]\ndecide = \"aodh\"\n[pools.queue]\n";
    Config::parse(Path::new("agent.toml"), text).unwrap();
}

#[test]
fn rules_of_heat_name_key_line_and_remedy() {
    let cases = [
        (
            "max = 4\n[pools.conference.heat]\nactuator = \"heat_autoscaling_group\"",
            "max = 4\ndecide = \"aodh\"\n[pools.conference.heat]\nactuator = \"heat_resource_group\"",
            "agent.toml:4: pools.conference.decide: \"aodh\" needs a pool with a `heat` section",
        ),
        (
            "heat_autoscaling_group",
            "stack_per_member",
            "agent.toml:4: pools.conference.heat.template: missing; write the file",
        ),
        (
            "stack = \"conference\"",
            "stack = \"a b\"",
            "agent.toml:6: pools.conference.heat.stack: a name has",
        ),
        (
            "stack = \"conference\"",
            "stack = \"conference\"\ntemplate = \"/x.yaml\"",
            "agent.toml:7: pools.conference.heat.template: only for actuator",
        ),
        (
            "stack = \"conference\"",
            "stack = \"conference\"\nuri = \"sip:{host}\"",
            "agent.toml:7: pools.conference.heat.uri: unknown placeholder {host}",
        ),
        (
            "heat_autoscaling_group",
            "group",
            "agent.toml:5: pools.conference.heat.actuator: unknown variant `group`",
        ),
    ];
    for (from, to, expected) in cases {
        let error = error(&GROUP.replacen(from, to, 1));
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn several_nodes_need_a_lease_and_a_place_for_their_reports() {
    Config::parse(Path::new("agent.toml"), NODES).unwrap();
    let cases = [
        (
            "[lease]\nendpoints = [\"http://127.0.0.1:2379\"]\n",
            "",
            "agent.toml:4: nodes.all: several nodes need a [lease]",
        ),
        (
            "[gnocchi]\n",
            "",
            "agent.toml:2: nodes.source: needs a [gnocchi] section",
        ),
        (
            "\"lb1\", \"lb2\"",
            "\"lb2\", \"lb3\"",
            "agent.toml:4: nodes.all: this node, \"lb1\", is not among them",
        ),
        (
            "\"lb1\", \"lb2\"",
            "\"lb1\", \"lb1\"",
            "agent.toml:4: nodes.all: \"lb1\" is there twice",
        ),
    ];
    for (from, to, expected) in cases {
        let error = error(&NODES.replacen(from, to, 1));
        assert!(error.starts_with(expected), "{error}");
    }
    let local = format!("{NODES}{LOCAL}");
    let error = error(&local);
    assert!(
        error.contains("pools.conference.local: members of this machine"),
        "{error}"
    );
}
