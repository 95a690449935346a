//! An experiment from its configuration to its result, and a saved run measured again.

use crate::finish::{Finish, Finished};
use crate::folder::Taken;
use crate::lr_finder::{LrCurve, LrRange};
use crate::nearest::unknown;
use crate::record::{DatasetRecord, Record};
use crate::{
    Config, DataConfig, Error, EvaluateOptions, Evaluation, Experiment, Fit, Outcome, Reporter, Result, RunFolder,
    Split, evaluate, optimize,
};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use taper_data::{Batch, ImageDataset, LoaderOptions, LocateOptions, Pipeline, PipelineOptions, Source, Splits};
use taper_models::{InputSpec, model, models};
use taper_nn::{Device, Module, Params, RandomKey, Tensor, weights};

/// A model that computes some of its weights from pictures is shown so many.
const PREPARE_FROM: usize = 5000;

/// What a run needs beside its configuration.
#[derive(Debug)]
pub struct TrainOptions<'a> {
    /// The run's folder, which must be empty or not exist, unless `resume` is set; `None` for a new one below `runs`.
    pub run_dir: Option<PathBuf>,
    /// Whether to go on from the last checkpoint in `run_dir`, with the settings that the run began with, but for
    /// `[device]`, `data.workers` and `data.ahead`, and `train.epochs`, which may grow. Before there is one the run
    /// starts over; one that was finished is told of again.
    pub resume: bool,
    /// End the run, to be resumed, when so many epochs are done.
    pub pause_after: Option<u64>,
    /// Whether the test split is read at the end. Without, there is no report and no result either.
    pub test: bool,
    /// Where new run folders are made.
    pub runs: PathBuf,
    /// Where data are looked for.
    pub locate: LocateOptions,
    /// The commit of the source, to be recorded.
    pub commit: Option<String>,
    /// Raised to end the run after the step at hand.
    pub stop: &'a AtomicBool,
}

/// What measuring a saved run needs beside its folder.
#[derive(Debug)]
pub struct EvalOptions<'a> {
    /// Where data are looked for.
    pub locate: LocateOptions,
    /// Raised to give up.
    pub stop: &'a AtomicBool,
}

/// Trains `experiment` as `config` says, on `device`, and fills a run folder.
///
/// # Errors
/// An unknown model or dataset, a run folder that holds something, data or first weights that cannot be read, and those
/// of [`Fit::run`].
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
    // Before anything that takes time: a run that is killed at any moment can be resumed with what it was set to.
    let written = if taken.new { folder.write_begun(config, experiment.name()) } else { Ok(()) };
    let trained = written.and_then(|()| train_in(&folder, experiment, &source, config, device, &options, reporter));
    if trained.is_err() {
        taken.failed();
        if first {
            // Only if it is empty: another run may have begun in it meanwhile.
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
    if let (Some(record), Some(outcome)) = (&before, Finished::read(folder)?) {
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
        // Before the configuration says more: a run that is killed in between has its old end again.
        std::fs::remove_file(folder.result()).map_err(Error::io("remove", &folder.result()))?;
    }
    let loaded = load(source, config, &options.locate, reporter)?;
    let (model, params) = loaded.model(config, device)?;
    // A checkpoint replaces them: the file need not be there any more.
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
    Finish { folder, config, record: &record, params: &params, test, outcome: &outcome }.write()?;
    Ok((record, outcome))
}

/// Looks for a good learning rate: see [`lr_finder`](crate::lr_finder).
///
/// # Errors
/// Those of [`train`], but for the folder's.
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

/// Measures the run in `folder` on its test split again. `config` is the run's own, with whatever is to be another.
/// `None` when stopped.
///
/// # Errors
/// Data or weights that cannot be read or do not fit.
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

/// The data of a run.
struct Loaded {
    dataset: DatasetRecord,
    /// The training split without what is held out.
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
    /// The model with its first weights, those computed from the data among them.
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

/// The first training pictures `[N, C, H, W]`, normalised as training sees them.
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
