//! The experiment `pictures`: one's own pictures, in a folder for each class, or such folders in `train`, `val` and `test`.
//! They are read as batches need them, so that they may be more than the memory holds. Pictures are resized and cropped to a
//! square.

use super::own::{Own, family};
use super::pictures::{self, PictureData};
use crate::ClassifyConfig;
use taper_config::{Family, Schema, table};
#[cfg(feature = "images")]
use taper_data::{PictureFolder, PictureOptions, PictureSplits};
use taper_nn::Device;
use taper_train::{
    Argument, Config, DataConfig, Experiment, Form, OptimizerConfig, Prepared, Reporter, Result, TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "pictures",
    about: "Your own pictures, in a folder for each class (also within train, val and test)",
    config,
    recipes: &[],
    arguments: ARGUMENTS,
    features: |_| &["images"],
    families,
    check: |_| Ok(()),
    prepare,
};

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "dir",
        key: "data.dir",
        value: "DIR",
        help: "The folder of the pictures: a folder for each class in it, or in its train, val and test",
        form: Form::Positional,
    },
    Argument {
        name: "size",
        key: "data.size",
        value: "N",
        help: "Height and width to which pictures are resized and cropped",
        form: Form::Flag,
    },
    Argument {
        name: "skip-bad",
        key: "data.skip_bad",
        value: "",
        help: "Leave out files that do not decode, and list them, instead of stopping",
        form: Form::Switch,
    },
];

table! {
    /// `[data]` of one's own pictures.
    pub struct FolderConfig {
        /// The folder of the pictures.
        dir: String = String::new(), any("a folder");
        /// Height and width to which pictures are resized and cropped.
        size: usize = 64, integer(8..=1024);
        /// Leave out files that do not decode, and list them, instead of stopping.
        skip_bad: bool = false, flag();
        /// Fraction of the pictures held out for the test, where there is no folder `test`.
        test: f64 = 0.2, fraction();
    }
}

fn config() -> Config {
    Config {
        model: "seed-cnn".into(),
        data: DataConfig { name: "pictures".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 20, batch_size: 32, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adam").with("lr", 1e-3),
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    vec![
        taper_models::family(),
        family("task", "task", "classify", vec![("classify", Schema::of::<ClassifyConfig>())]),
        family("data", "dataset", "pictures", vec![("pictures", Schema::of::<FolderConfig>())]),
    ]
}

fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    pictures::prepare(config, device, load(config, reporter)?)
}

#[cfg(not(feature = "images"))]
fn load(_config: &Config, _reporter: &mut dyn Reporter) -> Result<PictureData> {
    Err(super::lacks("images", "pictures"))
}

#[cfg(feature = "images")]
fn load(config: &Config, reporter: &mut dyn Reporter) -> Result<PictureData> {
    use std::sync::Arc;
    use taper_data::Dataset;
    use taper_train::{DatasetRecord, Error};

    let own: FolderConfig = config.data.named().parse("data")?;
    if own.dir.is_empty() {
        let detail = "expected the folder of your pictures, as in `train pictures DIR`";
        return Err(Error::Usage(format!("data.dir: {detail}")));
    }
    let found = open(&own.dir, PictureOptions { size: own.size, skip_bad: own.skip_bad }, reporter)?;
    let checksum = found.checksum().to_string();
    let PictureSplits { train, validation, test, .. } = found;
    let (train, test) = match test {
        Some(test) => (train, test),
        None => held_out(&train, own.test, config.train.seed, "data.test")?,
    };
    let (train, validation) = validated(train, validation, config)?;
    let train = first(train, config.data.train_samples, config)?;
    let test = first(test, config.data.test_samples, config)?;
    let classes = train.classes().to_vec();
    let what = format!("pictures of {} classes", classes.len());
    Ok(PictureData {
        record: DatasetRecord {
            train: train.len(),
            validation: validation.as_ref().map_or(0, PictureFolder::len),
            test: test.len(),
            ..super::own::own_record(&own.dir, &what, checksum)
        },
        shape: [3, own.size, own.size],
        classes,
        train: Arc::new(train),
        validation: validation.map(|data| Arc::new(data) as Arc<dyn Dataset>),
        test: Arc::new(test),
        first: Some(config.train.seed),
    })
}

/// The pictures in the folder `dir`; the user is told of files that are left out.
#[cfg(feature = "images")]
pub(super) fn open(dir: &str, options: PictureOptions, reporter: &mut dyn Reporter) -> Result<PictureSplits> {
    /// Files that are listed by name when they are left out.
    const LISTED: usize = 5;

    let found = PictureSplits::open(dir, options)?;
    if !found.skipped.is_empty() {
        let mut text = match found.skipped.len() {
            1 => "1 file is left out:".into(),
            n => format!("{n} files are left out:"),
        };
        for file in found.skipped.iter().take(LISTED) {
            text += &format!("\n  {}: {}", file.path.display(), file.reason);
        }
        if found.skipped.len() > LISTED {
            text += &format!("\n  and {} more", found.skipped.len() - LISTED);
        }
        reporter.note(&text);
    }
    Ok(found)
}

/// The pictures to learn from and those to validate on: `validation` if there are any, else as many of `train` as
/// `data.validation` says.
#[cfg(feature = "images")]
pub(super) fn validated(
    train: PictureFolder,
    validation: Option<PictureFolder>,
    config: &Config,
) -> Result<(PictureFolder, Option<PictureFolder>)> {
    match validation {
        Some(validation) => Ok((train, Some(validation))),
        None if config.data.validation > 0.0 => {
            let (train, held) = held_out(&train, config.data.validation, config.train.seed, "data.validation")?;
            Ok((train, Some(held)))
        }
        None => Ok((train, None)),
    }
}

/// So many of the pictures, drawn by the seed, since they are in the order of their folders; all for 0.
#[cfg(feature = "images")]
pub(super) fn first(data: PictureFolder, count: usize, config: &Config) -> Result<PictureFolder> {
    if count == 0 {
        return Ok(data);
    }
    let order = taper_nn::RandomKey::new(config.train.seed).child("first").permutation(data.len());
    Ok(data.subset(&order[..count.min(order.len())])?)
}

#[cfg(feature = "images")]
fn held_out(data: &PictureFolder, fraction: f64, seed: u64, key: &str) -> Result<(PictureFolder, PictureFolder)> {
    let (rest, held) = data.split_off(fraction, seed)?;
    if held.is_empty() || rest.is_empty() {
        let (all, held, rest) = (data.len(), held.len(), rest.len());
        let detail = format!("{fraction} of {all} pictures leaves {held} held out and {rest} to learn from");
        return Err(taper_train::Error::Usage(format!("{key}: {detail}")));
    }
    Ok((rest, held))
}
