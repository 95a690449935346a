//! Running an experiment from its configuration to its results, and evaluating a saved run.

use crate::finish::{FinalOutputs, TestResult};
use crate::folder::Taken;
use crate::lr_finder::{LrCurve, LrRange};
use crate::record::{DatasetRecord, Record};
use crate::{
    Config, DataConfig, Error, EvaluateOptions, Evaluation, Experiment, Fit, Outcome, Reporter, Result, RunFolder,
    Split, evaluate, optimize,
};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use taper_config::unknown;
use taper_data::{Batch, ImageDataset, LoaderOptions, LocateOptions, Pipeline, PipelineOptions, Source, Splits};
use taper_models::{InputSpec, model, models};
use taper_nn::{Device, Module, Params, RandomKey, Tensor, weights};

/// The number of training images from which a model computes some of its initial weights.
const PREPARE_FROM: usize = 5000;

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
    experiment: &Experiment,
    config: &Config,
    device: &Device,
    options: TrainOptions<'_>,
    reporter: &mut dyn Reporter,
) -> Result<(RunFolder, Record, Outcome)> {
    config.check()?;
    optimize::check(config)?;
    known_model(&config.model)?;
    let source = Source::named(&config.data.name)?;
    let first = options.run_dir.is_none() && !options.runs.exists();
    let taken = match &options.run_dir {
        Some(path) => RunFolder::take(path.clone(), options.resume)?,
        None => Taken::fresh(&options.runs, experiment.name())?,
    };
    let folder = taken.folder.clone();
    // Written before anything that takes time: a run that is killed at any moment can be resumed with its
    // configuration.
    let written = if taken.new { folder.write_begun(config, experiment.name()) } else { Ok(()) };
    let trained = written.and_then(|()| train_in(&folder, experiment, &source, config, device, &options, reporter));
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
    experiment: &Experiment,
    source: &Source,
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
    let loaded = load(source, config, &options.locate, reporter)?;
    let (model, params) = loaded.model(config, device)?;
    // With a checkpoint the initial weights are not needed: their file may be gone.
    if !config.train.init.is_empty() && !begun {
        let (init, all) = (&config.train.init, params.all());
        let read = if config.train.init_partial { weights::load_partial } else { weights::load_cast };
        let report = read(&all, init)?;
        let told = report.to_string();
        if !told.is_empty() {
            reporter.note(&format!("{} of {} tensors begin as in {init}; {told}", report.loaded.len(), all.len()));
        }
    }
    let dataset = loaded.dataset.clone();
    let record = match before {
        Some(before) if before.dataset.checksum != dataset.checksum => {
            let (was, is) = (before.dataset.description, dataset.description);
            let detail = format!("the run began with other data than are found now: {was}, now {is}");
            return Err(Error::RunFolder { path: folder.path().to_path_buf(), detail });
        }
        Some(before) => before,
        None => Record::new(experiment.name(), options.commit.clone(), params.count(), dataset),
    };
    folder.write_config(config, Some(&record))?;
    let mut fit = Fit::new(config, &*model, &params, &loaded.splits.train).folder(folder).claimed().stop(options.stop);
    if options.test {
        fit = fit.test(&loaded.splits.test);
    }
    if let Some(validation) = &loaded.validation {
        fit = fit.validation(validation);
    }
    if options.resume {
        fit = fit.resume();
    }
    if let Some(epochs) = options.pause_after {
        fit = fit.pause_after(epochs);
    }
    let outcome = fit.run(reporter)?;
    let test = &loaded.splits.test;
    FinalOutputs { folder, config, record: &record, params: &params, test, outcome: &outcome }.write()?;
    Ok((record, outcome))
}

/// Runs the learning-rate range test: see [`lr_finder`](crate::lr_finder).
///
/// # Errors
/// Those of [`train`], without those of the folder.
pub fn find_lr(
    config: &Config,
    device: &Device,
    locate: &LocateOptions,
    range: LrRange,
    stop: &AtomicBool,
    reporter: &mut dyn Reporter,
) -> Result<LrCurve> {
    config.check()?;
    optimize::check(config)?;
    known_model(&config.model)?;
    let loaded = load(&Source::named(&config.data.name)?, config, locate, reporter)?;
    let (model, params) = loaded.model(config, device)?;
    range.find(config, &*model, &params, &loaded.splits.train, stop, reporter)
}

