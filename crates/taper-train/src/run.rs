//! An experiment from its configuration to its result, and a saved run measured again.

use crate::nearest::unknown;
use crate::record::{DatasetRecord, Record};
use crate::{Config, Error, Evaluation, Experiment, Fit, Outcome, Reporter, Result, RunFolder, evaluate};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use taper_data::{LocateOptions, Located, Source, Splits};
use taper_models::{InputSpec, build, models};
use taper_nn::{Device, Module, Params, RandomKey, weights};

/// What a run needs beside its configuration.
#[derive(Debug)]
pub struct TrainOptions<'a> {
    /// The run's folder, which must be empty or not exist; `None` for a new one below `runs`.
    pub run_dir: Option<PathBuf>,
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
/// An unknown model or dataset, a run folder that holds something, data or first weights that cannot be read, and those of
/// [`Fit::run`].
pub fn train(
    experiment: &Experiment,
    config: &Config,
    device: &Device,
    options: TrainOptions<'_>,
    reporter: &mut dyn Reporter,
) -> Result<(RunFolder, Record, Outcome)> {
    config.check()?;
    known_model(&config.model)?;
    let source = Source::named(&config.data.name)?;
    let folder = match &options.run_dir {
        Some(path) => RunFolder::create(path)?,
        None => RunFolder::fresh(&options.runs, experiment.name())?,
    };
    let trained = train_in(&folder, experiment, &source, config, device, &options, reporter);
    if trained.is_err() {
        folder.remove_if_empty();
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
    let (located, splits) = load(source, config, &options.locate, reporter)?;
    let (model, params) = model(config, &splits, device)?;
    if !config.train.init.is_empty() {
        weights::load_cast(&params.all(), &config.train.init)?;
    }
    let dataset = DatasetRecord::new(&located, &splits);
    let record = Record::new(experiment.name(), options.commit.clone(), params.count(), dataset);
    folder.write_config(config, &record)?;
    let Splits { train, test } = &splits;
    let fit = Fit { config, model: &*model, params: &params, train, test, folder: Some(folder), stop: options.stop };
    Ok((record, fit.run(reporter)?))
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
    let (located, splits) = load(&Source::named(&config.data.name)?, config, &options.locate, reporter)?;
    let dataset = DatasetRecord::new(&located, &splits);
    if dataset.checksum != record.dataset.checksum {
        reporter.note(&format!(
            "These are not the data of that run ({}); its result need not come out again.",
            record.dataset.description
        ));
    }
    let (model, params) = model(config, &splits, device)?;
    weights::load_cast(&params.all(), folder.model())?;
    let found = evaluate(&*model, &params, &splits.test, config.train.eval_batch_size, options.stop, reporter)?;
    Ok(found.map(|found| (dataset, found)))
}

fn load(
    source: &Source,
    config: &Config,
    options: &LocateOptions,
    reporter: &mut dyn Reporter,
) -> Result<(Located, Splits)> {
    let all_if_zero = |n: usize| if n == 0 { usize::MAX } else { n };
    let located = source.locate(options, &mut |event| reporter.fetching(event))?;
    reporter.found(&located);
    let splits = located.load_first(all_if_zero(config.data.train_samples), all_if_zero(config.data.test_samples))?;
    Ok((located, splits))
}

fn known_model(name: &str) -> Result<()> {
    let known: Vec<&str> = models().iter().map(|model| model.name).collect();
    if known.contains(&name) { Ok(()) } else { Err(Error::Usage(unknown("model", name, &known))) }
}

fn model(config: &Config, splits: &Splits, device: &Device) -> Result<(Box<dyn Module>, Params)> {
    let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
    let input = InputSpec { shape: splits.train.shape(), classes: splits.train.classes().len() };
    Ok((build(&config.model, &input, &params)?, params))
}
