//! Linear warm-up before another schedule.

use super::{Schedule, share};
use taper_tensor::Result;

/// from + (1 − from) · t / T times the inner schedule's first factor at step t < T; from step T on, the inner schedule,
/// which starts at its own step 0.
///
/// The gradual warm-up of Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, section 2.2;
/// PyTorch's `LinearLR` before another in `SequentialLR`.
#[derive(Debug)]
pub struct WarmUp {
    steps: u64,
    from: f64,
    inner: Box<dyn Schedule>,
}

impl WarmUp {
    /// `steps`: T; with 0 there is no warm-up. `from`: the first factor, from 0 to 1.
    pub fn new(steps: u64, from: f64, inner: Box<dyn Schedule>) -> Result<Self> {
        share("warm_up", "from", from)?;
        Ok(Self { steps, from, inner })
    }
}

impl Schedule for WarmUp {
    fn factor(&self, step: u64) -> f64 {
        if step >= self.steps {
            return self.inner.factor(step - self.steps);
        }
        let part = step as f64 / self.steps as f64;
        (self.from * (1.0 - part) + part) * self.inner.factor(0)
    }

    fn observe(&mut self, loss: f64) {
        self.inner.observe(loss);
    }

    fn state(&self) -> Vec<f64> {
        self.inner.state()
    }

    fn load_state(&mut self, state: &[f64]) -> Result<()> {
        self.inner.load_state(state)
    }
}