/// Evaluates the saved weights of the run in `folder` on the test split. `config` is the run's configuration, with any
/// changes. `None` when stopped.
///
/// # Errors
/// Data or weights that cannot be read or do not fit the model.
pub fn evaluate_run(
    folder: &RunFolder,
    config: &Config,
    record: &Record,
    device: &Device,
    options: &EvalOptions<'_>,
    reporter: &mut dyn Reporter,
) -> Result<Option<(DatasetRecord, Evaluation)>> {
    config.check()?;
    known_model(&config.model)?;
    let loaded = load(&Source::named(&config.data.name)?, config, &options.locate, reporter)?;
    let dataset = loaded.dataset.clone();
    if dataset.checksum != record.dataset.checksum {
        reporter.note(&format!(
            "These are not the data of that run ({}); its result need not come out again.",
            record.dataset.description
        ));
    }
    let (model, params) = loaded.model(config, device)?;
    weights::load_cast(&params.all(), folder.model())?;
    let (batch_size, views, augment) = (config.train.eval_batch_size, config.train.views, config.normalization());
    let measuring = EvaluateOptions { batch_size, views, augment, split: Split::Test };
    let found = evaluate(&*model, &params, &loaded.splits.test, &measuring, options.stop, reporter)?;
    Ok(found.map(|(found, _)| (dataset, found)))
}

/// The data of a run, by split.
struct Loaded {
    dataset: DatasetRecord,
    /// The training split, without the validation samples, and the test split.
    splits: Splits,
    validation: Option<ImageDataset>,
}

fn load(source: &Source, config: &Config, options: &LocateOptions, reporter: &mut dyn Reporter) -> Result<Loaded> {
    let all_if_zero = |n: usize| if n == 0 { usize::MAX } else { n };
    let located = source.locate(options, &mut |event| reporter.fetching(event))?;
    reporter.found(&located);
    let DataConfig { train_samples, test_samples, validation, .. } = config.data;
    let mut splits = located.load_first(all_if_zero(train_samples), all_if_zero(test_samples))?;
    let mut dataset = DatasetRecord::new(&located, &splits);
    let mut held_out = None;
    if validation > 0.0 {
        let (train, held) = splits.train.split_off(validation, config.train.seed)?;
        if held.is_empty() || train.is_empty() {
            let samples = splits.train.len();
            let detail = format!("{validation} of {samples} samples leaves {} to validate on", held.len());
            return Err(Error::Usage(format!("data.validation: {detail} and {} to learn from", train.len())));
        }
        (dataset.train, dataset.validation) = (train.len(), held.len());
        splits.train = train;
        held_out = Some(held);
    }
    Ok(Loaded { dataset, splits, validation: held_out })
}

fn known_model(name: &str) -> Result<()> {
    let known: Vec<&str> = models().iter().map(|model| model.name).collect();
    if known.contains(&name) { Ok(()) } else { Err(Error::Usage(unknown("model", name, &known))) }
}

impl Loaded {
    /// The model with its initial weights, including those that are computed from the data.
    fn model(&self, config: &Config, device: &Device) -> Result<(Box<dyn Module>, Params)> {
        let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
        let train = &self.splits.train;
        let input = InputSpec { shape: train.shape(), classes: train.classes().len() };
        let info = model(&config.model)?;
        let module = (info.build)(&input, &params)?;
        if let Some(prepare) = info.prepare {
            let _span = tracing::info_span!("prepare").entered();
            prepare(&params, &first_pictures(train, config, &params)?)?;
        }
        Ok((module, params))
    }
}

/// The first training images `[N, C, H, W]`, normalised as in training.
fn first_pictures(train: &ImageDataset, config: &Config, params: &Params) -> Result<Tensor> {
    let loader = LoaderOptions { batch_size: PREPARE_FROM.min(train.len()), shuffle: None, drop_last: false };
    let options = PipelineOptions { loader, augment: config.normalization(), seed: 0, workers: 0, ahead: 1 };
    let mut batch = Batch::<f32>::default();
    std::thread::scope(|scope| {
        Pipeline::start(scope, train, options).and_then(|mut pipeline| pipeline.next_into(&mut batch))
    })?;
    let pictures = Tensor::from_vec(batch.inputs, batch.shape.as_slice(), params.device())?;
    Ok(pictures.cast(params.dtype())?)
}
