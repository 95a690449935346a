//! An experiment: data, a task, a model and a configuration, put together under a name.

use crate::{Config, DatasetRecord, Error, Hook, Override, Reporter, Result, Task};
use taper_config::{Family, unknown};
use taper_data::{Collection, Dataset, LocateOptions};
use taper_nn::{Device, Params};

/// Data, a task, a model and a configuration under a name, that [`train`](crate::train) makes a run of.
pub trait Experiment: Sync {
    /// The name, as on the command line: `cifar`.
    fn name(&self) -> &'static str;

    /// A description in a few words.
    fn about(&self) -> &'static str;

    /// The default configuration.
    fn config(&self) -> Config;

    /// The recipes: named overrides of the configuration.
    fn recipes(&self) -> &'static [Recipe] {
        &[]
    }

    /// What the tables `model`, `task` and `data` may name, with the keys of each.
    fn families(&self) -> Vec<Family> {
        Vec::new()
    }

    /// Other names that it is found by.
    fn also(&self) -> &'static [&'static str] {
        &[]
    }

    /// What is given on the command line besides the flags of every experiment, such as the folder of one's own data.
    fn arguments(&self) -> &'static [Argument] {
        &[]
    }

    /// The built-in data set that `config` trains on, which may have to be downloaded; `None` for data of one's own.
    fn source(&self, config: &Config) -> Option<String> {
        Some(config.data.name.clone())
    }

    /// The public collection that `config` names in the place of data of one's own, which may have to be downloaded.
    ///
    /// # Errors
    /// The name of a collection that another experiment learns from.
    fn collection(&self, _config: &Config) -> Result<Option<&'static Collection>> {
        Ok(None)
    }

    /// The cargo features that reading the data takes.
    fn features(&self, _config: &Config) -> &'static [&'static str] {
        &[]
    }

    /// Checks what can be checked before the data are loaded: the names of model and data, the task's own settings.
    ///
    /// # Errors
    /// A name or a setting that cannot be.
    fn check(&self, config: &Config) -> Result<()>;

    /// Loads the data, and builds the task with its model's initial weights on `device`.
    ///
    /// # Errors
    /// Data that cannot be read, or do not fit the model.
    fn prepare(
        &self,
        config: &Config,
        device: &Device,
        locate: &LocateOptions,
        reporter: &mut dyn Reporter,
    ) -> Result<Prepared>;

    /// The hooks of a run, in the order in which they are called.
    fn hooks(&self, _config: &Config) -> Vec<Box<dyn Hook>> {
        Vec::new()
    }
}

/// An argument of an experiment on the command line, which sets a key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    /// The name: of a flag, without its dashes.
    pub name: &'static str,
    /// The key that it sets.
    pub key: &'static str,
    /// What its value is called in the help: `DIR`.
    pub value: &'static str,
    /// What it sets, in a few words.
    pub help: &'static str,
    /// How it is written.
    pub form: Form,
}

/// How an [`Argument`] is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `VALUE`, in its place.
    Positional,
    /// `--name VALUE`.
    Flag,
    /// `--name`, which sets the key to true.
    Switch,
    /// `--name A,B`, which sets the key to a list of texts.
    List,
    /// `--data-dir VALUE`, the flag of every experiment, which here sets the key to the path of a folder or a file: data
    /// that the experiment reads itself, and has others for if none are named.
    DataDir,
}

/// An experiment that is ready to be trained.
pub struct Prepared {
    /// The task, which owns its model.
    pub task: Box<dyn Task>,
    /// The parameters of the model.
    pub params: Params,
    /// The training split, without the validation samples.
    pub train: Box<dyn Dataset>,
    /// The validation split, held out of the training samples.
    pub validation: Option<Box<dyn Dataset>>,
    /// The test split.
    pub test: Option<Box<dyn Dataset>>,
    /// What is recorded of the data.
    pub dataset: DatasetRecord,
    /// What predicting needs besides the weights and the configuration: shapes, class names, normalisation. It is
    /// written to the run's folder.
    pub spec: serde_json::Value,
}

/// A named set of overrides of an experiment's configuration.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// The name, as after `--recipe`.
    pub name: &'static str,
    /// A description in a few words.
    pub about: &'static str,
    /// The overrides as TOML.
    pub toml: &'static str,
}

impl Recipe {
    /// The overrides of the experiment's configuration.
    ///
    /// # Errors
    /// When the text is not TOML.
    pub fn overrides(&self) -> Result<Vec<Override>> {
        Ok(Override::read(self.toml, &format!("recipe {}", self.name))?)
    }
}

impl dyn Experiment + '_ {
    /// The recipe called `name`.
    ///
    /// # Errors
    /// An unknown name; the error lists the nearest ones.
    pub fn recipe(&self, name: &str) -> Result<&Recipe> {
        self.recipes().iter().find(|recipe| recipe.name == name).ok_or_else(|| {
            if self.recipes().is_empty() {
                return Error::Usage(format!("{} has no recipes", self.name()));
            }
            let known: Vec<&str> = self.recipes().iter().map(|recipe| recipe.name).collect();
            Error::Usage(unknown("recipe", name, &known))
        })
    }
}
