//! The tape: the nodes that operations record, and the backward pass over them.

mod gradients;
mod node;
mod open;
#[cfg(test)]
mod tests;
mod walk;

pub use gradients::Gradients;
pub(crate) use node::{Fused, Node, Rule, Variable};
pub use walk::{GradOptions, grad};

use std::cell::Cell;

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(true) };
}

/// Whether operations on this thread are recorded on the tape.
pub fn grad_enabled() -> bool {
    ENABLED.get()
}

/// Runs `f` without recording operations on the tape, on this thread: for evaluation and optimiser steps.
pub fn no_grad<R>(f: impl FnOnce() -> R) -> R {
    with_grad(false, f)
}

/// Runs `f` with recording on or off, and restores the setting, even after a panic.
pub(crate) fn with_grad<R>(enabled: bool, f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            ENABLED.set(self.0);
        }
    }
    let _restore = Restore(ENABLED.replace(enabled));
    f()
}
