//! A double of the server, for tests of a module's logic: messages that share a transaction,
//! dialogs, the log, the clock and the process number.
//!
//! It imitates what this crate promises, no more: no routing, no timers, no retransmissions. Log,
//! clock and process belong to the test's own thread; with the feature `host` nothing is captured
//! and the clock is the server's.

mod answer;
mod dialogs;
mod message;

pub use answer::Answer;
pub use dialogs::Dialogs;
pub use message::{Message, Transaction};

use std::cell::{Cell, RefCell};

use crate::log::Level;

thread_local! {
    static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    static TICKS: Cell<u32> = const { Cell::new(0) };
    static SOCKETS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static PROCESS: Cell<(usize, usize)> = const { Cell::new((1, 8)) };
}

/// Takes the lines that this thread has logged.
pub fn log_lines() -> Vec<(Level, String)> {
    LINES.take()
}

/// Sets the clock of this thread, in seconds.
pub fn set_ticks(seconds: u32) {
    TICKS.set(seconds);
}

/// Gives the server of this thread these local sockets.
pub fn set_sockets(sockets: &[&str]) {
    SOCKETS.set(sockets.iter().map(|s| (*s).to_owned()).collect());
}

/// The local socket of this text, as its place from 1.
#[cfg(not(feature = "host"))]
pub(crate) fn socket(text: &[u8]) -> Option<usize> {
    let place = |all: &Vec<String>| all.iter().position(|s| s.as_bytes() == text);
    SOCKETS.with_borrow(place).map(|place| place + 1)
}

/// Makes this thread the process `number` of `count`.
pub fn set_process(number: usize, count: usize) {
    PROCESS.set((number, count));
}

#[cfg(not(feature = "host"))]
pub(crate) fn capture(level: Level, line: &str) {
    LINES.with_borrow_mut(|lines| lines.push((level, line.to_owned())));
}

#[cfg(not(feature = "host"))]
pub(crate) fn ticks() -> u32 {
    TICKS.get()
}

#[cfg(not(feature = "host"))]
pub(crate) fn number() -> usize {
    PROCESS.get().0
}

#[cfg(not(feature = "host"))]
pub(crate) fn count() -> usize {
    PROCESS.get().1
}

#[cfg(not(feature = "host"))]
pub(crate) fn description() -> String {
    format!("double {}", number())
}
