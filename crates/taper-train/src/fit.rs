//! The training loop.

mod epoch;
#[cfg(test)]
mod tests;

use self::epoch::Epoch;
use crate::evaluate::{correct, unsupported, upload};
use crate::kept::Kept;
use crate::scalars::Scalars;
use crate::{Config, EpochReport, Error, Evaluation, Metrics, Reporter, Result, RunFolder, Silent, Start, evaluate};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use taper_data::{Batch, BatchLoader, Dataset, LoaderOptions};
use taper_nn::taper_tensor::{Element, profile};
use taper_nn::{Adam, Context, CrossEntropy, DType, Module, Optimizer, Params, Tensor, weights};

/// Trains a classifier: cross entropy, Adam.
///
/// After every epoch the weights are saved and the model is measured.
///
/// A step reads nothing from the device. What it found stays there until `train.log_every` steps were made or the epoch
/// ends; only then is a loss or gradient that is not finite noticed. It stops the run and leaves the last good weights:
/// the newest put aside whose loss was finite. They are those of at most 20 steps before the bad one, or of `log_every`
/// where that is more; steps made after the bad one are forgotten.
pub struct Fit<'a, D> {
    /// The settings; `model`, `data` and `device` in it are not looked at.
    pub config: &'a Config,
    /// What is trained.
    pub model: &'a dyn Module,
    /// Its parameters, in f32 or f64.
    pub params: &'a Params,
    /// What is learned from.
    pub train: &'a D,
    /// What is measured on.
    pub test: &'a D,
    /// Where metrics and weights go, if anywhere.
    pub folder: Option<&'a RunFolder>,
    /// Raised from elsewhere (a signal, another thread) to end the run after the step at hand.
    pub stop: &'a AtomicBool,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Steps made.
    pub steps: u64,
    /// The last epoch that was measured.
    pub last: Option<EpochReport>,
    /// Whether it was stopped from outside.
    pub stopped: bool,
}

/// A run under way.
struct State<T> {
    optimizer: Adam,
    metrics: Option<Metrics>,
    batch: Batch<T>,
    /// Steps made.
    step: u64,
    /// Steps to make.
    steps: u64,
    epoch: Epoch,
    /// The steps made since the last reading.
    waiting: Vec<Waiting>,
    /// When the last reading ended.
    since: Instant,
    kept: Kept,
}

/// A step whose results are still on the device.
struct Waiting {
    /// From 1, of the whole run.
    step: u64,
    samples: usize,
    /// The loss; how many samples were classified rightly; whether the optimiser took the step.
    found: Scalars<3>,
    span: tracing::Span,
}

