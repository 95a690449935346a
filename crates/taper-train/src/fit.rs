//! The training loop.

mod before;
mod ending;
mod epoch;
mod progress;
mod reading;
mod state;
mod steps;
#[cfg(test)]
mod tests;

pub(crate) use self::epoch::Epoch;
pub(crate) use self::progress::Progress;
pub use self::progress::Times;

use self::state::State;
use crate::checkpoint::{Checkpoint, broken};
use crate::evaluate::{check_labels, unsupported};
use crate::hook::{Hook, RunView};
use crate::learner::{Learner, Objective, check_objective};
use crate::{
    Config, EpochReport, Error, Evaluation, Predictions, Reporter, Result, RunFolder, Silent, Start, optimize, resumed,
};
use std::sync::atomic::AtomicBool;
use taper_data::augment::Normalize;
use taper_data::{Augment, Batch, Dataset, LoaderOptions, Pipeline, PipelineOptions};
use taper_nn::taper_tensor::Element;
use taper_nn::{DType, Module, Params};
use taper_report::Picture;

/// The training loop: trains a model, by default a classifier with cross entropy.
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
/// Samples whose label is [`IGNORED_LABEL`](crate::IGNORED_LABEL) are ignored: losses and accuracies are over the
/// others, a batch of ignored samples alone changes no weights, and mixup and CutMix leave them out of their batch.
///
/// After every epoch a checkpoint is saved, and the model is evaluated on the validation split, if there is one. The
/// test split is evaluated once, at the end.
///
/// A step reads nothing from the device. Its results stay there until `train.log_every` steps have been made or the
/// epoch ends; only then is a NaN or infinite loss or gradient noticed. It stops the run and restores the last good
/// weights: the newest snapshot whose loss was finite. They are at most 20 steps older than the bad step, or
/// `log_every` steps where that is more; later steps are undone.
pub struct Fit<'a, D> {
    learner: Learner<'a>,
    train: &'a D,
    validation: Option<&'a D>,
    test: Option<&'a D>,
    folder: Option<&'a RunFolder>,
    stop: &'a AtomicBool,
    pause_after: Option<u64>,
    resume: bool,
    /// Whether the caller has locked the folder already.
    claimed: bool,
    hooks: Vec<&'a mut dyn Hook>,
}

/// The result of [`Fit::run`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Steps made.
    pub steps: u64,
    /// The last epoch that ended.
    pub last: Option<EpochReport>,
    /// The best epoch, by the validation metric.
    pub best: Option<EpochReport>,
    /// The evaluation on the test split, if there is one and the run was finished.
    pub test: Option<Evaluation>,
    /// The predictions on the test split.
    pub predictions: Predictions,
    /// Whether the run was stopped by the flag of [`Fit::stop`].
    pub stopped: bool,
    /// Whether the run was paused by [`Fit::pause_after`].
    pub paused: bool,
    /// How long the parts of the run took.
    pub times: Times,
    /// Warnings of layers whose gradients vanished or exploded.
    pub warnings: Vec<String>,
}

/// The stop flag of a run that was given none.
static NOBODY: AtomicBool = AtomicBool::new(false);

