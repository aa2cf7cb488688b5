//! Erlang's formulas: how many calls must fit so that few are blocked or wait.
//!
//! Source: A. K. Erlang 1917; the recursion B(0)=1, B(n) = A B(n-1) / (n + A B(n-1)) is numerically
//! stable. Loads are in erlang (mean calls at the same time), servers are calls that fit.

/// Erlang B: the probability that a call finds all servers taken and is lost.
pub fn blocking(servers: u32, erlangs: f64) -> f64 {
    let mut b = 1.0;
    for n in 1..=servers {
        b = erlangs * b / (f64::from(n) + erlangs * b);
    }
    b
}
