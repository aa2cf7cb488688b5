//! A turn of the loop: the load rises, a member comes and is used; the load falls, one is drained, and
//! exactly that one goes when it is empty. The moments are measured, and judged only in the report.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kamscale_tests::{SipClient, wait_for, wait_until};

use crate::bed::Bed;
use crate::node::{PATIENCE, address_of};
use crate::policy::{CAPACITY, SCALE_OUT_LOAD, STEP_CALLS};
use crate::tally::Loop;

/// Seconds since 1970.
pub(crate) fn now_s() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |d| d.as_secs_f64())
}

/// Loads a pool of one member beyond it, and waits until a second one has its first call. `decided_s`
/// says when that was decided, once it was.
#[track_caller]
pub(crate) fn rise(
    bed: &mut Bed<'_>,
    (pool, user): (&str, &str),
    patience: Duration,
    decided_s: impl Fn(&mut Bed<'_>) -> Option<f64>,
) -> Loop {
    let before = bed.node().await_active(pool, 1);
    bed.short_calls(user);
    bed.crowd(0, user, STEP_CALLS - 1);
    let threshold = SCALE_OUT_LOAD * f64::from(CAPACITY);
    wait_until("the load is there", PATIENCE, || {
        f64::from(bed.node().calls(pool)) > threshold
    });
    let (step_s, step) = (now_s(), Instant::now());
    let first_call_s = wait_for("a newcomer has its first call", patience, || {
        let sample = bed.node().watch.sample(0.0);
        let mut members = sample
            .members(pool)
            .filter(|(name, _)| !before.contains_key(*name));
        let used = members.any(|(_, member)| member.calls_total > 0);
        used.then(|| step.elapsed().as_secs_f64())
    });
    let after = bed.node().await_active(pool, 2);
    let newcomer = after.keys().find(|name| !before.contains_key(*name));
    let newcomer = newcomer.cloned().unwrap_or_default();
    let active = bed.node().events("member_active", pool);
    let active = active.iter().rfind(|e| e["member"] == newcomer.as_str());
    let active_s = active.and_then(|e| e["t"].as_f64()).unwrap_or(f64::NAN);
    let decided_s = decided_s(bed).unwrap_or(f64::NAN);
    Loop {
        decide_s: (decided_s - step_s).max(0.0),
        member_s: (active_s - step_s).max(0.0),
        first_call_s,
    }
}

/// When the agent ordered the newest member of a pool.
pub(crate) fn ordered_s(bed: &mut Bed<'_>, pool: &str) -> Option<f64> {
    let orders = bed.node().events("member_booting", pool);
    orders.last().and_then(|e| e["t"].as_f64())
}

/// Takes the load away but for one call on each of two members: one drains, keeps its call, and goes
/// when that was hung up; the other stays.
#[track_caller]
pub(crate) fn fall(bed: &mut Bed<'_>, client: &SipClient, pool: &str, user: &str) {
    let two = bed.node().await_active(pool, 2);
    let mut pins = bed.pins(client, 0, user, 2);
    bed.hush();
    let (name, address) = bed.node().await_one(pool, "draining");
    // It stays as long as it has its call; the other's end must not matter.
    let other = pins
        .iter()
        .map(|p| p.address.clone())
        .find(|a| *a != address);
    bed.release(&mut pins, other.as_deref());
    let drains = bed.node().members(pool);
    assert!(drains.contains_key(&name), "{name} went with its call");
    bed.release(&mut pins, None);
    let left = bed.node().await_active(pool, 1);
    assert!(
        !left.contains_key(&name),
        "not {name}, which drained, but another one went"
    );
    let stays = two
        .iter()
        .find(|(n, _)| **n != name)
        .map(|(_, m)| address_of(m));
    assert_eq!(left.values().next().map(address_of), stays);
}
