//! The end of an order: it lives as long as somebody waits for it.
//!
//! A task may be ended at any moment, as when another agent becomes the one that acts. What it had
//! asked for must not be carried out by a later look.

/// Does something at its end.
#[derive(Debug)]
pub(super) struct Until<F: Fn()>(pub(super) F);

impl<F: Fn()> Drop for Until<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
