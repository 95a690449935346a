//! `[schedule]`: the learning-rate schedule, which changes the rate at every step. Times are in epochs and count from
//! the end of the warm-up, as in PyTorch's `SequentialLR`.

use crate::Result;
use serde::{Deserialize, Serialize};
use std::ops::{Deref, DerefMut};
use taper_config::{Family, Named, Override, Schema, table};
use taper_nn::schedule::{Schedule, Span, WarmUp, schedules};
use toml::Value;

/// `[schedule]`: the learning-rate schedule, a factor on each group's rate, by its name, and its keys. A key that only
/// other schedules have is ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScheduleConfig(pub Named);

table! {
    /// The keys that every schedule has beside its own.
    struct AroundConfig {
        /// Epochs of linear warm-up before the schedule.
        ///
        /// 0 for none. The times of the schedule count from its end.
        warmup: f64 = 0.0, ordinary_or_zero();
    }
}

/// The schedules.
pub(super) fn family() -> Family {
    let members = schedules().iter().map(|info| (info.name, info.schema)).collect();
    let common = Some(Schema::of::<AroundConfig>());
    Family { table: "schedule", kind: "schedule", default: "constant", members, common, lenient: true }
}

impl Default for ScheduleConfig {
    /// A constant learning rate.
    fn default() -> Self {
        Self::new("constant")
    }
}

impl ScheduleConfig {
    /// The schedule `name` with its defaults.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The same with the key `key` set to `value`.
    #[must_use]
    pub fn with(self, key: &str, value: impl Into<Value>) -> Self {
        Self(self.0.with(key, value))
    }

    /// All keys of the schedule with their values.
    ///
    /// # Errors
    /// An unknown schedule or key, a value out of range.
    pub fn resolved(&self) -> Result<Self> {
        Ok(Self(family().resolve(&self.0)?))
    }

    /// The schedule for a run of `steps` steps, with `per_epoch` steps per epoch.
    ///
    /// # Errors
    /// An unknown schedule or key, a value out of range.
    pub fn build(&self, steps: u64, per_epoch: u64) -> Result<Box<dyn Schedule>> {
        let Named { name, rest: mut values } = self.resolved()?.0;
        values.remove("warmup");
        let warmup = self.warmup_steps(per_epoch);
        let span = Span { steps: steps.saturating_sub(warmup).max(1), per_epoch };
        let found = schedules().iter().find(|info| info.name == name);
        let info = found.ok_or_else(|| crate::Error::Usage(format!("schedule.name: unknown schedule {name:?}")))?;
        let main = (info.build)(&values, &span)?;
        Ok(if warmup > 0 { Box::new(WarmUp::new(warmup, 1.0 / warmup as f64, main)?) } else { main })
    }

    /// Whether the schedule ends with the run, and so depends on its length.
    pub(crate) fn ends(&self) -> bool {
        schedules().iter().any(|info| info.name == self.name && info.ends)
    }

    /// The epochs of warm-up.
    pub(crate) fn warmup(&self) -> f64 {
        self.number("warmup").unwrap_or(0.0)
    }

    /// The number of warm-up steps, with `per_epoch` steps per epoch.
    pub(crate) fn warmup_steps(&self, per_epoch: u64) -> u64 {
        if self.warmup() > 0.0 { Span { steps: 1, per_epoch }.in_steps(self.warmup()) } else { 0 }
    }
}

impl Deref for ScheduleConfig {
    type Target = Named;

    fn deref(&self) -> &Named {
        &self.0
    }
}

impl DerefMut for ScheduleConfig {
    fn deref_mut(&mut self) -> &mut Named {
        &mut self.0
    }
}

/// Makes `change`, whose key is the name within `[schedule]`, to `config`.
pub(super) fn change(config: &mut ScheduleConfig, change: &Override, stays: impl Fn(&str) -> bool) -> Result<()> {
    super::change_in(&family(), &mut config.0, change, stays)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The factors of the 12 steps of a run of three epochs, four steps per epoch.
    fn factors(text: &str) -> Vec<f64> {
        let schedule = toml::from_str::<ScheduleConfig>(text).unwrap().build(12, 4).unwrap();
        (0..12).map(|step| schedule.factor(step)).collect()
    }

    /// Only the warm-up is tested here; `taper-nn` tests each schedule against its definition.
    #[test]
    fn a_warm_up_comes_first_and_times_count_from_its_end() {
        let rising = [0.25, 0.4375, 0.625, 0.8125];
        for (name, rest) in [
            ("\"constant\"", [1.0; 8]),
            ("\"multi-step\"\nmilestones = [0.5, 1]", [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]),
            ("\"step\"\nevery = 1", [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5]),
            ("\"exponential\"\nevery = 0.25", [1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125]),
            ("\"linear\"", [1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]),
            ("\"polynomial\"", [1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]),
        ] {
            let found = factors(&format!("warmup = 1\ngamma = 0.5\nname = {name}"));
            assert_eq!(found, [rising.as_slice(), &rest].concat(), "{name}");
        }
        let restarts = factors("warmup = 1\nfirst = 1\nname = \"cosine-restarts\"");
        assert_eq!((restarts[4], restarts[8]), (1.0, 1.0));
        assert!(restarts[7] < 0.2 && restarts[..4] == rising, "{restarts:?}");
        assert_eq!(factors("name = \"constant\""), [1.0; 12]);
    }

    /// Milestones of different epochs may round to the same step.
    #[test]
    fn milestones_may_meet() {
        let config = "name = \"multi-step\"\ngamma = 0.5\nmilestones = [0.5, 0.75]";
        let schedule = toml::from_str::<ScheduleConfig>(config).unwrap().build(3, 1).unwrap();
        assert_eq!([0, 1, 2].map(|step| schedule.factor(step)), [1.0, 0.25, 0.25]);
    }

    #[test]
    fn what_no_schedule_takes_is_told() {
        for (key, told) in [
            ("gamma = 1.5", "schedule.gamma: expected a number above 0 and at most 1, found 1.5"),
            ("gamma = 0.0", "schedule.gamma: expected a number above 0 and at most 1, found 0"),
            ("start_div = 0.5", "schedule.start_div: expected a number from 1 to 1e37, found 0.5"),
            ("end_div = inf", "schedule.end_div: expected a number from 1 to 1e37, found inf"),
            ("threshold = 1.5", "schedule.threshold: expected a number from 0 to 1, found 1.5"),
        ] {
            let error = toml::from_str::<ScheduleConfig>(key).unwrap().build(1, 1).map(drop).unwrap_err();
            assert_eq!(error.to_string(), told);
        }
    }
}
