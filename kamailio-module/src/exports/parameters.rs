//! modparam(): collected while the configuration is read, used by `init`. Nothing is touched here:
//! `kamailio -c` runs this code, too.

pub(super) mod probing;

use std::sync::atomic::{AtomicI32, Ordering};

use kamailio::process::Local;

use crate::server::Settings;

static SETTINGS: Local<Settings> = Local::new(Settings::default);
/// `failover`: 0 saves the memory of the transaction where `ks_next_dst()` is never used.
pub(super) static FAILOVER: AtomicI32 = AtomicI32::new(1);
/// `mark_down_s`: how long `ks_mark_dst("down")` lasts.
pub(super) static MARK_DOWN_S: AtomicI32 = AtomicI32::new(30);
/// `retry_after_s`: the least that `$ks_retry_after` says.
pub(super) static RETRY_AFTER_S: AtomicI32 = AtomicI32::new(10);

/// `mark_down_failures`: so many of them take a member out.
pub(super) static MARK_DOWN_FAILURES: AtomicI32 = AtomicI32::new(1);
/// `mark_down_window_s`: the time within which they count.
pub(super) static MARK_DOWN_WINDOW_S: AtomicI32 = AtomicI32::new(30);

/// `panic_threshold`: the share of a pool that may look down, in percent.
pub(super) static PANIC_THRESHOLD: AtomicI32 = AtomicI32::new(50);

/// `share`: 1 shares calls and sticky keys with other nodes through dmq.
pub(super) static SHARE: AtomicI32 = AtomicI32::new(0);
/// `share_timeout_s`: a node that is silent for so long is forgotten.
pub(super) static SHARE_TIMEOUT_S: AtomicI32 = AtomicI32::new(10);
/// A node says something every second; a few of its messages may be lost.
const LEAST_SHARE_TIMEOUT_S: u64 = 3;

/// What was set.
pub(super) fn settings() -> Settings {
    let mut settings = SETTINGS.with(|s| s.clone());
    settings.failover = FAILOVER.load(Ordering::Relaxed) != 0;
    settings.mark_down_s = u64::try_from(MARK_DOWN_S.load(Ordering::Relaxed)).unwrap_or(0);
    settings.mark_down_failures = at_least_1(&MARK_DOWN_FAILURES);
    settings.mark_down_window_s = at_least_1(&MARK_DOWN_WINDOW_S);
    settings.probing = probing::probing();
    settings.panic_threshold = u32::try_from(PANIC_THRESHOLD.load(Ordering::Relaxed)).unwrap_or(0);
    settings.retry_after_s = u32::try_from(RETRY_AFTER_S.load(Ordering::Relaxed)).unwrap_or(0);
    settings.share = SHARE.load(Ordering::Relaxed) != 0;
    let timeout_s = u64::from(at_least_1(&SHARE_TIMEOUT_S));
    settings.share_timeout_s = timeout_s.max(LEAST_SHARE_TIMEOUT_S);
    settings
}

fn at_least_1(value: &AtomicI32) -> u32 {
    u32::try_from(value.load(Ordering::Relaxed).max(1)).unwrap_or(1)
}

/// The declared features.
pub(super) fn features() -> Vec<String> {
    SETTINGS.with(|s| s.features.clone())
}

fn not_empty<'a>(name: &str, value: &'a str) -> Result<&'a str, String> {
    if value.is_empty() {
        Err(format!("{name} must not be empty"))
    } else {
        Ok(value)
    }
}

pub(super) fn shm_dir(value: &str) -> Result<(), String> {
    let dir = std::path::PathBuf::from(not_empty("shm_dir", value)?);
    if !dir.is_absolute() {
        return Err("shm_dir must be an absolute path: a daemon runs in /".to_owned());
    }
    SETTINGS.with(|s| s.shm_dir = dir);
    Ok(())
}

pub(super) fn instance(value: &str) -> Result<(), String> {
    let name = not_empty("instance", value)?.to_owned();
    SETTINGS.with(|s| s.instance = name);
    Ok(())
}

pub(super) fn feature(value: &str) -> Result<(), String> {
    let mut all = features();
    all.push(value.to_owned());
    kamscale_shm::Observed::check_features(&all).map_err(|e| format!("feature: {e}"))?;
    SETTINGS.with(|s| s.features = all);
    Ok(())
}

pub(super) fn pools_file(value: &str) -> Result<(), String> {
    let path = std::path::PathBuf::from(not_empty("pools_file", value)?);
    SETTINGS.with(|s| s.pools_file = Some(path));
    Ok(())
}

pub(super) fn emergency(value: &str) -> Result<(), String> {
    let number = not_empty("emergency", value)?.to_owned();
    SETTINGS.with(|s| s.emergency.push(number));
    Ok(())
}
