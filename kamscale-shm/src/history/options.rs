//! What changed of the options of a pool or member, in words.

use std::fmt::Write;

use super::{Change, What, change};
use crate::options::{MemberOptions, ProbeOptions};
use crate::spec::PoolSpec;

pub(super) fn of_pool(was: &PoolSpec, is: &PoolSpec, found: &mut Vec<Change>) {
    let (before, after) = (&was.options, &is.options);
    if before == after {
        return;
    }
    let mut compare = |what, from: String, to: String| {
        if from != to {
            found.push(change(is, "", what, &from, &to));
        }
    };
    let seconds = [before, after].map(|o| o.slow_start_s.to_string());
    let [from, to] = seconds;
    compare(What::SlowStart, from, to);
    let [from, to] = [before, after].map(|o| on_off(o.respect_capacity).to_owned());
    compare(What::RespectCapacity, from, to);
    compare(
        What::Overflow,
        before.overflow.clone(),
        after.overflow.clone(),
    );
    let [from, to] = [before, after].map(|o| number(o.panic_threshold));
    compare(What::PanicThreshold, from, to);
    let [from, to] = [before, after].map(|o| of_probe(&o.probe));
    compare(What::Probe, from, to);
}

pub(super) fn of_member(
    was: &MemberOptions,
    is: &MemberOptions,
    mut compare: impl FnMut(What, String, String),
) {
    if was == is {
        return;
    }
    compare(What::Socket, was.socket.clone(), is.socket.clone());
    compare(
        What::Attributes,
        was.attributes.clone(),
        is.attributes.clone(),
    );
    compare(What::Proxy, was.proxy.clone(), is.proxy.clone());
    let probe = |o: &MemberOptions| {
        let mut text = on_off(o.probe).to_owned();
        texts(
            &mut text,
            &[("from", &o.probe_from), ("socket", &o.probe_socket)],
        );
        text
    };
    compare(What::Probe, probe(was), probe(is));
}

const fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn number(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

fn texts(text: &mut String, values: &[(&str, &str)]) {
    for (key, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = write!(text, " {key}={value}");
    }
}

/// What differs from the module's parameters.
fn of_probe(options: &ProbeOptions) -> String {
    let numbers = [
        ("interval_ms", number(options.interval_ms)),
        ("jitter", number(options.jitter_percent)),
        ("timeout_ms", number(options.timeout_ms)),
        ("failures", number(options.failures)),
        ("successes", number(options.successes)),
    ];
    let numbers = numbers
        .each_ref()
        .map(|(key, value)| (*key, value.as_str()));
    let mut text = String::new();
    texts(&mut text, &numbers);
    texts(
        &mut text,
        &[
            ("method", &options.method),
            ("from", &options.from),
            ("socket", &options.socket),
            ("codes", &options.codes),
        ],
    );
    text.trim_start().to_owned()
}
