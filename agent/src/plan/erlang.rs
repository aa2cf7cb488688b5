//! Erlang's formulas: how many calls must fit so that few are blocked or wait.
//!
//! Loads are in erlang (mean calls at the same time if none were lost), servers are calls that fit.
//! Only formulas: no pools, no members, no time. Callers come independently of each other (Poisson);
//! a conference that begins at the full hour does not.
//!
//! # Sources
//! - The formulas: A. K. Erlang, "Solution of some problems in the theory of probabilities of
//!   significance in automatic telephone exchanges", 1917.
//! - The recursion B(0) = 1, B(n) = A B(n-1) / (n + A B(n-1)), here for I = 1/B, which is shorter:
//!   I(n) = 1 + n/A I(n-1). All terms are positive, so it is stable: S. Qiao, L. Qiao, "A robust and
//!   efficient algorithm for evaluating Erlang B formula", 1998.
//! - C = B / (1 - a (1 - B)) with a = A/N, and the mean wait of all callers C h / (N - A), h the mean
//!   time of a call: both in Erlang 1917; in textbooks as M/M/N.
//!
//! # Why it begins in the middle
//! An error in I(m) comes back in I(n) times (m+1)/A ... n/A. With m = n - 10 sqrt(A), n <= A, that is
//! below exp(-(n-m)^2 / 2A) = exp(-50), and the error of the first value used here is below its bound
//! A / (A-m) <= sqrt(A) / 10: nothing of it is left in a f64. Beyond A it grows no faster than I
//! itself. So one answer takes some 10 sqrt(A) steps, not A; tests compare with the whole recursion.
//!
//! # What is no number
//! All functions answer for all arguments. A load that is negative or NaN is none; one above
//! [`MOST_ERLANGS`] is that. Without load no server is needed. A goal that cannot be reached (a
//! probability of 0, NaN) is [`LEAST`]. A time of a call that is none is next to 0.

/// The largest load that is computed; more is taken as this.
pub const MOST_ERLANGS: f64 = 1e7;

/// The smallest probability asked for, and the shortest wait in mean times of a call.
pub const LEAST: f64 = 1e-9;

/// Erlang B: the probability that a call finds all servers taken and is lost.
pub fn blocking(servers: u32, erlangs: f64) -> f64 {
    Recursion::at(servers, within(erlangs)).blocking()
}

/// Erlang C: the probability that a caller must wait, if all who find no server do; 1 if the load is
/// not below the servers.
pub fn waiting(servers: u32, erlangs: f64) -> f64 {
    Recursion::at(servers, within(erlangs)).waiting()
}

/// Mean wait of all callers, those who need not included, in seconds: infinite if the load is not
/// below the servers. `hold_s` is the mean time of a call.
pub fn answer_s(servers: u32, erlangs: f64, hold_s: f64) -> f64 {
    Recursion::at(servers, within(erlangs)).wait() * hold_within(hold_s)
}

/// The fewest servers with [`blocking`] not above `blocking`.
pub fn servers_for_blocking(erlangs: f64, blocking: f64) -> u32 {
    let (erlangs, goal) = (within(erlangs), goal(blocking));
    if erlangs == 0.0 || goal >= 1.0 {
        return 0;
    }
    // Servers carry at most one erlang each, so with fewer than A (1 - B) more than B is lost. One
    // less, against rounding.
    let first = whole(erlangs * (1.0 - goal)).saturating_sub(1);
    Recursion::at(first, erlangs).first(|recursion| recursion.blocking() <= goal)
}

/// The fewest servers with [`waiting`] not above `waiting`.
pub fn servers_for_waiting(erlangs: f64, waiting: f64) -> u32 {
    let (erlangs, goal) = (within(erlangs), goal(waiting));
    if erlangs == 0.0 || goal >= 1.0 {
        return 0;
    }
    Recursion::at(whole(erlangs), erlangs).first(|recursion| recursion.waiting() <= goal)
}

