//! DNS: where a member is whose URI has a host name. RFC 3263 says in which order records are asked
//! for; names are looked up again as their records run out, in a task beside the control loop.
//!
//! It knows URIs, records and time; which member a destination is for, and what is kept when a look-up
//! fails, is the loop's. No request waits for any of it.

mod choice;
mod names;
mod order;
mod records;
mod system;
mod target;

pub use choice::choose;
pub use names::{Finding, Names, Pace};
pub use order::{Located, LookUpError, locate};
pub use records::{Answer, Family, Naptr, Records, Srv};
pub use system::Dns;
pub use target::{Destination, Target, Transport, is_name};

#[cfg(test)]
mod tests;
