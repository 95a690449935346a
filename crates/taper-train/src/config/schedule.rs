//! `[schedule]`: how the learning rate moves. Times are in epochs; the rate moves with every step.

use super::{out_of_range, within};
use crate::nearest::unknown;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use taper_nn::schedule::{self, Schedule};

/// How the learning rate moves: a factor on each group's rate. Which keys count depends on `name`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// The name: `constant`, `step`, `multi-step`, `exponential`, `cosine`, `cosine-restarts`, `linear`, `polynomial`,
    /// `one-cycle` or `plateau`.
    pub name: String,
    /// A linear warm-up in front, over so many epochs; 0 for none.
    pub warmup: f64,
    /// The factor on the rate that is gone down to: of `cosine`, `cosine-restarts`, `linear`, `plateau`.
    pub min: f64,
    /// Epochs between two changes of `step` and `exponential`.
    pub every: f64,
    /// Epochs at which `multi-step` changes.
    pub milestones: Vec<f64>,
    /// The factor of one change: of `step`, `multi-step`, `exponential`, `plateau`.
    pub gamma: f64,
    /// The exponent of `polynomial`.
    pub power: f64,
    /// Epochs of the first cycle of `cosine-restarts`.
    pub first: f64,
    /// How much longer each later cycle is than the one before.
    pub multiply: u64,
    /// The share of all steps in which `one-cycle` rises.
    pub warm_fraction: f64,
    /// `one-cycle` begins at the rate over this.
    pub start_div: f64,
    /// `one-cycle` ends at its first rate over this.
    pub end_div: f64,
    /// Epochs without a better validation loss before `plateau` changes.
    pub patience: u64,
    /// What counts as better for `plateau`: a loss below (1 − threshold) times the best.
    pub threshold: f64,
}

/// The schedules by name.
const NAMES: &[&str] = &[
    "constant",
    "step",
    "multi-step",
    "exponential",
    "cosine",
    "cosine-restarts",
    "linear",
    "polynomial",
    "one-cycle",
    "plateau",
];

impl Default for ScheduleConfig {
    /// A constant rate; the other keys have PyTorch's defaults.
    fn default() -> Self {
        Self {
            name: "constant".into(),
            warmup: 0.0,
            min: 0.0,
            every: 1.0,
            milestones: Vec::new(),
            gamma: 0.1,
            power: 1.0,
            first: 1.0,
            multiply: 1,
            warm_fraction: 0.3,
            start_div: 25.0,
            end_div: 1e4,
            patience: 10,
            threshold: 1e-4,
        }
    }
}

impl ScheduleConfig {
    pub(super) fn check(&self) -> Result<()> {
        if !NAMES.contains(&self.name.as_str()) {
            return Err(Error::Usage(format!("schedule.name: {}", unknown("schedule", &self.name, NAMES))));
        }
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        let positive = |value: f64| value > 0.0 && value.is_finite();
        for (name, value, holds) in [
            ("schedule.warmup", self.warmup, not_negative(self.warmup)),
            ("schedule.min", self.min, not_negative(self.min)),
            ("schedule.every", self.every, positive(self.every)),
            ("schedule.gamma", self.gamma, positive(self.gamma)),
            ("schedule.power", self.power, positive(self.power)),
            ("schedule.first", self.first, positive(self.first)),
            ("schedule.warm_fraction", self.warm_fraction, self.warm_fraction > 0.0 && self.warm_fraction < 1.0),
            ("schedule.start_div", self.start_div, positive(self.start_div)),
            ("schedule.end_div", self.end_div, positive(self.end_div)),
            ("schedule.threshold", self.threshold, not_negative(self.threshold)),
        ] {
            within(name, value, holds)?;
        }
        within("schedule.multiply", self.multiply, self.multiply >= 1)?;
        let rising = self.milestones.is_sorted() && self.milestones.iter().all(|&epoch| positive(epoch));
        within("schedule.milestones", format!("{:?}", self.milestones), rising)
    }

    /// The schedule of a run of `steps` steps, `per_epoch` of them an epoch.
    ///
    /// # Errors
    /// A name that is none, a value out of range.
    pub fn build(&self, steps: u64, per_epoch: u64) -> Result<Box<dyn Schedule>> {
        self.check()?;
        // At least one step: a run may be shorter than a part of an epoch.
        let of = |epochs: f64| ((epochs * per_epoch as f64).round() as u64).max(1);
        let warmup = if self.warmup > 0.0 { of(self.warmup) } else { 0 };
        let rest = steps.saturating_sub(warmup).max(1);
        let main: Box<dyn Schedule> = match self.name.as_str() {
            "constant" => Box::new(schedule::Constant),
            "step" => Box::new(schedule::StepDecay::new(of(self.every), self.gamma)?),
            "multi-step" => {
                let milestones = self.milestones.iter().map(|&epochs| of(epochs)).collect();
                Box::new(schedule::MultiStep::new(milestones, self.gamma)?)
            }
            "exponential" => Box::new(schedule::Exponential::new(self.gamma, of(self.every))?),
            "cosine" => Box::new(schedule::Cosine::new(rest, self.min)?),
            "cosine-restarts" => Box::new(schedule::CosineRestarts::new(of(self.first), self.multiply, self.min)?),
            "linear" => Box::new(schedule::Linear::new(rest, 1.0, self.min)?),
            "polynomial" => Box::new(schedule::Polynomial::new(rest, self.power)?),
            "one-cycle" => Box::new(schedule::OneCycle::new(rest, self.warm_fraction, self.start_div, self.end_div)?),
            "plateau" => Box::new(schedule::Plateau::new(self.gamma, self.patience, self.threshold, self.min)?),
            other => return Err(out_of_range("schedule.name", other)),
        };
        Ok(if warmup > 0 { Box::new(schedule::WarmUp::new(warmup, 1.0 / warmup as f64, main)?) } else { main })
    }
}
