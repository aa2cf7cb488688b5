//! Probing as a pool and a member want it.

use kamscale_shm::{Health, MemberOptions, MemberSpec, ProbeOptions};

use super::ward::{Ward, ok, probing};
use crate::health::ReplyCodes;
use crate::selection::Usable;
use crate::tests::member;

fn unprobed(name: &str) -> MemberSpec {
    MemberSpec {
        options: MemberOptions {
            probe: false,
            ..MemberOptions::default()
        },
        ..member(name)
    }
}

#[test]
fn what_a_pool_does_not_say_is_as_the_parameters_have_it() {
    let usual = probing(5000);
    assert_eq!(usual.of_pool(&ProbeOptions::default()), Some(usual.clone()));
    let wanted = ProbeOptions {
        interval_ms: Some(500),
        jitter_percent: Some(0),
        failures: Some(7),
        method: "INFO".to_owned(),
        codes: "2xx".to_owned(),
        ..ProbeOptions::default()
    };
    let own = usual.of_pool(&wanted).unwrap();
    assert_eq!((own.pace.interval_ms, own.pace.jitter_percent), (500, 0));
    assert_eq!((own.limits.failures, own.limits.successes), (7, 2));
    assert_eq!((&*own.method, &*own.from), ("INFO", &*usual.from));
    assert_eq!(own.codes, ReplyCodes::parse("2xx").unwrap());
    let interval_ms = Some(0);
    let never = ProbeOptions {
        interval_ms,
        ..ProbeOptions::default()
    };
    assert_eq!(usual.of_pool(&never), None);
}

#[test]
fn a_member_that_is_not_probed_is_used_from_its_first_moment_and_never_asked() {
    let mut ward = Ward::new(&[member("a")], Some(probing(1000)));
    ward.turns(40, ok);
    ward.publish(&[member("a"), unprobed("b"), member("c")]);
    let server = ward.server;
    let pool = ward.table().pool(0).unwrap();
    let takes = |name: &str| {
        let usable = Usable::new(server, &pool, &[]);
        let mut members = pool.members();
        members.any(|m| m.name() == name.as_bytes() && usable.is(&m))
    };
    assert!(takes("b"), "before anybody has looked at it");
    assert!(!takes("c"), "nobody has asked it");
    let of_b = |ward: &mut Ward| {
        let probes = ward.turn();
        let uri = member("b").uri.into_bytes();
        probes.iter().filter(|p| p.uri == uri).count()
    };
    let asked: usize = (0..60).map(|_| of_b(&mut ward)).sum();
    assert_eq!(asked, 0);
    assert_eq!(ward.health("b"), Some(Health::Trusted));
    assert!(ward.told().contains(&"member-up b table".to_owned()));
    // From now on it is asked, and stays in use until it proves otherwise.
    ward.publish(&[member("a"), member("b")]);
    assert!(
        ward.turn()
            .iter()
            .any(|p| p.uri == member("b").uri.into_bytes())
    );
    assert!(ward.usable("b"));
    ward.turns(80, || None);
    assert_eq!(ward.health("b"), Some(Health::Down));
    ward.publish(&[member("a"), unprobed("b")]);
    ward.turn();
    assert!(ward.usable("b"), "what its answers said is over");
}

#[test]
fn while_the_operator_has_it_off_nobody_is_asked_and_all_are_believed() {
    let mut ward = Ward::new(&[member("a"), member("b")], Some(probing(1000)));
    ward.turns(80, || None);
    assert_eq!(ward.health("a"), Some(Health::Down));
    ward.server.observed.let_probe(false);
    assert_eq!(ward.turns(80, || None), 0);
    assert!(ward.usable("a") && ward.usable("b"));
    ward.server.observed.let_probe(true);
    assert!(ward.turns(80, || None) > 0);
    assert_eq!(ward.health("a"), Some(Health::Down));
}
