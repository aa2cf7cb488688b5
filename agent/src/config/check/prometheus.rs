//! The rules for Prometheus and for signals that are read there or elsewhere.

use super::{At, Checked};
use crate::config::{Config, GnocchiSignal, PrometheusConfig, SignalConfig, SignalSource};

pub(super) fn check_prometheus(prometheus: &PrometheusConfig) -> Checked {
    let at = At(&["prometheus"]);
    let scheme = ["http://", "https://"];
    let rest = scheme
        .iter()
        .find_map(|scheme| prometheus.url.strip_prefix(scheme));
    at.need(
        "url",
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains([' ', '?', '#', '@'])),
        "no base of a server; write it as http://127.0.0.1:9090, without user and query",
    )?;
    at.seconds("timeout_s", prometheus.timeout_s, 0.1, 60.0)?;
    at.need(
        "matchers",
        !prometheus.matchers.contains(['{', '}']),
        "braces are added; write only what stands between them, as cluster=\"frankfurt\"",
    )?;
    at.need(
        "password_file",
        prometheus.user.is_some() == prometheus.password_file.is_some(),
        "`user` and `password_file` belong together; write both or none",
    )?;
    at.need(
        "user",
        prometheus
            .user
            .as_ref()
            .is_none_or(|user| !user.contains(':')),
        "a user's name has no colon in basic authentication (RFC 7617)",
    )?;
    at.need(
        "password_file",
        prometheus.user.is_none() || rest.is_some_and(is_private_enough) || is_https(prometheus),
        "a password is sent over TLS or to this machine only; write url = \"https://...\"",
    )
}

fn is_https(prometheus: &PrometheusConfig) -> bool {
    prometheus.url.starts_with("https://")
}

/// Whether a host is this machine.
fn is_private_enough(rest: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|own| {
        let after = rest.strip_prefix(own);
        after.is_some_and(|after| after.is_empty() || after.starts_with([':', '/']))
    })
}

/// Where a signal comes from; `at` is its own section.
pub(super) fn check_source(config: &Config, at: &At<'_>, signal: &SignalConfig) -> Checked {
    match &signal.from {
        SignalSource::Pushed => Ok(()),
        SignalSource::Nodes => at.need(
            "from",
            signal.kind.is_share(),
            "agents report cpu, memory and network of their hosts; write another source",
        ),
        SignalSource::Prometheus(query) => {
            at.need(
                "from",
                !query.trim().is_empty(),
                "an empty query; write PromQL",
            )?;
            at.need(
                "from",
                config.prometheus.is_some(),
                "there is no section [prometheus] that says where to ask; write its url",
            )
        }
        SignalSource::Gnocchi(gnocchi) => check_gnocchi(at, signal, gnocchi),
    }
}

fn check_gnocchi(at: &At<'_>, signal: &SignalConfig, gnocchi: &GnocchiSignal) -> Checked {
    let path = [at.0, &["from"]].concat();
    let at = At(&path);
    let is_word = |text: &str| {
        let mut all = text.chars();
        !text.is_empty() && all.all(|c| c.is_ascii_alphanumeric() || "._:-%".contains(c))
    };
    let words = [
        ("metric", &gnocchi.metric),
        ("resource_type", &gnocchi.resource_type),
        ("aggregation", &gnocchi.aggregation),
    ];
    for (key, word) in words {
        let problem = format!("\"{word}\" is no name, as cpu, instance or rate:mean");
        at.need(key, is_word(word), problem)?;
    }
    at.seconds("granularity_s", gnocchi.granularity_s, 1.0, 86_400.0)?;
    at.need(
        "full",
        gnocchi
            .full
            .is_none_or(|full| full.is_finite() && full > 0.0),
        "must be above 0: the value of a member that is fully used",
    )?;
    at.need(
        "full",
        gnocchi.full.is_some() || !signal.kind.is_share(),
        "missing; write the value of a member that is fully used, as 300e9 for the nanoseconds of \
         one processor in 300 s",
    )
}
