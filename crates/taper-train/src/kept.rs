//! The last good weights, which are restored when a loss or gradient becomes NaN or infinite.
//!
//! Weights are good once the loss computed from them is known to be finite. That is only known when losses are read
//! from the device, so weights first become a candidate.

use taper_nn::{Params, Result, Tensor};

/// A snapshot of the weights is taken every so many steps: seldom enough to cost nothing.
const KEEP_EVERY: u64 = 20;

/// A snapshot of the weights after `steps` steps. The tensors are shared, not copied: at its next step the optimiser
/// finds them shared, and writes the new weights to new memory.
struct Snapshot {
    steps: u64,
    weights: Vec<Tensor>,
}

/// The last good weights, and a candidate that may replace them.
pub(crate) struct LastGoodWeights {
    good: Snapshot,
    /// Whether `good` is known to be good. The weights of a checkpoint may not be: it is saved before their loss is
    /// computed.
    sure: bool,
    candidate: Option<Snapshot>,
    /// Memory for the new weights that the optimiser writes after the first candidate, held until then: so a run
    /// allocates all its memory in its first steps, and no later step can run out of it.
    room: Vec<Tensor>,
    /// Whether snapshots are taken.
    on: bool,
}

impl Snapshot {
    fn new(steps: u64, params: &Params) -> Self {
        Self { steps, weights: params.all().iter().map(|param| param.tensor().detach()).collect() }
    }
}

impl LastGoodWeights {
    /// Begins with the weights after `steps` steps. The initial weights (0 steps) count as good: if no loss is ever
    /// finite there are no better ones. Those of a checkpoint count as good once their loss was finite.
    /// With `on` false no copies are kept, and there are no good weights to restore.
    pub(crate) fn new(steps: u64, params: &Params, on: bool) -> Result<Self> {
        if !on {
            let good = Snapshot { steps, weights: Vec::new() };
            return Ok(Self { good, sure: false, candidate: None, room: Vec::new(), on });
        }
        let room = |weights: Tensor| Tensor::zeros(weights.shape().clone(), weights.dtype(), params.device());
        let room = params.trainable().iter().map(|param| room(param.tensor())).collect::<Result<_>>()?;
        Ok(Self { good: Snapshot::new(steps, params), sure: steps == 0, candidate: None, room, on })
    }

    /// Makes the weights after `steps` steps the candidate, unless the last good ones are recent or a candidate still
    /// waits for its loss.
    pub(crate) fn offer(&mut self, steps: u64, params: &Params) {
        if self.on && self.candidate.is_none() && steps >= self.good.steps + KEEP_EVERY {
            self.candidate = Some(Snapshot::new(steps, params));
            self.room.clear();
        }
    }

    /// Records that the loss of the weights after `steps` steps was finite.
    pub(crate) fn confirm(&mut self, steps: u64) {
        self.sure |= !self.on || steps == self.good.steps;
        if let Some(good) = self.candidate.take_if(|candidate| candidate.steps == steps) {
            self.good = good;
        }
    }

    /// Records that the current weights, after `steps` steps, are good.
    pub(crate) fn confirm_now(&mut self, steps: u64, params: &Params) {
        if self.on {
            (self.good, self.sure) = (Snapshot::new(steps, params), true);
        }
    }

    /// Whether the weights are known to be good. In a resumed run they are not before its first finite loss.
    pub(crate) fn sure(&self) -> bool {
        self.sure
    }

    /// Restores the good weights, and returns the number of steps that they had been trained for; `None` if none were
    /// kept.
    pub(crate) fn restore(&self, params: &Params) -> Result<Option<u64>> {
        if !self.on {
            return Ok(None);
        }
        params.all().iter().zip(&self.good.weights).try_for_each(|(param, value)| param.set(value))?;
        Ok(Some(self.good.steps))
    }
}
