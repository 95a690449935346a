//! The current training step, phase and layer of each thread. Entering or leaving a step or a phase writes to a
//! thread-local, whether or not a profiler is running; entering a layer does so only while one is.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    static LAYER: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// How many [`Labels`] there are.
static LABELLED: AtomicUsize = AtomicUsize::new(0);

/// While one is there, [`layer`] has an effect, in all threads.
#[derive(Debug)]
pub(super) struct Labels(());

impl Labels {
    pub(super) fn new() -> Self {
        LABELLED.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Labels {
    fn drop(&mut self) {
        LABELLED.fetch_sub(1, Ordering::Relaxed);
    }
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

/// A guard: until it is dropped, the backend calls of this thread belong to its layer.
#[derive(Debug)]
#[must_use = "the layer ends when this is dropped"]
pub struct LayerScope {
    /// The layer around this one, if any; `None` if there was no profiler when this one was entered.
    outer: Option<Option<Arc<str>>>,
    _thread: PhantomData<*const ()>,
}

/// Enters the layer `path` until the returned guard is dropped; then the outer layer continues. An empty path is no
/// layer. While there is no profiler, this reads one number and does nothing else.
///
/// ```
/// use taper_backend::profile::layer;
/// let _layer = layer("layer1.0.conv1");
/// ```
#[inline]
pub fn layer(path: &str) -> LayerScope {
    let outer = (LABELLED.load(Ordering::Relaxed) != 0).then(|| enter(path));
    LayerScope { outer, _thread: PhantomData }
}

fn enter(path: &str) -> Option<Arc<str>> {
    LAYER.replace((!path.is_empty()).then(|| path.into()))
}

impl Drop for LayerScope {
    #[inline]
    fn drop(&mut self) {
        if let Some(outer) = self.outer.take() {
            LAYER.set(outer);
        }
    }
}

/// The path of the innermost layer that this thread is in; `None` outside of layers, and while there is no profiler.
#[inline]
pub fn current_layer() -> Option<Arc<str>> {
    if LABELLED.load(Ordering::Relaxed) == 0 { None } else { LAYER.with_borrow(Clone::clone) }
}

/// This thread's phase and, within a step, the step's number.
pub(super) fn here() -> (Phase, Option<u64>) {
    (PHASE.get(), STEP.get())
}

/// The step that this thread finished last.
pub(super) fn last_step() -> Option<Span> {
    LAST.get()
}
