//! Splitting work over threads: always by its size, never by their number, so that results do not depend on it.

use crate::CpuBackend;
use rayon::prelude::*;

/// Work on fewer elements than this stays on the calling thread: starting the others would take longer.
pub(crate) const SMALL: usize = 32 * 1024;

/// How many elements a task takes when nothing else decides.
pub(crate) const TASK: usize = 16 * 1024;

impl CpuBackend {
    /// Calls `f(i, chunk)` for each chunk of `chunk` elements of `data` (the last may be shorter). `cost` is the number
    /// of elements that all of it touches.
    pub(crate) fn for_chunks<T: Send>(
        &self,
        data: &mut [T],
        chunk: usize,
        cost: usize,
        f: impl Fn(usize, &mut [T]) + Send + Sync,
    ) {
        let chunk = chunk.max(1);
        if cost < SMALL || data.len() <= chunk || self.threads() == 1 {
            data.chunks_mut(chunk).enumerate().for_each(|(i, part)| f(i, part));
        } else {
            self.install(|| data.par_chunks_mut(chunk).enumerate().for_each(|(i, part)| f(i, part)));
        }
    }

    /// As [`CpuBackend::for_chunks`], over two arrays in step: `f(i, chunk of a, chunk of b)`. Chunks are of `chunk`
    /// elements in both.
    pub(crate) fn for_chunks2<A: Send, B: Send>(
        &self,
        a: &mut [A],
        b: &mut [B],
        chunk: usize,
        cost: usize,
        f: impl Fn(usize, &mut [A], &mut [B]) + Send + Sync,
    ) {
        let chunk = chunk.max(1);
        if cost < SMALL || a.len() <= chunk || self.threads() == 1 {
            a.chunks_mut(chunk).zip(b.chunks_mut(chunk)).enumerate().for_each(|(i, (a, b))| f(i, a, b));
        } else {
            let chunks = |i, (a, b): (&mut [A], &mut [B])| f(i, a, b);
            self.install(|| {
                a.par_chunks_mut(chunk).zip(b.par_chunks_mut(chunk)).enumerate().for_each(|(i, ab)| chunks(i, ab));
            });
        }
    }

    /// `f(i)` for each `i` in `0..n`, in order. `cost` is the number of elements that all of it touches.
    pub(crate) fn map_tasks<R: Send>(&self, n: usize, cost: usize, f: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
        if cost < SMALL || n <= 1 || self.threads() == 1 {
            (0..n).map(f).collect()
        } else {
            self.install(|| (0..n).into_par_iter().map(f).collect())
        }
    }
}
