//! How much memory a training takes: the high-water mark of a fresh process's resident memory over what was resident
//! just before the model was made. Linux tells both in `/proc/self/status`, in kB of 1024 bytes.

use crate::statistics::quartiles;
use crate::worker::Worker;
use serde_json::{Value, json};
use std::process::Command;

/// Training steps of a process: the pools of both sides have all they need by then.
const STEPS: usize = 20;
/// Ours over the peer's: as much as it may be.
const TARGET: f64 = 0.7;

/// A process's resident memory, measured from here on.
pub struct Meter {
    before: f64,
}

impl Meter {
    /// Measures from what is resident now.
    ///
    /// # Errors
    /// Where the system has no `/proc/self/status`.
    pub fn start() -> Result<Self, String> {
        // The mark is set back, so that nothing which was freed before counts. Where the kernel refuses, it counts.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Ok(Self { before: mib("VmRSS")? })
    }

    /// The high-water mark over what was resident at the start, MiB.
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

/// The number behind `key:` in `text`.
fn field(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What was measured: MiB of each process, or why not.
pub struct Growth {
    pub ours: Result<Vec<f64>, String>,
    pub peer: Result<Vec<f64>, String>,
}

/// Fresh processes of each side, one after the other, `rounds` times.
pub fn measure(ours: impl Fn() -> Command, peer: impl Fn() -> Result<Command, String>, rounds: usize) -> Growth {
    let (mut our_mib, mut peer_mib) = (Ok(Vec::new()), Ok(Vec::new()));
    for _ in 0..rounds {
        add(&mut our_mib, || Ok(ours()));
        add(&mut peer_mib, &peer);
    }
    Growth { ours: our_mib, peer: peer_mib }
}

/// Adds what another process of `command` finds; the first failure stays.
fn add(found: &mut Result<Vec<f64>, String>, command: impl Fn() -> Result<Command, String>) {
    let Ok(all) = found else { return };
    // A worker answers with the growth after each step.
    match command().and_then(Worker::start).and_then(|mut worker| worker.go(STEPS)) {
        Ok(steps) => all.extend(steps.last()),
        Err(error) => *found = Err(error),
    }
}

impl Growth {
    /// Ours over the peer's, medians.
    pub fn ratio(&self) -> Option<f64> {
        let median = |found: &Result<Vec<f64>, String>| found.as_ref().ok().map(|mib| quartiles(mib)[1]);
        Some(median(&self.ours)? / median(&self.peer)?)
    }

    /// A line of its own, `peer` the name of the other side.
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
