//! An answer that is too large for its transport is asked for in parts, and says so: it is neither
//! cut nor lost.

use std::collections::BTreeSet;

use kamscale_shm::MemberSpec;
use kamscale_shm::limits::{MAX_NAME_BYTES, MAX_URI_BYTES};
use kamscale_tests::{Kamailio, RunDir};
use serde_json::Value;

use crate::rpc::{jsonrpc, start};
use crate::support::{member, pool, publisher};

const ROUTES: &str = "request_route { route(IN_DIALOG); }";
/// As many structures as come without being asked for in parts.
const WHOLE: usize = 150;
const MEMBERS: usize = 10_000;

fn members(pool: &[Value]) -> BTreeSet<String> {
    let names = pool
        .iter()
        .map(|m| m["member"].as_str().unwrap_or_default());
    names.map(str::to_owned).collect()
}

/// The answer over both transports, which must be as long.
#[track_caller]
fn both(run: &RunDir, kamailio: &Kamailio<'_>, words: &[&str]) -> Vec<Value> {
    let over_ctl = kamailio.rpc(words);
    let over_json = jsonrpc(run, words[0], &words[1..]);
    let over_json = over_json.unwrap_or_else(|e| panic!("{words:?} over jsonrpcs: {e:?}"));
    let Value::Array(items) = over_json else {
        panic!("{words:?}: {over_json}");
    };
    assert_eq!(
        over_ctl.len(),
        items.len(),
        "{words:?}: ctl and jsonrpcs differ"
    );
    items
}

#[test]
fn a_large_pool_is_read_in_parts() {
    let run = RunDir::new("large");
    let many = (0..MEMBERS).map(|n| {
        let uri = format!("sip:10.1.{}.{}:5060", n / 250, n % 250);
        member(&format!("member-{n}"), uri)
    });
    let _publisher = publisher(&run, vec![pool("conference", many.collect())]);
    let kamailio = start(&run, "", ROUTES);
    let words = ["kamscale.members", "conference"];
    let refused = kamailio
        .try_rpc(&words)
        .expect_err("10,000 members at once");
    for says in ["400", "10000", "FIRST", "kamscale.members conference 0 150"] {
        assert!(refused.contains(says), "{refused}");
    }
    let (code, text) = jsonrpc(&run, words[0], &words[1..]).expect_err("10,000 members at once");
    assert!(code == 400 && text.contains("FIRST"), "{code} {text}");

    let mut found = BTreeSet::new();
    for first in (0..MEMBERS).step_by(WHOLE) {
        let part = jsonrpc(&run, words[0], &[words[1], &first.to_string()]);
        let Ok(Value::Array(part)) = part else {
            panic!("members from {first}: {part:?}");
        };
        found.extend(members(&part));
    }
    assert_eq!(found.len(), MEMBERS, "members in all parts");
    let part = both(
        &run,
        &kamailio,
        &["kamscale.members", "conference", "9990", "5"],
    );
    assert_eq!(part.len(), 5, "FIRST and COUNT");
    let part = both(&run, &kamailio, &["kamscale.members", "conference", "9990"]);
    assert_eq!(part.len(), 10, "the last part is shorter");
    assert!(
        both(
            &run,
            &kamailio,
            &["kamscale.members", "conference", "10000"]
        )
        .is_empty()
    );
    for wrong in ["ten", "-1", ""] {
        let refused = jsonrpc(&run, words[0], &[words[1], wrong]);
        let (code, text) = refused.expect_err("FIRST is no number");
        assert!(code == 400 && text.contains("FIRST"), "{code} {text}");
    }
}

#[test]
fn what_comes_without_asking_fits_even_with_the_longest_names() {
    let run = RunDir::new("large");
    let padded = |what: String, length: usize, with: &str| {
        let fill = with.repeat(length - what.len());
        what + &fill
    };
    let long = |n: usize| {
        let name = padded(format!("m{n}-"), MAX_NAME_BYTES, "m");
        let uri = padded(format!("sip:10.0.0.{n}:5060;x="), MAX_URI_BYTES, "y");
        MemberSpec {
            capacity: u32::MAX,
            ..member(&name, uri)
        }
    };
    let full = pool("full", (0..WHOLE).map(long).collect());
    let empty = |n: usize| pool(&padded(format!("p{n}-"), MAX_NAME_BYTES, "p"), Vec::new());
    let pools = std::iter::once(full).chain((0..2 * WHOLE).map(empty));
    let _publisher = publisher(&run, pools.collect());
    let kamailio = start(&run, "", ROUTES);
    assert_eq!(
        both(&run, &kamailio, &["kamscale.members", "full"]).len(),
        WHOLE
    );
    let refused = kamailio
        .try_rpc(&["kamscale.pools"])
        .expect_err("301 pools at once");
    assert!(refused.contains("kamscale.pools 0 150"), "{refused}");
    assert_eq!(both(&run, &kamailio, &["kamscale.pools", "0"]).len(), WHOLE);
    assert_eq!(both(&run, &kamailio, &["kamscale.pools", "300"]).len(), 1);
}
