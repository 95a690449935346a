//! The hook: a moving average of the loss, kept over the whole run, however often the run is resumed.

use serde_json::{Value, json};
use taper_data::atomic_write;
use taper_train::{Error, Flow, Hook, Outcome, Result, RunView, StepView};

/// The file in the run's folder that it writes at the end.
pub const FILE: &str = "smoothed_loss.json";

/// Follows the loss of every step. It reads the loss from the device, which a hook for long runs would do less often.
#[derive(Debug, Default)]
pub struct SmoothedLoss {
    steps: u64,
    average: f64,
}

impl Hook for SmoothedLoss {
    fn after_step(&mut self, _run: &RunView<'_>, step: &StepView<'_>) -> Result<Flow> {
        self.steps += 1;
        // The first steps weigh as much as there are of them.
        let weight = (1.0 / self.steps as f64).max(0.05);
        self.average += weight * (step.loss.item()? - self.average);
        Ok(Flow::Continue)
    }

    fn after_run(&mut self, run: &RunView<'_>, _outcome: &Outcome) -> Result<()> {
        let Some(folder) = run.folder else { return Ok(()) };
        Ok(atomic_write(folder.path().join(FILE), self.state().to_string().as_bytes())?)
    }

    fn state(&self) -> Value {
        json!({ "steps": self.steps, "average": self.average })
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        let (steps, average) = (state["steps"].as_u64(), state["average"].as_f64());
        let (Some(steps), Some(average)) = (steps, average) else {
            return Err(Error::Usage(format!("smoothed loss: expected steps and an average, found {state}")));
        };
        *self = Self { steps, average };
        Ok(())
    }
}
