//! Learning-rate schedules, one per file. A schedule gives the factor on the optimiser's base learning rate for each
//! step.
//!
//! A schedule is a function of the step alone, so that resuming a run needs no more than the step. Only [`Plateau`],
//! which depends on the validation loss, has a state.
//!
//! ```
//! use taper_nn::schedule::{Cosine, Schedule, WarmUp};
//! # fn main() -> taper_nn::Result<()> {
//! let schedule = WarmUp::new(100, 0.0, Box::new(Cosine::new(900, 0.0)?))?;
//! assert_eq!(schedule.factor(50), 0.5); // half of the warm-up
//! assert_eq!(schedule.factor(100), 1.0);
//! assert!((schedule.factor(550) - 0.5).abs() < 1e-12); // half of the cosine
//! # Ok(())
//! # }
//! ```

mod constant;
mod cosine;
mod cosine_restarts;
mod exponential;
mod info;
mod linear;
mod multi_step;
mod one_cycle;
mod plateau;
mod polynomial;
mod step_decay;
mod warm_up;

pub use constant::{Constant, ConstantConfig};
pub use cosine::{Cosine, CosineConfig};
pub use cosine_restarts::{CosineRestarts, CosineRestartsConfig};
pub use exponential::{Exponential, ExponentialConfig};
pub use info::{ScheduleInfo, ScheduleTable, Span};
pub use linear::{Linear, LinearConfig};
pub use multi_step::{MultiStep, MultiStepConfig};
pub use one_cycle::{OneCycle, OneCycleConfig};
pub use plateau::{Plateau, PlateauConfig};
pub use polynomial::{Polynomial, PolynomialConfig};
pub use step_decay::{StepDecay, StepDecayConfig};
pub use warm_up::WarmUp;

use std::fmt::Debug;
use taper_tensor::{Error, Result};

/// The schedules by name. To add one, add a file beside this one, and its lines here.
const ALL: &[ScheduleInfo] = &[
    ScheduleInfo::of::<ConstantConfig>("constant"),
    ScheduleInfo::of::<StepDecayConfig>("step"),
    ScheduleInfo::of::<MultiStepConfig>("multi-step"),
    ScheduleInfo::of::<ExponentialConfig>("exponential"),
    ScheduleInfo::of::<CosineConfig>("cosine"),
    ScheduleInfo::of::<CosineRestartsConfig>("cosine-restarts"),
    ScheduleInfo::of::<LinearConfig>("linear"),
    ScheduleInfo::of::<PolynomialConfig>("polynomial"),
    ScheduleInfo::of::<OneCycleConfig>("one-cycle"),
    ScheduleInfo::of::<PlateauConfig>("plateau"),
];

/// All schedules that can be made by their name.
pub fn schedules() -> &'static [ScheduleInfo] {
    ALL
}

/// A learning-rate schedule: what the base learning rate is multiplied by.
pub trait Schedule: Send + Sync + Debug {
    /// The factor for step `step`, counted from 0. After the end of a schedule its last factor stays.
    fn factor(&self, step: u64) -> f64;

    /// Receives the validation loss, once per epoch. Schedules that do not depend on it ignore it.
    fn observe(&mut self, _loss: f64) {}

    /// The state that a checkpoint stores beside the step: finite numbers, none for most schedules.
    fn state(&self) -> Vec<f64> {
        Vec::new()
    }

    /// Restores a state that [`state`](Self::state) returned. An error for any other; nothing is changed then.
    fn load_state(&mut self, state: &[f64]) -> Result<()> {
        if state.is_empty() {
            return Ok(());
        }
        let detail = format!("this schedule keeps no state, {} numbers came: was it made by another?", state.len());
        Err(Error::argument("schedule", detail))
    }
}

/// Returns an error unless `value` is at least 1.
fn at_least_one(schedule: &'static str, name: &str, value: u64) -> Result<()> {
    if value >= 1 {
        return Ok(());
    }
    Err(Error::argument(schedule, format!("{name} must be at least 1, came as 0")))
}

/// Returns an error unless `value` is finite and at least `low`; NaN is refused.
fn at_least(schedule: &'static str, name: &str, value: f64, low: f64) -> Result<()> {
    if value >= low && value.is_finite() {
        return Ok(());
    }
    Err(Error::argument(schedule, format!("{name} must be a finite number of at least {low}, came as {value}")))
}

/// Returns an error unless `value` is from 0 to 1; NaN is refused.
fn share(schedule: &'static str, name: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::argument(schedule, format!("{name} must be from 0 to 1, came as {value}")))
}

/// Returns an error unless `value`, a factor of decay, is over 0 and at most 1. NaN is refused.
fn decay(schedule: &'static str, name: &str, value: f64) -> Result<()> {
    if value > 0.0 && value <= 1.0 {
        return Ok(());
    }
    Err(Error::argument(schedule, format!("{name} must be over 0 and at most 1, came as {value}")))
}

/// From `from` (at `part` 0) to `to` (at 1) along half a cosine wave.
fn half_wave(from: f64, to: f64, part: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * part).cos())
}
