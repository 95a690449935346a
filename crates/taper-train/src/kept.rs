//! The last good weights: what is put back when a loss becomes NaN.
//!
//! Weights are good once the loss computed from them was seen to be finite. That is seen only when losses are read, so
//! weights are put aside as a candidate first.

use taper_nn::{Params, Result, Tensor};

/// Weights are put aside every so many steps: seldom enough to cost nothing.
const KEEP_EVERY: u64 = 20;

/// Weights, and for how many steps they had been trained. Shared, not copied: the optimiser finds them shared and
/// writes elsewhere, this once.
struct Snapshot {
    steps: u64,
    weights: Vec<Tensor>,
}

/// Weights put aside, two sets at most.
pub(crate) struct Kept {
    good: Snapshot,
    /// Whether they are known to be good: those of a checkpoint, which is saved before the next loss is seen, may not
    /// be.
    sure: bool,
    candidate: Option<Snapshot>,
    /// What the first candidate will make the optimiser write to, held until then: so a run takes all the memory it
    /// ever will in its first steps, and no later one has to find more.
    room: Vec<Tensor>,
}

impl Snapshot {
    fn new(steps: u64, params: &Params) -> Self {
        Self { steps, weights: params.all().iter().map(|param| param.tensor().detach()).collect() }
    }
}

impl Kept {
    /// The weights to begin with, after `steps` steps. The first of all count as good: where no loss is ever finite,
    /// there are no better ones. Those of a checkpoint have still to show it.
    pub(crate) fn new(steps: u64, params: &Params) -> Result<Self> {
        let room = |weights: Tensor| Tensor::zeros(weights.shape().clone(), weights.dtype(), params.device());
        let room = params.trainable().iter().map(|param| room(param.tensor())).collect::<Result<_>>()?;
        Ok(Self { good: Snapshot::new(steps, params), sure: steps == 0, candidate: None, room })
    }

    /// Puts the weights after `steps` steps aside, unless the last ones are recent or still wait for their loss.
    pub(crate) fn offer(&mut self, steps: u64, params: &Params) {
        if self.candidate.is_none() && steps >= self.good.steps + KEEP_EVERY {
            self.candidate = Some(Snapshot::new(steps, params));
            self.room.clear();
        }
    }

    /// The loss of the weights after `steps` steps was finite.
    pub(crate) fn confirm(&mut self, steps: u64) {
        self.sure |= steps == self.good.steps;
        if let Some(good) = self.candidate.take_if(|candidate| candidate.steps == steps) {
            self.good = good;
        }
    }

    /// The weights as they are, after `steps` steps, are good.
    pub(crate) fn confirm_now(&mut self, steps: u64, params: &Params) {
        (self.good, self.sure) = (Snapshot::new(steps, params), true);
    }

    /// Whether there are good weights: not before the first finite loss of a run that was resumed.
    pub(crate) fn sure(&self) -> bool {
        self.sure
    }

    /// Puts the good weights back, and says for how many steps they had been trained.
    pub(crate) fn restore(&self, params: &Params) -> Result<u64> {
        params.all().iter().zip(&self.good.weights).try_for_each(|(param, value)| param.set(value))?;
        Ok(self.good.steps)
    }
}
