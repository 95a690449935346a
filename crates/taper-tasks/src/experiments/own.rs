//! Experiments on data of one's own, which a file or a folder of the command line names: what all such share.

use super::public;
use std::path::Path;
use taper_config::{Family, Schema};
use taper_data::{Collection, LocateOptions};
use taper_nn::Device;
use taper_train::{
    Argument, Config, DatasetRecord, Error, Experiment, Form, Override, Prepared, Recipe, Reporter, Result, STAND_IN,
};

/// An experiment on data of one's own, or on a public collection that is named in their place. It has no built-in data set.
pub(super) struct Own {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) config: fn() -> Config,
    pub(super) recipes: &'static [Recipe],
    /// What is given on the command line: the data, and what is set often.
    pub(super) arguments: &'static [Argument],
    /// The cargo features that reading the data takes.
    pub(super) features: fn(&Config) -> &'static [&'static str],
    /// What the tables `model`, `task` and `data` may name.
    pub(super) families: fn() -> Vec<Family>,
    /// What is checked before the data are read, besides the families.
    pub(super) check: fn(&Config) -> Result<()>,
    pub(super) prepare: fn(&Config, &Device, &mut dyn Reporter) -> Result<Prepared>,
}

impl Own {
    /// The key that says where the data are, if there is one, and its value.
    fn place(&self, config: &Config) -> Option<(&'static str, String)> {
        let is_place = |argument: &&Argument| matches!(argument.form, Form::DataDir | Form::Positional);
        let key = self.arguments.iter().find(is_place)?.key;
        Some((key, config.get(key)?))
    }
}

impl Experiment for Own {
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

    fn arguments(&self) -> &'static [Argument] {
        self.arguments
    }

    fn source(&self, _config: &Config) -> Option<String> {
        None
    }

    fn collection(&self, config: &Config) -> Result<Option<&'static Collection>> {
        self.place(config).map_or(Ok(None), |(key, value)| public::named(self.name, key, &value))
    }

    fn features(&self, config: &Config) -> &'static [&'static str] {
        (self.features)(config)
    }

    fn families(&self) -> Vec<Family> {
        (self.families)()
    }

    fn check(&self, config: &Config) -> Result<()> {
        (self.check)(config)?;
        self.collection(config)?;
        config.resolved(&self.families()).map(drop)
    }

    fn prepare(
        &self,
        config: &Config,
        device: &Device,
        locate: &LocateOptions,
        reporter: &mut dyn Reporter,
    ) -> Result<Prepared> {
        let (Some((key, _)), Some(collection)) = (self.place(config), self.collection(config)?) else {
            return (self.prepare)(config, device, reporter);
        };
        let found = public::fetch(collection, locate, reporter)?;
        // The run's own configuration keeps the name, which is found on any machine.
        let config = config.with(&[Override::new(key, found.path.as_str())])?;
        let prepared = (self.prepare)(&config, device, reporter)?;
        Ok(Prepared { dataset: found.record(prepared.dataset), ..prepared })
    }
}

/// The cargo features of the reader of the table that `key` names: none if it names none.
pub(super) fn table_features(config: &Config, key: &str) -> &'static [&'static str] {
    match config.get(key) {
        Some(file) if file.ends_with(".parquet") => &["parquet"],
        Some(file) if !file.is_empty() => &["csv"],
        _ => &[],
    }
}

/// A family of things that the table `table` may name.
pub(super) fn family(
    table: &'static str,
    kind: &'static str,
    default: &'static str,
    members: Vec<(&'static str, Schema)>,
) -> Family {
    Family { table, kind, default, members, common: None, lenient: false }
}

/// Errs where pictures are to be augmented: `why` says what the data are instead.
pub(super) fn no_pictures(config: &Config, why: &str) -> Result<()> {
    match config.data.augment.is_empty() {
        true => Ok(()),
        false => Err(Error::Usage(format!("data.augment: {why}"))),
    }
}

/// The name of a file or a folder, without the path to it.
pub(super) fn short_name(path: &str) -> String {
    let path = Path::new(path);
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The record of data that `path` names, of which `what` is said after its name.
pub(crate) fn own_record(path: &str, what: &str, checksum: String) -> DatasetRecord {
    DatasetRecord {
        description: format!("{}, {what}", short_name(path)),
        origin: "own".into(),
        path: Some(path.into()),
        checksum,
        ..DatasetRecord::default()
    }
}

/// The record of generated data. `version` is theirs: it changes when what is generated does.
pub(crate) fn generated_record(description: &str, version: &str) -> DatasetRecord {
    DatasetRecord {
        description: description.into(),
        origin: STAND_IN.into(),
        checksum: version.into(),
        ..DatasetRecord::default()
    }
}
