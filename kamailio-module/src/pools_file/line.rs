//! One line of the file: its words, and what they say of a pool or a member.

use std::str::FromStr;

use kamscale_shm::{DesiredState, MemberSpec, PoolSpec, limits};

/// The words of a line up to its comment. Quotes keep blanks and `#` within a word.
///
/// # Errors
/// A quote that is not closed.
pub(super) fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            '#' if !quoted => break,
            _ if letter.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    if quoted {
        return Err("a quote is not closed".to_owned());
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    Ok(words)
}

const POOL_KEYS: &str = "hash_bits, slow_start_s, respect_capacity, overflow, panic_threshold, \
     probe_interval_s, probe_jitter, probe_timeout_s, probe_failures, probe_successes, \
     probe_method, probe_from, probe_socket and probe_codes";

/// What a line says of a pool.
///
/// # Errors
/// The first key or value that it cannot have.
pub(super) fn pool(pool: &mut PoolSpec, rest: &[&str]) -> Result<(), String> {
    let options = &mut pool.options;
    for word in rest {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let text = || value.to_owned();
        let probe = &mut options.probe;
        match key {
            "hash_bits" => pool.hash_bits = number(key, value)?,
            "slow_start_s" => options.slow_start_s = number(key, value)?,
            "respect_capacity" => options.respect_capacity = on_off(key, value)?,
            "overflow" => options.overflow = text(),
            "panic_threshold" => options.panic_threshold = Some(number(key, value)?),
            "probe_interval_s" => probe.interval_ms = Some(milliseconds(key, value)?),
            "probe_jitter" => probe.jitter_percent = Some(number(key, value)?),
            "probe_timeout_s" => probe.timeout_ms = Some(milliseconds(key, value)?),
            "probe_failures" => probe.failures = Some(number(key, value)?),
            "probe_successes" => probe.successes = Some(number(key, value)?),
            "probe_method" => probe.method = text(),
            "probe_from" => probe.from = text(),
            "probe_socket" => probe.socket = text(),
            "probe_codes" => probe.codes = text(),
            _ => return Err(format!("{key:?}: a pool has {POOL_KEYS}")),
        }
    }
    Ok(())
}

const MEMBER_KEYS: &str = "capacity, weight, priority, state, socket, attributes, proxy, probe, \
     probe_from and probe_socket";

/// The member of a line.
///
/// # Errors
/// The first key or value that it cannot have.
pub(super) fn member(name: &str, uri: &str, rest: &[&str]) -> Result<MemberSpec, String> {
    let mut member = MemberSpec {
        name: name.to_owned(),
        uri: uri.to_owned(),
        state: DesiredState::Active,
        weight: limits::DEFAULT_WEIGHT,
        priority: 0,
        capacity: 0,
        options: Default::default(),
    };
    let options = &mut member.options;
    for word in rest {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let text = || value.to_owned();
        match key {
            "capacity" => member.capacity = number(key, value)?,
            "weight" => member.weight = number(key, value)?,
            "priority" => member.priority = number(key, value)?,
            "state" => {
                member.state = DesiredState::from_name(value)
                    .ok_or("state is joining, active, draining or disabled")?;
            }
            "socket" => options.socket = text(),
            "attributes" => options.attributes = text(),
            "proxy" => options.proxy = text(),
            "probe" => options.probe = on_off(key, value)?,
            "probe_from" => options.probe_from = text(),
            "probe_socket" => options.probe_socket = text(),
            _ => return Err(format!("{key:?}: a member has {MEMBER_KEYS}")),
        }
    }
    Ok(member)
}

fn number<T: FromStr>(key: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{key}={value}: not a number it can have"))
}

fn on_off(key: &str, value: &str) -> Result<bool, String> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{key}={value}: it is on or off")),
    }
}

/// Seconds with up to three digits behind the point, in milliseconds.
fn milliseconds(key: &str, value: &str) -> Result<u32, String> {
    let duration = number(key, value).ok();
    let duration = duration.and_then(|s| std::time::Duration::try_from_secs_f64(s).ok());
    let milliseconds = duration.and_then(|d| u32::try_from(d.as_millis()).ok());
    milliseconds.ok_or_else(|| format!("{key}={value}: not a number of seconds it can have"))
}
