//! What a change moves, loses and keeps: the same keys, calls and states in one Kamailio with the stock
//! dispatcher and with us, and the same change on both sides from the same start.

mod sides;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::json;

use self::sides::{Both, KEYS, Mappings, Sides, counted, name, ours_of, stock_of};
use super::cost;
use crate::call::Call;
use crate::client::SipClient;
use crate::kamailio::Kamailio;
use crate::member::Member;
use crate::report::{Figure, Report};
use crate::run::RunDir;
use crate::wait::{PATIENCE, wait_until};

/// Calls that are up during the changes of load.
const CALLS: usize = 9;

/// The share of keys whose member is another one.
fn share(before: &[String], after: &[String]) -> f64 {
    let other = before.iter().zip(after).filter(|(a, b)| a != b).count();
    of_keys(other)
}

fn of_keys(count: usize) -> f64 {
    cost::number(u64::try_from(count).unwrap_or(0)) / f64::from(KEYS)
}

/// Of the keys of one member: the largest part that another member got, by what each should get.
fn neighbour(before: &[String], after: &[String], down: &str, others: usize) -> f64 {
    let mut got: BTreeMap<&str, usize> = BTreeMap::new();
    let mut all = 0;
    for (_, to) in before.iter().zip(after).filter(|(from, _)| *from == down) {
        *got.entry(to).or_default() += 1;
        all += 1;
    }
    let most = got.values().copied().max().unwrap_or(all);
    let fair = of_keys(all) / cost::number(u64::try_from(others).unwrap_or(1));
    of_keys(most) / fair
}

fn shown(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// A share that should be at most so much, beside the dispatcher's.
fn at_most(report: &mut Report, name: &str, most: f64, is: &Both<f64>, unit: &str, how: &str) {
    let is = Both {
        ours: shown(is.ours),
        stock: shown(is.stock),
    };
    report.figure(
        Figure::new(name, is.ours, unit)
            .target(&format!("<= {most}"), is.ours <= most)
            .sides(json!(is.ours), json!(is.stock))
            .how(format!("dispatcher: {}; {how}", is.stock)),
    );
}

/// All of them. `broken` gets what is no matter of degree.
pub fn changes(report: &mut Report, broken: &mut Vec<String>) {
    eprintln!("bench: what a change moves and keeps");
    let run = RunDir::new("moved");
    let members = [0; 3].map(|_| Member::start(run.endpoint()));
    let mut sides = Sides::start(&run, &members);
    keys(report, &mut sides);
    states(report, &mut sides, broken);
    loads(report, &mut sides, broken);
}

fn keys(report: &mut Report, sides: &mut Sides<'_>) {
    let start = sides.sets.clone();
    let new = format!("sip:{}:5060", sides.run.address(120));
    let both = |(before, after): &(Mappings, Mappings)| Both {
        ours: share(&before.ours, &after.ours),
        stock: share(&before.stock, &after.stock),
    };
    let of = format!("of {KEYS} Call-IDs, hash and algorithm 0, 4 members");
    let mut sets = start.clone();
    sets[0].push(new.clone());
    let is = both(&sides.moved(&sets, &["dispatcher.add", "1", &new]));
    let how = format!("{of}: a member joins another pool");
    at_most(report, "moved.unrelated_add", 0.0, &is, "share", &how);
    let mut sets = start.clone();
    sets[1].push(new.clone());
    let is = both(&sides.moved(&sets, &["dispatcher.add", "2", &new]));
    let how = format!("{of}: a fifth one joins; ideal 0.2");
    at_most(report, "moved.fifth_member", 0.22, &is, "share", &how);
    let mut sets = start.clone();
    let gone = sets[1].remove(1);
    let is = both(&sides.moved(&sets, &["dispatcher.remove", "2", &gone]));
    let how = format!("{of}: one of them leaves; ideal 0.25");
    at_most(report, "moved.removal", 0.27, &is, "share", &how);

    sides.change(&start);
    let before = sides.mappings();
    let down = &start[1][1];
    let kamailio = &sides.kamailio;
    kamailio.rpc(&["kamscale.set_state", "keys", &name(down), "disabled"]);
    kamailio.rpc(&["dispatcher.set_state", "ip", "2", down]);
    let after = sides.mappings();
    let others = start[1].len() - 1;
    let is = Both {
        ours: neighbour(&before.ours, &after.ours, down, others),
        stock: neighbour(&before.stock, &after.stock, down, others),
    };
    let how =
        "of the keys of one that takes nothing: what the one that gets most gets, by a fair part";
    let name = "neighbour_share.one_down";
    at_most(report, name, 1.1, &is, "x fair", how);
}

/// The member that [`keys`] left disabled, after another change.
fn states(report: &mut Report, sides: &mut Sides<'_>, broken: &mut Vec<String>) {
    let mut sets = sides.sets.clone();
    let down = sets[1][1].clone();
    let state = |kamailio: &Kamailio<'_>| Both {
        ours: ours_of(kamailio, "keys", &down)["override"] == "disabled",
        stock: stock_of(kamailio, &down)["FLAGS"] == "IP",
    };
    let before = state(&sides.kamailio);
    assert!(before.ours && before.stock, "both know that it is down");
    sets[0].push(format!("sip:{}:5060", sides.run.address(121)));
    sides.change(&sets);
    let keys = sides.mappings();
    let after = state(&sides.kamailio);
    let used = Both {
        ours: keys.ours.contains(&down),
        stock: keys.stock.contains(&down),
    };
    if used.ours {
        broken.push("a member that an operator disabled was used after a change".into());
    }
    let word = |kept: bool| if kept { "kept" } else { "lost" };
    let is = word(after.ours && !used.ours);
    report.figure(
        Figure::new("state.after_change", is, "")
            .target("kept", is == "kept")
            .sides(json!(is), json!(word(after.stock && !used.stock)))
            .how(format!(
                "dispatcher: {}; one that an operator disabled, after a member joined another pool (with \
                 the dispatcher: the list, and its reload)",
                word(after.stock && !used.stock)
            )),
    );
}

