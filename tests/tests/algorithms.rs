//! Which member each algorithm takes, seen in real requests; and that a change of a pool moves the
//! keys of `hash` that it must, and no other.

use std::collections::{BTreeMap, BTreeSet};

use kamscale_shm::{MemberSpec, PoolSpec, Publisher, TableSpec};
use kamscale_tests::{Kamailio, Member, RunDir, SipClient};

use crate::support::{ask, await_calls, config, member, pool, publish, publisher};

/// One process, so that there is one cursor. OPTIONS name pool, algorithm and key in headers, and
/// the answer says which member it would be.
const ROUTES: &str = r#"
request_route {
    if ($hdr(X-Pool) != $null) {
        if ($hdr(X-Key) != $null) {
            ks_select_dst("$hdr(X-Pool)", "$hdr(X-Alg)", "$hdr(X-Key)");
        } else if ($hdr(X-Alg) == "domain") {
            ks_select_domain("$hdr(X-Pool)");
            $du = "sip:" + $rd;
        } else {
            ks_select_dst("$hdr(X-Pool)", "$hdr(X-Alg)");
        }
        append_to_reply("X-Code: $rc\r\nX-Member: $ks_member\r\nX-Dst: $du\r\n");
    }
    route(IN_DIALOG);
    record_route();
    if (!ks_select_dst("$rU", "least_calls")) { send_reply("503", "No Member"); exit; }
    t_relay();
}
"#;

/// A member at an address that nobody asks.
fn idle(number: usize) -> MemberSpec {
    member(
        &format!("m{number}"),
        format!("sip:127.0.0.1:{}", 7000 + number),
    )
}

fn start(run: &RunDir) -> Kamailio<'_> {
    Kamailio::with_text(run, &config("children=1\n", ROUTES)).start()
}

/// How often each member is taken in so many requests.
fn taken(
    client: &SipClient,
    kamailio: &Kamailio<'_>,
    headers: &[(&str, &str)],
    requests: usize,
) -> BTreeMap<String, usize> {
    let mut taken = BTreeMap::new();
    for _ in 0..requests {
        let name = ask(client, kamailio, headers, "X-Member");
        *taken.entry(name).or_default() += 1;
    }
    taken
}

#[test]
fn round_robin_takes_each_in_turn_and_serial_the_highest_priority() {
    let run = RunDir::new("algorithms");
    let ranked = |number, priority| MemberSpec {
        priority,
        ..idle(number)
    };
    let members = vec![ranked(0, 1), ranked(1, 7), ranked(2, 3)];
    let mut publisher = publisher(&run, vec![pool("p", members.clone())]);
    let kamailio = start(&run);
    let client = SipClient::new(&run);
    let one = |alg| {
        ask(
            &client,
            &kamailio,
            &[("X-Pool", "p"), ("X-Alg", alg)],
            "X-Member",
        )
    };

    let turns: Vec<String> = (0..9).map(|_| one("round_robin")).collect();
    for (i, three) in turns.windows(3).enumerate() {
        let mut names = three.to_vec();
        names.sort();
        assert_eq!(
            names,
            ["m0", "m1", "m2"],
            "round_robin, from turn {i}: {turns:?}"
        );
    }
    let first: Vec<String> = (0..3).map(|_| one("serial")).collect();
    assert_eq!(first, ["m1"; 3], "serial: the highest priority");
    kamailio.rpc(&["kamscale.set_state", "p", "m1", "disabled"]);
    assert_eq!(one("serial"), "m2", "serial: the next one while m1 is out");
    publish(
        &mut publisher,
        vec![pool("p", vec![ranked(0, 9), members[2].clone()])],
    );
    assert_eq!(one("serial"), "m0", "serial: by the new table");
    let domain = ask(
        &client,
        &kamailio,
        &[("X-Pool", "p"), ("X-Alg", "domain")],
        "X-Dst",
    );
    assert_eq!(
        domain, "sip:127.0.0.1",
        "ks_select_domain sets the R-URI's host"
    );
}

