//! The training loop: its epochs, and their steps.

use super::state::{State, Waiting, norms};
use super::{Fit, Outcome};
use crate::config::Monitored;
use crate::hook::{Flow, StepView};
use crate::learner::Learned;
use crate::scalars::Scalars;
use crate::{EpochReport, Reporter, Result, Split, Views};
use std::sync::atomic::Ordering;
use std::time::Instant;
use taper_data::{Dataset, Pipeline};
use taper_nn::taper_tensor::{Element, profile};
use taper_nn::{DType, Tensor};

impl<D: Dataset + Sync> Fit<'_, D> {
    pub(super) fn epochs<T: Element>(
        &mut self,
        loader: &mut Pipeline<'_, T>,
        state: &mut State<T>,
        reporter: &mut dyn Reporter,
    ) -> Result<Outcome> {
        while !state.progress.done {
            // Checked before the first epoch too: a run may be killed at its pause and resumed with the same pause.
            let ended = state.progress.epoch.number + u64::from(state.progress.measured);
            if self.pause_after.is_some_and(|epochs| ended >= epochs) {
                return Ok(Outcome { paused: true, ..self.outcome(state) });
            }
            state.next_epoch();
            match self.epoch(loader, state, reporter)? {
                None => return self.stopped(state),
                Some(Flow::Stop) => state.progress.done = true,
                Some(Flow::Continue) => state.progress.done = state.progress.step >= state.steps,
            }
            self.save(state)?;
        }
        self.finish(state, reporter)
    }

    /// Makes the remaining steps of the current epoch, and evaluates. `None` when stopped.
    pub(super) fn epoch<T: Element>(
        &mut self,
        loader: &mut Pipeline<'_, T>,
        state: &mut State<T>,
        reporter: &mut dyn Reporter,
    ) -> Result<Option<Flow>> {
        let (number, steps) = (state.progress.epoch.number, state.progress.epoch.steps);
        let _span = tracing::info_span!("epoch", epoch = number + 1).entered();
        let start = Instant::now();
        let accumulate = self.config().train.accumulate;
        // The last step of an epoch may have had fewer batches than the others.
        let position = usize::try_from(state.progress.epoch.made.saturating_mul(accumulate)).unwrap_or(usize::MAX);
        loader.start_epoch(number, position.min(loader.len()))?;
        state.since = start;
        state.idle_before = state.progress.epoch.idle;
        let view = self.view(state);
        self.hooks.iter_mut().try_for_each(|hook| hook.before_epoch(&view, number + 1))?;
        while state.progress.epoch.made < steps && !state.progress.ending {
            if self.stop.load(Ordering::Relaxed) {
                self.read(state, reporter)?;
                return Ok(None);
            }
            let flow = self.step(loader, state)?;
            state.progress.epoch.idle = state.idle_before + loader.idle().as_secs_f64();
            let step = state.progress.step;
            let last = state.progress.epoch.made == steps || flow == Flow::Stop;
            if step.is_multiple_of(self.config().train.log_every) || last {
                self.read(state, reporter)?;
            }
            if flow == Flow::Stop {
                state.progress.ending = true;
                break;
            }
            let checkpoint = &self.config().checkpoint;
            let by_step = checkpoint.every_steps > 0 && step.is_multiple_of(checkpoint.every_steps);
            let minutes = state.saved.elapsed().as_secs_f64() / 60.0;
            let by_time = checkpoint.every_minutes > 0.0 && minutes >= checkpoint.every_minutes;
            if (by_step || by_time) && !last {
                self.read(state, reporter)?;
                self.save(state)?;
            }
        }
        if let Some(gradients) = state.gradients.take() {
            state.logs.gradients(state.progress.step, self.params(), &gradients)?;
        }
        // Saved before the evaluation, which takes a while: if the run is killed meanwhile, nothing is lost.
        if self.validation.is_some() {
            self.save(state)?;
        }
        let validation = match self.validation {
            Some(data) => match self.measure(state, data, Split::Validation, Views::One, reporter)? {
                Some((found, _)) => Some(found),
                None => return Ok(None),
            },
            None => None,
        };
        if validation.is_some_and(|found| !found.loss.is_finite()) {
            return Err(self.not_finite("the validation loss", state.progress.step, state));
        }
        let epoch = &state.progress.epoch;
        let report = EpochReport {
            epoch: number + 1,
            epochs: epoch.of,
            steps: state.progress.step,
            train_loss: epoch.mean_loss(),
            train_accuracy: epoch.accuracy(),
            validation,
            lr: state.optimizer.lr(),
            images_per_s: epoch.images_per_s(),
            idle: epoch.idle,
            seconds: epoch.before + state.clock.elapsed().as_secs_f64(),
        };
        state.progress.times.training += epoch.seconds();
        state.progress.times.waiting += epoch.idle;
        self.epoch_ended(state, &report, reporter)
    }

    /// Reports an epoch that was evaluated, to logs, hooks and reporter.
    pub(super) fn epoch_ended<T: Element>(
        &mut self,
        state: &mut State<T>,
        report: &EpochReport,
        reporter: &mut dyn Reporter,
    ) -> Result<Option<Flow>> {
        let (validation, regularization) = (report.validation, &self.config().regularization);
        if let Some(found) = validation {
            tracing::info!(train_loss = report.train_loss, loss = found.loss, accuracy = found.accuracy());
            state.optimizer.observe(found.loss);
        } else {
            tracing::info!(train_loss = report.train_loss);
        }
        let monitor = match self.learner.objective {
            Some(_) => Monitored::Loss, // nothing is counted as right
            None => self.config().checkpoint.monitor,
        };
        if state.progress.ended(*report, monitor, regularization.min_delta) {
            self.save_best(state)?;
        }
        state.logs.epoch(report, self.params(), &state.monitor)?;
        reporter.epoch(report);
        let view = self.view(state);
        let mut flow = if state.progress.ending { Flow::Stop } else { Flow::Continue };
        for hook in &mut self.hooks {
            if hook.after_epoch(&view, report)? == Flow::Stop {
                flow = Flow::Stop;
            }
        }
        if regularization.patience > 0 && state.progress.stale() >= regularization.patience {
            let best = state.progress.best.map_or(0, |best| best.epoch);
            reporter.note(&format!(
                "stopping early: epoch {best} was the best, {} have passed without a better one",
                regularization.patience
            ));
            flow = Flow::Stop;
        }
        Ok(Some(flow))
    }

    /// Makes one step. Nothing is read from the device.
    pub(super) fn step<T: Element>(&mut self, loader: &mut Pipeline<'_, T>, state: &mut State<T>) -> Result<Flow> {
        let step = state.progress.step + 1;
        let _profiled = profile::step(step);
        let span = tracing::info_span!("step", step);
        let entered = span.enter();
        let epoch = state.progress.epoch.number;
        state.optimizer.prepare(step - 1)?;
        let view = self.view(state);
        self.hooks.iter_mut().try_for_each(|hook| hook.before_step(&view, step))?;
        let batches = self.config().train.accumulate;
        let first = state.progress.epoch.made * batches;
        let learned = self.learner.learn([epoch, first, batches], &mut state.batch, |batch| loader.next_into(batch))?;
        let Learned { loss, correct, mut gradients, samples, counted } = learned;
        // Norms are computed in the first step too, although they are not reported, so that a run allocates all its
        // memory at its start. And in the last step before each reading, which may have to name the gradient that is
        // not finite.
        let ends = state.progress.epoch.made + 1 == state.progress.epoch.steps;
        let looked_at = step.is_multiple_of(self.config().train.log_every) || ends || step == state.begun + 1;
        let watched = looked_at && self.config().log.gradients && counted > 0;
        // The norms before clipping: exploding gradients could not be seen after it.
        let unclipped = if watched { state.watched(&gradients, self.params()) } else { Vec::new() };
        self.learner.clip(&mut gradients)?;
        state.last_good.offer(state.progress.step, self.params());
        let flag = if counted > 0 {
            let outcome = state.optimizer.step(&gradients)?;
            state.ema_step(&outcome)?;
            outcome.flag().cloned()
        } else {
            None // nothing was learned: neither the optimiser nor the average moves
        };
        let taken = flag.map_or_else(|| Tensor::ones([1], DType::U8, self.params().device()), Ok)?;
        // After the optimiser, once the first step has allocated all its memory: the norms reuse what is free, in every
        // step.
        let norms = norms(unclipped, self.params())?;
        let found = Scalars::row([&loss, &correct, &taken].into_iter().chain(&norms))?;
        let lr = state.optimizer.lr();
        state.progress.step = step;
        state.progress.epoch.made += 1;
        let view = self.view(state);
        let seen = StepView { step, epoch: epoch + 1, loss: &loss, gradients: &gradients };
        let mut flow = Flow::Continue;
        for hook in &mut self.hooks {
            if hook.after_step(&view, &seen)? == Flow::Stop {
                flow = Flow::Stop;
            }
        }
        let last = state.progress.epoch.made == state.progress.epoch.steps || flow == Flow::Stop;
        if last && counted > 0 && state.logs.draws() {
            state.gradients = Some(gradients);
        }
        drop(entered);
        state.waiting.push(Waiting { step, samples, counted, found, lr, span });
        Ok(flow)
    }
}
