//! The training loop.

mod before;
mod ending;
mod epoch;
mod progress;
mod reading;
mod state;
mod steps;

pub(crate) use self::epoch::Epoch;
pub(crate) use self::progress::Progress;
pub use self::progress::Times;

use self::state::State;
use crate::checkpoint::{Checkpoint, broken};
use crate::evaluate::unsupported;
use crate::hook::{Hook, RunView};
use crate::learner::Learner;
use crate::task::check_metrics;
use crate::{
    Config, EpochReport, Error, Evaluation, Reporter, Result, Rows, RunFolder, Silent, Start, Task, optimize, resumed,
};
use std::sync::atomic::AtomicBool;
use taper_data::{Batch, BatchLoader, Dataset, LoaderOptions, Pipeline, PipelineOptions};
use taper_nn::{DType, Params};

/// The number of training samples that a task may draw.
const DRAWN: usize = 32;

/// The training loop: trains a [`Task`] on a [`Dataset`]. It knows batches, steps, gradients, the optimiser and its
/// schedule, clipping, accumulation, checkpoints and metrics by name; what is learned is the task's affair.
///
/// ```
/// use taper_data::{Batch, DType as Kind, Dataset, FieldSpec};
/// use taper_nn::{Context, DType, Device, Linear, LinearConfig, Params, Pass, RandomKey};
/// use taper_train::{Config, DeviceBatch, Fit, Metric, Override, Result, Silent, Sums, Task};
///
/// /// y = 2x + 1 at a hundred places.
/// struct Points;
///
/// impl Dataset for Points {
///     fn len(&self) -> usize {
///         100
///     }
///     fn fields(&self) -> Vec<FieldSpec> {
///         vec![FieldSpec::new("inputs", Kind::F32, &[1]), FieldSpec::new("targets", Kind::F32, &[1])]
///     }
///     fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
///         let x = |&i: &usize| i as f32 / 50.0 - 1.0;
///         batch.f32("inputs", &[indices.len(), 1]).iter_mut().zip(indices).for_each(|(to, i)| *to = x(i));
///         batch.f32("targets", &[indices.len(), 1]).iter_mut().zip(indices).for_each(|(to, i)| *to = 2.0 * x(i) + 1.0);
///         Ok(())
///     }
/// }
///
/// struct LeastSquares<'a>(&'a Linear);
///
/// impl Task for LeastSquares<'_> {
///     fn metrics(&self) -> Vec<Metric> {
///         vec![Metric::loss("squared error")]
///     }
///     fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
///         let error = batch.float("inputs")?.pass(self.0, context)?.sub(&batch.float("targets")?)?;
///         Ok(Sums::mean(error.mul(&error)?.mean_all()?, batch.len()))
///     }
/// }
///
/// # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let device = Device::new(taper_cpu::CpuBackend::new()?);
/// let params = Params::new(&device, DType::F32, RandomKey::new(0));
/// let line = Linear::new(LinearConfig::new(1, 1), &params)?;
/// let settings = ["train.epochs=60", "train.batch_size=10", "optimizer.lr=0.03"];
/// let settings = settings.into_iter().map(Override::parse).collect::<Result<Vec<_>, _>>()?;
/// let config = Config::default().with(&settings)?;
/// let outcome = Fit::new(&config, &LeastSquares(&line), &params, &Points).test(&Points).run(&mut Silent)?;
/// assert!(outcome.test.unwrap().loss() < 1e-3);
/// # Ok(())
/// # }
/// ```
///
/// Samples that do not count for the task ([`Task::counted`]), such as those without a label, are ignored: metrics are
/// over the others, and a batch of ignored samples alone changes no weights.
///
/// After every epoch a checkpoint is saved, and the task is measured on the validation split, if there is one. The
/// test split is evaluated once, at the end.
///
/// A step reads nothing from the device. Its results stay there until `train.log_every` steps have been made or the
/// epoch ends; only then is a NaN or infinite loss or gradient noticed. It stops the run and restores the last good
/// weights: the newest snapshot whose loss was finite. They are at most 20 steps older than the bad step, or
/// `log_every` steps where that is more; later steps are undone.
pub struct Fit<'a> {
    learner: Learner<'a>,
    train: &'a dyn Dataset,
    validation: Option<&'a dyn Dataset>,
    test: Option<&'a dyn Dataset>,
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
    /// What the task gave for each sample of the test split.
    pub rows: Rows,
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

