//! Sums over nodes, by example and with random reports.

use proptest::prelude::*;

use super::*;

const MAX_AGE_S: f64 = 10.0;

fn nodes(names: &[&str]) -> Nodes {
    let expected: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Nodes::new(&expected, "own", MAX_AGE_S)
}

/// A node with calls on member `m` of pool `p`.
fn report(node: &str, at_s: f64, calls: u32) -> NodeReport {
    let pool = PoolReport {
        started: u64::from(calls),
        calls: u64::from(calls),
        boot_id: 1,
        ..PoolReport::default()
    };
    NodeReport {
        names_all: true,
        node: node.into(),
        at_s,
        revision: 5,
        pools: [("p".into(), pool)].into(),
        members: [(("p".into(), "m".into()), calls)].into(),
        ..NodeReport::default()
    }
}

fn started(boot_id: u64, at_s: f64, started: u64) -> NodeReport {
    let mut report = report("a", at_s, 0);
    let pool = report.pools.get_mut("p").unwrap();
    (pool.boot_id, pool.started) = (boot_id, started);
    report
}

#[test]
fn without_other_nodes_everything_is_known() {
    let alone = nodes(&["own"]);
    assert_eq!(alone.calls_elsewhere("p", "m", 0.0), Some(0));
    assert_eq!(alone.min_revision(7, 0.0), Some(7));
    assert!(alone.silent(0.0).is_empty());
}

#[test]
fn calls_are_added_up_and_unlisted_members_have_none() {
    let mut nodes = nodes(&["own", "a", "b"]);
    nodes.hear(&report("a", 100.0, 3), 100.0);
    nodes.hear(&report("b", 101.0, 4), 101.0);
    assert_eq!(nodes.calls_elsewhere("p", "m", 102.0), Some(7));
    assert_eq!(nodes.calls_elsewhere("p", "other", 102.0), Some(0));
    assert_eq!(
        nodes.calls_elsewhere("q", "m", 102.0),
        None,
        "nobody named q"
    );
    nodes.hear(&report("own", 102.0, 9), 102.0);
    nodes.hear(&report("stranger", 102.0, 9), 102.0);
    assert_eq!(nodes.calls_elsewhere("p", "m", 102.0), Some(7));
}

#[test]
fn a_silent_node_makes_calls_unknown_and_keeps_its_demand() {
    let mut nodes = nodes(&["a", "b"]);
    nodes.hear(&report("a", 100.0, 3), 100.0);
    nodes.hear(&report("b", 100.0, 4), 100.0);
    nodes.hear(&report("b", 120.0, 5), 120.0);
    assert_eq!(nodes.calls_elsewhere("p", "m", 120.0), None);
    assert_eq!(nodes.calls_last_known("p", "m"), 8);
    assert_eq!(nodes.pool("p").calls, 8);
    assert_eq!(nodes.silent(120.0), [("a".to_owned(), Some(20.0))]);
    assert_eq!(nodes.min_revision(9, 120.0), None);
}

#[test]
fn a_node_whose_kamailio_is_away_says_nothing_about_calls() {
    let mut nodes = nodes(&["a"]);
    nodes.hear(&report("a", 100.0, 3), 100.0);
    let away = NodeReport {
        names_all: true,
        node: "a".into(),
        at_s: 120.0,
        revision: 6,
        ..NodeReport::default()
    };
    nodes.hear(&away, 120.0);
    assert!(nodes.silent(120.0).is_empty());
    assert_eq!(
        nodes.silent_about("p", 120.0),
        [("a".to_owned(), Some(20.0))]
    );
    assert_eq!(nodes.calls_elsewhere("p", "m", 120.0), None);
    assert_eq!(nodes.calls_last_known("p", "m"), 3);
    assert_eq!(nodes.min_revision(9, 120.0), Some(6));
}

