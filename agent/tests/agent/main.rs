//! The whole agent against a scripted Kamailio and real member processes.

#![allow(clippy::unwrap_used, reason = "tests may: a panic is their verdict")]
#![allow(
    clippy::tests_outside_test_module,
    reason = "this whole crate is tests"
)]

mod configurations;
mod etcd;
mod harness;

mod command_line;
mod hosts;
mod inventory;
mod life_of_a_member;
mod nodes_of_a_pool;
mod operating;
mod reload;
mod restart;
mod several_nodes;
mod shared_memory;
mod stacks;
