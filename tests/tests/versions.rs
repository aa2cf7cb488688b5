//! The server under test is the one that was meant: `scripts/test-6.0.sh` runs the same tests with
//! another Kamailio than the installed one, and says which.

use kamscale_tests::{Kamailio, RunDir};

#[test]
fn the_server_that_runs_is_the_one_that_was_named() {
    let run = RunDir::new("versions");
    let kamailio = Kamailio::minimal(&run).start();
    let answer = kamailio.rpc(&["core.version"]);
    let version = answer[0].as_str().unwrap_or_default();
    let wanted = std::env::var("KAMSCALE_KAMAILIO_VERSION").unwrap_or_default();
    assert!(
        version.starts_with(&format!("kamailio {wanted}")),
        "Kamailio {wanted:?} was wanted, and {version:?} runs"
    );
}
