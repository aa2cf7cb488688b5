//! The Heat actuators against a real Heat (`make openstack-up`), with members that are SIP servers on
//! loopback. Needs `KAMSCALE_OPENSTACK_CLOUDS` (the test bed's clouds.yaml); skips without it:
//!
//! ```text
//! . target/openstack/endpoints.env
//! KAMSCALE_OPENSTACK_CLOUDS=$OS_CLIENT_CONFIG_FILE cargo test -p kamscale-agent --test heat_real
//! ```

mod bed;
mod faults;
mod groups;
mod stacks;
