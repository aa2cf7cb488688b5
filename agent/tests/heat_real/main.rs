//! The Heat actuators against a real Heat (`make openstack-up`), with members that are SIP servers on
//! loopback. Needs `KAMSCALE_OPENSTACK_CLOUDS` (the test bed's clouds.yaml); skips without it:
//!
//! ```text
//! . target/openstack/endpoints.env
//! KAMSCALE_OPENSTACK_CLOUDS=$OS_CLIENT_CONFIG_FILE cargo test -p kamscale-agent --test heat_real
//! ```

#![allow(clippy::unwrap_used, reason = "tests may: a panic is their verdict")]
#![allow(
    clippy::tests_outside_test_module,
    reason = "this whole crate is tests"
)]

mod bed;
mod faults;
mod groups;
mod stacks;