#[test]
fn counters_go_on_over_restarts_of_kamailio() {
    let mut nodes = nodes(&["a"]);
    let mut sum = |boot_id, at_s, count| {
        nodes.hear(&started(boot_id, at_s, count), at_s);
        nodes.pool("p").started
    };
    assert_eq!(sum(1, 1.0, 1000), 0, "what was before is no news");
    assert_eq!(sum(1, 2.0, 1010), 10);
    assert_eq!(sum(1, 2.0, 1010), 10, "the same again");
    assert_eq!(
        sum(2, 3.0, 2000),
        2010,
        "a restart, and already more than before"
    );
    assert_eq!(sum(2, 2.5, 1990), 2010, "too late");
    assert_eq!(sum(2, 4.0, 2005), 2015);
}

#[test]
fn features_are_added_up_over_restarts_too() {
    let mut nodes = nodes(&["a"]);
    let mut sum = |boot_id, at_s, offered| {
        let mut report = started(boot_id, at_s, 0);
        let counts = FeatureReport {
            offered,
            ..FeatureReport::default()
        };
        report.features.insert("calls".into(), counts);
        nodes.hear(&report, at_s);
        nodes.feature("calls").offered
    };
    assert_eq!(
        [sum(1, 1.0, 50), sum(1, 2.0, 60), sum(2, 3.0, 70)],
        [0, 10, 80]
    );
}

#[test]
fn clocks_may_differ_a_little() {
    let mut nodes = nodes(&["a"]);
    nodes.hear(&report("a", 105.0, 3), 100.0);
    assert_eq!(nodes.calls_elsewhere("p", "m", 100.0), Some(3));
    nodes.hear(&report("a", 111.0, 4), 100.0);
    nodes.hear(&report("a", f64::NAN, 4), 100.0);
    nodes.hear(&report("a", f64::INFINITY, 4), 100.0);
    assert_eq!(
        nodes.calls_elsewhere("p", "m", 100.0),
        Some(3),
        "garbage changes nothing"
    );
    nodes.hear(&report("a", 20.0, 5), 20.0);
    assert_eq!(
        nodes.calls_elsewhere("p", "m", 20.0),
        Some(5),
        "the own clock went back"
    );
}

#[test]
fn another_configuration_keeps_who_stays() {
    let mut nodes = nodes(&["a", "b"]);
    nodes.hear(&report("a", 100.0, 3), 100.0);
    nodes.hear(&report("b", 100.0, 4), 100.0);
    nodes.expect(&Expected::all(&["a".into(), "own".into()]));
    assert_eq!(nodes.calls_elsewhere("p", "m", 100.0), Some(3));
    nodes.expect(&Expected::all(&["a".into(), "b".into()]));
    assert_eq!(nodes.calls_elsewhere("p", "m", 100.0), None);
}

prop_compose! {
    fn any_report()(node in 0..3u8, at_s in 0..40u32, calls in 0..9u32, away in any::<bool>())
        -> NodeReport
    {
        let mut report = report(&format!("n{node}"), f64::from(at_s), calls);
        if away {
            (report.pools, report.members) = Default::default();
        }
        report
    }
}

fn hear_all(reports: &[NodeReport]) -> Nodes {
    let mut nodes = nodes(&["n0", "n1", "n2"]);
    for report in reports {
        nodes.hear(report, 40.0);
    }
    nodes
}

/// All that decides about removals.
fn seen(nodes: &Nodes) -> impl PartialEq + std::fmt::Debug + use<> {
    let calls = nodes.calls_elsewhere("p", "m", 40.0);
    (calls, nodes.silent(40.0), nodes.min_revision(9, 40.0))
}

