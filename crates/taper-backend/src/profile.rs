//! A profiler of training steps: the time, FLOP and bytes of each operation with its shapes, in the forward pass, the
//! backward pass and the optimiser's update; and of each layer in the forward pass.
//!
//! A [`Profiler`] measures the calls to one device; other devices are not measured. The tape and the optimisers mark
//! their phase with [`phase`], the training loop marks each step with [`step`], and each layer marks its forward with
//! [`layer`]. An operation whose value is computed later, fused with those that follow, counts for the layer that it
//! began in. The calls of the backward pass are not told apart by layer.
//!
//! ```
//! use taper_backend::Device;
//! use taper_backend::profile::{Profiler, step};
//!
//! fn profiled(inner: Device, mut train: impl FnMut(&Device)) -> String {
//!     let (device, profiler) = Profiler::device(inner);
//!     for number in 1..=20 {
//!         let _step = step(number);
//!         train(&device);
//!     }
//!     profiler.profile().table()
//! }
//! ```

mod cost;
mod scope;
mod table;
#[cfg(test)]
mod tests;
mod trace;

pub use self::scope::{LayerScope, Phase, PhaseScope, StepScope, current_layer, layer, phase, step};

use self::scope::Labels;
use crate::Device;
use crate::observed::{Call, Ending, Observed, Observer, Operand};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The number of steps at the start that are not measured: they allocate memory and fill caches.
pub const WARM_UP: u64 = 3;
/// The largest number of calls that are kept for the trace. The rows of a profile sum up all calls.
pub const TRACED: usize = 4096;

/// Measures every call that is made to a device in a training step, by the host's clock around the call.
#[derive(Debug)]
pub struct Profiler(Mutex<State>);

#[derive(Debug)]
struct State {
    profile: Profile,
    /// Indices into the rows of `profile`, by op, shapes and phase.
    rows: HashMap<(String, String, Phase), usize>,
    /// Indices into the layers of `profile`, by path.
    layers: HashMap<Option<Arc<str>>, usize>,
    /// Makes layers say where they are.
    _labels: Labels,
    /// When profiling began: time 0 of the trace.
    zero: Instant,
    /// When the last step that was counted began.
    last: Instant,
}

/// The measurements of a [`Profiler`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// The device's name.
    pub device: String,
    /// The number of steps measured, without the warm-up.
    pub steps: u64,
    /// The whole time of these steps, between calls included.
    pub time: Duration,
    /// One row for each combination of op, shapes and phase, in the order of their first calls.
    pub rows: Vec<Row>,
    /// The forward pass by layer, in the order of their first calls.
    pub layers: Vec<LayerRow>,
    /// The first [`TRACED`] calls.
    pub calls: Vec<TracedCall>,
    /// The steps in which the traced calls were made.
    pub traced_steps: Vec<TracedStep>,
}

/// All calls of one op with the same shapes in the same phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The backend's method, and which of its operations: `linear`, `binary Add`.
    pub op: String,
    /// Shapes and dtypes: `f32[64, 20], f32[10, 20] → f32[64, 10]`.
    pub shapes: String,
    /// The phase of the training step.
    pub phase: Phase,
    /// The floating-point operations of one call.
    pub flop: u64,
    /// The bytes that one call reads and writes.
    pub bytes: u64,
    /// The number of calls.
    pub calls: u64,
    /// The time of all calls together.
    pub time: Duration,
}

/// All calls of the forward pass in one layer, without those in the layers inside it.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRow {
    /// The layer's path: `layer1.0.conv1`. `None` for the calls that no layer made.
    pub path: Option<Arc<str>>,
    /// The floating-point operations of all calls together.
    pub flop: u64,
    /// The number of calls.
    pub calls: u64,
    /// The time of all calls together.
    pub time: Duration,
}

/// One call, for the trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TracedCall {
    /// The index of its row in [`Profile::rows`].
    pub row: usize,
    /// The index of its layer in [`Profile::layers`], in the forward pass.
    pub layer: Option<usize>,
    /// The number of the step.
    pub step: u64,
    /// When the call began, counted from the start of profiling.
    pub at: Duration,
    /// How long the call took.
    pub took: Duration,
}

