//! The harness: starts the real parts (Kamailio, the agent, SIPp) on loopback, asks and watches
//! them, and stops by process id whatever it started, also after a panic.
//!
//! It owns processes, addresses, files of a run and plain SIP; it must not know what a behaviour
//! ought to be (that is in `tests/tests/`) nor decide anything that the agent decides.
//! A failure panics and says what was awaited; there is no error type to carry around.
//!
//! ```no_run
//! use kamscale_tests::{Kamailio, Member, RunDir, SipClient};
//!
//! let run = RunDir::new("example"); // files, and a /24 of loopback that nobody else uses
//! let member = Member::start(run.endpoint());
//! let kamailio = Kamailio::minimal(&run).start();
//! let client = SipClient::new(&run);
//! let mut call = client.invite(kamailio.sip(), "conf-1");
//! assert_eq!(call.final_status(), 503); // no agent published a pool yet
//! # drop(member);
//! ```

#![forbid(unsafe_code)]

mod agent;
pub mod bench;
mod call;
mod client;
pub mod cloud;
mod database;
mod dns;
mod kamailio;
mod kamcmd;
mod member;
mod message;
mod openstack;
mod phone;
pub mod plot;
mod process;
mod relay;
pub mod report;
pub mod rest;
mod run;
mod sipp;
pub mod soak;
mod tools;
mod wait;
mod watch;

pub use agent::{Agent, AgentSetup};
pub use call::Call;
pub use client::SipClient;
pub use database::{Database, DatabaseProxy};
pub use dns::DnsServer;
pub use kamailio::{Kamailio, KamailioSetup};
pub use member::{Answer, Member, MemberCounts};
pub use message::SipMessage;
pub use openstack::{CloudMember, OpenStack, OpenStackOptions};
pub use phone::Phone;
pub use process::{Process, stop_everything_on_signals};
pub use relay::Relay;
pub use run::RunDir;
pub use sipp::{CallTotals, Sipp, SippSetup, SippSteps, read_steps, uas_command};
pub use tools::{built, repository, tool};
pub use wait::{PATIENCE, wait_for, wait_until};
pub use watch::{MemberSample, Sample, Watch};
