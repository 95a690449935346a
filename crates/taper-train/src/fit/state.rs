//! The state of a run in memory.

use super::{Epoch, Progress};
use crate::checkpoint::{Checkpoint, Metadata, VERSION, named};
use crate::hook::Hook;
use crate::kept::LastGoodWeights;
use crate::learner::Learner;
use crate::logs::Logs;
use crate::monitor::Monitor;
use crate::optimize::RunOptimizer;
use crate::{Config, Error, Metric, Result, RunFolder, Task, resumed};
use std::collections::BTreeMap;
use std::time::Instant;
use taper_config::unknown;
use taper_data::Batch;
use taper_nn::{DType, Ema, Gradients, OptimizerState, Params, StepOutcome, Tensor, no_grad};

/// The state of a run in memory.
pub(super) struct State {
    pub(super) progress: Progress,
    pub(super) optimizer: RunOptimizer,
    pub(super) ema: Option<Ema>,
    pub(super) monitor: Monitor,
    pub(super) logs: Logs,
    pub(super) last_good: LastGoodWeights,
    pub(super) batch: Batch,
    /// The metrics of the task, and the one that selects the best epoch.
    pub(super) metrics: Vec<Metric>,
    pub(super) monitored: Metric,
    /// Steps made before this process began or resumed the run.
    pub(super) begun: u64,
    /// Steps of the whole run.
    pub(super) steps: u64,
    per_epoch: u64,
    /// The configuration as TOML.
    settings: String,
    /// The steps made since the last reading.
    pub(super) waiting: Vec<Waiting>,
    /// When the last reading ended.
    pub(super) since: Instant,
    /// When the epoch began, or its time was last added to its totals.
    pub(super) clock: Instant,
    /// When a checkpoint was last saved, if one was.
    pub(super) saved: Option<Instant>,
    /// When this process began or resumed the run.
    pub(super) started: Instant,
    /// The epoch's seconds of waiting for batches, from before it was resumed.
    pub(super) idle_before: f64,
    /// The best weights so far: for early stopping, and until they are written to the folder.
    pub(super) best: Vec<Tensor>,
    /// Whether they are in the folder.
    pub(super) best_written: bool,
    /// The gradients of the epoch's last step, for TensorBoard's histograms.
    pub(super) gradients: Option<Gradients>,
}

/// A step whose results are still on the device.
pub(super) struct Waiting {
    /// The step, counted from 1 over the whole run.
    pub(super) step: u64,
    pub(super) samples: usize,
    /// The samples that count. If there are none, the weights stay as they are and there are no results.
    pub(super) counted: usize,
    /// The number of sums among the results.
    pub(super) sums: usize,
    /// The loss, whether the optimiser took the step, the count of the loss, sum and count of each other metric, and the
    /// norms of the gradients if they were computed.
    pub(super) found: Tensor,
    /// The learning rate of the step.
    pub(super) lr: f64,
    pub(super) span: tracing::Span,
}

impl State {
    /// The state at the start of a run, or that of the checkpoint `from`.
    pub(super) fn new(
        learner: &Learner<'_>,
        folder: Option<&RunFolder>,
        [steps, per_epoch]: [u64; 2],
        from: Option<Checkpoint>,
        hooks: &mut [&mut dyn Hook],
        told: &mut dyn FnMut(&str),
    ) -> Result<Self> {
        let Learner { config, params, task } = *learner;
        let metrics = task.metrics();
        let monitored = monitored(config, task, &metrics)?;
        let mut run_optimizer = RunOptimizer::new(config, params, steps, per_epoch)?;
        let trainable = params.trainable();
        let mut monitor = Monitor::new(trainable.iter().map(|param| param.name().to_owned()).collect());
        let mut progress = Progress::default();
        let mut lengths = BTreeMap::new();
        let averaged = config.train.ema > 0.0;
        let mut ema = None;
        if let Some(from) = from {
            from.restore_model(&params.all())?;
            let Checkpoint { metadata, optimizer, ema: average, .. } = from;
            let [all, each] = metadata.steps;
            // A run resumed with more epochs has more steps.
            if each != per_epoch || all > steps {
                return Err(Error::Usage(format!(
                    "the checkpoint is of a run of {all} steps, {each} an epoch, and this one has {steps}, {per_epoch} \
                     an epoch: resume with the configuration and the data that it began with"
                )));
            }
            let state = OptimizerState { tensors: optimizer };
            run_optimizer.load_state(&state, &metadata.schedules)?;
            if let Some(last) = metadata.progress.step.checked_sub(1) {
                // An epoch that still has to be evaluated reports the rate of its last step.
                run_optimizer.prepare(last)?;
            }
            if averaged {
                let mut restored = Ema::new(trainable, config.train.ema)?;
                restored.load_state(&OptimizerState { tensors: average })?;
                ema = Some(restored);
            }
            if metadata.hooks.len() != hooks.len() {
                let (was, is) = (metadata.hooks.len(), hooks.len());
                return Err(Error::Usage(format!("the checkpoint was saved with {was} hooks, the run now has {is}")));
            }
            hooks.iter_mut().zip(&metadata.hooks).try_for_each(|(hook, state)| hook.load_state(state))?;
            (progress, monitor, lengths) = (metadata.progress, metadata.monitor, metadata.lengths);
            if all < steps {
                if progress.step > 0 {
                    let base = run_optimizer.base_lr();
                    let rate = |steps| -> Result<f64> {
                        Ok(config.schedule.build(steps, per_epoch)?.factor(progress.step) * base)
                    };
                    let note = resumed::stretched(config, [all, steps], [rate(all)?, rate(steps)?]);
                    note.iter().for_each(|note| told(note));
                }
                // The last step of the shorter run is not the last any more. If early stopping or a hook ended the run,
                // it stays ended.
                progress.done &= progress.step < all;
                progress.epoch.of = steps.div_ceil(per_epoch);
            }
        } else if averaged {
            ema = Some(Ema::new(trainable, config.train.ema)?);
        }
        let (now, step) = (Instant::now(), progress.step);
        Ok(Self {
            begun: progress.step,
            progress,
            optimizer: run_optimizer,
            ema,
            monitor,
            logs: Logs::open(folder, config, &lengths, step, told)?,
            last_good: LastGoodWeights::new(step, params, config.train.keep)?,
            batch: Batch::default(),
            metrics,
            monitored,
            steps,
            per_epoch,
            settings: toml::to_string(config).map_err(unwritten)?,
            waiting: Vec::new(),
            since: now,
            clock: now,
            saved: None,
            started: now,
            idle_before: 0.0,
            best: Vec::new(),
            best_written: false,
            gradients: None,
        })
    }

