//! RFC 3263, section 4: which records are asked for, and what they mean.

use super::*;

fn zone() -> Zone {
    Zone::new()
        .with_ip("conf", &["10.0.0.1"])
        .with_ip("a", &["10.0.0.2"])
        .with_ip("b", &["2001:db8::2"])
}

async fn asked(zone: Zone, uri: &str) -> (Result<Vec<String>, LookUpError>, Vec<String>) {
    let found = leads(&zone, uri).await.map(|(uris, _)| uris);
    (found, zone.asked.into_inner().unwrap())
}

#[tokio::test]
async fn a_port_means_the_address_and_a_transport_means_srv() {
    let (found, questions) = asked(zone(), "sip:conf:5070").await;
    assert_eq!(found.unwrap(), ["sip:10.0.0.1:5070"]);
    assert_eq!(questions, ["A conf"]);

    let srv = zone().with_srv("_sip._tcp.conf", &[(1, 5, 5080, "a")]);
    let (found, questions) = asked(srv, "sip:conf;transport=tcp").await;
    assert_eq!(found.unwrap(), ["sip:10.0.0.2:5080;transport=tcp"]);
    assert_eq!(questions, ["SRV _sip._tcp.conf", "A a"]);

    let (found, questions) = asked(zone(), "sip:conf;transport=tls").await;
    assert_eq!(found.unwrap(), ["sip:10.0.0.1:5061;transport=tls"]);
    assert_eq!(questions, ["SRV _sips._tcp.conf", "A conf"]);
}

#[tokio::test]
async fn without_both_naptr_goes_before_srv_and_srv_before_the_address() {
    let (found, questions) = asked(zone(), "sip:conf").await;
    assert_eq!(found.unwrap(), ["sip:10.0.0.1:5060"]);
    let expected = [
        "NAPTR conf",
        "SRV _sip._udp.conf",
        "SRV _sip._tcp.conf",
        "A conf",
    ];
    assert_eq!(questions, expected);

    let srv = zone().with_srv("_sip._tcp.conf", &[(0, 0, 5080, "a"), (0, 0, 5090, "b")]);
    let (found, questions) = asked(srv, "sip:conf").await;
    let both = [
        "sip:10.0.0.2:5080;transport=tcp",
        "sip:[2001:db8::2]:5090;transport=tcp",
    ];
    assert_eq!(found.unwrap(), both);
    assert_eq!(questions[3..], ["A a", "A b", "AAAA b"]);

    let naptr = [
        (20, 1, "SIP+D2U", "udp.conf"),
        (10, 2, "SIP+D2T", "tcp.conf"),
        (10, 1, "SIPS+D2T", "tls.conf"),
        (1, 1, "E2U+sip", "number.conf"),
    ];
    let best = zone()
        .with_naptr("conf", &naptr)
        .with_srv("tcp.conf", &[(0, 0, 5080, "a")])
        .with_srv("udp.conf", &[(0, 0, 5080, "a")]);
    let (found, questions) = asked(best, "sip:conf").await;
    let fallen = ["sip:10.0.0.2:5080;transport=tcp"];
    assert_eq!(found.unwrap(), fallen, "the best one has no hosts");
    let expected = ["NAPTR conf", "SRV tls.conf", "SRV tcp.conf", "A a"];
    assert_eq!(questions, expected);
}

#[tokio::test]
async fn what_is_secure_goes_by_tls_or_not_at_all() {
    let naptr = [
        (1, 1, "SIP+D2U", "udp.conf"),
        (9, 1, "SIPS+D2T", "tls.conf"),
    ];
    let zone = || zone().with_srv("udp.conf", &[(0, 0, 5080, "a")]);
    let with = zone()
        .with_naptr("conf", &naptr)
        .with_srv("tls.conf", &[(0, 0, 5071, "a")]);
    let (found, _) = asked(with, "sips:conf").await;
    assert_eq!(found.unwrap(), ["sips:10.0.0.2:5071"]);
    let (found, questions) = asked(zone(), "sips:conf").await;
    assert_eq!(found.unwrap(), ["sips:10.0.0.1:5061"]);
    assert_eq!(questions, ["NAPTR conf", "SRV _sips._tcp.conf", "A conf"]);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_told_from_a_name_that_is_not() {
    let zone = || zone().with_srv("_sip._udp.conf", &[(0, 0, 0, ".")]);
    let error = leads(&zone(), "sip:conf").await.unwrap_err();
    assert_eq!(error, LookUpError::NoService("_sip._udp.conf".into()));
    let error = leads(&zone(), "sip:nobody").await.unwrap_err();
    assert_eq!(error.to_string(), "nobody has no address in DNS");
}

#[tokio::test]
async fn no_answer_is_no_answer_whatever_could_still_be_asked() {
    for broken in ["conf", "_sip._udp.conf", "a"] {
        let mut zone = zone().with_srv("_sip._udp.conf", &[(0, 0, 5080, "a")]);
        zone.broken.push(broken.into());
        let error = leads(&zone, "sip:conf").await.unwrap_err();
        assert!(matches!(error, LookUpError::Failed { .. }), "{error}");
    }
    // One host of several: the others serve, and the missing one is asked for again soon.
    let mut zone = zone().with_srv("_sip._udp.conf", &[(0, 0, 5080, "a"), (0, 0, 5080, "b")]);
    zone.broken.push("b".into());
    let (found, ttl_s) = leads(&zone, "sip:conf").await.unwrap();
    assert_eq!((found, ttl_s), (vec!["sip:10.0.0.2:5080".into()], 0));
}

#[tokio::test]
async fn the_hosts_own_file_goes_before_dns() {
    let mut zone = zone();
    zone.hosts
        .insert("conf".into(), vec!["10.9.9.9".parse().unwrap()]);
    let (found, questions) = asked(zone, "sip:conf").await;
    assert_eq!(found.unwrap(), ["sip:10.9.9.9:5060"]);
    assert_eq!(questions, Vec::<String>::new());
}

#[tokio::test]
async fn the_family_of_addresses_is_a_matter_of_configuration() {
    let zone = Zone::new().with_ip("conf", &["2001:db8::1", "10.0.0.1"]);
    let target = Target::parse("sip:conf:5060").unwrap();
    for (family, expected) in [
        (Family::Ipv4First, "sip:10.0.0.1:5060"),
        (Family::Ipv4, "sip:10.0.0.1:5060"),
        (Family::Ipv6First, "sip:[2001:db8::1]:5060"),
        (Family::Ipv6, "sip:[2001:db8::1]:5060"),
    ] {
        let located = locate(&zone, family, &target).await.unwrap();
        let uris: Vec<_> = located.destinations.iter().map(|d| target.at(d)).collect();
        assert_eq!(uris, [expected], "{family:?}");
    }
}
