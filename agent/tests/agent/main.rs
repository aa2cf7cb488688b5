//! The whole agent against a scripted Kamailio and real member processes.

#![allow(clippy::unwrap_used, reason = "tests may: a panic is their verdict")]

mod harness;

mod command_line;
mod life_of_a_member;
mod reload;
mod restart;
