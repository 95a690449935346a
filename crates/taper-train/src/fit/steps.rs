//! The training loop: its epochs, and their steps.

use super::state::{State, Waiting, norms};
use super::{Fit, Outcome};
use crate::evaluate::nothing_counts;
use crate::hook::{Flow, StepView};
use crate::learner::Learned;
use crate::scalars::Scalars;
use crate::{EpochReport, Reporter, Result, Split};
use std::sync::atomic::Ordering;
use std::time::Instant;
use taper_data::Pipeline;
use taper_nn::taper_tensor::profile;
use taper_nn::{DType, Tensor};

impl Fit<'_> {
    pub(super) fn epochs(
        &mut self,
        loader: &mut Pipeline<'_>,
        state: &mut State,
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
            let ended = state.progress.epoch.number + 1;
            if state.progress.done || self.pause_after.is_some_and(|epochs| ended >= epochs) {
                self.save(state)?;
            } else {
                self.save_unless_recent(state)?;
            }
        }
        self.finish(state, reporter)
    }

    /// Makes the remaining steps of the current epoch, and evaluates. `None` when stopped.
    pub(super) fn epoch(
        &mut self,
        loader: &mut Pipeline<'_>,
        state: &mut State,
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
            if !self.measure_within(state, reporter)? {
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
            let minutes = state.saved.unwrap_or(state.started).elapsed().as_secs_f64() / 60.0;
            let by_time = checkpoint.every_minutes > 0.0 && minutes >= checkpoint.every_minutes;
            if (by_step || by_time) && !last {
                self.read(state, reporter)?;
                self.save(state)?;
            }
        }
        if let Some(gradients) = state.gradients.take() {
            state.logs.gradients(state.progress.step, self.params(), &gradients)?;
        }
        if state.progress.epoch.nothing_counted().is_some_and(|samples| samples >= self.train.len()) {
            return Err(nothing_counts("training", self.train.len()));
        }
        // Saved before the evaluation, which takes a while: if the run is killed meanwhile, nothing is lost.
        match (self.validation, state.progress.ending) {
            (None, _) => {}
            // A hook's stop is decided once: a run that is killed now is not trained on.
            (Some(_), true) => self.save(state)?,
            (Some(_), false) => self.save_unless_recent(state)?,
        }
        let validation = match self.validation {
            Some(data) => match self.measure(state, data, Split::Validation, reporter)? {
                Some((found, _)) => Some(found),
                None => return Ok(None),
            },
            None => None,
        };
        if validation.as_ref().is_some_and(|found| !found.loss().is_finite()) {
            return Err(self.not_finite("the validation loss", state.progress.step, state));
        }
        let epoch = &state.progress.epoch;
        let report = EpochReport {
            epoch: number + 1,
            epochs: epoch.of,
            steps: state.progress.step,
            train: epoch.train(&state.metrics),
            validation,
            lr: state.optimizer.lr(),
            samples_per_s: epoch.samples_per_s(),
            idle: epoch.idle,
            seconds: epoch.before + state.clock.elapsed().as_secs_f64(),
        };
        state.progress.times.training += epoch.seconds();
        state.progress.times.waiting += epoch.idle;
        self.epoch_ended(state, &report, reporter)
    }

    /// Measures on the validation split within an epoch, when it is time to. Done before the step that follows, so that a
    /// run that was ended meanwhile catches up on it. False when stopped.
    fn measure_within(&self, state: &mut State, reporter: &mut dyn Reporter) -> Result<bool> {
        let (every, step) = (self.config().train.measure_every, state.progress.step);
        let due = every > 0 && step.is_multiple_of(every) && state.progress.epoch.made > 0;
        let Some(data) = self.validation.filter(|_| due && state.progress.within != step) else { return Ok(true) };
        self.read(state, reporter)?;
        let Some((found, _)) = self.measure(state, data, Split::Validation, reporter)? else { return Ok(false) };
        state.logs.measured(step, &found)?;
        reporter.measured(step, &found);
        state.progress.within = step;
        state.since = Instant::now();
        Ok(true)
    }

    /// Reports an epoch that was evaluated, to logs, hooks and reporter.
    pub(super) fn epoch_ended(
        &mut self,
        state: &mut State,
        report: &EpochReport,
        reporter: &mut dyn Reporter,
    ) -> Result<Option<Flow>> {
        let regularization = &self.config().regularization;
        tracing::info!(train = ?report.train, validation = ?report.validation);
        if let Some(found) = &report.validation {
            state.optimizer.observe(found.loss());
        }
        if state.progress.ended(report, &state.monitored, regularization.min_delta) {
            self.keep_best(state)?;
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
            let best = state.progress.best.as_ref().map_or(0, |best| best.epoch);
            reporter.note(&format!(
                "stopping early: epoch {best} was the best, {} have passed without a better one",
                regularization.patience
            ));
            flow = Flow::Stop;
        }
        Ok(Some(flow))
    }

    /// Makes one step. Nothing is read from the device.
    pub(super) fn step(&mut self, loader: &mut Pipeline<'_>, state: &mut State) -> Result<Flow> {
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
        let next = |batch: &mut _| loader.next_into(batch);
        let learned = self.learner.learn(&state.metrics, [epoch, first, batches], &mut state.batch, next)?;
        let Learned { loss, sums, mut gradients, samples, counted } = learned;
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
        let found = Scalars::row([&loss, &taken].into_iter().chain(&sums).chain(&norms))?;
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
        state.waiting.push(Waiting { step, samples, counted, sums: sums.len(), found, lr, span });
        Ok(flow)
    }
}
