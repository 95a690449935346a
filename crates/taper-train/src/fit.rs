//! The training loop.

mod epoch;
mod progress;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use self::epoch::Epoch;
pub(crate) use self::progress::Progress;
pub use self::progress::Times;

use self::state::{State, Waiting};
use crate::checkpoint::Checkpoint;
use crate::evaluate::unsupported;
use crate::hook::{Flow, Hook, RunView, StepView};
use crate::learner::{Learned, Learner, Objective};
use crate::scalars::Scalars;
use crate::tensorboard::Picture;
use crate::{
    Config, EpochReport, Error, EvaluateOptions, Evaluation, Predictions, Reporter, Result, RunFolder, Silent, Split,
    Start, Views, evaluate,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use taper_data::{Augment, Batch, Dataset, LoaderOptions, Pipeline, PipelineOptions};
use taper_nn::taper_tensor::{Element, profile};
use taper_nn::{DType, Module, Params, Tensor, no_grad, weights};

/// Trains a model: by default a classifier, by cross entropy.
///
/// ```
/// use taper_data::digits;
/// use taper_nn::{DType, Device, Linear, LinearConfig, Params, RandomKey, Sequential, Flatten};
/// use taper_train::{Config, Fit, Override, Silent};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::new(taper_cpu::CpuBackend::new()?);
/// let params = Params::new(&device, DType::F32, RandomKey::new(0));
/// let model = Sequential::new().then(Flatten).then(Linear::new(LinearConfig::new(64, 10), &params.sub("fc"))?);
/// let config = Config::default().with(&[Override::parse("train.epochs=2")?, Override::parse("optimizer.lr=0.01")?])?;
/// let data = digits()?;
/// let outcome = Fit::new(&config, &model, &params, &data.train).test(&data.test).run(&mut Silent)?;
/// assert!(outcome.test.unwrap().accuracy() > 0.8);
/// # Ok(())
/// # }
/// ```
///
/// After every epoch a checkpoint is saved, and the model is measured on the validation split, if there is one. The test
/// split is read once, at the end.
///
/// A step reads nothing from the device. What it found stays there until `train.log_every` steps were made or the epoch
/// ends; only then is a loss or gradient that is not finite noticed. It stops the run and leaves the last good weights:
/// the newest put aside whose loss was finite. They are those of at most 20 steps before the bad one, or of `log_every`
/// where that is more; steps made after the bad one are forgotten.
pub struct Fit<'a, D> {
    learner: Learner<'a>,
    train: &'a D,
    validation: Option<&'a D>,
    test: Option<&'a D>,
    folder: Option<&'a RunFolder>,
    stop: &'a AtomicBool,
    pause_after: Option<u64>,
    resume: bool,
    hooks: Vec<&'a mut dyn Hook>,
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Steps made.
    pub steps: u64,
    /// The last epoch that ended.
    pub last: Option<EpochReport>,
    /// The best epoch, by the validation split.
    pub best: Option<EpochReport>,
    /// What was found on the test split, at the end of a run that was finished.
    pub test: Option<Evaluation>,
    /// What was predicted there.
    pub predictions: Predictions,
    /// Whether it was stopped from outside.
    pub stopped: bool,
    /// Whether it was paused, as [`Fit::pause_after`] said.
    pub paused: bool,
    /// Where the time went.
    pub times: Times,
    /// Layers whose gradients vanished or exploded.
    pub warnings: Vec<String>,
}

/// Nobody stops a run that was given no other flag.
static NOBODY: AtomicBool = AtomicBool::new(false);

impl<'a, D: Dataset + Sync> Fit<'a, D> {
    /// Trains `model`, whose parameters are `params`, in f32 or f64, on `train`, as `config` says; `model`, `data.name` and
    /// `device` in it are not looked at.
    pub fn new(config: &'a Config, model: &'a dyn Module, params: &'a Params, train: &'a D) -> Self {
        Self {
            learner: Learner { config, model, params, objective: None, classes: 0 },
            train,
            validation: None,
            test: None,
            folder: None,
            stop: &NOBODY,
            pause_after: None,
            resume: false,
            hooks: Vec::new(),
        }
    }

    /// Measures on `data` after each epoch.
    pub fn validation(mut self, data: &'a D) -> Self {
        self.validation = Some(data);
        self
    }