fn call(client: &SipClient, sip: SocketAddr) -> Call<'_> {
    let mut call = client.invite(sip, "room");
    call.answered();
    call
}

/// Calls that are up, and a member more.
fn loads(report: &mut Report, sides: &mut Sides<'_>, broken: &mut Vec<String>) {
    let start = sides.sets.clone();
    sides.change(&start);
    let (client, sip) = (SipClient::new(sides.run), sides.kamailio.sip());
    let calls: Vec<Call<'_>> = (0..CALLS).map(|_| call(&client, sip)).collect();
    let uris = &start[0];
    let before = counted(&sides.kamailio, uris);
    let mut sets = start.clone();
    let new = format!("sip:{}:5060", sides.run.address(122));
    sets[0].push(new.clone());
    sides.publish(&sets);
    sides.kamailio.rpc(&["dispatcher.add", "1", &new]);
    let added = counted(&sides.kamailio, uris);
    sides.change(&sets);
    wait_until("the calls are looked at", PATIENCE, || {
        sides.client.options(sip, PATIENCE).is_some()
    });
    let changed = counted(&sides.kamailio, uris);
    let kept = before.ours == added.ours && before.ours == changed.ours;
    if !kept {
        broken.push(format!(
            "calls were forgotten: {before:?} {changed:?}",
            before = before.ours,
            changed = changed.ours
        ));
    }
    let is = if kept { "kept" } else { "lost" };
    report.figure(
        Figure::new("load.after_change", is, "")
            .target("kept", kept)
            .sides(
                json!({"before": before.ours, "after_add": added.ours, "after": changed.ours}),
                json!({"before": before.stock, "after_add": added.stock, "after_reload": changed.stock}),
            )
            .how(format!(
                "{CALLS} calls that are up: {:?} as before; dispatcher: {:?} before, {:?} after \
                 dispatcher.add, {:?} after its reload",
                changed.ours, before.stock, added.stock, changed.stock
            )),
    );
    for call in calls {
        let _: u16 = call.bye();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

    #[test]
    fn a_neighbour_that_gets_all_has_as_many_fair_parts_as_there_are_neighbours() {
        let before = keys("abcabcabc");
        assert!((neighbour(&before, &keys("bbcbbcbbc"), "a", 2) - 2.0).abs() < 1e-9);
        assert!((neighbour(&keys("aabb"), &keys("bcbb"), "a", 2) - 1.0).abs() < 1e-9);
    }
}
