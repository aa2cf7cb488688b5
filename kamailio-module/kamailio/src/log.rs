//! Kamailio's log: levels, lines, and a limit for lines that a request can cause.
//!
//! Lines carry the module's name and obey its own debug level (`core/dprint.h`). Without the
//! feature `host` they go to [`crate::double::log_lines`].

use std::fmt::Arguments;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::process;

/// The levels of `core/dprint.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The server cannot go on, or is wrong about itself.
    Critical,
    /// Something that was asked for was not done.
    Error,
    /// It works, but somebody should look.
    Warning,
    /// Unusual, and in order.
    Notice,
    /// What an operator likes to see.
    Info,
    /// What a developer needs.
    Debug,
}

/// Whether a line of this level would be written now.
pub fn enabled(level: Level) -> bool {
    backend::enabled(level)
}

/// Writes one line if the level is enabled.
pub fn write(level: Level, line: Arguments<'_>) {
    if enabled(level) {
        match line.as_str() {
            Some(text) => backend::line(level, text),
            None => backend::line(level, &line.to_string()),
        }
    }
}

/// Writes a line of [`Level::Critical`].
pub fn critical(line: Arguments<'_>) {
    write(Level::Critical, line);
}

/// Writes a line of [`Level::Error`].
pub fn error(line: Arguments<'_>) {
    write(Level::Error, line);
}

/// Writes a line of [`Level::Warning`].
pub fn warning(line: Arguments<'_>) {
    write(Level::Warning, line);
}

/// Writes a line of [`Level::Notice`].
pub fn notice(line: Arguments<'_>) {
    write(Level::Notice, line);
}

/// Writes a line of [`Level::Info`].
pub fn info(line: Arguments<'_>) {
    write(Level::Info, line);
}

/// Writes a line of [`Level::Debug`].
pub fn debug(line: Arguments<'_>) {
    write(Level::Debug, line);
}

/// At most one line in so many seconds, per process: for what a request can cause again and again.
#[derive(Debug)]
pub struct RateLimit {
    seconds: u32,
    /// The second of the last line, plus one: 0 is never.
    last: AtomicU32,
    suppressed: AtomicU32,
}

impl RateLimit {
    /// One line in `seconds` seconds.
    pub const fn new(seconds: u32) -> Self {
        Self {
            seconds,
            last: AtomicU32::new(0),
            suppressed: AtomicU32::new(0),
        }
    }

    /// Writes the line unless one was written within the limit; says how many were suppressed
    /// since.
    pub fn write(&self, level: Level, line: Arguments<'_>) {
        let now = process::ticks();
        let last = self.last.load(Relaxed);
        if last != 0 && now.wrapping_sub(last - 1) < self.seconds {
            self.suppressed.fetch_add(1, Relaxed);
            return;
        }
        self.last.store(now.wrapping_add(1).max(1), Relaxed);
        match self.suppressed.swap(0, Relaxed) {
            0 => write(level, line),
            n => write(level, format_args!("{line} ({n} like this not logged)")),
        }
    }
}

#[cfg(feature = "host")]
mod backend {
    #![allow(unsafe_code, reason = "calls the shim's log functions")]
    use super::Level;
    use kamailio_sys as sys;
    use std::ffi::c_int;

    fn number(level: Level) -> c_int {
        match level {
            Level::Critical => sys::L_CRIT2 as c_int,
            Level::Error => sys::L_ERR as c_int,
            Level::Warning => sys::L_WARN as c_int,
            Level::Notice => sys::L_NOTICE as c_int,
            Level::Info => sys::L_INFO as c_int,
            Level::Debug => sys::L_DBG as c_int,
        }
    }

    pub(super) fn enabled(level: Level) -> bool {
        // SAFETY: reads the debug level of this process; no pointers.
        unsafe { sys::shim_log_enabled(number(level)) != 0 }
    }

    pub(super) fn line(level: Level, text: &str) {
        let len = c_int::try_from(text.len()).unwrap_or(c_int::MAX);
        // SAFETY: the shim reads `len` bytes of `text` and keeps nothing.
        unsafe { sys::shim_log(number(level), text.as_ptr().cast(), len) }
    }
}

#[cfg(not(feature = "host"))]
mod backend {
    use super::Level;

    pub(super) fn enabled(_: Level) -> bool {
        true
    }

    pub(super) fn line(level: Level, text: &str) {
        crate::double::capture(level, text);
    }
}

#[cfg(test)]
#[cfg(not(feature = "host"))]
mod tests {
    use super::*;
    use crate::double;

    #[test]
    fn a_limit_lets_one_line_pass_and_counts_the_rest() {
        let limit = RateLimit::new(10);
        for second in [0, 1, 9, 10] {
            double::set_ticks(second);
            limit.write(Level::Error, format_args!("full"));
        }
        let lines: Vec<String> = double::log_lines()
            .into_iter()
            .map(|(_, line)| line)
            .collect();
        assert_eq!(lines, ["full", "full (2 like this not logged)"]);
    }
}
