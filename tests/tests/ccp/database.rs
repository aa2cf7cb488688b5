//! The database goes away: one of two ways to it, or both.

use kamscale_tests::{DatabaseProxy, PATIENCE, RunDir, wait_until};
use rustix::process::Signal;

use super::site::Site;

#[test]
fn while_the_first_way_to_the_database_is_away_the_second_is_used() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice", "bob"]);
    let [mut first, mut second] =
        ["first", "second"].map(|name| DatabaseProxy::start(&site.database, name));
    let setup = site.setup("one");
    let setup = setup.define_text("KS_DB_URL", site.database.url(first.address()));
    let node = site.start(
        "one",
        setup.define_text("KS_DB_URL_2", site.database.url(second.address())),
    );
    let sip = node.kamailio.sip();
    let alice = site.phone("alice");
    assert_eq!(alice.register(sip), 200);
    // It takes connections and says nothing, then it is gone altogether.
    first.process().signal(Signal::STOP);
    for _ in 0..4 {
        assert_eq!(alice.register(sip), 200, "the first way hangs");
    }
    first.process().signal(Signal::CONT);
    first.process().kill();
    for _ in 0..4 {
        assert_eq!(alice.register(sip), 200, "the first way is closed");
    }
    // Without any the right password is not called wrong.
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
