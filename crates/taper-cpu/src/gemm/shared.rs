//! Tasks that run in parallel and write disjoint parts of one result.

use crate::CpuBackend;
use rayon::prelude::*;
use std::ops::Range;
use taper_backend::Result;

/// Work of fewer multiplications than this stays on the calling thread: waking the others would take longer.
const SMALL: usize = 500_000;

/// A slice that tasks write to, each its own elements.
pub(crate) struct Shared<T> {
    start: *mut T,
    len: usize,
}
// SAFETY: only a pointer; those who write through it vouch that they write disjoint elements.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Shares `data`, which nothing else may use until the tasks are done.
    pub fn new(data: &mut [T]) -> Self {
        Self { start: data.as_mut_ptr(), len: data.len() }
    }

    /// The address of element `i`, which is at most one past the end.
    pub fn at(&self, i: usize) -> *mut T {
        assert!(i <= self.len);
        self.start.wrapping_add(i)
    }

    /// Elements `range` for writing.
    ///
    /// # Safety
    /// Nothing else uses any of them while the slice lives.
    #[allow(clippy::mut_from_ref)] // that is the point of it
    pub unsafe fn slice(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: inside the slice that `new` was given; not aliased, as the caller vouches.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

/// Runs `task(i)` for `i` in `0..count`, on all threads if the whole is worth it: `cost` is its number of
/// multiplications.
pub(crate) fn run_tasks(
    cpu: &CpuBackend,
    count: usize,
    cost: usize,
    task: impl Fn(usize) -> Result<()> + Send + Sync,
) -> Result<()> {
    if cost < SMALL || count <= 1 || cpu.threads() == 1 {
        (0..count).try_for_each(task)
    } else {
        cpu.install(|| (0..count).into_par_iter().with_max_len(1).try_for_each(task))
    }
}