/// One training step, for the trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TracedStep {
    /// The number of the step.
    pub step: u64,
    /// When the step began, counted from the start of profiling.
    pub at: Duration,
    /// How long the step took.
    pub took: Duration,
}

impl Profiler {
    /// A device that forwards to `inner`, and the profiler that measures its calls from now on.
    pub fn device(inner: Device) -> (Device, Arc<Self>) {
        let (profile, now) = (Profile { device: inner.name().to_string(), ..Profile::default() }, Instant::now());
        let profiler = Arc::new(Self(Mutex::new(State::new(profile, now))));
        (Observed::device(inner, profiler.clone()), profiler)
    }

    /// The measurements so far. To be called on the thread that trains, between two steps.
    pub fn profile(&self) -> Profile {
        let mut state = self.state();
        state.count_step();
        state.profile.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Observer for Profiler {
    fn called(&self, call: &Call) {
        let mut state = self.state();
        state.count_step();
        let (phase, step) = scope::here();
        if let Some(step) = step
            && step > WARM_UP
            && call.ending == Ending::Done
        {
            state.add(call, phase, step);
        }
    }
}

impl State {
    fn new(profile: Profile, now: Instant) -> Self {
        let (rows, layers) = (HashMap::new(), HashMap::new());
        Self { profile, rows, layers, _labels: Labels::new(), zero: now, last: now }
    }

    /// Adds the step that this thread finished last to the profile, if it was not added yet.
    fn count_step(&mut self) {
        let Some(step) = scope::last_step().filter(|step| step.began > self.last) else { return };
        self.last = step.began;
        if step.number > WARM_UP {
            self.profile.steps += 1;
            self.profile.time += step.took;
            if self.profile.calls.last().is_some_and(|call| call.step == step.number) {
                let at = step.began.duration_since(self.zero);
                self.profile.traced_steps.push(TracedStep { step: step.number, at, took: step.took });
            }
        }
    }

    fn add(&mut self, call: &Call, phase: Phase, step: u64) {
        let op = if call.variant.is_empty() { call.method.into() } else { format!("{} {}", call.method, call.variant) };
        let rows = &mut self.profile.rows;
        let row = *self.rows.entry((op, shapes(call), phase)).or_insert_with_key(|(op, shapes, phase)| {
            let (op, shapes, phase) = (op.clone(), shapes.clone(), *phase);
            let (flop, bytes) = (cost::flop(call), cost::bytes(call));
            rows.push(Row { op, shapes, phase, flop, bytes, calls: 0, time: Duration::ZERO });
            rows.len() - 1
        });
        rows[row].calls += 1;
        rows[row].time += call.took;
        let flop = rows[row].flop;
        let layer = (phase == Phase::Forward).then(|| self.add_to_layer(flop, call.took));
        if self.profile.calls.len() < TRACED {
            let at = call.began.duration_since(self.zero);
            self.profile.calls.push(TracedCall { row, layer, step, at, took: call.took });
        }
    }

    /// Adds a call to the layer that this thread is in, and returns the index of the layer.
    fn add_to_layer(&mut self, flop: u64, took: Duration) -> usize {
        let layers = &mut self.profile.layers;
        let index = *self.layers.entry(current_layer()).or_insert_with_key(|path| {
            layers.push(LayerRow { path: path.clone(), flop: 0, calls: 0, time: Duration::ZERO });
            layers.len() - 1
        });
        let layer = &mut layers[index];
        layer.flop += flop;
        layer.calls += 1;
        layer.time += took;
        index
    }
}

/// The shapes and dtypes of operands and results as text: `f32[64, 20] → f32[64, 10]`.
fn shapes(call: &Call) -> String {
    let list = |operands: &[Operand]| operands.iter().map(Operand::to_string).collect::<Vec<_>>().join(", ");
    match (call.operands.is_empty(), call.results.is_empty()) {
        (_, true) => list(&call.operands),
        (true, false) => format!("→ {}", list(&call.results)),
        (false, false) => format!("{} → {}", list(&call.operands), list(&call.results)),
    }
}
