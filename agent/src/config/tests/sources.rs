//! Tests of where measurements come from: this host, Prometheus, and what a signal names.

use super::*;

fn signal(keys: &str) -> String {
    let prometheus = "\n[prometheus]\nurl = \"http://127.0.0.1:9090\"\n";
    format!("{LOCAL}\n[[pools.conference.signals]]\n{keys}\n{prometheus}")
}

fn source(keys: &str) -> SignalSource {
    let config = Config::parse(Path::new("agent.toml"), &signal(keys)).unwrap();
    config.pools["conference"].signals[0].from.clone()
}

#[test]
fn a_signal_says_who_measures_it() {
    assert_eq!(source("kind = \"cpu\""), SignalSource::Pushed);
    assert_eq!(
        source("kind = \"cpu\"\nfrom = \"nodes\""),
        SignalSource::Nodes
    );
    assert_eq!(
        source("kind = \"cpu\"\nfrom = { prometheus = \"up\" }"),
        SignalSource::Prometheus("up".into())
    );
    let keys = "kind = \"cpu\"\nfrom = { gnocchi = { metric = \"cpu\", full = 3e11 } }";
    let SignalSource::Gnocchi(gnocchi) = source(keys) else {
        panic!("another source");
    };
    assert_eq!(
        (gnocchi.resource_type.as_str(), gnocchi.granularity_s),
        ("instance", 300.0)
    );
}

#[test]
fn a_source_that_cannot_give_the_signal_is_refused() {
    for (keys, problem) in [
        (
            "kind = \"waiting\"\ncapacity = 5\nfrom = \"nodes\"",
            "write another source",
        ),
        (
            "kind = \"cpu\"\nfrom = { prometheus = \" \" }",
            "an empty query",
        ),
        (
            "kind = \"cpu\"\nfrom = { gnocchi = { metric = \"cpu\" } }",
            "full: missing",
        ),
        (
            "kind = \"cpu\"\nfrom = { gnocchi = { metric = \"a b\", full = 1 } }",
            "is no name",
        ),
        (
            "kind = \"cpu\"\nfrom = { gnocchi = { metrics = \"cpu\" } }",
            "unknown field",
        ),
        ("kind = \"cpu\"\nfrom = \"node\"", "unknown variant"),
    ] {
        let error = error(&signal(keys));
        assert!(error.contains(problem), "{keys}: {error}");
    }
    let keys = signal("kind = \"cpu\"\nfrom = { prometheus = \"up\" }");
    let alone = keys.split("[prometheus]").next().unwrap();
    assert!(error(alone).contains("there is no section [prometheus]"));
}

#[test]
fn a_faulty_prometheus_is_named() {
    for (keys, key) in [
        ("url = \"127.0.0.1:9090\"", "url"),
        ("url = \"http://me:secret@127.0.0.1\"", "url"),
        ("url = \"http://a\"\ntimeout_s = 0", "timeout_s"),
        ("url = \"http://a\"\nmatchers = \"{a='b'}\"", "matchers"),
        ("url = \"https://a\"\nuser = \"me\"", "password_file"),
        (
            "url = \"http://a\"\nuser = \"me\"\npassword_file = \"/x\"",
            "password_file",
        ),
    ] {
        let error = error(&format!("[prometheus]\n{keys}\n"));
        assert!(
            error.contains(&format!(" prometheus.{key}: ")),
            "{keys}: {error}"
        );
    }
    let own =
        "[prometheus]\nurl = \"http://localhost:9090\"\nuser = \"me\"\npassword_file = \"/x\"\n";
    Config::parse(Path::new("agent.toml"), own).unwrap();
}

#[test]
fn a_faulty_host_is_named() {
    for (keys, key) in [
        ("pool = \"a b\"", "pool"),
        ("interfaces = [\"../etc\"]", "interfaces"),
        ("network_bytes_per_s = 0", "network_bytes_per_s"),
    ] {
        let error = error(&format!("[host]\n{keys}\n"));
        assert!(error.contains(&format!(" host.{key}: ")), "{keys}: {error}");
    }
    let config = Config::parse(Path::new("agent.toml"), "[host]\n").unwrap();
    assert_eq!(config.host, Some(HostConfig::default()));
}

#[test]
fn dns_is_asked_as_resolv_conf_says_unless_servers_are_named() {
    let dns = |keys: &str| {
        let text = format!("{LOCAL}\n[dns]\n{keys}");
        Config::parse(Path::new("agent.toml"), &text).map(|config| config.dns.servers())
    };
    assert_eq!(dns("").unwrap(), []);
    let servers = dns("servers = [\"192.0.2.1\", \"[2001:db8::1]:5353\"]").unwrap();
    let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["192.0.2.1:53", "[2001:db8::1]:5353"]);
    for (keys, problem) in [
        (
            "servers = [\"ns.example.net\"]",
            "dns.servers: \"ns.example.net\" is no address",
        ),
        (
            "min_ttl_s = 400",
            "dns.min_ttl_s: min_ttl_s 400 is above max_ttl_s 300",
        ),
        (
            "timeout_s = 0",
            "dns.timeout_s: 0 is not in 0.1 to 60 seconds",
        ),
        ("family = \"ipv5\"", "dns.family: unknown variant `ipv5`"),
    ] {
        let error = dns(keys).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}
