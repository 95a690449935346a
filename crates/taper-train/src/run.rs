//! Running an experiment from its configuration to its results, and evaluating a saved run.

use crate::folder::Taken;
use crate::lr_finder::{LrCurve, LrRange};
use crate::page::FinalOutputs;
use crate::record::{DatasetRecord, Record};
use crate::result::TestResult;
use crate::{
    Config, Error, EvaluateOptions, Evaluation, Experiment, Fit, Metric, Outcome, Prepared, Reporter, Result,
    RunFolder, Split, evaluate, initial, optimize,
};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use taper_data::LocateOptions;
use taper_nn::{Device, weights};

/// Options of [`train`], beside the configuration.
#[derive(Debug)]
pub struct TrainOptions<'a> {
    /// The run's folder, which must be empty or not exist, unless `resume` is set; `None` for a new one in `runs`.
    pub run_dir: Option<PathBuf>,
    /// Whether to resume from the last checkpoint in `run_dir`. The configuration must be that of the run, except for
    /// `[device]`, `data.workers` and `data.ahead`, and `train.epochs`, which may grow. Without a checkpoint the run
    /// starts over; for a finished run its results are returned.
    pub resume: bool,
    /// Pause the run, to be resumed later, when so many epochs are done.
    pub pause_after: Option<u64>,
    /// Whether to evaluate on the test split at the end. Without it, `report.html` and `result.json` are not written.
    pub test: bool,
    /// The folder in which new run folders are created.
    pub runs: PathBuf,
    /// Where to look for the data.
    pub locate: LocateOptions,
    /// The commit of the source, for the record.
    pub commit: Option<String>,
    /// The command that was typed, for the record.
    pub command: Option<String>,
    /// A flag that ends the run after the current step.
    pub stop: &'a AtomicBool,
}

/// Options of [`evaluate_run`].
#[derive(Debug)]
pub struct EvalOptions<'a> {
    /// Where to look for the data.
    pub locate: LocateOptions,
    /// A flag that stops the evaluation.
    pub stop: &'a AtomicBool,
}

/// Trains `experiment` with the configuration `config` on `device`, and fills a run folder.
///
/// # Errors
/// An unknown model or dataset, a run folder that is not empty, data or initial weights that cannot be read, and the
/// errors of [`Fit::run`].
pub fn train(
    experiment: &dyn Experiment,
    config: &Config,
    device: &Device,
    options: TrainOptions<'_>,
    reporter: &mut dyn Reporter,
) -> Result<(RunFolder, Record, Outcome)> {
    config.check()?;
    let config = &config.resolved(&experiment.families())?;
    optimize::check(config)?;
    experiment.check(config)?;
    let first = options.run_dir.is_none() && !options.runs.exists();
    let taken = match &options.run_dir {
        Some(path) => RunFolder::take(path.clone(), options.resume)?,
        None => Taken::fresh(&options.runs, experiment.name())?,
    };
    let folder = taken.folder.clone();
    // Written before anything that takes time: a run that is killed at any moment can be resumed with its
    // configuration.
    let written = if taken.new { folder.write_begun(config, experiment.name()) } else { Ok(()) };
    let trained = written.and_then(|()| train_in(&folder, experiment, config, device, &options, reporter));
    if trained.is_err() {
        taken.failed();
        if first {
            // Removed only if it is empty: another run may have started in it meanwhile.
            let _ = std::fs::remove_dir(&options.runs);
        }
    }
    trained.map(|(record, outcome)| (folder, record, outcome))
}

