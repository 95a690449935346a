//! The memory that training takes: the peak of a new process's resident memory, minus what was resident just before the
//! model was made. Both are read from Linux's `/proc/self/status`, in kB of 1024 bytes.

use crate::statistics::quartiles;
use crate::worker::Worker;
use serde_json::{Value, json};
use std::process::Command;

/// Training steps per process: enough that the memory pools of both sides have stopped growing.
const STEPS: usize = 20;
/// The highest allowed ratio of our memory to the peer's.
const TARGET: f64 = 0.7;

/// The growth of this process's resident memory since the meter was made.
pub struct Meter {
    before: f64,
}

impl Meter {
    /// Starts measuring at what is resident now.
    ///
    /// # Errors
    /// If the system has no `/proc/self/status`.
    pub fn start() -> Result<Self, String> {
        // Resets the peak, so that memory freed before does not count. If the kernel refuses, it does count.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Ok(Self { before: mib("VmRSS")? })
    }

    /// The peak of resident memory minus what was resident at the start, in MiB.
    ///
    /// # Errors
    /// As [`Meter::start`].
    pub fn growth(&self) -> Result<f64, String> {
        Ok(mib("VmHWM")? - self.before)
    }
}

fn mib(key: &str) -> Result<f64, String> {
    let path = "/proc/self/status";
    let text = std::fs::read_to_string(path).map_err(|error| format!("resident memory is unknown: {path}: {error}"))?;
    field(&text, key).map(|kib| kib / 1024.0).ok_or_else(|| format!("resident memory is unknown: no {key} in {path}"))
}

/// The number after `key:` in `text`.
fn field(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The memory measured on both sides: MiB of each process, or why there is none.
pub struct Growth {
    pub ours: Result<Vec<f64>, String>,
    pub peer: Result<Vec<f64>, String>,
}

/// Measures new processes of both sides alternately, `rounds` of each.
pub fn measure(ours: impl Fn() -> Command, peer: impl Fn() -> Result<Command, String>, rounds: usize) -> Growth {
    let (mut our_mib, mut peer_mib) = (Ok(Vec::new()), Ok(Vec::new()));
    for _ in 0..rounds {
        add(&mut our_mib, || Ok(ours()));
        add(&mut peer_mib, &peer);
    }
    Growth { ours: our_mib, peer: peer_mib }
}

/// Adds the measurement of another process of `command` to `found`; after a failure, `found` stays that error.
fn add(found: &mut Result<Vec<f64>, String>, command: impl Fn() -> Result<Command, String>) {
    let Ok(all) = found else { return };
    // A worker answers with the growth after each step.
    match command().and_then(Worker::start).and_then(|mut worker| worker.go(STEPS)) {
        Ok(steps) => all.extend(steps.last()),
        Err(error) => *found = Err(error),
    }
}

impl Growth {
    /// The median of ours over the median of the peer's; `None` if either side failed.
    pub fn ratio(&self) -> Option<f64> {
        let median = |found: &Result<Vec<f64>, String>| found.as_ref().ok().map(|mib| quartiles(mib)[1]);
        Some(median(&self.ours)? / median(&self.peer)?)
    }

    /// The line below the table; `peer` is the peer's name.
    pub fn line(&self, peer: &str) -> String {
        let side = |name: &str, found: &Result<Vec<f64>, String>| match found {
            Ok(mib) => {
                let [low, median, high] = quartiles(mib);
                format!("{name} {median:.1} MiB ({low:.1}–{high:.1})")
            }
            Err(why) => format!("{name} – ({why})"),
        };
        let ratio = self.ratio().map_or_else(|| "–".into(), |ratio| format!("{ratio:.2}"));
        let sides = [side("taper", &self.ours), side(peer, &self.peer)].join(", ");
        format!("memory, {STEPS} steps of the seed CNN: {sides}; ratio {ratio}, at most {TARGET:.2} is due")
    }

    pub fn to_json(&self) -> Value {
        json!({
            "steps": STEPS, "ours_mib": self.ours.as_ref().ok(), "peer_mib": self.peer.as_ref().ok(),
            "not_ours": self.ours.as_ref().err(), "no_peer": self.peer.as_ref().err(), "ratio": self.ratio(),
            "ratio_due": TARGET,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read() {
        let text = "Name:\ta VmRSS: 1\nVmRSSx:\t9 kB\nVmHWM:\t    3072 kB\nVmRSS:\t2048 kB\n";
        assert_eq!(
            [field(text, "VmRSS"), field(text, "VmHWM"), field(text, "VmSwap")],
            [Some(2048.0), Some(3072.0), None]
        );
    }

    #[test]
    fn a_side_that_cannot_tell_says_so() {
        let both = Growth { ours: Ok(vec![30.0, 10.0, 20.0]), peer: Ok(vec![40.0]) };
        let due = "memory, 20 steps of the seed CNN: taper 20.0 MiB (15.0–25.0), torch 40.0 MiB (40.0–40.0); ratio 0.50, \
                   at most 0.70 is due";
        assert_eq!(both.line("torch"), due);
        let none = Growth { ours: Err("no /proc".into()), peer: Ok(vec![40.0]) };
        assert!(none.line("torch").contains("taper – (no /proc), torch 40.0 MiB"), "{}", none.line("torch"));
        assert_eq!((none.ratio(), &none.to_json()["not_ours"]), (None, &json!("no /proc")));
    }
}
