//! Decay at chosen steps.

use super::{Schedule, ScheduleTable, Span, decay};
use taper_config::table;
use taper_tensor::{Error, Result};

/// γⁿ at step t, with n the number of milestones that are at most t, as PyTorch's `MultiStepLR`.
#[derive(Debug, Clone, PartialEq)]
pub struct MultiStep {
    milestones: Vec<u64>,
    gamma: f64,
}

impl MultiStep {
    /// `milestones`: steps in ascending order, at least one; a repeated milestone counts twice. `gamma`: γ, over 0 and
    /// at most 1.
    pub fn new(milestones: Vec<u64>, gamma: f64) -> Result<Self> {
        const NAME: &str = "multi_step";
        if milestones.is_empty() {
            return Err(Error::argument(NAME, "milestones must hold at least one step, came empty"));
        }
        if let Some(pair) = milestones.windows(2).find(|pair| pair[0] > pair[1]) {
            let detail = format!("milestones must ascend, {} came before {}", pair[0], pair[1]);
            return Err(Error::argument(NAME, detail));
        }
        decay(NAME, "gamma", gamma)?;
        Ok(Self { milestones, gamma })
    }
}

table! {
    /// The keys of the schedule `multi-step`. Times are in epochs.
    pub struct MultiStepConfig {
        /// Epochs, from the end of warm-up, at which the rate changes.
        ///
        /// An epoch that is listed twice changes the rate twice.
        milestones: Vec<f64> = Vec::new(), list("epochs in rising order", |epochs: &[f64]| {
            epochs.is_sorted() && epochs.iter().all(|&epoch| epoch > 0.0 && is_ordinary(epoch))
        });
        /// Factor of one change of the rate.
        gamma: f64 = 0.1, up_to(1.0);
    }
}

impl ScheduleTable for MultiStepConfig {
    fn build(&self, span: &Span) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(MultiStep::new(self.milestones.iter().map(|&epochs| span.in_steps(epochs)).collect(), self.gamma)?))
    }
}

impl Schedule for MultiStep {
    fn factor(&self, step: u64) -> f64 {
        let passed = self.milestones.partition_point(|&milestone| milestone <= step);
        self.gamma.powf(passed as f64)
    }
}