proptest! {
    #[test]
    fn silence_takes_no_demand_away(
        reports in prop::collection::vec(any_report(), 0..20),
        later_s in 0.0..100.0f64,
    ) {
        let nodes = hear_all(&reports);
        let demand = nodes.calls_last_known("p", "m");
        if let Some(calls) = nodes.calls_elsewhere("p", "m", 40.0) {
            prop_assert_eq!(calls, demand);
        }
        // Time goes on and nobody speaks: what is known can only become unknown.
        let later = nodes.calls_elsewhere("p", "m", 40.0 + later_s);
        prop_assert!(later.is_none_or(|calls| calls == demand));
        prop_assert_eq!(nodes.calls_last_known("p", "m"), demand);
        prop_assert!(nodes.silent(40.0 + later_s).len() >= nodes.silent(40.0).len());
    }

    #[test]
    fn a_node_that_never_reported_makes_all_unknown(
        reports in prop::collection::vec(any_report(), 0..20),
    ) {
        let reports: Vec<_> = reports.into_iter().filter(|report| report.node != "n1").collect();
        let nodes = hear_all(&reports);
        prop_assert_eq!(nodes.calls_elsewhere("p", "m", 40.0), None);
        prop_assert_eq!(nodes.min_revision(9, 40.0), None);
        prop_assert!(nodes.silent(40.0).contains(&("n1".to_owned(), None)));
    }

    #[test]
    fn the_order_of_reports_does_not_matter(
        reports in prop::collection::vec(any_report(), 0..20).prop_shuffle(),
    ) {
        let mut ordered = reports.clone();
        ordered.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        prop_assert_eq!(seen(&hear_all(&reports)), seen(&hear_all(&ordered)));
    }

    #[test]
    fn sums_only_grow(reports in prop::collection::vec(any_report(), 0..20)) {
        let mut nodes = nodes(&["n0", "n1", "n2"]);
        let mut before = PoolSum::default();
        for report in reports {
            nodes.hear(&report, 40.0);
            let sum = nodes.pool("p");
            prop_assert!(sum.started >= before.started && sum.refused >= before.refused);
            before = sum;
        }
    }
}

#[test]
fn a_member_that_a_partial_report_leaves_out_is_not_known_to_be_empty() {
    let partial = |at_s: f64, calls: u32| NodeReport {
        names_all: false,
        ..report("b", at_s, calls)
    };
    let mut nodes = Nodes::new(&["a".into(), "b".into()], "a", 10.0);
    nodes.hear(&partial(10.0, 3), 10.0);
    assert_eq!(nodes.calls_elsewhere("p", "m", 10.0), Some(3));
    assert_eq!(nodes.calls_elsewhere("p", "other", 10.0), None);
    let mut without = partial(12.0, 0);
    without.members.clear();
    nodes.hear(&without, 12.0);
    assert_eq!(nodes.calls_elsewhere("p", "m", 12.0), None);
    assert_eq!(nodes.calls_last_known("p", "m"), 3, "demand stands");
    nodes.hear(&partial(13.0, 0), 13.0);
    assert_eq!(nodes.calls_elsewhere("p", "m", 13.0), Some(0));
}

fn members(nodes: &[(&str, Waited)]) -> Expected {
    let nodes = nodes.iter();
    Expected {
        nodes: nodes
            .map(|(name, waited)| ((*name).into(), *waited))
            .collect(),
        unknown: None,
    }
}

#[test]
fn a_node_that_boots_blocks_nothing_until_it_spoke_of_a_pool() {
    let mut nodes = nodes(&["own", "a"]);
    nodes.expect(&members(&[
        ("a", Waited::Always),
        ("new", Waited::OnceItSpoke),
    ]));
    nodes.hear(&report("a", 100.0, 0), 100.0);
    assert_eq!(nodes.calls_elsewhere("p", "m", 100.0), Some(0));
    assert_eq!(nodes.min_revision(7, 100.0), Some(5));
    assert!(nodes.silent(100.0).is_empty() && nodes.silent_about("p", 100.0).is_empty());
    // Its agent runs; its Kamailio does not yet.
    let mut early = report("new", 100.0, 0);
    (early.pools, early.members, early.revision) = Default::default();
    nodes.hear(&early, 100.0);
    assert_eq!(nodes.min_revision(7, 100.0), Some(5));
    nodes.hear(&report("new", 101.0, 2), 101.0);
    assert_eq!(nodes.calls_elsewhere("p", "m", 101.0), Some(2));
    nodes.hear(&report("a", 120.0, 0), 120.0);
    assert_eq!(nodes.calls_elsewhere("p", "m", 120.0), None, "silent now");
    assert_eq!(nodes.silent(120.0), [("new".to_owned(), Some(19.0))]);
    // Its pool gave it up.
    nodes.expect(&members(&[("a", Waited::Always)]));
    assert_eq!(nodes.calls_elsewhere("p", "m", 120.0), Some(0));
}

