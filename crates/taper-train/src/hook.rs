//! What takes part in a run: is called before and after the run, each epoch and each step, and may end it.

use crate::{Config, EpochReport, Outcome, Result, RunFolder};
use serde_json::Value;
use taper_nn::{Gradients, Module, Params, Tensor};

/// Takes part in a run. Every method does nothing unless it is written; hooks are called in the order in which they
/// were given to [`Fit::hook`](crate::Fit::hook).
///
/// A hook that remembers something tells it by [`Hook::state`]: it is saved with each checkpoint, and handed back by
/// [`Hook::load_state`] when the run is resumed.
pub trait Hook {
    /// The first step of the run, or of what is left of it, is about to begin.
    fn before_run(&mut self, _run: &RunView<'_>) -> Result<()> {
        Ok(())
    }

    /// Epoch `epoch`, from 1, is about to begin, or to go on where it was left.
    fn before_epoch(&mut self, _run: &RunView<'_>, _epoch: u64) -> Result<()> {
        Ok(())
    }

    /// Step `step`, from 1, is about to begin.
    fn before_step(&mut self, _run: &RunView<'_>, _step: u64) -> Result<()> {
        Ok(())
    }

    /// A step was made. What it found is still on the device: reading it there makes the step wait.
    fn after_step(&mut self, _run: &RunView<'_>, _step: &StepView<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// An epoch has ended and was measured.
    fn after_epoch(&mut self, _run: &RunView<'_>, _report: &EpochReport) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// The run has ended, finished or not; not called after an error.
    fn after_run(&mut self, _run: &RunView<'_>, _outcome: &Outcome) -> Result<()> {
        Ok(())
    }

    /// What it remembers.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Takes back what [`Hook::state`] told.
    fn load_state(&mut self, _state: &Value) -> Result<()> {
        Ok(())
    }
}

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// It does.
    Continue,
    /// It ends here, and counts as finished.
    Stop,
}

/// What a hook sees of its run.
#[derive(Clone, Copy)]
pub struct RunView<'a> {
    /// The settings.
    pub config: &'a Config,
    /// What is trained.
    pub model: &'a dyn Module,
    /// Its parameters.
    pub params: &'a Params,
    /// Where the run writes, if anywhere.
    pub folder: Option<&'a RunFolder>,
    /// Steps made.
    pub step: u64,
    /// Steps to make in all.
    pub steps: u64,
    /// The learning rate of `[optimizer]`, or of the last group where no weights are left to it, as the schedule has it
    /// now.
    pub lr: f64,
}

/// What a hook sees of a step that was made.
#[derive(Clone, Copy)]
pub struct StepView<'a> {
    /// The step, from 1.
    pub step: u64,
    /// The epoch, from 1.
    pub epoch: u64,
    /// The mean loss over its samples, before the step: a scalar on the device. 0, without any gradient, where none of
    /// them has a label; nothing was changed then.
    pub loss: &'a Tensor,
    /// The gradients that the weights were changed by.
    pub gradients: &'a Gradients,
}