impl<'a, D: Dataset + Sync> Fit<'a, D> {
    /// Trains `model`, whose parameters are `params` (f32 or f64), on the training split `train`, as `config` says. The
    /// keys `model`, `data.name` and `device` of the configuration are ignored.
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
            claimed: false,
            hooks: Vec::new(),
        }
    }

    /// Evaluates on the validation split `data` after each epoch.
    pub fn validation(mut self, data: &'a D) -> Self {
        self.validation = Some(data);
        self
    }

    /// Evaluates on the test split `data` once, at the end.
    pub fn test(mut self, data: &'a D) -> Self {
        self.test = Some(data);
        self
    }

    /// Minimises `objective` instead of the cross entropy. The other splits are evaluated by it too, and the best
    /// epoch, early stopping and `plateau` go by it, whatever `checkpoint.monitor` says, as there is no accuracy. The
    /// options of cross entropy (`train.reduction`, label smoothing, mixup, CutMix) cannot be set then.
    pub fn objective(mut self, objective: Objective<'a>) -> Self {
        self.learner.objective = Some(objective);
        self
    }

    /// Writes metrics, checkpoints and weights to `folder`.
    pub fn folder(mut self, folder: &'a RunFolder) -> Self {
        self.folder = Some(folder);
        self
    }

    /// Ends the run after the current step when `stop` is set to true, by a signal handler or another thread.
    pub fn stop(mut self, stop: &'a AtomicBool) -> Self {
        self.stop = stop;
        self
    }

    /// Pauses the run, to be resumed later, when so many epochs are done.
    pub fn pause_after(mut self, epochs: u64) -> Self {
        self.pause_after = Some(epochs);
        self
    }

    /// Resumes from the last checkpoint in the folder, if there is one. The configuration must be that of the run,
    /// except for `[device]`, `data.workers` and `data.ahead`, and `train.epochs`, which may grow. A schedule that ends
    /// with the run (cosine, linear, polynomial, one-cycle) is then stretched over the whole run, and the reporter is
    /// told so.
    pub fn resume(mut self) -> Self {
        self.resume = true;
        self
    }

    /// Says that the caller has locked the folder already.
    pub(crate) fn claimed(mut self) -> Self {
        self.claimed = true;
        self
    }

    /// Adds a hook.
    pub fn hook(mut self, hook: &'a mut dyn Hook) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Trains to the end, or until it is stopped or paused.
    ///
    /// # Errors
    /// A value out of range, data that do not fit the model, a loss that becomes NaN or infinite, a full disk. The
    /// weights are saved first where that is possible.
    pub fn run(mut self, reporter: &mut dyn Reporter) -> Result<Outcome> {
        self.learner.config.check()?;
        optimize::check(self.config())?;
        if self.learner.objective.is_some() {
            check_objective(self.config())?;
        }
        if self.validation.is_none() {
            let config = self.config();
            let early = (config.regularization.patience > 0).then_some("regularization.patience: early stopping");
            let plateau = (config.schedule.name == "plateau").then_some("schedule.name: plateau");
            if let Some(what) = early.or(plateau) {
                let detail =
                    "looks at the validation split, and there is none: set data.validation, to 0.1 for example";
                return Err(Error::Usage(format!("{what} {detail}")));
            }
        }
        if self.learner.objective.is_none() {
            check_labels("training", self.train)?;
            self.validation.map_or(Ok(()), |data| check_labels("validation", data))?;
            self.test.map_or(Ok(()), |data| check_labels("test", data))?;
        }
        self.learner.classes = self.train.num_classes();
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
            let _claim = self.folder.filter(|_| !self.claimed).map(RunFolder::claim).transpose()?;
            let from = self.checkpoint()?;
            let begun = from.is_some();
            self.before_the_first_step::<T>(steps, per_epoch, reporter)?;
            self.write_config()?;
            let mut told = |text: &str| reporter.note(text);
            let (learner, hooks) = (&self.learner, &mut self.hooks);
            let mut state = State::<T>::new(learner, self.folder, [steps, per_epoch], from, hooks, &mut told)?;
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
                // The loss is finite, but something else failed, such as the disk: try to save the weights, and return
                // the first error.
                Err(error) if !matches!(error, Error::NotFinite { .. }) => {
                    // A step whose loss was not read yet may have been bad: reading it restores the last good weights.
                    let read = self.read(&mut state, &mut Silent);
                    let _ = read.and_then(|()| self.save_model(&mut state));
                    Err(error)
                }
                result => result,
            }?;
            let view = self.view(&mut state);
            self.hooks.iter_mut().try_for_each(|hook| hook.after_run(&view, &outcome))?;
            Ok(outcome)
        })
    }

    /// Shows TensorBoard the first training images as the first step gets them, but without normalisation.
    fn draw_pictures<T>(&self, state: &mut State<T>) -> Result<()> {
        let Ok([channels @ (1 | 3), height, width]) = <[usize; 3]>::try_from(self.train.sample_shape()) else {
            return Ok(());
        };
        if !state.logs.draws() {
            return Ok(());
        }
        let Config { data, train, .. } = self.config();
        let loader = LoaderOptions { batch_size: 32, shuffle: train.shuffle.then_some(train.seed), drop_last: false };
        // Leaving the normalisation out would shift the augmentations after it, whose random numbers are keyed by
        // position.
        let plain = |augment: &Augment| match augment {
            Augment::Normalize(Normalize { mean, std }) => {
                Augment::Normalize(Normalize { mean: vec![0.0; mean.len()], std: vec![1.0; std.len()] })
            }
            other => other.clone(),
        };
        let augment = data.augment.iter().map(plain).collect();
        let options = PipelineOptions { loader, augment, seed: train.seed, workers: 0, ahead: 1 };
        let mut batch = Batch::<f32>::default();
        std::thread::scope(|scope| {
            Pipeline::start(scope, self.train, options).and_then(|mut pipeline| pipeline.next_into(&mut batch))
        })?;
        let pictures = batch.inputs.chunks_exact(channels * height * width);
        let pictures = pictures.map(|picture| Picture::from_unit([channels, height, width], picture));
        state.logs.pictures(&pictures.collect::<Result<Vec<_>, taper_report::Error>>()?)
    }

    /// The checkpoint to resume from, after checking the configuration against its own.
    fn checkpoint(&self) -> Result<Option<Checkpoint>> {
        let Some(folder) = self.folder.filter(|folder| self.resume && folder.has_checkpoint()) else { return Ok(None) };
        if folder.config().is_file() {
            folder.check_settings(self.config())?;
        }
        let path = folder.last();
        let checkpoint = Checkpoint::read(&path, self.params().device())?;
        // The configuration file may have been edited: the checkpoint holds the settings that were used.
        let settings = checkpoint.metadata.config().map_err(|detail| broken(&path, &detail))?;
        settings.map_or(Ok(()), |settings| resumed::check(&settings, self.config(), "this run's checkpoint"))?;
        Ok(Some(checkpoint))
    }

    /// Writes the configuration to the folder. If the folder's file already has this configuration it stays; if it has
    /// another, its record (what the run ran on) is kept.
    fn write_config(&self) -> Result<()> {
        let Some(folder) = self.folder else { return Ok(()) };
        match folder.read_config() {
            Ok((own, record)) if own != *self.config() => folder.write_config(self.config(), record.as_ref()),
            Ok(_) => Ok(()),
            Err(_) => folder.write_config(self.config(), None),
        }
    }

    fn view<T>(&self, state: &mut State<T>) -> RunView<'a> {
        RunView {
            config: self.config(),
            model: self.learner.model,
            params: self.params(),
            folder: self.folder,
            step: state.progress.step,
            steps: state.steps,
            lr: state.optimizer.lr(),
        }
    }
}
