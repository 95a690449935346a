//! Measures both sides of a benchmark alternately, so that disturbances of the machine affect both.

use crate::worker::Worker;
use std::process::Command;
use std::time::Duration;

/// The pause between two blocks, after which the other side's idle threads have stopped spinning (OpenMP's spin for 200
/// ms).
const PAUSE: Duration = Duration::from_millis(300);
/// The minimal and maximal number of iterations of a block.
const BLOCK: [usize; 2] = [5, 200];
/// The target duration of a block of short iterations, in milliseconds.
const BLOCK_MS: f64 = 100.0;

/// The measured times in milliseconds per iteration, block by block.
pub struct Samples {
    pub ours: Vec<Vec<f64>>,
    /// The peer's times, or why there are none.
    pub peer: Result<Vec<Vec<f64>>, String>,
}

/// Measures `rounds` blocks of each side, after warm-up blocks that are discarded. If the peer fails, ours is still
/// measured.
///
/// # Errors
/// If our own side fails.
pub fn measure(ours: Command, peer: Result<Command, String>, rounds: usize) -> Result<Samples, String> {
    let mut ours = Worker::start(ours)?;
    let mut peer = peer.and_then(Worker::start);
    let mut block = BLOCK[0];
    let first = ours.go(block)?;
    // The fastest iteration: the first ones, and disturbed ones, take longer than usual.
    let least = |times: Vec<f64>| times.into_iter().fold(f64::INFINITY, f64::min);
    let slower = with(&mut peer, |peer| peer.go(BLOCK[0])).map_or(0.0, least).max(least(first));
    if block_for(slower) > block {
        block = block_for(slower);
        ours.go(block)?;
        with(&mut peer, |peer| peer.go(block));
    }
    let (mut our_blocks, mut peer_blocks) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        std::thread::sleep(PAUSE);
        our_blocks.push(ours.go(block)?);
        std::thread::sleep(PAUSE);
        peer_blocks.extend(with(&mut peer, |peer| peer.go(block)));
    }
    Ok(Samples { ours: our_blocks, peer: peer.map(|_| peer_blocks) })
}

/// Calls `f` with the peer unless it has failed. If `f` fails, `peer` becomes that error.
fn with<T>(peer: &mut Result<Worker, String>, f: impl FnOnce(&mut Worker) -> Result<T, String>) -> Option<T> {
    match f(peer.as_mut().ok()?) {
        Ok(found) => Some(found),
        Err(error) => {
            *peer = Err(error);
            None
        }
    }
}

/// The number of iterations per block if one takes `ms` milliseconds.
fn block_for(ms: f64) -> usize {
    ((BLOCK_MS / ms) as usize).clamp(BLOCK[0], BLOCK[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_iterations_come_in_longer_blocks() {
        assert_eq!([0.01, 1.0, 30.0, 5000.0].map(block_for), [200, 100, 5, 5]);
    }
}
