//! Decay at regular intervals.

use super::{Schedule, ScheduleTable, Span, at_least_one, decay};
use taper_config::table;
use taper_tensor::Result;

/// γ^⌊t / every⌋ at step t: a factor γ after every `every` steps, as PyTorch's `StepLR` (He et al., "Deep residual
/// learning", CVPR 2016, divide by 10 in this way).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepDecay {
    every: u64,
    gamma: f64,
}

impl StepDecay {
    /// `every`: steps between two decays, at least 1. `gamma`: γ, over 0 and at most 1.
    pub fn new(every: u64, gamma: f64) -> Result<Self> {
        at_least_one("step_decay", "every", every)?;
        decay("step_decay", "gamma", gamma)?;
        Ok(Self { every, gamma })
    }
}

table! {
    /// The keys of the schedule `step`. Times are in epochs.
    pub struct StepDecayConfig {
        /// Epochs between changes, from the end of warm-up.
        every: f64 = 1.0, ordinary();
        /// Factor of one change of the rate.
        gamma: f64 = 0.1, up_to(1.0);
    }
}

impl ScheduleTable for StepDecayConfig {
    fn build(&self, span: &Span) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(StepDecay::new(span.in_steps(self.every), self.gamma)?))
    }
}

impl Schedule for StepDecay {
    fn factor(&self, step: u64) -> f64 {
        self.gamma.powf((step / self.every) as f64)
    }
}