impl<'a> Fit<'a> {
    /// Trains `task`, whose model has the parameters `params` (f32 or f64), on the training split `train`, as `config`
    /// says. What names a model, data, a task or a device in the configuration is ignored, and so are augmentations:
    /// they are part of the data ([`taper_data::Augmented`]).
    pub fn new(config: &'a Config, task: &'a dyn Task, params: &'a Params, train: &'a dyn Dataset) -> Self {
        Self {
            learner: Learner { config, task, params },
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
    pub fn validation(mut self, data: &'a dyn Dataset) -> Self {
        self.validation = Some(data);
        self
    }

    /// Evaluates on the test split `data` once, at the end.
    pub fn test(mut self, data: &'a dyn Dataset) -> Self {
        self.test = Some(data);
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
        check_metrics(&self.learner.task.metrics())?;
        if !matches!(self.params().dtype(), DType::F32 | DType::F64) {
            return Err(unsupported(self.params().dtype()));
        }
        self.run_checked(reporter)
    }

    fn config(&self) -> &'a Config {
        self.learner.config
    }

    fn params(&self) -> &'a Params {
        self.learner.params
    }

    fn run_checked(&mut self, reporter: &mut dyn Reporter) -> Result<Outcome> {
        let Config { data, train, .. } = self.config();
        let loader = LoaderOptions {
            batch_size: train.batch_size,
            shuffle: train.shuffle.then_some(train.seed),
            drop_last: train.drop_last,
        };
        // An epoch of steps goes through the data as often as it takes.
        let batches = train.epoch_steps.saturating_mul(train.accumulate);
        let epoch_batches = usize::try_from(batches).unwrap_or(usize::MAX);
        let options = PipelineOptions { loader, epoch_batches, workers: data.workers, ahead: data.ahead };
        let samples = self.train;
        std::thread::scope(|scope| {
            let mut loader = Pipeline::start(scope, samples, options)?;
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
            self.before_the_first_step(steps, per_epoch, reporter)?;
            self.write_config()?;
            let mut told = |text: &str| reporter.note(text);
            let (learner, hooks) = (&self.learner, &mut self.hooks);
            let mut state = State::new(learner, self.folder, [steps, per_epoch], from, hooks, &mut told)?;
            let _span = tracing::info_span!("run", steps).entered();
            reporter.start(&Start {
                folder: self.folder.map(RunFolder::path),
                metrics: &state.metrics,
                monitor: &state.monitored.name,
                parameters: self.params().count(),
                train: samples.len(),
                validation: self.validation.map_or(0, |data| data.len()),
                test: self.test.map_or(0, |data| data.len()),
                resumed: state.progress.step,
                epochs: steps.div_ceil(per_epoch),
                steps,
            });
            if !begun {
                self.draw(&mut state)?;
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

    /// Lets the task draw the first training samples, as the first step gets them, for TensorBoard.
    fn draw(&self, state: &mut State) -> Result<()> {
        let Some(events) = state.logs.events() else { return Ok(()) };
        let train = &self.config().train;
        let loader =
            LoaderOptions { batch_size: DRAWN, shuffle: train.shuffle.then_some(train.seed), drop_last: false };
        let mut batch = Batch::default();
        BatchLoader::new(self.train, loader)?.next_into(&mut batch)?;
        self.learner.task.draw(&batch, events)
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

    fn view(&self, state: &mut State) -> RunView<'a> {
        RunView {
            config: self.config(),
            task: self.learner.task,
            params: self.params(),
            folder: self.folder,
            step: state.progress.step,
            steps: state.steps,
            lr: state.optimizer.lr(),
        }
    }
}
