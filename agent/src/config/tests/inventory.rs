//! Tests of the inventory, and of nodes that are the members of a pool in it.

use super::*;

const MEMBERS: &str = r#"
[nodes]
name = "10.77.1.51"
pool = "ccp"
[inventory]
instances = ["lb"]
[gnocchi]
[lease]
endpoints = ["http://127.0.0.1:2379"]
[pools.queue]
"#;

#[test]
fn nodes_may_be_the_members_of_a_pool() {
    let parsed = |text: &str| Config::parse(Path::new("agent.toml"), text).unwrap();
    let config = parsed(MEMBERS);
    assert!(config.nodes.are_several());
    let inventory = config.inventory.as_ref().unwrap();
    let file = Path::new("/var/lib/kamscale/inventory.json");
    assert_eq!(inventory.file, file);
    let meaning = describe(&config);
    for words in ["10.77.1.51", "pool ccp", "instances lb", "inventory.json"] {
        assert!(meaning.contains(words), "{words}: {meaning}");
    }
    parsed(&MEMBERS.replace("10.77.1.51", "2001-db8--51"));
    let other = parsed(&MEMBERS.replace("pool = \"ccp\"", "pool = \"proxies\""));
    assert!(!config.reaches_as(&other), "a reload cannot change it");
    parsed("[inventory]\n");
}

#[test]
fn rules_of_the_inventory_name_key_line_and_remedy() {
    let cases = [
        (
            "name = \"10.77.1.51\"",
            "name = \"ccp1\"",
            "agent.toml:3: nodes.name: with `pool` nodes are named by their addresses",
        ),
        (
            "name = \"10.77.1.51\"\n",
            "",
            "agent.toml:2: nodes.name: with `pool` nodes are named by their addresses",
        ),
        (
            "pool = \"ccp\"",
            "pool = \"ccp\"\nall = [\"10.77.1.51\"]",
            "agent.toml:5: nodes.all: the nodes are the members of `pool`, or those in `all`",
        ),
        (
            "[inventory]\ninstances = [\"lb\"]\n",
            "",
            "agent.toml:4: nodes.pool: the members stand in the inventory",
        ),
        (
            "[gnocchi]\n",
            "",
            "agent.toml:2: nodes.source: needs a [gnocchi] section",
        ),
        (
            "[lease]\nendpoints = [\"http://127.0.0.1:2379\"]\n",
            "",
            "agent.toml:4: nodes.pool: several nodes need a [lease] section",
        ),
        (
            "instances = [\"lb\"]",
            "file = \"inventory.json\"",
            "agent.toml:6: inventory.file: write an absolute path",
        ),
        (
            "instances = [\"lb\"]",
            "file = \"/var/lib/kamscale/state.json\"",
            "agent.toml:6: inventory.file: there is the agent's own state",
        ),
        (
            "instances = [\"lb\"]",
            "instances = [\"l b\"]",
            "agent.toml:6: inventory.instances: a name has",
        ),
    ];
    for (from, to, expected) in cases {
        let error = error(&MEMBERS.replacen(from, to, 1));
        assert!(error.starts_with(expected), "{error}");
    }
    let alone = error("[inventory]\ninstances = [\"lb\"]\n");
    let expected =
        "agent.toml:2: inventory.instances: other instances are read where the [lease] is";
    assert!(alone.starts_with(expected), "{alone}");
}