    /// Measures on `data` once, at the end.
    pub fn test(mut self, data: &'a D) -> Self {
        self.test = Some(data);
        self
    }

    /// Minimises `objective` instead of the cross entropy; nothing is then counted as right.
    pub fn objective(mut self, objective: Objective<'a>) -> Self {
        self.learner.objective = Some(objective);
        self
    }

    /// Writes metrics, checkpoints and weights to `folder`.
    pub fn folder(mut self, folder: &'a RunFolder) -> Self {
        self.folder = Some(folder);
        self
    }

    /// Ends the run after the step at hand when `stop` is raised from elsewhere: by a signal, or another thread.
    pub fn stop(mut self, stop: &'a AtomicBool) -> Self {
        self.stop = stop;
        self
    }

    /// Ends the run, to be resumed, when so many epochs are done.
    pub fn pause_after(mut self, epochs: u64) -> Self {
        self.pause_after = Some(epochs);
        self
    }

    /// Goes on from the last checkpoint in the folder, if there is one.
    pub fn resume(mut self) -> Self {
        self.resume = true;
        self
    }

    /// Lets `hook` take part.
    pub fn hook(mut self, hook: &'a mut dyn Hook) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Trains to the end, or until stopped.
    ///
    /// # Errors
    /// A value out of range, data that do not fit the model, a loss that becomes NaN, a disk that is full. In each case
    /// the weights are saved first where that is possible.
    pub fn run(mut self, reporter: &mut dyn Reporter) -> Result<Outcome> {
        self.learner.config.check()?;
        if self.validation.is_none() && self.config().regularization.patience > 0 {
            let detail = "regularization.patience: early stopping looks at the validation split, and there is none: set \
                          data.validation, to 0.1 for example";
            return Err(Error::Usage(detail.into()));
        }
        let largest = (0..self.train.len()).map(|index| self.train.label(index)).max();
        self.learner.classes = largest.map_or(0, |label| label.max(0) as usize + 1);
        match self.params().dtype() {
            DType::F32 => self.run_as::<f32>(reporter),
            DType::F64 => self.run_as::<f64>(reporter),
            other => Err(unsupported(other)),
        }
    }

    fn config(&self) -> &'a Config {
        self.learner.config
    }

