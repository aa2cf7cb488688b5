//! What pools and members have beside the numbers: what is taken, and what is refused at which line.

use super::*;
use kamscale_shm::{MemberOptions, PoolOptions, ProbeOptions};

const POOLS: &str = r#"
[pools.queue]
slow_start_s = 30
respect_capacity = true
overflow = "voicemail"
panic_threshold = 20
[pools.queue.probe]
interval_s = 0.5
jitter = 0
failures = 2
codes = "2xx;404"
[pools.queue.member]
socket = "udp:10.0.0.1:5060"
attributes = "site=fra"
probe = false
[[pools.queue.members]]
name = "usual"
uri = "sip:10.0.0.2"
[[pools.queue.members]]
name = "own"
uri = "sip:10.0.0.3"
attributes = "site=ber;trunk=7"
probe = true
proxy = "sip:10.0.0.9"
[pools.voicemail]
"#;

#[test]
fn a_pool_and_its_members_have_what_their_sections_say() {
    let config = Config::parse(Path::new("agent.toml"), POOLS).unwrap();
    let pool = &config.pools["queue"];
    let probe = ProbeOptions {
        interval_ms: Some(500),
        jitter_percent: Some(0),
        failures: Some(2),
        codes: "2xx;404".into(),
        ..ProbeOptions::default()
    };
    let options = PoolOptions {
        slow_start_s: 30,
        respect_capacity: true,
        overflow: "voicemail".into(),
        panic_threshold: Some(20),
        probe,
    };
    assert_eq!(pool.options(), options);
    assert_eq!(config.pools["voicemail"].options(), PoolOptions::default());
    let usual = MemberOptions {
        socket: "udp:10.0.0.1:5060".into(),
        attributes: "site=fra".into(),
        probe: false,
        ..MemberOptions::default()
    };
    assert_eq!(pool.member.options(), usual);
    let of = |index: usize| pool.members[index].options(&pool.member);
    assert_eq!(of(0), usual, "what it does not say is the pool's");
    let own = MemberOptions {
        attributes: "site=ber;trunk=7".into(),
        probe: true,
        proxy: "sip:10.0.0.9".into(),
        ..usual
    };
    assert_eq!(of(1), own);
}

#[test]
fn an_option_that_cannot_be_names_key_line_and_remedy() {
    let cases = [
        (
            "overflow = \"voicemail\"",
            "overflow = \"voice\"",
            "agent.toml:5: pools.queue.overflow: there is no pool \"voice\"; there are: queue, voicemail",
        ),
        (
            "overflow = \"voicemail\"",
            "overflow = \"queue\"",
            "agent.toml:5: pools.queue.overflow: leads back to where it began",
        ),
        (
            "panic_threshold = 20",
            "panic_threshold = 120",
            "agent.toml:6: pools.queue.panic_threshold: 120 is not 0 to 100 percent",
        ),
        (
            "interval_s = 0.5",
            "interval_s = 0.05",
            "agent.toml:8: pools.queue.probe.interval_s: 0.05 is not in 0.1 to 86400 seconds",
        ),
        (
            "failures = 2",
            "failures = 0",
            "agent.toml:10: pools.queue.probe.failures: 0 is not 1 to 1000",
        ),
        (
            "codes = \"2xx;404\"",
            "codes = \"1xx\"",
            "agent.toml:11: pools.queue.probe.codes: \"1xx\" is no status, class",
        ),
        (
            "codes = \"2xx;404\"",
            "method = \"INVITE\"",
            "agent.toml:11: pools.queue.probe.method: \"INVITE\" begins a call",
        ),
        (
            "socket = \"udp:10.0.0.1:5060\"",
            "socket = \"udp 10.0.0.1\"",
            "agent.toml:13: pools.queue.member.socket: \"udp 10.0.0.1\" is no local socket; write",
        ),
        (
            "attributes = \"site=ber;trunk=7\"",
            "attributes = \"site\"",
            "agent.toml:22: pools.queue.members.1.attributes: \"site\" is not KEY=VALUE;KEY=VALUE",
        ),
        (
            "proxy = \"sip:10.0.0.9\"",
            "proxy = \"10.0.0.9\"",
            "agent.toml:24: pools.queue.members.1.proxy: \"10.0.0.9\" is no SIP URI; write",
        ),
    ];
    for (old, new, wanted) in cases {
        let error = error(&POOLS.replace(old, new));
        assert!(error.starts_with(wanted), "{error}\nwanted: {wanted}");
    }
}
