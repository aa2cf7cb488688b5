//! modparam() for the health of members: how they are probed, and who hears of it.

use std::sync::atomic::{AtomicI32, Ordering};

use kamailio::process::Local;
use kamscale_shm::options;

use super::{at_least_1, not_empty};
use crate::health::{Limits, Pace, Probing, ReplyCodes};

/// `probe_interval_s`: 0 probes nobody.
pub(in crate::exports) static INTERVAL_S: AtomicI32 = AtomicI32::new(0);
/// `probe_jitter`: so many percent an interval may be longer or shorter.
pub(in crate::exports) static JITTER: AtomicI32 = AtomicI32::new(10);
/// `probe_timeout_s`: an answer that comes later is none.
pub(in crate::exports) static TIMEOUT_S: AtomicI32 = AtomicI32::new(3);
/// `probe_failures`: so many probes in a row without a good answer mean down.
pub(in crate::exports) static FAILURES: AtomicI32 = AtomicI32::new(3);
/// `probe_successes`: so many good answers in a row mean up.
pub(in crate::exports) static SUCCESSES: AtomicI32 = AtomicI32::new(1);

#[derive(Clone, Debug)]
struct Texts {
    method: String,
    from: String,
    codes: ReplyCodes,
    socket: String,
    proxy: String,
    callback: Option<&'static str>,
}

static TEXTS: Local<Texts> = Local::new(|| Texts {
    method: "OPTIONS".to_owned(),
    from: "sip:kamscale@localhost".to_owned(),
    codes: ReplyCodes::default(),
    socket: String::new(),
    proxy: String::new(),
    callback: None,
});

/// What was set; `None` if nobody is to be probed.
pub(super) fn probing() -> Option<Probing> {
    let interval_s = u64::try_from(INTERVAL_S.load(Ordering::Relaxed)).ok()?;
    if interval_s == 0 {
        return None;
    }
    let texts = TEXTS.with(|t| t.clone());
    Some(Probing {
        method: texts.method,
        from: texts.from,
        pace: Pace {
            interval_ms: interval_s * 1000,
            jitter_percent: u64::try_from(JITTER.load(Ordering::Relaxed)).unwrap_or(0),
        },
        timeout_ms: u64::from(at_least_1(&TIMEOUT_S)) * 1000,
        limits: Limits {
            failures: at_least_1(&FAILURES),
            successes: at_least_1(&SUCCESSES),
        },
        codes: texts.codes,
        socket: texts.socket,
        proxy: texts.proxy,
    })
}

/// The KEMI function for events.
pub(in crate::exports) fn callback() -> Option<&'static str> {
    TEXTS.with(|t| t.callback)
}

pub(in crate::exports) fn method(value: &str) -> Result<(), String> {
    if !options::is_method(value) {
        return Err(format!("probe_method {value:?} {}", options::METHOD_RULE));
    }
    let value = value.to_owned();
    TEXTS.with(|t| t.method = value);
    Ok(())
}

pub(in crate::exports) fn from(value: &str) -> Result<(), String> {
    let is_uri = ["sip:", "sips:"].iter().any(|s| value.starts_with(s));
    if !is_uri || value.bytes().any(|b| b <= b' ' || b"<>\"".contains(&b)) {
        return Err(format!("probe_from {value:?} is no SIP URI"));
    }
    let value = value.to_owned();
    TEXTS.with(|t| t.from = value);
    Ok(())
}

pub(in crate::exports) fn codes(value: &str) -> Result<(), String> {
    let codes = ReplyCodes::parse(value).map_err(|e| format!("probe_codes: {e}"))?;
    TEXTS.with(|t| t.codes = codes);
    Ok(())
}

pub(in crate::exports) fn socket(value: &str) -> Result<(), String> {
    if !options::is_socket(value) {
        return Err(format!("probe_socket {value:?} {}", options::SOCKET_RULE));
    }
    let value = value.to_owned();
    TEXTS.with(|t| t.socket = value);
    Ok(())
}

pub(in crate::exports) fn proxy(value: &str) -> Result<(), String> {
    if !kamscale_shm::spec::is_uri(value) {
        return Err(format!("probe_proxy {value:?} is no SIP URI"));
    }
    let value = value.to_owned();
    TEXTS.with(|t| t.proxy = value);
    Ok(())
}

pub(in crate::exports) fn event_callback(value: &str) -> Result<(), String> {
    let name = not_empty("event_callback", value)?.to_owned();
    // As long as the server lives; it is set once.
    TEXTS.with(|t| t.callback = Some(name.leak()));
    Ok(())
}