impl<D: Dataset> Fit<'_, D> {
    /// Trains to the end, or until stopped.
    ///
    /// # Errors
    /// A value out of range, data that do not fit the model, a loss that becomes NaN, a disk that is full. In each case
    /// the weights are saved first where that is possible.
    pub fn run(&self, reporter: &mut dyn Reporter) -> Result<Outcome> {
        self.config.check()?;
        match self.params.dtype() {
            DType::F32 => self.run_as::<f32>(reporter),
            DType::F64 => self.run_as::<f64>(reporter),
            other => Err(unsupported(other)),
        }
    }

    fn run_as<T: Element>(&self, reporter: &mut dyn Reporter) -> Result<Outcome> {
        let train = &self.config.train;
        let options = LoaderOptions {
            batch_size: train.batch_size,
            shuffle: train.shuffle.then_some(train.seed),
            drop_last: false,
        };
        let mut loader = BatchLoader::new(self.train, options)?;
        let (per_epoch, limit) = (loader.len() as u64, if train.max_steps == 0 { u64::MAX } else { train.max_steps });
        let steps = train.epochs.saturating_mul(per_epoch).min(limit);
        let mut state = State::<T> {
            optimizer: Adam::new(self.params.trainable(), self.config.adam())?,
            metrics: self.folder.map(|folder| Metrics::create(folder.metrics())).transpose()?,
            batch: Batch::default(),
            step: 0,
            steps,
            epoch: Epoch::default(),
            waiting: Vec::new(),
            since: Instant::now(),
            kept: Kept::new(self.params)?,
        };
        let _span = tracing::info_span!("run", steps).entered();
        reporter.start(&Start {
            folder: self.folder.map(RunFolder::path),
            parameters: self.params.count(),
            train: self.train.len(),
            test: self.test.len(),
            epochs: steps.div_ceil(per_epoch),
            steps,
        });
        match self.epochs(&mut loader, &mut state, reporter) {
            // Not NaN but the disk, say: what was learned so far is kept if it can be. The first error is the one to tell.
            Err(error) if !matches!(error, Error::NotFinite { .. }) => {
                // A step that nobody has read may have been bad: then this puts the last good weights back.
                let _ = self.read(&mut state, &mut Silent);
                let _ = self.save();
                Err(error)
            }
            result => result,
        }
    }

    fn epochs<T: Element>(
        &self,
        loader: &mut BatchLoader<&D>,
        state: &mut State<T>,
        reporter: &mut dyn Reporter,
    ) -> Result<Outcome> {
        let per_epoch = loader.len() as u64;
        let epochs = state.steps.div_ceil(per_epoch);
        let mut last = None;
        for epoch in 0..epochs {
            let _span = tracing::info_span!("epoch", epoch = epoch + 1).entered();
            let start = Instant::now();
            loader.start_epoch(epoch);
            let steps = per_epoch.min(state.steps - state.step);
            state.epoch = Epoch::new(epoch, epochs, steps);
            state.since = start;
            while state.epoch.made < steps {
                if self.stop.load(Ordering::Relaxed) {
                    self.read(state, reporter)?;
                    return self.stopped(state, last);
                }
                self.step(loader, state)?;
                if state.step.is_multiple_of(self.config.train.log_every) || state.epoch.made == steps {
                    self.read(state, reporter)?;
                }
            }
            // Before measuring, which takes a while: a kill meanwhile loses nothing.
            self.save()?;
            let Some(test) = self.measure(reporter)? else { return self.stopped(state, last) };
            if !test.loss.is_finite() {
                return Err(self.not_finite("the test loss", state.step, &state.kept));
            }
            let report = EpochReport {
                epoch: epoch + 1,
                epochs,
                steps: state.step,
                train_loss: state.epoch.mean_loss(),
                test,
                images_per_s: state.epoch.images_per_s(),
                seconds: start.elapsed().as_secs_f64(),
            };
            tracing::info!(train_loss = report.train_loss, test_loss = test.loss, test_accuracy = test.accuracy());
            if let Some(metrics) = &mut state.metrics {
                metrics.epoch(&report)?;
            }
            reporter.epoch(&report);
            last = Some(report);
        }
        Ok(Outcome { steps: state.step, last, stopped: false })
    }

    /// One step. Nothing is read from the device.
    fn step<T: Element>(&self, loader: &mut BatchLoader<&D>, state: &mut State<T>) -> Result<()> {
        let step = state.step + 1;
        let _profiled = profile::step(step);
        let span = tracing::info_span!("step", step);
        let entered = span.enter();
        loader.next_into(&mut state.batch);
        let samples = state.batch.labels.len();
        let (x, classes) = upload(&mut state.batch, self.params)?;
        let context = Context::train(self.config.train.seed, state.epoch.number, state.epoch.made);
        let logits = self.model.forward(&x, &context)?; // [B, classes]
        let loss = CrossEntropy::default().forward(&logits, &classes)?;
        let gradients = loss.backward()?;
        state.kept.offer(state.step, self.params);
        let outcome = state.optimizer.step(&gradients)?;
        let taken = match outcome.flag() {
            Some(flag) => flag.clone(),
            None => Tensor::ones([1], DType::U8, self.params.device())?,
        };
        let found = Scalars::new([&loss, &correct(&logits, &classes)?, &taken])?;
        (state.step, state.epoch.made) = (step, state.epoch.made + 1);
        drop(entered);
        state.waiting.push(Waiting { step, samples, found, span });
        Ok(())
    }

    /// Reads what the steps since the last reading have left on the device, and tells of each in order, up to the first
    /// that was not finite.
    fn read<T>(&self, state: &mut State<T>, reporter: &mut dyn Reporter) -> Result<()> {
        let waiting = std::mem::take(&mut state.waiting);
        let found = Scalars::read(waiting.iter().map(|step| &step.found))?;
        // The device has made all these steps by now; before, the host's clock knew nothing of it.
        let time = state.since.elapsed().as_secs_f64() / waiting.iter().map(|step| step.samples).sum::<usize>() as f64;
        let mut failure = None;
        for (i, (step, &[loss, _, taken])) in waiting.iter().zip(&found).enumerate() {
            step.span.in_scope(|| tracing::debug!(loss));
            if loss.is_finite() {
                state.kept.confirm(step.step - 1);
            }
            let what = match (loss.is_finite(), taken != 0.0) {
                (true, true) => continue,
                (true, false) => "a gradient",
                (false, _) => "the loss",
            };
            if loss.is_finite() && found[i..].iter().all(|[.., taken]| *taken == 0.0) {
                // The weights are as they were before this step, and their loss was finite.
                state.kept.confirm_now(step.step - 1, self.params);
            }
            failure = Some((i, self.not_finite(what, step.step, &state.kept)));
            break;
        }
        let good = failure.as_ref().map_or(waiting.len(), |(i, _)| *i);
        for (step, &[loss, correct, _]) in waiting.iter().zip(&found).take(good) {
            state.epoch.add(step.samples, loss, correct as usize, time * step.samples as f64);
            if let Some(metrics) = &mut state.metrics
                && step.step.is_multiple_of(self.config.train.log_every)
            {
                metrics.step(step.step, loss)?;
            }
            reporter.step(&state.epoch.report(step.step, state.steps, state.step, loss));
        }
        state.since = Instant::now();
        failure.map_or(Ok(()), |(_, error)| Err(error))
    }

    fn measure(&self, reporter: &mut dyn Reporter) -> Result<Option<Evaluation>> {
        let _span = tracing::info_span!("evaluate").entered();
        evaluate(self.model, self.params, self.test, self.config.train.eval_batch_size, self.stop, reporter)
    }

    fn save(&self) -> Result<()> {
        match self.folder {
            Some(folder) => Ok(weights::save(&self.params.all(), folder.model())?),
            None => Ok(()),
        }
    }

    fn stopped<T>(&self, state: &State<T>, last: Option<EpochReport>) -> Result<Outcome> {
        self.save()?;
        Ok(Outcome { steps: state.step, last, stopped: true })
    }

    /// Puts the last good weights back, saves them, and says what happened at `step`.
    fn not_finite(&self, what: &'static str, step: u64, kept: &Kept) -> Error {
        match kept.restore(self.params).map_err(Error::from).and_then(|kept| self.save().map(|()| kept)) {
            Ok(kept) => Error::NotFinite { what, step, kept, saved: self.folder.map(RunFolder::model) },
            Err(error) => error,
        }
    }
}
