//! Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// From now on, Ctrl-C (and a polite `kill`) raises `stop`; a second one ends the process at once.
pub fn listen(stop: &Arc<AtomicBool>) {
    use signal_hook::consts::{SIGINT, SIGTERM};
    for signal in [SIGINT, SIGTERM] {
        // The order matters: at the first signal the flag is still down when the shutdown looks at it. A system that
        // refuses leaves Ctrl-C as it was, which ends the process: nothing to tell.
        let shutdown = i32::from(crate::failure::INTERRUPTED);
        let _ = signal_hook::flag::register_conditional_shutdown(signal, shutdown, stop.clone());
        let _ = signal_hook::flag::register(signal, stop.clone());
    }
}