/// The fewest servers with [`answer_s`] finite and not above `answer_s`; `hold_s` is the mean time of
/// a call.
pub fn servers_for_answer(erlangs: f64, hold_s: f64, answer_s: f64) -> u32 {
    let (erlangs, hold_s) = (within(erlangs), hold_within(hold_s));
    if erlangs == 0.0 {
        return 0;
    }
    // Compared as `answer_s` does, so that both agree to the last bit.
    let goal_s = answer_s.max(LEAST * hold_s);
    Recursion::at(whole(erlangs), erlangs).first(|recursion| {
        let wait = recursion.wait();
        wait.is_finite() && wait * hold_s <= goal_s
    })
}

/// 1/B for one load, server by server.
struct Recursion {
    servers: u32,
    erlangs: f64,
    /// 1/B; infinite if no f64 can tell B from 0.
    inverse: f64,
}

impl Recursion {
    fn at(servers: u32, erlangs: f64) -> Self {
        // Never beyond the load: from there the error would not shrink.
        let near = servers.min(whole(erlangs));
        let begin = near.saturating_sub(whole(10.0 * erlangs.sqrt()).saturating_add(1));
        // For begin = 0 this is 1, and exact; otherwise the bound that the blocked are at least the
        // calls for which there is no server.
        let inverse = if begin == 0 {
            1.0
        } else {
            erlangs / (erlangs - f64::from(begin))
        };
        let mut recursion = Recursion {
            servers: begin,
            erlangs,
            inverse,
        };
        // Infinite is where it ends: so a huge number of servers takes no longer.
        while recursion.servers < servers && recursion.inverse.is_finite() {
            recursion.step();
        }
        recursion.servers = servers;
        recursion
    }

    fn step(&mut self) {
        self.servers = self.servers.saturating_add(1);
        self.inverse = 1.0 + f64::from(self.servers) / self.erlangs * self.inverse;
    }

    /// The number of servers, from here on, at which `enough` is first true. It ends at the latest
    /// where B is no more to be told from 0: then all goals are reached.
    fn first(mut self, enough: impl Fn(&Self) -> bool) -> u32 {
        while !enough(&self) && self.servers < u32::MAX {
            self.step();
        }
        self.servers
    }

    fn blocking(&self) -> f64 {
        1.0 / self.inverse
    }

    fn waiting(&self) -> f64 {
        let spare = f64::from(self.servers) - self.erlangs;
        if spare <= 0.0 {
            return 1.0;
        }
        // B / (1 - a (1 - B)), multiplied by 1/B; 1 - a is (N - A) / N.
        let servers = f64::from(self.servers);
        1.0 / (self.inverse * (spare / servers) + self.erlangs / servers)
    }

    /// Mean wait of all callers, in mean times of a call.
    fn wait(&self) -> f64 {
        let spare = f64::from(self.servers) - self.erlangs;
        if spare <= 0.0 {
            return f64::INFINITY;
        }
        self.waiting() / spare
    }
}

/// A load that can be computed.
fn within(erlangs: f64) -> f64 {
    if erlangs.is_nan() {
        0.0
    } else {
        erlangs.clamp(0.0, MOST_ERLANGS)
    }
}

/// A mean time that can be multiplied with, also with infinity: never NaN, 0 or infinite.
fn hold_within(hold_s: f64) -> f64 {
    if hold_s.is_nan() {
        f64::MIN_POSITIVE
    } else {
        hold_s.clamp(f64::MIN_POSITIVE, f64::MAX)
    }
}

/// A probability that can be reached.
fn goal(probability: f64) -> f64 {
    probability.max(LEAST)
}

/// Whole servers in a load.
fn whole(erlangs: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounds down; loads are within 0 and MOST_ERLANGS"
    )]
    let servers = erlangs as u32;
    servers
}

#[cfg(test)]
mod tests;
