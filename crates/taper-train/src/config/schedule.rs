//! `[schedule]`: the learning-rate schedule, which changes the rate at every step. Times are in epochs and count from
//! the end of the warm-up, as in PyTorch's `SequentialLR`.

use crate::{Error, Result};
use taper_config::{Table as _, table};
use taper_nn::schedule::{self, Schedule};

table! {
    /// `[schedule]`: the learning-rate schedule, a factor on each group's rate. The keys that apply depend on `name`.
    pub struct ScheduleConfig {
        /// constant, step, multi-step, exponential, cosine, cosine-restarts, linear, polynomial, one-cycle or plateau.
        name: String = "constant".into(), known("the name of a schedule", "schedule", NAMES);
        /// Epochs of linear warm-up before the schedule.
        ///
        /// 0 for none. The times below count from its end.
        warmup: f64 = 0.0, ordinary_or_zero();
        /// Lowest factor on the rate: of cosine, cosine-restarts, linear, plateau.
        min: f64 = 0.0, ordinary_or_zero();
        /// Epochs between changes of step and exponential, from the end of warm-up.
        every: f64 = 1.0, ordinary();
        /// Epochs, from the end of warm-up, at which multi-step changes.
        ///
        /// An epoch that is listed twice changes the rate twice.
        milestones: Vec<f64> = Vec::new(), list("epochs in rising order", |epochs: &[f64]| {
            epochs.is_sorted() && epochs.iter().all(|&epoch| epoch > 0.0 && is_ordinary(epoch))
        });
        /// Factor of one change of the rate: of step, multi-step, exponential, plateau.
        gamma: f64 = 0.1, up_to(1.0);
        /// Exponent of polynomial.
        power: f64 = 1.0, ordinary();
        /// Epochs of the first cycle of cosine-restarts, from the end of warm-up.
        first: f64 = 1.0, ordinary();
        /// Factor by which each cycle of cosine-restarts is longer than the last.
        multiply: u64 = 1, at_least(1);
        /// Fraction of the steps after warm-up in which the rate of one-cycle rises.
        warm_fraction: f64 = 0.3, between(0.0, 1.0);
        /// one-cycle starts at the rate divided by this.
        start_div: f64 = 25.0, number(1.0..=1e37);
        /// one-cycle ends at its starting rate divided by this.
        end_div: f64 = 1e4, number(1.0..=1e37);
        /// Epochs without a better validation loss before plateau lowers the rate.
        patience: u64 = 10, at_least(0);
        /// Smallest relative improvement of the loss, for plateau.
        ///
        /// The loss must be below the best by more than this fraction of the best's size.
        threshold: f64 = 1e-4, number(0.0..=1.0);
    }
}

/// The names of all schedules.
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

impl ScheduleConfig {
    /// The schedule for a run of `steps` steps, with `per_epoch` steps per epoch.
    ///
    /// # Errors
    /// An unknown name, a value out of range.
    pub fn build(&self, steps: u64, per_epoch: u64) -> Result<Box<dyn Schedule>> {
        self.check("schedule")?;
        let of = |epochs: f64| in_steps(epochs, per_epoch);
        let warmup = self.warmup_steps(per_epoch);
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
            other => return Err(Error::Usage(format!("schedule.name: {other}"))),
        };
        Ok(if warmup > 0 { Box::new(schedule::WarmUp::new(warmup, 1.0 / warmup as f64, main)?) } else { main })
    }
}

impl ScheduleConfig {
    /// The number of warm-up steps, with `per_epoch` steps per epoch.
    pub(crate) fn warmup_steps(&self, per_epoch: u64) -> u64 {
        if self.warmup > 0.0 { in_steps(self.warmup, per_epoch) } else { 0 }
    }
}

/// `epochs` in steps, at least one: a time may be shorter than a step.
fn in_steps(epochs: f64, per_epoch: u64) -> u64 {
    ((epochs * per_epoch as f64).round() as u64).max(1)
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
            let error = toml::from_str::<ScheduleConfig>(key).unwrap().check("schedule").unwrap_err();
            assert_eq!(error.to_string(), told);
        }
    }
}
