//! The training loop.

use crate::evaluate::{correct, unsupported, upload};
use crate::{
    Config, EpochReport, Error, Evaluation, Metrics, Reporter, Result, RunFolder, Start, StepReport, evaluate,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use taper_data::{Batch, BatchLoader, Dataset, LoaderOptions};
use taper_nn::taper_tensor::Element;
use taper_nn::{Adam, Context, CrossEntropy, DType, Module, Optimizer, Params, StepOutcome, Tensor, weights};

/// Weights are put aside every so many steps, for a loss that becomes NaN: seldom enough to cost nothing.
const KEEP_EVERY: u64 = 20;

/// Trains a classifier: cross entropy, Adam.
///
/// After every epoch the weights are saved and the model is measured. A loss or gradient that is not finite stops the
/// run and leaves the last good weights: the newest, at most 20 steps old, whose loss was finite.
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
    /// Weights whose loss was finite, and for how many steps they had been trained.
    good: (u64, Vec<Tensor>),
}

/// What an epoch adds up.
#[derive(Default)]
struct Totals {
    steps: u64,
    samples: usize,
    loss: f64,
    correct: usize,
    time: Duration,
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
            good: (0, Vec::new()),
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
            let mut totals = Totals::default();
            let in_epoch = per_epoch.min(state.steps - state.step);
            while totals.steps < in_epoch {
                if self.stop.load(Ordering::Relaxed) {
                    return self.stopped(state, last);
                }
                let loss = self.step(epoch, loader, state, &mut totals)?;
                reporter.step(&StepReport {
                    epoch: epoch + 1,
                    epochs,
                    step: state.step,
                    steps: state.steps,
                    step_in_epoch: totals.steps,
                    steps_in_epoch: in_epoch,
                    loss,
                    mean_loss: totals.loss / totals.samples as f64,
                    accuracy: totals.correct as f64 / totals.samples as f64,
                    images_per_s: totals.images_per_s(),
                });
            }
            // Before measuring, which takes a while: a kill meanwhile loses nothing.
            self.save()?;
            let Some(test) = self.measure(reporter)? else { return self.stopped(state, last) };
            if !test.loss.is_finite() {
                return Err(self.not_finite("the test loss", state));
            }
            let report = EpochReport {
                epoch: epoch + 1,
                epochs,
                steps: state.step,
                train_loss: totals.loss / totals.samples as f64,
                test,
                images_per_s: totals.images_per_s(),
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

    /// One step; returns its loss, which is finite.
    fn step<T: Element>(
        &self,
        epoch: u64,
        loader: &mut BatchLoader<&D>,
        state: &mut State<T>,
        totals: &mut Totals,
    ) -> Result<f64> {
        let step = state.step + 1;
        let _span = tracing::info_span!("step", step).entered();
        let start = Instant::now();
        loader.next_into(&mut state.batch);
        let (x, classes) = upload(&mut state.batch, self.params)?;
        let context = Context::train(self.config.train.seed, epoch, totals.steps);
        let logits = self.model.forward(&x, &context)?; // [B, classes]
        let loss = CrossEntropy::default().forward(&logits, &classes)?;
        let value = loss.item()?;
        tracing::debug!(loss = value);
        if !value.is_finite() {
            state.step = step;
            return Err(self.not_finite("the loss", state));
        }
        if state.step.is_multiple_of(KEEP_EVERY) {
            // Shared, not copied: the optimiser finds them shared and writes elsewhere, this once.
            state.good = (state.step, self.params.all().iter().map(|param| param.tensor().detach()).collect());
        }
        let outcome = state.optimizer.step(&loss.backward()?)?;
        state.step = step;
        if outcome == StepOutcome::Skipped {
            // The weights are as they were, and their loss was finite.
            state.good = (step - 1, self.params.all().iter().map(|param| param.tensor().detach()).collect());
            return Err(self.not_finite("a gradient", state));
        }
        totals.steps += 1;
        totals.samples += state.batch.labels.len();
        totals.loss += value * state.batch.labels.len() as f64;
        totals.correct += correct(&logits, &state.batch.labels)?;
        totals.time += start.elapsed();
        if let Some(metrics) = &mut state.metrics
            && step.is_multiple_of(self.config.train.log_every)
        {
            metrics.step(step, value)?;
        }
        Ok(value)
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

    /// Puts the last good weights back, saves them, and says what happened.
    fn not_finite<T>(&self, what: &'static str, state: &State<T>) -> Error {
        let (kept, good) = &state.good;
        let restored = self.params.all().iter().zip(good).try_for_each(|(param, value)| param.set(value));
        match restored.map_err(Error::from).and_then(|()| self.save()) {
            Ok(()) => {
                Error::NotFinite { what, step: state.step, kept: *kept, saved: self.folder.map(RunFolder::model) }
            }
            Err(error) => error,
        }
    }
}

impl Totals {
    fn images_per_s(&self) -> f64 {
        // A clock too coarse to see any time pass must not make an infinity.
        self.samples as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Silent, experiment};
    use taper_data::{Splits, digits};
    use taper_models::{InputSpec, build};
    use taper_nn::{Device, RandomKey};

    /// Trains the digits' model with the configuration changed, and hands over what came out and the weights.
    fn fit(
        change: impl FnOnce(&mut Config),
        reporter: &mut dyn Reporter,
        stop: &AtomicBool,
    ) -> (Result<Outcome>, Params) {
        let mut config = experiment("digits").unwrap().config();
        change(&mut config);
        let Splits { train, test } = digits().unwrap();
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let model = build("mlp", &InputSpec { shape: [1, 8, 8], classes: 10 }, &params).unwrap();
        let (train, test) = (&train, &test);
        let fit = Fit { config: &config, model: &*model, params: &params, train, test, folder: None, stop };
        (fit.run(reporter), params)
    }

    fn values(params: &Params) -> Vec<Vec<f32>> {
        params.all().iter().map(|param| param.tensor().to_vec::<f32>().unwrap()).collect()
    }

    static GO: AtomicBool = AtomicBool::new(false);

    #[test]
    fn a_loss_that_is_not_finite_puts_the_last_good_weights_back() {
        let (failed, params) = fit(|config| config.optimizer.lr = 1e30, &mut Silent, &GO);
        let Err(Error::NotFinite { step, kept, saved: None, .. }) = failed else { panic!("{failed:?}") };
        assert!(step >= 2, "the first loss is that of the first weights");
        assert_eq!(kept, 0);
        let (_, untrained) = fit(|config| config.optimizer.lr = 1e-300, &mut Silent, &GO);
        assert_eq!(values(&params), values(&untrained));
    }

    /// Raises a flag after some steps, and keeps their losses.
    struct StopAfter<'a>(u64, &'a AtomicBool, Vec<f64>);

    impl Reporter for StopAfter<'_> {
        fn step(&mut self, step: &StepReport) {
            self.2.push(step.loss);
            if step.step == self.0 {
                self.1.store(true, Ordering::Relaxed);
            }
        }
    }

    #[test]
    fn a_stop_ends_the_run_after_the_step_at_hand() {
        let stop = AtomicBool::new(false);
        let mut reporter = StopAfter(30, &stop, Vec::new());
        let (outcome, stopped) = fit(|_| (), &mut reporter, &stop);
        let outcome = outcome.unwrap();
        assert_eq!((outcome.steps, outcome.stopped, reporter.2.len()), (30, true, 30));
        assert_eq!(outcome.last.map(|epoch| (epoch.epoch, epoch.steps)), Some((1, 23)));
        // The same as a run that is cut there.
        let (cut, params) = fit(|config| config.train.max_steps = 30, &mut Silent, &GO);
        assert_eq!(cut.unwrap().last.map(|epoch| (epoch.epoch, epoch.steps)), Some((2, 30)));
        assert_eq!(values(&stopped), values(&params));
    }
}
