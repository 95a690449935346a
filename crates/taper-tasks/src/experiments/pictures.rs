//! Classifying the pictures of a built-in data set: what all such experiments share.

use crate::run::{Inputs, Spec, spec_json};
use crate::{Classification, ClassifyConfig};
use std::sync::Arc;
use taper_config::{Family, Schema};
use taper_data::augment::Normalize;
use taper_data::{
    Augment, Augmented, Batch, BatchLoader, Dataset, LoaderOptions, LocateOptions, Located, Origin, Source, Splits,
};
use taper_models::{InputSpec, build, model};
use taper_nn::{Device, Params, RandomKey};
use taper_train::{
    Config, DataConfig, DatasetRecord, DeviceBatch, Error, Experiment, Prepared, Recipe, Reporter, Result, STAND_IN,
    Split, Task,
};

/// The number of training images from which a model computes some of its initial weights.
const PREPARE_FROM: usize = 5000;

/// An experiment on the pictures of a built-in data set.
pub(super) struct Pictures {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) config: fn() -> Config,
    pub(super) recipes: &'static [Recipe],
}

impl Experiment for Pictures {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn config(&self) -> Config {
        (self.config)()
    }

    fn recipes(&self) -> &'static [Recipe] {
        self.recipes
    }

    fn families(&self) -> Vec<Family> {
        let task = Family {
            table: "task",
            kind: "task",
            default: "classify",
            members: vec![("classify", Schema::of::<ClassifyConfig>())],
            common: None,
            lenient: false,
        };
        vec![taper_models::family(), task]
    }

    fn check(&self, config: &Config) -> Result<()> {
        config.resolved(&self.families())?;
        Source::named(&config.data.name)?;
        Ok(())
    }

    fn prepare(
        &self,
        config: &Config,
        device: &Device,
        locate: &LocateOptions,
        reporter: &mut dyn Reporter,
    ) -> Result<Prepared> {
        prepare(config, device, load(config, locate, reporter)?)
    }
}

/// Pictures to be classified, by split.
pub(super) struct PictureData {
    pub(super) record: DatasetRecord,
    /// `[C, H, W]` of every picture.
    pub(super) shape: [usize; 3],
    /// The names of the classes, in the order of their labels.
    pub(super) classes: Vec<String>,
    /// The training split, without the validation samples.
    pub(super) train: Arc<dyn Dataset>,
    pub(super) validation: Option<Arc<dyn Dataset>>,
    pub(super) test: Arc<dyn Dataset>,
    /// The seed of the order in which the first pictures are taken, from which a model computes some of its weights; `None`
    /// where pictures are in an order without a rule.
    pub(super) first: Option<u64>,
}

impl PictureData {
    /// An experiment on the pictures as they are, with `task` and the parameters of its model; only those to learn from are
    /// augmented.
    pub(super) fn prepared(
        self,
        config: &Config,
        task: Box<dyn Task>,
        params: Params,
        spec: serde_json::Value,
    ) -> Result<Prepared> {
        Ok(Prepared {
            task,
            train: augmented(self.train, config.data.augment.clone(), config.train.seed)?,
            validation: self.validation.map(|data| augmented(data, Vec::new(), 0)).transpose()?,
            test: Some(augmented(self.test, Vec::new(), 0)?),
            params,
            dataset: self.record,
            spec,
        })
    }
}

/// Errs when the pictures would be normalised: `why` they must not be.
pub(super) fn not_normalized(config: &Config, why: &str) -> Result<()> {
    match normalization(config) {
        Some(_) => Err(Error::Usage(format!("data.augment: normalize: {why}"))),
        None => Ok(()),
    }
}

/// The task of classifying `data`, with the model that `config` names.
pub(super) fn prepare(config: &Config, device: &Device, data: PictureData) -> Result<Prepared> {
    let PictureData { record, shape, classes, train, validation, test, first } = data;
    let normalize = normalization(config);
    let spec =
        Spec::Classify { inputs: Inputs::Pictures { shape, normalize: normalize.clone() }, classes: classes.clone() };
    let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
    let module = build(&config.model, &InputSpec { shape, classes: classes.len() }, &params)?;
    let only_normalized = |data| augmented(data, normalize.clone().map(Augment::from).into_iter().collect(), 0);
    if let Some(prepare) = model(&config.model.name)?.prepare {
        let _span = tracing::info_span!("prepare").entered();
        let loader = LoaderOptions { batch_size: PREPARE_FROM.min(train.len()), shuffle: first, drop_last: false };
        let mut batch = Batch::default();
        BatchLoader::new(only_normalized(train.clone())?, loader)?.next_into(&mut batch)?;
        prepare(&params, &DeviceBatch::new(&batch, &params, Split::Train, [0; 3]).float("inputs")?)?;
    }
    let task = Classification::new(module, classes).with(config.task.parse("task")?).normalized(normalize.clone());
    Ok(Prepared {
        task: Box::new(task),
        validation: validation.map(only_normalized).transpose()?,
        test: Some(only_normalized(test)?),
        train: augmented(train, config.data.augment.clone(), config.train.seed)?,
        params,
        dataset: record,
        spec: spec_json(&spec)?,
    })
}

/// The dataset with augmentations, if there are any.
fn augmented(data: Arc<dyn Dataset>, list: Vec<Augment>, seed: u64) -> Result<Box<dyn Dataset>> {
    Ok(if list.is_empty() { Box::new(data) } else { Box::new(Augmented::new(data, list, seed)?) })
}

/// The normalisation among the augmentations, which evaluation applies as well.
fn normalization(config: &Config) -> Option<Normalize> {
    config.data.augment.iter().find_map(|augment| match augment {
        Augment::Normalize(normalize) => Some(normalize.clone()),
        _ => None,
    })
}

/// The pictures of the built-in data set that `config` names.
pub(super) fn load(config: &Config, options: &LocateOptions, reporter: &mut dyn Reporter) -> Result<PictureData> {
    let all_if_zero = |n: usize| if n == 0 { usize::MAX } else { n };
    let located = Source::named(&config.data.name)?.locate(options, &mut |event| reporter.fetching(event))?;
    let mut notice = located.notice().to_string();
    if located.origin() == Origin::Network {
        notice += &format!("\n{}", located.citation());
    }
    reporter.found(&notice);
    let DataConfig { train_samples, test_samples, validation, .. } = config.data;
    let mut splits = located.load_first(all_if_zero(train_samples), all_if_zero(test_samples))?;
    let mut dataset = record(&located, &splits);
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
    Ok(PictureData {
        record: dataset,
        shape: splits.train.shape(),
        classes: splits.train.classes().to_vec(),
        train: Arc::new(splits.train),
        validation: held_out.map(|data| Arc::new(data) as Arc<dyn Dataset>),
        test: Arc::new(splits.test),
        first: None,
    })
}

fn record(located: &Located, splits: &Splits) -> DatasetRecord {
    let origin = match located.origin() {
        Origin::DataDir => "data-dir",
        Origin::Env => "env",
        Origin::Downloads => "downloads",
        Origin::Network => "network",
        Origin::Embedded => "embedded",
        Origin::StandIn => STAND_IN,
    };
    DatasetRecord {
        description: located.description(),
        origin: origin.into(),
        path: located.path().map(|path| path.display().to_string()),
        citation: Some(located.citation()),
        checksum: splits.checksum(),
        train: splits.train.len(),
        validation: 0,
        test: splits.test.len(),
    }
}
