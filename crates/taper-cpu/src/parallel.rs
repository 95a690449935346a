//! Splitting work into tasks for threads. How sums are split depends on the size of the work alone, so that results do not
//! depend on the number of threads.
//!
//! Every kernel goes through [`CpuBackend::run`], which takes its task as a `dyn Fn`, so that the code of the threads is
//! compiled once. A copy for each closure would be most of this crate's machine code and compile time.

use crate::CpuBackend;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use taper_backend::{Error, Result};

/// Work on fewer elements than this runs on the calling thread: waking other threads would take longer.
pub(crate) const SMALL: usize = 32 * 1024;

/// The default number of elements per task.
pub(crate) const TASK: usize = 16 * 1024;

/// A mutable slice shared by tasks, each of which writes its own, disjoint elements.
pub(crate) struct Shared<T> {
    start: *mut T,
    len: usize,
}
// SAFETY: it is only a pointer, and callers of `slice` guarantee that they write disjoint elements.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Shares `data`, which nothing else may use until the tasks are done.
    pub(crate) fn new(data: &mut [T]) -> Self {
        Self { start: data.as_mut_ptr(), len: data.len() }
    }

    /// The number of elements.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The address of element `i`, which is at most one past the end.
    pub(crate) fn at(&self, i: usize) -> *mut T {
        assert!(i <= self.len);
        self.start.wrapping_add(i)
    }

    /// Elements `range` for writing.
    ///
    /// # Safety
    /// Nothing else uses any of them while the slice lives.
    #[allow(clippy::mut_from_ref)] // tasks share `self` and write disjoint elements
    pub(crate) unsafe fn slice(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: inside the slice that `new` was given; not aliased, as the caller vouches.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }

    /// Chunk `i` of those of `chunk` elements (the last may be shorter).
    ///
    /// # Safety
    /// As for [`Shared::slice`].
    #[allow(clippy::mut_from_ref)]
    unsafe fn chunk(&self, i: usize, chunk: usize) -> &mut [T] {
        let start = i * chunk;
        // SAFETY: passed on.
        unsafe { self.slice(start..self.len.min(start + chunk)) }
    }
}

impl CpuBackend {
    /// Calls `task(i)` once for each `i` in `0..n`: in parallel if `worth` is true, in order on this thread otherwise.
    pub(crate) fn run(&self, n: usize, worth: bool, task: &(dyn Fn(usize) + Sync)) {
        if worth { self.team.run(n, task) } else { (0..n).for_each(task) }
    }

    /// [`CpuBackend::run`] for tasks that can fail. The error returned is that of the first task, in order, that
    /// failed.
    pub(crate) fn try_run(&self, n: usize, worth: bool, task: &(dyn Fn(usize) -> Result<()> + Sync)) -> Result<()> {
        let first: Mutex<Option<(usize, Error)>> = Mutex::new(None);
        self.run(n, worth, &|i| {
            if let Err(error) = task(i) {
                let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                if first.as_ref().is_none_or(|(at, _)| i < *at) {
                    *first = Some((i, error));
                }
            }
        });
        first.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Calls `f(i, chunk)` for each chunk of `chunk` elements of `data` (the last may be shorter). `cost` is the number
    /// of elements that all calls together read or write.
    pub(crate) fn for_chunks<T: Send>(
        &self,
        data: &mut [T],
        chunk: usize,
        cost: usize,
        f: impl Fn(usize, &mut [T]) + Send + Sync,
    ) {
        let chunk = chunk.max(1);
        let (n, data) = (data.len().div_ceil(chunk), Shared::new(data));
        // SAFETY: chunks do not overlap, and each is one task's.
        self.run(n, cost >= SMALL, &|i| f(i, unsafe { data.chunk(i, chunk) }));
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
        let n = a.len().min(b.len()).div_ceil(chunk);
        let (a, b) = (Shared::new(a), Shared::new(b));
        // SAFETY: chunks do not overlap, and each is one task's.
        self.run(n, cost >= SMALL, &|i| unsafe { f(i, a.chunk(i, chunk), b.chunk(i, chunk)) });
    }

    /// As [`CpuBackend::for_chunks`], over three arrays of one length.
    pub(crate) fn for_chunks3<T: Send>(
        &self,
        [a, b, c]: [&mut [T]; 3],
        chunk: usize,
        f: impl Fn(usize, [&mut [T]; 3]) + Send + Sync,
    ) {
        let cost = a.len();
        let chunks = a.chunks_mut(chunk).zip(b.chunks_mut(chunk)).zip(c.chunks_mut(chunk));
        let mut parts: Vec<_> = chunks.map(|((a, b), c)| [a, b, c]).collect();
        self.for_chunks(&mut parts, 1, cost, |i, parts| {
            for [a, b, c] in parts {
                f(i, [a, b, c]);
            }
        });
    }

    /// `f(i)` for each `i` in `0..n`, in order. `cost` is the number of elements that all calls
    /// together read or write.
    pub(crate) fn map_tasks<R: Send>(&self, n: usize, cost: usize, f: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
        let mut results: Vec<Option<R>> = (0..n).map(|_| None).collect();
        self.for_chunks(&mut results, 1, cost, |i, slot| slot[0] = Some(f(i)));
        results.into_iter().flatten().collect()
    }
}
