//! The current training step and phase of each thread. Entering or leaving one writes to a thread-local, whether or not
//! a profiler is running.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// A part of a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Everything outside the other two phases: the model and its loss, uploads, metrics.
    Forward,
    /// The backward pass over the tape.
    Backward,
    /// The optimiser's step.
    Update,
}

impl Phase {
    /// All phases, in their order in a step.
    pub const ALL: [Self; 3] = [Self::Forward, Self::Backward, Self::Update];

    /// The phase's name in tables and traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
            Self::Update => "update",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A finished step: its number, start and duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// The number passed to [`step`].
    pub number: u64,
    pub began: Instant,
    pub took: Duration,
}

thread_local! {
    static PHASE: Cell<Phase> = const { Cell::new(Phase::Forward) };
    static STEP: Cell<Option<u64>> = const { Cell::new(None) };
    static LAST: Cell<Option<Span>> = const { Cell::new(None) };
}

/// A guard: until it is dropped, the backend calls of this thread belong to its phase.
#[derive(Debug)]
#[must_use = "the phase ends when this is dropped"]
pub struct PhaseScope {
    outer: Phase,
    /// Makes the guard neither `Send` nor `Sync`: it restores the phase of the thread that made it.
    _thread: PhantomData<*const ()>,
}

/// Enters `phase` until the returned guard is dropped; then the outer phase continues.
///
/// ```
/// use taper_backend::profile::{Phase, phase};
/// let _update = phase(Phase::Update);
/// ```
pub fn phase(phase: Phase) -> PhaseScope {
    PhaseScope { outer: PHASE.replace(phase), _thread: PhantomData }
}

impl Drop for PhaseScope {
    fn drop(&mut self) {
        PHASE.set(self.outer);
    }
}

/// A guard: until it is dropped, the backend calls of this thread belong to its step.
#[derive(Debug)]
#[must_use = "the step ends when this is dropped"]
pub struct StepScope {
    number: u64,
    began: Instant,
    _thread: PhantomData<*const ()>,
}

/// Begins the training step `number`, counted from 1. The step ends when the returned guard is dropped. Only calls
/// within a step are profiled.
pub fn step(number: u64) -> StepScope {
    STEP.set(Some(number));
    StepScope { number, began: Instant::now(), _thread: PhantomData }
}

impl Drop for StepScope {
    fn drop(&mut self) {
        STEP.set(None);
        LAST.set(Some(Span { number: self.number, began: self.began, took: self.began.elapsed() }));
    }
}

/// This thread's phase and, within a step, the step's number.
pub(super) fn here() -> (Phase, Option<u64>) {
    (PHASE.get(), STEP.get())
}

/// The step that this thread finished last.
pub(super) fn last_step() -> Option<Span> {
    LAST.get()
}
