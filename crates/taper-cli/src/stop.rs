//! Stopping a run on Ctrl-C (SIGINT), `kill` (SIGTERM) or a closed terminal (SIGHUP).

use crate::failure::INTERRUPTED;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

#[cfg(unix)]
const SIGNALS: &[i32] = &{
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    [SIGINT, SIGTERM, SIGHUP]
};
#[cfg(not(unix))]
const SIGNALS: &[i32] = &[signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];

/// The number of the signal received last; 0 before any.
fn came() -> &'static Arc<AtomicUsize> {
    static CAME: OnceLock<Arc<AtomicUsize>> = OnceLock::new();
    CAME.get_or_init(Arc::default)
}

/// Installs the handlers: from now on each of the signals sets `stop`, and a second one ends the process at once. Where
/// the process was started to ignore SIGHUP, as by `nohup`, it stays ignored; SIGINT and SIGTERM are heeded whatever
/// started it (a script's background jobs are started to ignore SIGINT).
pub fn listen(stop: &Arc<AtomicBool>) {
    for &signal in SIGNALS.iter().filter(|signal| !is_ignored(**signal)) {
        // The order matters: at the first signal `stop` is still false when the conditional shutdown reads it. If the
        // system refuses a handler, the signal ends the process as before, so that errors are not reported.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, stop.clone());
        let _ = signal_hook::flag::register_usize(signal, came().clone(), usize::try_from(signal).unwrap_or(0));
        let _ = signal_hook::flag::register(signal, stop.clone());
    }
}

/// The exit code after a signal: 128 + its number, as shells report it.
pub fn code() -> u8 {
    match came().load(Ordering::Relaxed) {
        0 => INTERRUPTED,
        signal => u8::try_from(128 + signal).unwrap_or(INTERRUPTED),
    }
}

/// Whether `signal` is a SIGHUP that the process ignores, read from `/proc/self/status`.
#[cfg(target_os = "linux")]
fn is_ignored(signal: i32) -> bool {
    if signal != signal_hook::consts::SIGHUP {
        return false;
    }
    let status = taper::backend::files::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

/// A guess for systems where asking takes unsafe code: under `nohup`, standard output is no terminal.
#[cfg(all(unix, not(target_os = "linux")))]
fn is_ignored(signal: i32) -> bool {
    use std::io::IsTerminal;
    signal == signal_hook::consts::SIGHUP && !std::io::stdout().is_terminal()
}

#[cfg(not(unix))]
fn is_ignored(_signal: i32) -> bool {
    false
}
