//! Against a real server, dnsmasq, on loopback: what it answers in each case, and what that means here.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command};

use super::*;

const PORT: u16 = 5300;

/// A server with options (as `host-record=conf.test,10.0.0.1,60`); it ends with its owner.
struct Server {
    child: Child,
    ip: Ipv4Addr,
}

impl Server {
    fn start(ip: Ipv4Addr, options: &[&str]) -> Option<Server> {
        let program = Path::new("/usr/sbin/dnsmasq");
        if !program.exists() {
            println!("SKIPPED: dnsmasq is not installed; `make setup` installs it");
            return None;
        }
        let mut command = Command::new(program);
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-hosts",
            "--no-resolv",
            "--local=/test/",
            "--user=",
            "--group=",
            "--pid-file=",
            "--bind-interfaces",
        ]);
        command.arg(format!("--listen-address={ip}"));
        command.arg(format!("--port={PORT}"));
        command.args(options.iter().map(|option| format!("--{option}")));
        let child = command.spawn().unwrap();
        Some(Server { child, ip })
    }

    /// Whom to ask, once it serves.
    async fn dns(&mut self) -> Dns {
        let dns = Dns::new(vec![(self.ip, PORT).into()]);
        while dns.ipv4("ready.test").await.is_err() {
            let ended = self.child.try_wait().unwrap();
            assert_eq!(ended, None, "dnsmasq ended");
        }
        dns
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of loopback that nobody else takes.
fn own_address(number: u8) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 200 + number, high, low.clamp(1, 254))
}

#[tokio::test]
async fn naptr_srv_and_addresses_of_a_real_server_lead_to_destinations_with_their_time() {
    let options = [
        "naptr-record=conf.test,10,50,s,SIP+D2T,,_sip._tcp.conf.test",
        "naptr-record=conf.test,20,50,s,SIP+D2U,,_sip._udp.conf.test",
        "srv-host=_sip._tcp.conf.test,one.test,5070,1,70",
        "srv-host=_sip._tcp.conf.test,two.test,5080,2,30",
        "host-record=one.test,10.0.0.1,2001:db8::1,40",
        "host-record=two.test,2001:db8::2,40",
        "cname=alias.test,one.test,7",
        "local-ttl=60",
    ];
    let Some(mut server) = Server::start(own_address(1), &options) else {
        return;
    };
    let dns = server.dns().await;
    let target = Target::parse("sip:conf.test").unwrap();
    let located = locate(&dns, Family::default(), &target).await.unwrap();
    let found = located
        .destinations
        .iter()
        .map(|d| (target.at(d), d.priority, d.weight));
    let mut found: Vec<_> = found.collect();
    found.sort();
    let expected = [
        ("sip:10.0.0.1:5070;transport=tcp".to_owned(), 1, 70),
        ("sip:[2001:db8::2]:5080;transport=tcp".to_owned(), 2, 30),
    ];
    assert_eq!(found, expected);
    assert_eq!(located.ttl_s, 40, "the shortest on the way");
    let (uris, ttl_s) = leads(&dns, "sip:alias.test:5060").await.unwrap();
    assert_eq!((uris, ttl_s), (vec!["sip:10.0.0.1:5060".into()], 7));
    let error = leads(&dns, "sip:nobody.test").await.unwrap_err();
    assert_eq!(error, LookUpError::Absent("nobody.test".into()));
}

#[tokio::test]
async fn a_server_that_refuses_or_is_away_has_not_said_that_there_is_nothing() {
    let ip = own_address(2);
    let Some(mut server) = Server::start(ip, &["host-record=one.test,10.0.0.1,1"]) else {
        return;
    };
    let dns = server.dns().await;
    let error = leads(&dns, "sip:elsewhere.example").await.unwrap_err();
    let LookUpError::Failed { problem, .. } = &error else {
        panic!("{error}");
    };
    assert!(problem.contains("Refused"), "{problem}");
    drop(server);
    let error = leads(&dns, "sip:one.test:5060").await.unwrap_err();
    assert!(matches!(error, LookUpError::Failed { .. }), "{error}");
    let _server = Server::start(ip, &["host-record=one.test,10.0.0.2,1"]);
    while leads(&dns, "sip:one.test:5060").await.is_err() {}
    let (uris, _) = leads(&dns, "sip:one.test:5060").await.unwrap();
    assert_eq!(uris, ["sip:10.0.0.2:5060"], "nothing is remembered");
}

#[tokio::test]
async fn names_of_the_hosts_own_file_are_known_without_dns() {
    let dns = Dns::new(vec![(own_address(3), PORT).into()]);
    let (uris, _) = leads(&dns, "sip:localhost").await.unwrap();
    assert!(uris.contains(&"sip:127.0.0.1:5060".to_owned()), "{uris:?}");
}
