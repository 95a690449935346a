//! A row of the table: a benchmark, the samples of both sides, and the figures computed from them.

use crate::statistics::quartiles;
use crate::turns::Samples;
use crate::works::Work;
use serde_json::{Value, json};

/// A measured benchmark; the fields are those of [`Work`].
pub struct Row {
    pub name: String,
    pub timed: &'static str,
    pub family: Option<&'static str>,
    pub threads: usize,
    pub flop: f64,
    pub bytes: Option<f64>,
    pub samples: Samples,
}

impl Row {
    pub fn new(work: Work, samples: Samples) -> Self {
        let Work { name, timed, family, threads, flop, bytes, .. } = work;
        Self { name, timed, family, threads, flop, bytes, samples }
    }

    /// Our quartiles, in milliseconds per iteration.
    pub fn ours(&self) -> [f64; 3] {
        quartiles(&self.samples.ours.concat())
    }

    /// The peer's quartiles, in milliseconds per iteration; `None` without a peer.
    pub fn peer(&self) -> Option<[f64; 3]> {
        self.samples.peer.as_ref().ok().map(|blocks| quartiles(&blocks.concat()))
    }

    /// The peer's median over ours: over 1 means that ours is faster.
    pub fn ratio(&self) -> Option<f64> {
        Some(self.peer()?[1] / self.ours()[1])
    }

    pub fn gflops(&self) -> f64 {
        1e-6 * self.flop / self.ours()[1]
    }

    pub fn gigabytes_per_second(&self) -> Option<f64> {
        Some(1e-6 * self.bytes? / self.ours()[1])
    }

    /// The number of timed iterations per side.
    pub fn n(&self) -> usize {
        self.samples.ours.iter().map(Vec::len).sum()
    }

    pub fn to_json(&self) -> Value {
        json!({
            "work": self.name, "timed": self.timed, "threads": self.threads, "flop": self.flop, "bytes": self.bytes,
            "ours_ms": self.samples.ours, "peer_ms": self.samples.peer.as_ref().ok(),
            "no_peer": self.samples.peer.as_ref().err(), "ratio": self.ratio(), "gflops": self.gflops(),
        })
    }
}