    fn params(&self) -> &'a Params {
        self.learner.params
    }

    fn run_as<T: Element>(&mut self, reporter: &mut dyn Reporter) -> Result<Outcome> {
        let Config { data, train, .. } = self.config();
        let loader = LoaderOptions {
            batch_size: train.batch_size,
            shuffle: train.shuffle.then_some(train.seed),
            drop_last: train.drop_last,
        };
        let (augment, workers, ahead) = (data.augment.clone(), data.workers, data.ahead);
        let options = PipelineOptions { loader, augment, seed: train.seed, workers, ahead };
        let samples = self.train;
        std::thread::scope(|scope| {
            let mut loader = Pipeline::<T>::start(scope, samples, options)?;
            let per_epoch = (loader.len() as u64).div_ceil(train.accumulate);
            if per_epoch == 0 {
                let (size, samples) = (train.batch_size, samples.len());
                let detail =
                    format!("train.batch_size: {size} is over the {samples} samples, and train.drop_last is set");
                return Err(Error::Usage(detail));
            }
            let limit = if train.max_steps == 0 { u64::MAX } else { train.max_steps };
            let steps = train.epochs.saturating_mul(per_epoch).min(limit);
            let from = self.checkpoint()?;
            let begun = from.is_some();
            if let Some(folder) = self.folder {
                folder.create_checkpoints()?;
                if !folder.config().is_file() {
                    folder.write_config(self.config(), None)?;
                }
            }
            let mut state = State::<T>::new(&self.learner, self.folder, [steps, per_epoch], from, &mut self.hooks)?;
            let _span = tracing::info_span!("run", steps).entered();
            reporter.start(&Start {
                folder: self.folder.map(RunFolder::path),
                parameters: self.params().count(),
                train: samples.len(),
                validation: self.validation.map_or(0, Dataset::len),
                test: self.test.map_or(0, Dataset::len),
                resumed: state.progress.step,
                epochs: steps.div_ceil(per_epoch),
                steps,
            });
            if !begun {
                self.draw_pictures(&mut state)?;
            }
            let view = self.view(&mut state);
            self.hooks.iter_mut().try_for_each(|hook| hook.before_run(&view))?;
            let outcome = match self.epochs(&mut loader, &mut state, reporter) {
                // Not NaN but the disk, say: what was learned so far is kept if it can be. The first error is the one to
                // tell.
                Err(error) if !matches!(error, Error::NotFinite { .. }) => {
                    // A step that nobody has read may have been bad: then this puts the last good weights back.
                    let read = self.read(&mut state, &mut Silent);
                    let _ = read.and_then(|()| state.averaged(|| self.save_model()));
                    Err(error)
                }
                result => result,
            }?;
            let view = self.view(&mut state);
            self.hooks.iter_mut().try_for_each(|hook| hook.after_run(&view, &outcome))?;
            Ok(outcome)
        })
    }

    /// Shows TensorBoard the first pictures as the first step sees them, but for normalisation.
    fn draw_pictures<T>(&self, state: &mut State<T>) -> Result<()> {
        let Ok([channels @ (1 | 3), height, width]) = <[usize; 3]>::try_from(self.train.sample_shape()) else {
            return Ok(());
        };
        if !state.logs.draws() {
            return Ok(());
        }
        let Config { data, train, .. } = self.config();
        let loader = LoaderOptions { batch_size: 32, shuffle: train.shuffle.then_some(train.seed), drop_last: false };
        let augment =
            data.augment.iter().filter(|augment| !matches!(augment, Augment::Normalize(_))).cloned().collect();
        let options = PipelineOptions { loader, augment, seed: train.seed, workers: 0, ahead: 1 };
        let mut batch = Batch::<f32>::default();
        std::thread::scope(|scope| {
            Pipeline::start(scope, self.train, options).map(|mut pipeline| pipeline.next_into(&mut batch))
        })?;
        let pictures = batch.inputs.chunks_exact(channels * height * width);
        let pictures = pictures.map(|picture| Picture::from_unit([channels, height, width], picture));
        state.logs.pictures(&pictures.collect::<Result<Vec<_>>>()?)
    }

    /// The checkpoint to go on from.
    fn checkpoint(&self) -> Result<Option<Checkpoint>> {
        let path = self.folder.map(RunFolder::last).filter(|path| self.resume && path.is_file());
        path.map(|path| Checkpoint::read(&path, self.params().device())).transpose()
    }

    fn view<T>(&self, state: &mut State<T>) -> RunView<'a> {
        RunView {
            config: self.config(),
            model: self.learner.model,
            params: self.params(),
            folder: self.folder,
            step: state.progress.step,
            steps: state.steps,
            lr: state.optimize.lr(),
        }
    }

    fn epochs<T: Element>(
        &mut self,
        loader: &mut Pipeline<'_, T>,
        state: &mut State<T>,
        reporter: &mut dyn Reporter,
    ) -> Result<Outcome> {
        while !state.progress.done {
            // Also before the first: a run may be killed where it was to pause, and resumed with the same pause ahead.
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

    /// Makes the steps that are left of the epoch under way, and measures it. `None` when stopped.
    fn epoch<T: Element>(
        &mut self,
        loader: &mut Pipeline<'_, T>,
        state: &mut State<T>,
        reporter: &mut dyn Reporter,
    ) -> Result<Option<Flow>> {
        let (number, steps) = (state.progress.epoch.number, state.progress.epoch.steps);
        let _span = tracing::info_span!("epoch", epoch = number + 1).entered();
        let start = Instant::now();
        let accumulate = self.config().train.accumulate;
        // The last step may have had fewer batches than the others.
        let position = (state.progress.epoch.made * accumulate) as usize;
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
        // Before measuring, which takes a while: a kill meanwhile loses nothing.
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
            lr: state.optimize.lr(),
            images_per_s: epoch.images_per_s(),
            idle: epoch.idle,
            seconds: epoch.before + state.clock.elapsed().as_secs_f64(),
        };
        state.progress.times.training += epoch.seconds();
        state.progress.times.waiting += epoch.idle;
        self.epoch_ended(state, &report, reporter)
    }

    /// Tells everybody of an epoch that was measured.
    fn epoch_ended<T: Element>(
        &mut self,
        state: &mut State<T>,
        report: &EpochReport,
        reporter: &mut dyn Reporter,
    ) -> Result<Option<Flow>> {
        let (validation, regularization) = (report.validation, &self.config().regularization);
        if let Some(found) = validation {
            tracing::info!(train_loss = report.train_loss, loss = found.loss, accuracy = found.accuracy());
            state.optimize.observe(found.loss);
        } else {
            tracing::info!(train_loss = report.train_loss);
        }
        let monitor = self.config().checkpoint.monitor;
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

    /// One step. Nothing is read from the device.
    fn step<T: Element>(&mut self, loader: &mut Pipeline<'_, T>, state: &mut State<T>) -> Result<Flow> {
        let step = state.progress.step + 1;
        let _profiled = profile::step(step);
        let span = tracing::info_span!("step", step);
        let entered = span.enter();
        let epoch = state.progress.epoch.number;
        state.optimize.prepare(step - 1)?;
        let view = self.view(state);
        self.hooks.iter_mut().try_for_each(|hook| hook.before_step(&view, step))?;
        let batches = self.config().train.accumulate;
        let first = state.progress.epoch.made * batches;
        let learned = self.learner.learn([epoch, first, batches], &mut state.batch, |batch| loader.next_into(batch))?;
        let Learned { loss, correct, gradients, samples } = learned;
        state.kept.offer(state.progress.step, self.params());
        let outcome = state.optimize.step(&gradients)?;
        state.ema_step()?;
        let taken = match outcome.flag() {
            Some(flag) => flag.clone(),
            None => Tensor::ones([1], DType::U8, self.params().device())?,
        };
        let logged = step.is_multiple_of(self.config().train.log_every);
        let norms =
            if logged && self.config().log.gradients { state.norms(&gradients, self.params())? } else { Vec::new() };
        let found = Scalars::row([&loss, &correct, &taken].into_iter().chain(&norms))?;
        let lr = state.optimize.lr();
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
        if last && state.logs.draws() {
            state.gradients = Some(gradients);
        }
        drop(entered);
        state.waiting.push(Waiting { step, samples, found, lr, span });
        Ok(flow)
    }

    /// Reads what the steps since the last reading have left on the device, and tells of each in order, up to the first
    /// that was not finite.
    fn read<T>(&self, state: &mut State<T>, reporter: &mut dyn Reporter) -> Result<()> {
        let waiting = std::mem::take(&mut state.waiting);
        let found = Scalars::read(&waiting.iter().map(|step| &step.found).collect::<Vec<_>>())?;
        // The device has made all these steps by now; before, the host's clock knew nothing of it.
        let time = state.since.elapsed().as_secs_f64() / waiting.iter().map(|step| step.samples).sum::<usize>() as f64;
        let mut failure = None;
        for (i, (step, found_here)) in waiting.iter().zip(&found).enumerate() {
            let (loss, taken) = (found_here[0], found_here[2]);
            step.span.in_scope(|| tracing::debug!(loss));
            if loss.is_finite() {
                state.kept.confirm(step.step - 1);
            }
            let what = match (loss.is_finite(), taken != 0.0) {
                (true, true) => continue,
                (true, false) => "a gradient",
                (false, _) => "the loss",
            };
            if loss.is_finite() && found[i..].iter().all(|found| found[2] == 0.0) {
                // The weights are as they were before this step, and their loss was finite.
                state.kept.confirm_now(step.step - 1, self.params());
            }
            failure = Some((i, self.not_finite(what, step.step, state)));
            break;
        }
        let good = failure.as_ref().map_or(waiting.len(), |(i, _)| *i);
        for (step, found) in waiting.iter().zip(&found).take(good) {
            let (loss, correct, norms) = (found[0], found[1], &found[3..]);
            state.progress.epoch.add(step.samples, loss, correct as usize, time * step.samples as f64);
            if step.step.is_multiple_of(self.config().train.log_every) {
                state.logs.step(step.step, loss, step.lr, state.monitor.names(), norms)?;
                state.monitor.observe(step.step, norms).iter().for_each(|warning| reporter.note(warning));
            }
            reporter.step(&state.progress.epoch.report(step.step, state.steps, state.progress.step, loss));
        }
        state.since = Instant::now();
        failure.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Measures on `data`, with the averaged weights if there are any.
    fn measure<T>(
        &self,
        state: &mut State<T>,
        data: &D,
        split: Split,
        views: Views,
        reporter: &mut dyn Reporter,
    ) -> Result<Option<(Evaluation, Predictions)>> {
        let _span = tracing::info_span!("evaluate").entered();
        let start = Instant::now();
        let (batch_size, augment) = (self.config().train.eval_batch_size, self.config().normalization());
        let options = EvaluateOptions { batch_size, views, augment, split };
        let found = state.averaged(|| {
            no_grad(|| evaluate(self.learner.model, self.params(), data, &options, self.stop, reporter))
        })?;
        state.progress.times.measuring += start.elapsed().as_secs_f64();
        Ok(found)
    }

    /// All steps are made: what is left is the test.
    fn finish<T: Element>(&mut self, state: &mut State<T>, reporter: &mut dyn Reporter) -> Result<Outcome> {
        if self.config().regularization.patience > 0 && state.progress.best.is_some() {
            // The best weights were put aside as they were measured: averaged, if they were.
            state.ema = None;
            match self.folder {
                Some(folder) => weights::load(&self.params().all(), folder.best())?,
                None => self.params().all().iter().zip(&state.best).try_for_each(|(param, best)| param.set(best))?,
            }
        }
        state.averaged(|| self.save_model())?;
        let mut outcome = self.outcome(state);
        let Some(data) = self.test else { return Ok(outcome) };
        let before = state.progress.times.measuring;
        let Some((found, predictions)) = self.measure(state, data, Split::Test, self.config().train.views, reporter)?
        else {
            return Ok(Outcome { stopped: true, ..outcome });
        };
        if !found.loss.is_finite() {
            return Err(self.not_finite("the test loss", state.progress.step, state));
        }
        (outcome.test, outcome.predictions, outcome.times) = (Some(found), predictions, state.progress.times);
        state.logs.test(&found, outcome.times.measuring - before)?;
        Ok(outcome)
    }

    fn outcome<T>(&self, state: &State<T>) -> Outcome {
        Outcome {
            steps: state.progress.step,
            last: state.progress.last,
            best: state.progress.best,
            times: state.progress.times,
            warnings: state.monitor.warnings().to_vec(),
            ..Outcome::default()
        }
    }

    /// Saves a checkpoint.
    fn save<T>(&self, state: &mut State<T>) -> Result<()> {
        let Some(folder) = self.folder else { return Ok(()) };
        let start = Instant::now();
        state.progress.epoch.before += start.duration_since(std::mem::replace(&mut state.clock, start)).as_secs_f64();
        state.checkpoint(self.params(), &self.hooks)?.write(&folder.last())?;
        state.progress.times.saving += start.elapsed().as_secs_f64();
        // Saving is no part of the next step's time.
        (state.saved, state.since) = (Instant::now(), Instant::now());
        Ok(())
    }

    /// Puts the weights, as measured, aside as the best so far: in the folder, or in memory for early stopping.
    fn save_best<T>(&self, state: &mut State<T>) -> Result<()> {
        let all = self.params().all();
        match self.folder {
            Some(folder) => state.averaged(|| Ok(weights::save(&all, folder.best())?)),
            None if self.config().regularization.patience > 0 => {
                state.best = state.averaged(|| Ok(all.iter().map(|param| param.tensor().detach()).collect()))?;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn save_model(&self) -> Result<()> {
        match self.folder {
            Some(folder) => Ok(weights::save(&self.params().all(), folder.model())?),
            None => Ok(()),
        }
    }

    fn stopped<T>(&self, state: &mut State<T>) -> Result<Outcome> {
        self.save(state)?;
        state.logs.stopped()?;
        state.averaged(|| self.save_model())?;
        Ok(Outcome { stopped: true, ..self.outcome(state) })
    }

    /// Puts the last good weights back, saves them, and says what happened at `step`.
    fn not_finite<T>(&self, what: &'static str, step: u64, state: &State<T>) -> Error {
        let kept = state.kept.restore(self.params()).map_err(Error::from);
        match kept.and_then(|kept| self.save_model().map(|()| kept)) {
            Ok(kept) => Error::NotFinite { what, step, kept, saved: self.folder.map(RunFolder::model) },
            Err(error) => error,
        }
    }
}
