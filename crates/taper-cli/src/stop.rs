//! Signals that ask for an end: Ctrl-C, a polite `kill`, a terminal that is closed.

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

/// The number of the signal that came; 0 before.
fn came() -> &'static Arc<AtomicUsize> {
    static CAME: OnceLock<Arc<AtomicUsize>> = OnceLock::new();
    CAME.get_or_init(Arc::default)
}

/// From now on each of these signals raises `stop`; a second one ends the process at once. One that the process was
/// started to be deaf to, as `nohup` makes it deaf to a closed terminal, stays without effect.
pub fn listen(stop: &Arc<AtomicBool>) {
    for &signal in SIGNALS.iter().filter(|signal| !is_ignored(**signal)) {
        // The order matters: at the first signal the flag is still down when the shutdown looks at it. A system that
        // refuses leaves the signal as it was, which ends the process: nothing to tell.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, stop.clone());
        let _ = signal_hook::flag::register_usize(signal, came().clone(), usize::try_from(signal).unwrap_or(0));
        let _ = signal_hook::flag::register(signal, stop.clone());
    }
}

/// The exit code of a process that a signal has ended: 128 and its number, as shells have it.
pub fn code() -> u8 {
    match came().load(Ordering::Relaxed) {
        0 => INTERRUPTED,
        signal => u8::try_from(128 + signal).unwrap_or(INTERRUPTED),
    }
}

/// Whether the process ignores `signal` by now.
#[cfg(target_os = "linux")]
fn is_ignored(signal: i32) -> bool {
    let status = taper::backend::files::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

/// The same where it cannot be asked without unsafe code: `nohup` leaves no terminal to write to.
#[cfg(all(unix, not(target_os = "linux")))]
fn is_ignored(signal: i32) -> bool {
    use std::io::IsTerminal;
    signal == signal_hook::consts::SIGHUP && !std::io::stdout().is_terminal()
}

#[cfg(not(unix))]
fn is_ignored(_signal: i32) -> bool {
    false
}