    /// Begins the next epoch, unless one is in progress.
    pub(super) fn next_epoch(&mut self) {
        self.clock = Instant::now();
        let begun = self.progress.epoch.steps > 0;
        if begun && !self.progress.measured {
            return;
        }
        let number = if begun { self.progress.epoch.number + 1 } else { 0 };
        let steps = self.per_epoch.min(self.steps - self.progress.step);
        self.progress.epoch = Epoch::new(number, self.steps.div_ceil(self.per_epoch), steps, self.metrics.len());
        self.progress.measured = false;
    }

    /// Updates the averaged weights (EMA) after a step, if the optimiser took the step.
    pub(super) fn ema_step(&mut self, outcome: &StepOutcome) -> Result<()> {
        Ok(self.ema.as_mut().map_or(Ok(()), |ema| ema.update_where(outcome.flag()))?)
    }

    /// Runs `act` with the averaged weights (EMA) in the place of the model's, if there are any.
    pub(super) fn averaged<R>(&mut self, act: impl FnOnce() -> Result<R>) -> Result<R> {
        let Some(ema) = &mut self.ema else { return act() };
        ema.swap()?;
        let done = act();
        ema.swap()?;
        done
    }

    /// The gradients of the monitored parameters; `None` for a parameter without one.
    pub(super) fn watched(&self, gradients: &Gradients, params: &Params) -> Vec<Option<Tensor>> {
        let all = params.all();
        let of = |name: &String| gradients.of_param(all.iter().find(|param| param.name() == name)?).cloned();
        self.monitor.names().iter().map(of).collect()
    }

    /// The checkpoint of this state.
    pub(super) fn checkpoint(&mut self, params: &Params, hooks: &[&mut dyn Hook]) -> Result<Checkpoint> {
        let (optimizer, schedules) = self.optimizer.state();
        let average = self.ema.as_ref().map(Ema::state).unwrap_or_default();
        Ok(Checkpoint {
            metadata: Metadata {
                version: VERSION,
                settings: self.settings.clone(),
                steps: [self.steps, self.per_epoch],
                progress: self.progress.clone(),
                schedules,
                monitor: self.monitor.clone(),
                hooks: hooks.iter().map(|hook| hook.state()).collect(),
                lengths: self.logs.lengths()?,
            },
            model: named(&params.all()),
            optimizer: optimizer.tensors,
            ema: average.tensors,
        })
    }
}

/// The metric that selects the best epoch.
fn monitored(config: &Config, task: &dyn Task, metrics: &[Metric]) -> Result<Metric> {
    let asked = &config.checkpoint.monitor;
    let name = if asked.is_empty() { task.monitor() } else { asked };
    metrics.iter().find(|metric| metric.name == name).cloned().ok_or_else(|| {
        let known: Vec<&str> = metrics.iter().map(|metric| &*metric.name).collect();
        Error::Usage(format!("checkpoint.monitor: {}", unknown("metric", name, &known)))
    })
}

fn unwritten(error: toml::ser::Error) -> Error {
    Error::Usage(format!("the configuration cannot be written as TOML: {error}"))
}

/// The norm of each gradient, a scalar on the device; −1 for a parameter without one.
pub(super) fn norms(gradients: Vec<Option<Tensor>>, params: &Params) -> Result<Vec<Tensor>> {
    let norm = |gradient: Option<Tensor>| match gradient {
        Some(gradient) => gradient.norm_all(),
        None => Tensor::full(-1.0, [], DType::F64, params.device()),
    };
    no_grad(|| Ok(gradients.into_iter().map(norm).collect::<taper_nn::Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::{DType, RandomKey};

    #[test]
    fn gradients_whose_squares_f32_does_not_hold_have_norms() {
        let device = taper_nn::Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let of = |value: f32| Some(Tensor::from_vec(vec![value; 4], [4], &device).unwrap());
        let found = norms(vec![of(2e19), of(1e-25), of(3e38), None], &params).unwrap();
        let found: Vec<f64> = found.iter().map(|norm| norm.item().unwrap()).collect();
        assert_eq!(found, [2.0 * f64::from(2e19f32), 2.0 * f64::from(1e-25f32), 2.0 * f64::from(3e38f32), -1.0]);
    }
}