#[test]
fn random_takes_all_and_weight_in_proportion() {
    let run = RunDir::new("algorithms");
    let weighs = |number, weight| MemberSpec {
        weight,
        ..idle(number)
    };
    let members = vec![weighs(0, 100), weighs(1, 200), weighs(2, 0), weighs(3, 700)];
    let _publisher = publisher(&run, vec![pool("p", members)]);
    let kamailio = start(&run);
    let client = SipClient::new(&run);
    let random = taken(
        &client,
        &kamailio,
        &[("X-Pool", "p"), ("X-Alg", "random")],
        400,
    );
    assert_eq!(random.len(), 4, "{random:?}");
    for (name, times) in &random {
        assert!(
            (50..=150).contains(times),
            "random took {name} {times} times of 400"
        );
    }
    let weight = taken(
        &client,
        &kamailio,
        &[("X-Pool", "p"), ("X-Alg", "weight")],
        500,
    );
    let near = |name: &str, wanted: usize| {
        let is = weight.get(name).copied().unwrap_or(0);
        assert!(
            is.abs_diff(wanted) <= 15,
            "weight: {name} {is} times, not {wanted}: {weight:?}"
        );
    };
    near("m0", 50);
    near("m1", 100);
    near("m3", 350);
    assert!(
        !weight.contains_key("m2"),
        "weight 0 takes nothing: {weight:?}"
    );
}

#[test]
fn least_calls_and_p2c_go_where_the_load_is_low() {
    let run = RunDir::new("algorithms");
    let callees: Vec<Member> = (0..2).map(|_| Member::start(run.endpoint())).collect();
    let carries = |i: usize, capacity| MemberSpec {
        capacity,
        ..member(["small", "large"][i], callees[i].uri())
    };
    let mut publisher = publisher(&run, vec![pool("p", vec![carries(0, 10), carries(1, 30)])]);
    let kamailio = start(&run);
    let client = SipClient::new(&run);
    let mut calls = Vec::new();
    for _ in 0..8 {
        let mut call = client.invite(kamailio.sip(), "p");
        call.answered();
        calls.push(call);
    }
    await_calls(&kamailio, "p", "small", 2, 2);
    await_calls(&kamailio, "p", "large", 6, 6);
    // Equal load now; with a third member nobody else is taken by least_calls.
    let third = idle(9);
    let three = vec![
        carries(0, 10),
        carries(1, 30),
        MemberSpec {
            capacity: 10,
            ..third
        },
    ];
    publish(&mut publisher, vec![pool("p", three)]);
    let headers = [("X-Pool", "p"), ("X-Alg", "least_calls")];
    let least = taken(&client, &kamailio, &headers, 10);
    assert_eq!(
        least,
        BTreeMap::from([("m9".into(), 10)]),
        "least_calls: the idle one"
    );
    let headers = [("X-Pool", "p"), ("X-Alg", "p2c")];
    let two = taken(&client, &kamailio, &headers, 300);
    // Two of three are drawn: m9 is among them in two of three cases, and then it wins.
    let idle = two.get("m9").copied().unwrap_or(0);
    assert!(
        (150..=250).contains(&idle),
        "p2c took the idle one {idle} times of 300: {two:?}"
    );
    for call in &calls {
        assert_eq!(call.bye(), 200);
    }
}

const KEYS: usize = 1000;

/// Whose each of the keys is.
fn owners(client: &SipClient, kamailio: &Kamailio<'_>, pool: &str) -> Vec<String> {
    let owner = |key: usize| {
        let key = format!("room-{key}@example.org");
        let headers = [("X-Pool", pool), ("X-Alg", "hash"), ("X-Key", &key)];
        ask(client, kamailio, &headers, "X-Member")
    };
    (0..KEYS).map(owner).collect()
}

