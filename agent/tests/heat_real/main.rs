//! The Heat actuators against a real Heat, with members that are SIP servers on loopback.
//! `scripts/openstack-agent.sh` starts the services and runs this; needs `KAMSCALE_OPENSTACK_CLOUDS`
//! (the test bed's clouds.yaml), and skips without it.

#![allow(clippy::unwrap_used, reason = "tests may: a panic is their verdict")]
#![allow(
    clippy::tests_outside_test_module,
    reason = "this whole crate is tests"
)]

mod bed;
mod faults;
mod groups;
mod stacks;