#[test]
fn a_machine_that_boots_at_the_address_of_one_that_went_blocks_nothing() {
    let mut nodes = nodes(&["own", "a"]);
    nodes.hear(&report("a", 100.0, 3), 100.0);
    nodes.hear(&report("a", 101.0, 5), 101.0);
    assert_eq!(nodes.pool("p").started, 2);
    nodes.expect(&members(&[("a", Waited::OnceItSpoke)]));
    assert_eq!(nodes.calls_elsewhere("p", "m", 200.0), Some(0));
    assert_eq!(nodes.pool("p").started, 2, "sums only grow");
    nodes.expect(&members(&[("a", Waited::Always)]));
    assert_eq!(nodes.calls_elsewhere("p", "m", 200.0), None);
}

#[test]
fn an_active_node_that_never_spoke_blocks() {
    let mut nodes = nodes(&["own"]);
    nodes.expect(&members(&[("new", Waited::OnceItSpoke)]));
    assert_eq!(nodes.calls_elsewhere("p", "m", 100.0), Some(0));
    nodes.expect(&members(&[("new", Waited::Always)]));
    assert_eq!(nodes.calls_elsewhere("p", "m", 100.0), None);
    assert_eq!(nodes.names().collect::<Vec<_>>(), ["new"]);
}

#[test]
fn while_nobody_knows_which_nodes_there_are_nothing_is_known_to_be_empty() {
    let mut nodes = nodes(&["own", "a"]);
    nodes.hear(&report("a", 100.0, 3), 100.0);
    let unknown = Expected {
        unknown: Some("no inventory".into()),
        ..Expected::all(&["a".into()])
    };
    nodes.expect(&unknown);
    assert_eq!(nodes.calls_elsewhere("p", "m", 100.0), None);
    assert_eq!(nodes.min_revision(9, 100.0), None);
    assert_eq!(nodes.unknown(), Some("no inventory"));
    assert_eq!(nodes.calls_last_known("p", "m"), 3, "demand stands");
    assert_eq!(nodes.pool("p").calls, 3);
}

#[test]
fn sums_go_on_over_nodes_that_went_and_their_calls_do_not() {
    let mut nodes = nodes(&["a", "b"]);
    let offered = |node: &str, at_s, count| {
        let mut said = started(1, at_s, count);
        said.node = node.into();
        let feature = FeatureReport {
            offered: count,
            ..FeatureReport::default()
        };
        said.features.insert("calls".into(), feature);
        said.pools.get_mut("p").unwrap().calls = 4;
        said
    };
    for (node, from, to) in [("a", 100, 110), ("b", 500, 507)] {
        nodes.hear(&offered(node, 1.0, from), 1.0);
        nodes.hear(&offered(node, 2.0, to), 2.0);
    }
    let sums = |nodes: &Nodes| {
        let pool = nodes.pool("p");
        (pool.started, nodes.feature("calls").offered, pool.calls)
    };
    assert_eq!(sums(&nodes), (17, 17, 8));
    nodes.expect(&members(&[("b", Waited::Always)]));
    assert_eq!(sums(&nodes), (17, 17, 4));
    // It is back, as another machine with the same address.
    nodes.expect(&members(&[("a", Waited::Always), ("b", Waited::Always)]));
    nodes.hear(&offered("a", 3.0, 2), 3.0);
    nodes.hear(&offered("a", 4.0, 5), 4.0);
    assert_eq!(sums(&nodes), (20, 20, 8));
}
