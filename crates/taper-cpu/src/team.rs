//! The threads of a backend. A parallel region, the tasks of one operation, runs on the calling thread and on the other
//! members of the team. An operation is often shorter than it takes to wake a thread, so members that have no task look out
//! for the next region for a while before they go to sleep. Threads, sleep and waking are Rayon's: a member that looks out is
//! a job of its pool.

use std::any::Any;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::yield_now;
use std::time::{Duration, Instant};
use taper_backend::{Error, Result};

/// How long a member without a task looks out for the next region.
const PATIENCE: Duration = Duration::from_micros(200);
/// How often a waiting thread looks before it lets other threads of the core go first.
const LOOKS: usize = 64;

/// The calling thread and `threads − 1` others.
pub(crate) struct Team {
    /// The other members; `None` if there are none.
    pool: Option<rayon::ThreadPool>,
    regions: Arc<Regions>,
}

/// What the members of a team share.
struct Regions {
    /// Whether a thread has its region run by the team.
    busy: AtomicBool,
    /// Whether the region is open ([`OPEN`]), how many members are inside (in units of [`INSIDE`]), and the region's number
    /// (in units of [`NUMBER`]). While it is closed and nobody is inside, only the thread that has set `busy` changes it.
    gate: Padded<AtomicU64>,
    /// The open region, a [`Region`] of the thread that opened it, which closes it and waits until nobody is inside before
    /// the region's lifetime ends.
    region: AtomicPtr<()>,
    /// For each thread the next task of its own range of tasks.
    next: Vec<Padded<AtomicUsize>>,
    /// How many members look out for regions, or were called and will.
    looking: AtomicUsize,
    /// What the first member that panicked in a task of this region panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

const OPEN: u64 = 1;
const INSIDE: u64 = 2;
const NUMBER: u64 = 1 << 20;

/// A value in cache lines of its own: threads that write others do not slow its readers.
#[repr(align(128))]
struct Padded<T>(T);

/// The tasks `0..count` of a region.
struct Region<'a> {
    count: usize,
    task: &'a (dyn Fn(usize) + Sync),
}