#[test]
fn hash_moves_the_share_of_a_new_member_and_no_key_of_another_pool() {
    let run = RunDir::new("algorithms");
    let five: Vec<MemberSpec> = (0..5).map(idle).collect();
    let table = |a: usize, b: usize| -> Vec<PoolSpec> {
        vec![pool("a", five[..a].to_vec()), pool("b", five[..b].to_vec())]
    };
    let mut publisher = publisher(&run, table(4, 4));
    let kamailio = start(&run);
    let client = SipClient::new(&run);
    let before = owners(&client, &kamailio, "a");
    for name in ["m0", "m1", "m2", "m3"] {
        let share = before.iter().filter(|m| *m == name).count();
        assert!(
            (180..=320).contains(&share),
            "{name} owns {share} of {KEYS} keys, not about 250"
        );
    }
    publish(&mut publisher, table(4, 5));
    assert!(
        before == owners(&client, &kamailio, "a"),
        "a change of pool b moved keys of pool a"
    );
    publish(&mut publisher, table(5, 5));
    let after = owners(&client, &kamailio, "a");
    let moved: Vec<_> = before.iter().zip(&after).filter(|(b, a)| b != a).collect();
    let elsewhere = moved.iter().filter(|(_, a)| *a != "m4").count();
    assert_eq!(elsewhere, 0, "keys that moved between old members");
    let share = moved.len();
    assert!(
        (100..=300).contains(&share),
        "{share} of {KEYS} keys moved to the fifth, not about 200"
    );
    publish(&mut publisher, table(4, 5));
    assert!(
        before == owners(&client, &kamailio, "a"),
        "keys did not go back to their old owners"
    );
}

#[test]
fn two_kamailios_with_the_same_members_agree_on_every_key() {
    let run = RunDir::new("algorithms");
    let members: Vec<MemberSpec> = (0..5).map(idle).collect();
    let _publisher = publisher(&run, vec![pool("a", members.clone())]);
    // The other one came to the same members another way, and in another order.
    let mut other = Publisher::open(&run.shm_dir(), "other").unwrap();
    for numbers in [vec![4], vec![2, 7, 4], vec![3, 1, 4, 0, 2]] {
        let members = numbers.into_iter().map(idle).collect();
        let pools = vec![pool("z", vec![idle(1)]), pool("a", members)];
        other.publish(&TableSpec { pools }).unwrap();
    }
    let one = start(&run);
    let two = Kamailio::with_text(&run, &config("children=1\n", ROUTES))
        .named("other")
        .define_text("KS_INSTANCE", "other")
        .start();
    let client = SipClient::new(&run);
    let (left, right) = (owners(&client, &one, "a"), owners(&client, &two, "a"));
    let differ = left.iter().zip(&right).filter(|(l, r)| l != r).count();
    assert_eq!(differ, 0, "keys of {KEYS} on which the two differ");
    assert!(left.iter().all(|m| m.starts_with('m')), "{left:?}");
}

#[test]
fn a_key_of_one_variable_is_what_kamailio_prints_for_it() {
    // The empty variable beside it makes the second key a text for Kamailio's printer.
    const KEYS: &str = r#"
request_route {
    $var(nothing) = "";
    ks_select_dst("p", "hash", "$hdr(X-Key)");
    $var(alone) = $du;
    ks_select_dst("p", "hash", "$hdr(X-Key)$var(nothing)");
    $var(printed) = $du;
    ks_select_dst("p", "hash", "$(hdr(X-Key){s.len})");
    $var(length_alone) = $du;
    ks_select_dst("p", "hash", "$(hdr(X-Key){s.len})$var(nothing)");
    append_to_reply("X-Both: $var(alone) $var(printed) $var(length_alone) $du\r\n");
    route(IN_DIALOG);
}
"#;
    let run = RunDir::new("keys");
    let _agent = publisher(&run, vec![pool("p", (0..64).map(idle).collect())]);
    let kamailio = Kamailio::with_text(&run, &config("", KEYS)).start();
    let client = SipClient::new(&run);
    let mut seen = BTreeSet::new();
    let texts: Vec<String> = (0..20).map(|n| format!("key-{n}")).collect();
    let headers = texts.iter().map(|text| vec![("X-Key", text.as_str())]);
    // Without the header the variable has no value.
    for headers in headers.chain([vec![]]) {
        let both = ask(&client, &kamailio, &headers, "X-Both");
        let words: Vec<&str> = both.split(' ').collect();
        assert_eq!(words[0], words[1], "{headers:?}");
        assert_eq!(words[2], words[3], "the length of {headers:?}");
        seen.insert(words[0].to_owned());
    }
    assert!(seen.len() > 10, "keys that differ go to several: {seen:?}");
}
