//! The one-cycle policy: up to the base learning rate, and down again to far below the start.

use super::{Schedule, ScheduleTable, Span, at_least, at_least_one, half_wave, share};
use taper_config::table;
use taper_tensor::Result;

/// Half a cosine wave from 1/start_div up to 1 at step w = warm_fraction · T − 1, another from there down to
/// 1/(start_div · end_div) at the last step T − 1: super-convergence (Smith and Topin, "Super-convergence: very fast
/// training of neural networks using large learning rates", 2018), as PyTorch's `OneCycleLR`, whose `max_lr` is the
/// base learning rate here. The last factor stays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneCycle {
    steps: u64,
    warm_fraction: f64,
    start_div: f64,
    end_div: f64,
}

impl OneCycle {
    /// `steps`: T, at least 1. `warm_fraction`: the fraction of the steps in which the rate rises, from 0 to 1 (0.3 in
    /// PyTorch). `start_div`: the base rate divided by the first rate (25 in PyTorch). `end_div`: the first rate
    /// divided by the last (10 000 in PyTorch). Both are at least 1.
    pub fn new(steps: u64, warm_fraction: f64, start_div: f64, end_div: f64) -> Result<Self> {
        at_least_one("one_cycle", "steps", steps)?;
        share("one_cycle", "warm_fraction", warm_fraction)?;
        at_least("one_cycle", "start_div", start_div, 1.0)?;
        at_least("one_cycle", "end_div", end_div, 1.0)?;
        Ok(Self { steps, warm_fraction, start_div, end_div })
    }
}

table! {
    /// The keys of the schedule `one-cycle`. Times are in epochs.
    pub struct OneCycleConfig {
        /// Fraction of the steps after warm-up in which the rate rises.
        warm_fraction: f64 = 0.3, between(0.0, 1.0);
        /// The rate starts at the learning rate divided by this.
        start_div: f64 = 25.0, number(1.0..=1e37);
        /// The rate ends at its start divided by this.
        end_div: f64 = 1e4, number(1.0..=1e37);
    }
}

impl ScheduleTable for OneCycleConfig {
    const ENDS: bool = true;

    fn build(&self, span: &Span) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(OneCycle::new(span.steps, self.warm_fraction, self.start_div, self.end_div)?))
    }
}

impl Schedule for OneCycle {
    fn factor(&self, step: u64) -> f64 {
        let last = (self.steps - 1) as f64;
        let step = (step as f64).min(last);
        let top = self.warm_fraction * self.steps as f64 - 1.0;
        let start = 1.0 / self.start_div;
        if step == top {
            1.0
        } else if step < top {
            half_wave(start, 1.0, step / top)
        } else {
            half_wave(1.0, start / self.end_div, (step - top) / (last - top))
        }
    }
}
