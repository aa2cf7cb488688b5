//! The database goes away: one of two proxies before it, or both.

use kamscale_tests::{DatabaseProxy, PATIENCE, RunDir, wait_until};
use rustix::process::Signal;

use super::site::Site;

#[test]
fn while_the_first_proxy_of_the_database_is_away_the_second_is_used() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice", "bob"]);
    let [mut first, mut second] =
        ["first", "second"].map(|name| DatabaseProxy::start(&site.database, name));
    let access = DatabaseProxy::access(&run, first.address(), second.address());
    let url = site.database.url(access.address());
    let node = site.start("one", site.setup("one").define_text("KS_DB_URL", url));
    let sip = node.kamailio.sip();
    let alice = site.phone("alice");
    assert_eq!(alice.register(sip), 200);
    // It takes connections and says nothing, then it is gone altogether.
    first.process().signal(Signal::STOP);
    for _ in 0..4 {
        assert_eq!(alice.register(sip), 200, "the first proxy hangs");
    }
    first.process().signal(Signal::CONT);
    first.process().kill();
    for _ in 0..4 {
        assert_eq!(alice.register(sip), 200, "the first proxy is gone");
    }
    // Without both the right password is not called wrong.
    second.process().kill();
    wait_until("the node says that it cannot", PATIENCE, || {
        let reply = alice.ask(&alice.registration(), sip);
        assert_ne!(
            reply.status(),
            Some(401),
            "who knows the password looks like a guesser"
        );
        reply.status() == Some(503) && reply.header("Retry-After").is_some()
    });
}
