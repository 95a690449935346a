//! Where a thread is in a training step. Entering and leaving costs a write to a thread-local, whether anybody profiles
//! or not.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// The part of a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// What is no other phase: the model and its loss, uploads, measures.
    Forward,
    /// The walk over the tape.
    Backward,
    /// The optimiser's step.
    Update,
}

impl Phase {
    /// All of them, in the order of a step.
    pub const ALL: [Self; 3] = [Self::Forward, Self::Backward, Self::Update];

    /// The name in tables.
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

/// A step from its beginning to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// As [`step`] was given it.
    pub number: u64,
    pub began: Instant,
    pub took: Duration,
}

thread_local! {
    static PHASE: Cell<Phase> = const { Cell::new(Phase::Forward) };
    static STEP: Cell<Option<u64>> = const { Cell::new(None) };
    static LAST: Cell<Option<Span>> = const { Cell::new(None) };
}

/// Until this is dropped, what this thread asks of a backend belongs to a phase.
#[derive(Debug)]
#[must_use = "the phase ends when this is dropped"]
pub struct PhaseScope {
    outer: Phase,
    /// Of its thread.
    _thread: PhantomData<*const ()>,
}

/// Enters `phase`, until the result is dropped.
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

/// Until this is dropped, what this thread does belongs to a step.
#[derive(Debug)]
#[must_use = "the step ends when this is dropped"]
pub struct StepScope {
    number: u64,
    began: Instant,
    _thread: PhantomData<*const ()>,
}

/// Begins the training step `number`, from 1, until the result is dropped. Only what is done in steps is profiled.
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

/// This thread's phase and, within a step, its number.
pub(super) fn here() -> (Phase, Option<u64>) {
    (PHASE.get(), STEP.get())
}

/// The step that this thread finished last.
pub(super) fn last_step() -> Option<Span> {
    LAST.get()
}
