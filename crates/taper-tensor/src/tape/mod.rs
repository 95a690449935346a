//! The tape: nodes that operations leave behind, and the walk over them.

mod gradients;
mod node;
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

/// Whether operations on this thread are recorded.
pub fn grad_enabled() -> bool {
    ENABLED.get()
}

/// Runs `f` without recording: what evaluation and optimisers want.
pub fn no_grad<R>(f: impl FnOnce() -> R) -> R {
    with_grad(false, f)
}

/// Runs `f` with recording on or off, and puts the setting back, after a panic too.
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
