//! Hooks: callbacks before and after the run, each epoch and each step, which may also end the run.

use crate::{Config, EpochReport, Outcome, Result, RunFolder, Task};
use serde_json::Value;
use taper_nn::{Gradients, Params, Tensor};

/// A callback object of a run. Every method has a default that does nothing; hooks are called in the order in which
/// they were given to [`Fit::hook`](crate::Fit::hook).
///
/// A hook with a state returns it from [`Hook::state`]: the state is saved with each checkpoint, and passed to
/// [`Hook::load_state`] when the run is resumed.
pub trait Hook {
    /// Called before the first step of the run, or of its rest when it is resumed.
    fn before_run(&mut self, _run: &RunView<'_>) -> Result<()> {
        Ok(())
    }

    /// Called before epoch `epoch` (from 1) begins, or goes on when the run is resumed.
    fn before_epoch(&mut self, _run: &RunView<'_>, _epoch: u64) -> Result<()> {
        Ok(())
    }

    /// Called before step `step` (from 1).
    fn before_step(&mut self, _run: &RunView<'_>, _step: u64) -> Result<()> {
        Ok(())
    }

    /// Called after each step. The step's results are still on the device: reading them makes the host wait for the
    /// step.
    fn after_step(&mut self, _run: &RunView<'_>, _step: &StepView<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// Called after each epoch, when it was evaluated.
    fn after_epoch(&mut self, _run: &RunView<'_>, _report: &EpochReport) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// Called when the run has ended, finished or not; not after an error.
    fn after_run(&mut self, _run: &RunView<'_>, _outcome: &Outcome) -> Result<()> {
        Ok(())
    }

    /// The hook's state, to be saved in a checkpoint.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Restores what [`Hook::state`] returned.
    fn load_state(&mut self, _state: &Value) -> Result<()> {
        Ok(())
    }
}

/// Whether the run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// The run goes on.
    Continue,
    /// The run ends here, and counts as finished.
    Stop,
}

/// The run, as hooks see it.
#[derive(Clone, Copy)]
pub struct RunView<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The task that is learned.
    pub task: &'a dyn Task,
    /// The parameters of the task's model.
    pub params: &'a Params,
    /// The run's folder, if it has one.
    pub folder: Option<&'a RunFolder>,
    /// Steps made.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// The current learning rate, by the schedule: that of `[optimizer]`, or of the last group if all parameters are in
    /// groups.
    pub lr: f64,
}

/// A step that was made, as hooks see it.
#[derive(Clone, Copy)]
pub struct StepView<'a> {
    /// The step, from 1.
    pub step: u64,
    /// The epoch, from 1.
    pub epoch: u64,
    /// The mean loss of the step's batches before its update, a scalar on the device. If none of their samples counts it
    /// is 0, there are no gradients, and the weights did not change.
    pub loss: &'a Tensor,
    /// The gradients that the optimiser was given, after clipping.
    pub gradients: &'a Gradients,
}