fn train_in(
    folder: &RunFolder,
    experiment: &dyn Experiment,
    config: &Config,
    device: &Device,
    options: &TrainOptions<'_>,
    reporter: &mut dyn Reporter,
) -> Result<(Record, Outcome)> {
    let begun = options.resume && folder.has_checkpoint();
    let (own, before) = folder.read_config()?;
    folder.check_experiment(experiment.name())?;
    if options.resume {
        folder.check_settings(config)?;
    }
    if let (Some(record), Some(outcome)) = (&before, TestResult::read(folder)?) {
        if config.train.epochs == own.train.epochs {
            return Ok((record.clone(), outcome));
        }
        if !begun {
            let path = folder.path().to_path_buf();
            let detail = "the run is finished and its checkpoint is gone: more epochs have nothing to go on from";
            return Err(Error::RunFolder { path, detail: detail.into() });
        }
        if outcome.steps == own.train.max_steps {
            let detail = "has ended the run, whatever train.epochs is: start a new one";
            return Err(Error::Usage(format!("train.max_steps: {} {detail}", own.train.max_steps)));
        }
        // Removed before the configuration says more epochs: a run that is killed in between still has its old number
        // of epochs.
        std::fs::remove_file(folder.result()).map_err(Error::io("remove", &folder.result()))?;
    }
    let prepared = experiment.prepare(config, device, &options.locate, reporter)?;
    let Prepared { task, params, train, validation, test, dataset, spec } = &prepared;
    // With a checkpoint the initial weights are not needed: their file may be gone.
    if !begun {
        initial::load(config, params, reporter)?;
    }
    let record = match before {
        Some(before) if before.dataset.checksum != dataset.checksum => {
            let (was, is) = (before.dataset.description, &dataset.description);
            let detail = format!("the run began with other data than are found now: {was}, now {is}");
            return Err(Error::RunFolder { path: folder.path().to_path_buf(), detail });
        }
        Some(before) => before,
        None => {
            let (commit, monitor) = (options.commit.clone(), &config.checkpoint.monitor);
            let new = Record::new(experiment.name(), commit, params.count(), &**task, monitor, dataset.clone());
            Record { command: options.command.clone(), ..new }
        }
    };
    folder.write_config(config, Some(&record))?;
    folder.write_spec(spec)?;
    let mut fit = Fit::new(config, &**task, params, &**train).folder(folder).claimed().stop(options.stop);
    let test = test.as_ref().filter(|_| options.test);
    if let Some(test) = test {
        fit = fit.test(test);
    }
    if let Some(validation) = validation {
        fit = fit.validation(validation);
    }
    if options.resume {
        fit = fit.resume();
    }
    if let Some(epochs) = options.pause_after {
        fit = fit.pause_after(epochs);
    }
    let mut hooks = experiment.hooks(config);
    for hook in &mut hooks {
        fit = fit.hook(&mut **hook);
    }
    let outcome = fit.run(reporter)?;
    if let Some(test) = test {
        FinalOutputs { folder, config, record: &record, task: &**task, params, test, outcome: &outcome }.write()?;
    }
    Ok((record, outcome))
}

/// Runs the learning-rate range test: see [`lr_finder`](crate::lr_finder).
///
/// # Errors
/// Those of [`train`], without those of the folder.
pub fn find_lr(
    experiment: &dyn Experiment,
    config: &Config,
    device: &Device,
    locate: &LocateOptions,
    range: LrRange,
    stop: &AtomicBool,
    reporter: &mut dyn Reporter,
) -> Result<LrCurve> {
    config.check()?;
    let config = &config.resolved(&experiment.families())?;
    optimize::check(config)?;
    experiment.check(config)?;
    let Prepared { task, params, train, .. } = experiment.prepare(config, device, locate, reporter)?;
    initial::load(config, &params, reporter)?;
    range.find(config, &*task, &params, &*train, stop, reporter)
}

/// Evaluates the saved weights of the run in `folder` on the test split. `config` is the run's configuration, with any
/// changes. `None` when stopped.
///
/// # Errors
/// Data or weights that cannot be read or do not fit the model.
pub fn evaluate_run(
    experiment: &dyn Experiment,
    folder: &RunFolder,
    config: &Config,
    record: &Record,
    device: &Device,
    options: &EvalOptions<'_>,
    reporter: &mut dyn Reporter,
) -> Result<Option<(DatasetRecord, Vec<Metric>, Evaluation)>> {
    config.check()?;
    let config = &config.resolved(&experiment.families())?;
    experiment.check(config)?;
    let Prepared { task, params, test, dataset, .. } = experiment.prepare(config, device, &options.locate, reporter)?;
    let Some(test) = test else {
        return Err(Error::Usage(format!("{} has no test split to evaluate on", experiment.name())));
    };
    if dataset.checksum != record.dataset.checksum {
        reporter.note(&format!(
            "These are not the data of that run ({}); its result need not come out again.",
            record.dataset.description
        ));
    }
    weights::load_cast(&params.all(), folder.model())?;
    let (batch_size, workers) = (config.train.eval_batch_size, config.data.workers.max(1));
    let measuring = EvaluateOptions { batch_size, workers, split: Split::Test };
    let found = evaluate(&*task, &params, &*test, &measuring, options.stop, reporter)?;
    Ok(found.map(|(found, _)| (dataset, task.metrics(), found)))
}
