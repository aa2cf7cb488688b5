//! What a try sets beside the URI, and that the next one takes it back.

use kamailio::double::{Message, set_sockets, set_ticks};
use kamailio::message::{Message as _, Method};
use kamailio::socket;
use kamscale_shm::{MemberOptions, MemberSpec};

use super::{Site, logged, member};
use crate::algorithm::Algorithm;
use crate::code;
use crate::routing::{Choice, Target, next, select};
use crate::worker::PoolName;

fn ranked(name: &str, priority: u16, options: MemberOptions) -> MemberSpec {
    MemberSpec {
        priority,
        options,
        ..member(name)
    }
}

fn socket_of(text: &str) -> MemberOptions {
    MemberOptions {
        socket: text.to_owned(),
        ..MemberOptions::default()
    }
}

fn site(first: MemberOptions, second: MemberOptions) -> Site {
    let mut site = Site::of(0);
    let members = [ranked("a", 2, first), ranked("b", 1, second)];
    site.publish(&members);
    site
}

#[test]
fn the_socket_of_a_try_is_that_of_its_member_and_goes_with_it() {
    set_sockets(&["udp:10.0.0.1:5060", "side"]);
    let mut site = site(socket_of("side"), MemberOptions::default());
    let mut msg = Message::new(Method::Options);
    assert_eq!(site.select(&mut msg, Algorithm::Serial, None), code::OK);
    assert_eq!(msg.socket, socket::find(b"side"));
    assert!(msg.socket.is_some());
    let mut failed = msg.failed();
    assert_eq!(site.next(&mut failed), code::OK);
    assert_eq!(
        (site.member_of(&failed).as_str(), failed.socket),
        ("b", None)
    );
}

#[test]
fn a_socket_that_the_script_chose_stays_where_members_have_none() {
    set_sockets(&["script"]);
    let mut site = site(MemberOptions::default(), MemberOptions::default());
    let mut msg = Message::new(Method::Options);
    let chosen = socket::find(b"script");
    msg.set_socket(chosen);
    assert_eq!(site.select(&mut msg, Algorithm::Serial, None), code::OK);
    assert_eq!(site.next(&mut msg), code::OK);
    assert_eq!(msg.socket, chosen);
}

#[test]
fn a_socket_that_the_server_does_not_have_is_named() {
    set_ticks(2_000_000); // beyond the limit of lines that other tests have logged
    set_sockets(&["udp:10.0.0.1:5060"]);
    let mut site = site(socket_of("udp:10.0.0.2:5060"), MemberOptions::default());
    let mut msg = Message::new(Method::Options);
    assert_eq!(site.select(&mut msg, Algorithm::Serial, None), code::FAILED);
    let lines = logged();
    let named = |l: &String| l.contains("member a") && l.contains("udp:10.0.0.2:5060");
    assert!(lines.iter().any(named), "{lines:?}");
}

#[test]
fn a_proxy_is_where_a_domain_is_sent_and_is_taken_back() {
    let proxied = MemberOptions {
        proxy: "sip:10.0.0.9".to_owned(),
        ..MemberOptions::default()
    };
    let mut site = site(proxied, MemberOptions::default());
    let choice = Choice {
        pool: PoolName::Text(b"p"),
        algorithm: Algorithm::Serial,
        key: None,
        target: Target::Domain,
    };
    let mut msg = Message::new(Method::Options);
    let done = select(site.server, &mut site.worker, &mut msg, &choice);
    assert_eq!(done, code::OK);
    assert_eq!(msg.destination(), Some(&b"sip:10.0.0.9"[..]));
    let done = next(site.server, &mut site.worker, &mut msg, Target::Domain);
    assert_eq!((done, msg.destination()), (code::OK, None));
    let mut msg = Message::new(Method::Options);
    assert_eq!(site.select(&mut msg, Algorithm::Serial, None), code::OK);
    assert_eq!(site.member_of(&msg), "a", "$du is the member itself");
}
