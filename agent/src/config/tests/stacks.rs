//! Stacks: what may be written, and the policy that comes of it.

use super::*;
use crate::plan::SignalKind;

const STACK: &str = r#"
[stacks.platform]
pools = { ccp = 2, presence = 1 }
max = 3
[pools.ccp.local]
start = ["sipp", "-i", "{address}"]
addresses = "127.0.1.1-127.0.1.9"
[pools.presence.local]
start = ["sipp", "-i", "{address}"]
addresses = "127.0.2.1-127.0.2.9"
[pools.alone]
mode = "paused"
"#;

#[test]
fn one_decision_is_taken_for_all_pools_of_a_stack_by_the_fullest() {
    let text = STACK.replace(
        "[pools.ccp.local]",
        "[[stacks.platform.signals]]\nkind = \"cpu\"\nof = \"ccp\"\n[pools.ccp.local]",
    );
    let config = Config::parse(Path::new("agent.toml"), &text).unwrap();
    assert_eq!(config.subjects(), ["alone", "platform"]);
    let policy = config.stacks["platform"].policy("platform", &config.pools);
    assert_eq!((policy.min, policy.max, policy.capacity_calls), (2, 3, 300));
    let signals: Vec<_> = policy
        .signals
        .iter()
        .map(|signal| (signal.kind, signal.of.as_deref().unwrap(), signal.capacity))
        .collect();
    assert_eq!(
        signals,
        [
            (SignalKind::Calls, "ccp", 200.0),
            (SignalKind::Calls, "presence", 100.0),
            (SignalKind::Cpu, "ccp", 2.0)
        ]
    );
    let meaning = describe(&config);
    for words in [
        "Pool ccp: 2 members of 100 calls in each stack platform.",
        "Stack platform: scaled out and in, 2 to 3 stacks of 2 ccp and 1 presence.",
    ] {
        assert!(meaning.contains(words), "{meaning}");
    }
}

#[test]
fn what_cannot_be_a_stack_is_named_with_its_line() {
    let cases = [
        (
            "max = 3",
            "max = 3\nmaximum = 3",
            "5: stacks.platform.maximum: unknown field",
        ),
        ("max = 3", "", "2: stacks.platform.max: missing"),
        (
            "max = 3",
            "max = 5",
            "7: pools.ccp.local.addresses: 9 addresses for max = 10",
        ),
        (
            "ccp = 2",
            "ccp = 0",
            "3: stacks.platform.pools.ccp: 0 is not in 1 to 100",
        ),
        (
            "ccp = 2",
            "alone = 2",
            "3: stacks.platform.pools.alone: there is no pool alone that",
        ),
        (
            "[stacks.platform]",
            "[stacks.alone]",
            "2: stacks.alone: a pool has this name",
        ),
        (
            "[pools.ccp.local]",
            "[pools.ccp]\nmax = 2\n[pools.ccp.local]",
            "6: pools.ccp.max: stack platform scales",
        ),
        (
            "[pools.alone]",
            "[stacks.second]\npools = {ccp = 1}\nmax = 2\n[pools.alone]",
            "12: stacks.second.pools.ccp: ccp belongs to stack platform already",
        ),
    ];
    for (from, to, expected) in cases {
        let error = error(&STACK.replacen(from, to, 1));
        let expected = format!("agent.toml:{expected}");
        assert!(error.starts_with(&expected), "{error}, not {expected}");
    }
}