impl Team {
    /// A team of `threads` threads, the calling one included.
    ///
    /// # Errors
    /// The system cannot start the threads.
    pub(crate) fn new(threads: usize) -> Result<Self> {
        let others = || {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads - 1)
                .thread_name(|i| format!("taper-cpu-{}", i + 1))
                .build()
                .map_err(|e| Error::Device(format!("cannot start the threads of the CPU backend: {e}")))
        };
        let pool = (threads > 1).then(others).transpose()?;
        let regions = Regions {
            busy: AtomicBool::new(false),
            gate: Padded(AtomicU64::new(0)),
            region: AtomicPtr::default(),
            next: (0..threads.max(1)).map(|_| Padded(AtomicUsize::new(0))).collect(),
            looking: AtomicUsize::new(0),
            panic: Mutex::new(None),
        };
        Ok(Self { pool, regions: Arc::new(regions) })
    }

    /// The number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.regions.next.len()
    }

    /// Calls `task(i)` once for each `i` in `0..count`, on all threads. While the team runs the region of another thread, or
    /// of a task that calls this, all are called on this thread.
    ///
    /// # Panics
    /// With what a task panicked with, after all tasks that had begun have ended.
    pub(crate) fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let regions = &*self.regions;
        let (Some(pool), true) = (&self.pool, count > 1 && !regions.busy.swap(true, Ordering::Acquire)) else {
            (0..count).for_each(task);
            return;
        };
        let _busy = Busy(regions);
        let region = Region { count, task };
        let open = regions.open(&region);
        // Members that went to sleep are called again. One that goes just now either is not counted here any more, or sees
        // that the region is open.
        let missing = (self.threads() - 1).min(count - 1).saturating_sub(regions.looking.load(Ordering::SeqCst));
        for _ in 0..missing {
            regions.looking.fetch_add(1, Ordering::Relaxed);
            let regions = self.regions.clone();
            pool.spawn(move || regions.look_out(1 + rayon::current_thread_index().unwrap_or_default()));
        }
        regions.work(0, &region);
        drop(open);
        let panic = regions.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Regions {
    /// Opens `region` to the members. The thread must have set `busy`.
    fn open<'a>(&'a self, region: &'a Region<'_>) -> Open<'a> {
        *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = None;
        for (i, next) in self.next.iter().enumerate() {
            next.0.store(region.count * i / self.next.len(), Ordering::Relaxed);
        }
        self.region.store(std::ptr::from_ref(region).cast_mut().cast(), Ordering::Relaxed);
        let number = self.gate.0.load(Ordering::Relaxed) / NUMBER + 1;
        self.gate.0.store(number * NUMBER + OPEN, Ordering::SeqCst);
        Open(self)
    }

    /// Calls the tasks that nobody has taken yet: those of the range of thread `thread`, then those of the other threads'. So
    /// a thread has the same rows of operations that follow each other, which are then in its cache.
    fn work(&self, thread: usize, region: &Region<'_>) {
        let threads = self.next.len();
        for of in (thread..threads).chain(0..thread) {
            let end = region.count * (of + 1) / threads;
            loop {
                let i = self.next[of].0.fetch_add(1, Ordering::Relaxed);
                if i >= end {
                    break;
                }
                (region.task)(i);
            }
        }
    }

    /// Takes part in regions as thread `thread`, until there is none for [`PATIENCE`].
    fn look_out(&self, thread: usize) {
        let (mut last, mut since, mut looks) = (0, Instant::now(), 0);
        let new = |gate: u64, last| gate & OPEN != 0 && gate / NUMBER != last;
        loop {
            let gate = self.gate.0.load(Ordering::Relaxed);
            if new(gate, last) {
                let entered = self.gate.0.compare_exchange(gate, gate + INSIDE, Ordering::Acquire, Ordering::Relaxed);
                if entered.is_ok() {
                    // SAFETY: the region is open and this thread inside, so the thread that opened it keeps it alive; it wrote
                    // the address before it opened the gate.
                    let region = unsafe { &*self.region.load(Ordering::Relaxed).cast_const().cast::<Region<'_>>() };
                    let done = catch_unwind(AssertUnwindSafe(|| self.work(thread, region)));
                    if let Err(panic) = done {
                        self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
                    }
                    self.gate.0.fetch_sub(INSIDE, Ordering::Release);
                    (last, since, looks) = (gate / NUMBER, Instant::now(), 0);
                }
                continue;
            }
            looks += 1;
            if looks % LOOKS != 0 {
                spin_loop();
            } else if since.elapsed() < PATIENCE {
                yield_now();
            } else {
                self.looking.fetch_sub(1, Ordering::SeqCst);
                if !new(self.gate.0.load(Ordering::SeqCst), last) {
                    return;
                }
                self.looking.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// That a thread has its region run by the team.
struct Busy<'a>(&'a Regions);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

/// An open region. Dropping closes it, and waits until no member is inside.
struct Open<'a>(&'a Regions);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let gate = &self.0.gate.0;
        let mut inside = gate.fetch_and(!OPEN, Ordering::Acquire);
        let mut looks = 0;
        while inside % NUMBER >= INSIDE {
            looks += 1;
            if looks % LOOKS != 0 {
                spin_loop()
            } else {
                yield_now()
            }
            inside = gate.load(Ordering::Acquire);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// How often each of `count` tasks was called.
    fn calls(team: &Team, count: usize) -> Vec<usize> {
        let calls: Vec<_> = (0..count).map(|_| AtomicUsize::new(0)).collect();
        team.run(count, &|i| {
            calls[i].fetch_add(1, Ordering::Relaxed);
        });
        calls.into_iter().map(AtomicUsize::into_inner).collect()
    }

    #[test]
    fn every_task_is_called_once() {
        for threads in [1, 2, 3, 8] {
            let team = Team::new(threads).unwrap();
            assert_eq!(team.threads(), threads);
            for round in 0..2000 {
                let count = round % 19;
                assert_eq!(calls(&team, count), vec![1; count], "{threads} threads, round {round}");
            }
        }
    }

    #[test]
    fn all_threads_take_part_also_after_a_sleep() {
        let team = Team::new(3).unwrap();
        for pause in [0, 1, 20] {
            thread::sleep(Duration::from_millis(pause));
            // Each task waits until the others have begun, so no thread can have two.
            let (begun, since) = (AtomicUsize::new(0), Instant::now());
            team.run(3, &|_| {
                begun.fetch_add(1, Ordering::Relaxed);
                while begun.load(Ordering::Relaxed) < 3 {
                    assert!(since.elapsed() < Duration::from_secs(60), "a thread did not come");
                    yield_now();
                }
            });
        }
    }

    #[test]
    fn regions_within_tasks_and_of_several_callers_are_done_too() {
        let team = Team::new(2).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        team.run(5, &|_| assert_eq!(calls(&team, 7), [1; 7]));
                    }
                });
            }
        });
    }

    #[test]
    fn what_a_task_panics_with_reaches_the_caller() {
        let team = Team::new(2).unwrap();
        for bad in 0..8 {
            let done = AtomicUsize::new(0);
            let run = || {
                team.run(8, &|i| {
                    // Slow enough for both threads to have some.
                    thread::sleep(Duration::from_micros(200));
                    assert!(i != bad, "task {bad}");
                    done.fetch_add(1, Ordering::Relaxed);
                });
            };
            let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>(), Some(&format!("task {bad}")));
            assert!(done.into_inner() < 8);
            assert_eq!(calls(&team, 8), [1; 8], "after the panic of task {bad}");
        }
    }
}
