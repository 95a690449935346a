//! The pictures that `verify` learns from and is measured on: those of a built-in data set, or those in a folder for each class
//! or person, of one's own or of a public collection.

use super::own::family;
use super::{pictures, public};
use crate::verification::{Samples, labels};
use std::sync::Arc;
use taper_config::{Family, Schema, table};
use taper_data::{Collection, Dataset, LocateOptions, Source};
use taper_models::NoKeys;
use taper_train::{Config, DatasetRecord, Error, Reporter, Result};

/// The name in `[data]` of folders of one's own.
const FOLDER: &str = "folder";
/// The key of their place.
pub(super) const PLACE: &str = "data.dir";

table! {
    /// `[data]` of pictures in a folder for each class or person.
    pub struct ClassFoldersConfig {
        /// The folder that holds these folders.
        dir: String = String::new(), any("a folder");
        /// Height and width to which pictures are resized and cropped.
        size: usize = 64, integer(8..=1024);
        /// Leave out files that do not decode, and list them, instead of stopping.
        skip_bad: bool = false, flag();
    }
}

/// Pictures by split, with their labels.
pub(super) struct Labelled {
    pub(super) record: DatasetRecord,
    /// `[C, H, W]` of every picture.
    pub(super) shape: [usize; 3],
    /// The names of the classes, in the order of their labels.
    pub(super) classes: Vec<String>,
    pub(super) train: Samples,
    pub(super) validation: Option<Samples>,
    pub(super) test: Samples,
}

/// What `[data]` may name for the experiment `experiment`: the built-in data sets, folders, and its collections.
pub(super) fn data(experiment: &str) -> Family {
    let built_in =
        Source::all().iter().flat_map(|source| [source.name()].into_iter().chain(source.also().iter().copied()));
    let built_in = built_in.map(|name| (name, Schema::of::<NoKeys>()));
    let collections = Collection::all().unwrap_or_default().iter().filter(|collection| collection.is_of(experiment));
    let folders = [FOLDER].into_iter().chain(collections.map(|collection| collection.name.as_str()));
    let folders = folders.map(|name| (name, Schema::of::<ClassFoldersConfig>()));
    family("data", "dataset", "digits", built_in.chain(folders).collect())
}

/// Whether `config` names a built-in data set.
pub(super) fn is_built_in(config: &Config) -> bool {
    Source::named(&config.data.name).is_ok()
}

/// The collection that `config` names, by `data.name` or in the place of a folder.
///
/// # Errors
/// The name of a collection that another experiment learns from; folders without a place.
pub(super) fn collection(experiment: &str, config: &Config) -> Result<Option<&'static Collection>> {
    if is_built_in(config) {
        return Ok(None);
    }
    match config.get(PLACE).filter(|dir| !dir.is_empty()) {
        Some(dir) => public::named(experiment, PLACE, &dir),
        None if config.data.name != FOLDER => Ok(Collection::named(&config.data.name).ok()),
        None => {
            let detail =
                "expected the folder that holds a folder for each class or person, as in --data-dir DIR, found none";
            Err(Error::Usage(format!("{PLACE}: {detail}")))
        }
    }
}

/// The pictures that `config` names, of `collection` if there is one.
pub(super) fn load(
    config: &Config,
    collection: Option<&'static Collection>,
    locate: &LocateOptions,
    reporter: &mut dyn Reporter,
) -> Result<Labelled> {
    match collection {
        _ if is_built_in(config) => built_in(config, locate, reporter),
        None => folders(config, &config.get(PLACE).unwrap_or_default(), reporter),
        Some(collection) => {
            let found = public::fetch(collection, locate, reporter)?;
            let data = folders(config, &found.path, reporter)?;
            Ok(Labelled { record: found.record(data.record), ..data })
        }
    }
}

fn built_in(config: &Config, locate: &LocateOptions, reporter: &mut dyn Reporter) -> Result<Labelled> {
    let pictures::PictureData { record, shape, classes, train, validation, test, .. } =
        pictures::load(config, locate, reporter)?;
    let samples = |data: Arc<dyn Dataset>| -> Result<Samples> { Ok(Samples { labels: labels(&data)?, data }) };
    let validation = validation.map(samples).transpose()?;
    Ok(Labelled { record, shape, classes, train: samples(train)?, validation, test: samples(test)? })
}

#[cfg(not(feature = "images"))]
fn folders(_config: &Config, _dir: &str, _reporter: &mut dyn Reporter) -> Result<Labelled> {
    Err(super::lacks("images", "pictures"))
}

/// The pictures in the folders of `dir`. Without a folder `test`, what is measured on are all pictures: those of classes that are
/// not learned, of which none is learned from.
#[cfg(feature = "images")]
fn folders(config: &Config, dir: &str, reporter: &mut dyn Reporter) -> Result<Labelled> {
    use super::own_pictures::{first, open, validated};
    use taper_data::{PictureFolder, PictureOptions};

    let own: ClassFoldersConfig = config.data.named().parse("data")?;
    let found = open(dir, PictureOptions { size: own.size, skip_bad: own.skip_bad }, reporter)?;
    let checksum = found.checksum().to_string();
    let test = found.test.unwrap_or_else(|| found.train.clone());
    let (train, validation) = validated(found.train, found.validation, config)?;
    let train = first(train, config.data.train_samples, config)?;
    let test = first(test, config.data.test_samples, config)?;
    let classes = train.classes().to_vec();
    let samples = |data: PictureFolder| Samples { labels: data.labels(), data: Arc::new(data) };
    Ok(Labelled {
        record: super::own::own_record(dir, &format!("pictures of {} classes", classes.len()), checksum),
        shape: [3, own.size, own.size],
        classes,
        train: samples(train),
        validation: validation.map(samples),
        test: samples(test),
    })
}
