//! Hyperparameter search: random search and asynchronous successive halving over keys of the configuration.
//!
//! A [`Search`] says which trial to train next and how far; how it is trained is left to [`Trials`]. What was found is
//! in `ledger.toml` after every job, so that a search ended at any moment continues to the same end; `results.csv` and
//! `results.svg` beside it are for reading.
//!
//! ```
//! use taper_train::tune::{Measured, Method, Search, Settings, Space, Trial, Trials};
//! use taper_train::{Config, Result, experiment};
//!
//! /// Stands for a training that does best at a rate of 0.01.
//! struct Pretend(Config);
//!
//! impl Trials for Pretend {
//!     fn run(&mut self, trial: &Trial, epochs: u64) -> Result<Option<Measured>> {
//!         let rate = self.0.with(&trial.overrides)?.optimizer.lr.unwrap_or(0.1);
//!         let away = (rate / 0.01).ln().abs();
//!         Ok(Some(Measured { loss: away + 1.0 / epochs as f64, accuracy: 1.0 / (1.0 + away) }))
//!     }
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! std::fs::write(dir.join("space.toml"), "optimizer.lr = { log = [1e-4, 1] }")?;
//! let config = experiment("digits")?.config();
//! let space = Space::read(&dir.join("space.toml"), &config)?;
//! let settings = Settings {
//!     experiment: "digits".into(),
//!     method: Method::Asha,
//!     trials: 27,
//!     min_epochs: 1,
//!     max_epochs: 9,
//!     eta: 3,
//!     seed: 0,
//! };
//! let mut search = Search::open(dir.join("search"), &settings, space, &config)?;
//! search.run(&mut Pretend(config), &mut |_, entry| println!("{entry:?}"))?;
//! println!("{}", search.table());
//! assert!(search.best().is_some_and(|best| best.epochs == 9 && best.accuracy > Some(0.7)));
//! # Ok(()) }
//! ```

mod asha;
mod ledger;
mod plot;
mod sample;
mod settings;
mod space;
mod standings;
mod table;

pub use ledger::Entry;
pub use settings::{Method, Settings};
pub use space::{Range, Space};
pub use standings::Standing;

use self::asha::{Done, Job};
pub(crate) use self::ledger::LEDGER;
use self::ledger::{Ledger, trial_name};
use crate::{Config, Error, Override, Result, optimize};
use std::path::{Path, PathBuf};

/// How many trials are looked at before the first is trained.
const CHECKED: u64 = 100;

/// One set of values, to be trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// From 1.
    pub number: u64,
    /// Its run's folder, `trial-001` and so on in the search's: not there yet when it is trained for the first time.
    pub folder: PathBuf,
    /// What it differs in from [`Search::config`].
    pub overrides: Vec<Override>,
}

/// What a trial reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The loss on the validation split.
    pub loss: f64,
    /// The fraction of the validation split classified rightly.
    pub accuracy: f64,
}

/// Trains trials.
pub trait Trials {
    /// Trains the trial's run (made new, or continued from its checkpoint) until `epochs` epochs are done, under the
    /// schedule of the maximum, and measures it there on the validation split. `None` when stopped from outside.
    ///
    /// # Errors
    /// [`Error::NotFinite`], memory that does not suffice, and values that do not go together ([`Error::Usage`],
    /// shapes) are this trial's failure, and the search goes on; any other error ends it.
    fn run(&mut self, trial: &Trial, epochs: u64) -> Result<Option<Measured>>;
}

/// A search, new or under way.
#[derive(Debug)]
pub struct Search {
    dir: PathBuf,
    config: Config,
    space: Space,
    ledger: Ledger,
    rungs: Vec<u64>,
}

impl Search {
    /// The search in the folder `dir`: a new one if that is empty or does not exist, else the one that is there.
    ///
    /// # Errors
    /// A setting out of range, values that do not go together, a folder that holds a search with other settings (the
    /// text says which differ) or other things.
    pub fn open(dir: impl Into<PathBuf>, settings: &Settings, space: Space, config: &Config) -> Result<Self> {
        let dir = dir.into();
        settings.check()?;
        if config.train.max_steps != 0 {
            let detail = "a search counts in epochs; leave it at 0, and give --max-epochs";
            return Err(Error::Usage(format!("train.max_steps: {detail}")));
        }
        // Checked to be below 2^63.
        let config = config.with(&[Override::new("train.epochs", settings.max_epochs as i64)])?;
        check_trials(settings, &space, &config)?;
        let ledger = Ledger::open(&dir, settings, &space, &config)?;
        Ok(Self { dir, config, space, ledger, rungs: settings.rungs() })
    }

    /// The search's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What all trials have in common; `train.epochs` is the search's maximum.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What was found so far, in the order in which it was.
    pub fn results(&self) -> &[Entry] {
        self.ledger.results()
    }

    /// The epochs at which trials are measured, in rising order.
    pub fn rungs(&self) -> &[u64] {
        &self.rungs
    }

    /// Works off the jobs that are left, and tells `told` of each when it is in the ledger. False when stopped.
    ///
    /// # Errors
    /// Those of the trials that are not a trial's failure, and of writing. What was found before stays.
    pub fn run(&mut self, trials: &mut dyn Trials, told: &mut dyn FnMut(&Self, &Entry)) -> Result<bool> {
        self.write_results()?;
        while let Some(Job { trial: number, rung }) = self.next() {
            let (trial, epochs) = (self.trial(number), self.rungs[rung]);
            let found = match trials.run(&trial, epochs) {
                Ok(None) => return Ok(false),
                Ok(Some(found)) if found.loss.is_finite() => Ok(found),
                Ok(Some(found)) => Err(format!("the validation loss is {}", found.loss)),
                Err(error) => Err(failure(&error).ok_or(error)?),
            };
            let entry = Entry::new(number, epochs, found);
            self.ledger.add(entry.clone())?;
            self.write_results()?;
            told(self, &entry);
        }
        Ok(true)
    }

    fn write_results(&self) -> Result<()> {
        taper_data::atomic_write(self.dir.join("results.csv"), self.csv().as_bytes())?;
        Ok(taper_data::atomic_write(self.dir.join("results.svg"), self.svg().as_bytes())?)
    }

    /// The trial with this number, from 1.
    pub fn trial(&self, number: u64) -> Trial {
        let overrides = self.space.overrides(self.ledger.settings().seed, number);
        Trial { number, folder: self.dir.join(trial_name(number)), overrides }
    }

    fn next(&self) -> Option<Job> {
        // A ledger holds the epochs of rungs only: they follow from its settings.
        let rung = |entry: &Entry| self.rungs.iter().position(|&epochs| epochs == entry.epochs);
        let done = |entry: &Entry| Some(Done { job: Job { trial: entry.trial, rung: rung(entry)? }, loss: entry.loss });
        let done: Vec<Done> = self.results().iter().filter_map(done).collect();
        let Settings { eta, trials, .. } = *self.ledger.settings();
        asha::next_job(&done, self.rungs.len(), eta, trials)
    }
}

/// Errs when a trial cannot be trained at all, such as one whose optimiser lacks a key that is set: before any is.
/// Looks at the first [`CHECKED`].
fn check_trials(settings: &Settings, space: &Space, config: &Config) -> Result<()> {
    (1..=settings.trials.min(CHECKED)).try_for_each(|number| {
        let values = space.overrides(settings.seed, number);
        config.with(&values).and_then(|config| optimize::check(&config)).map_err(|error| {
            let values = values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Error::Usage(format!("trial {number} would have {values}: {error}"))
        })
    })
}

/// Why a trial failed, if `error` is its own failure: in words that do not depend on where it ran or was interrupted.
/// What its values make of a model shows only when that is built: such an error would come again each time the search
/// is continued.
fn failure(error: &Error) -> Option<String> {
    match error {
        Error::NotFinite { what, step, .. } => Some(format!("{what} became NaN or infinite at step {step}")),
        Error::Nn(taper_nn::Error::OutOfMemory { .. }) => Some("out of memory".into()),
        Error::Usage(_) | Error::Nn(taper_nn::Error::Shape { .. } | taper_nn::Error::Argument { .. }) => {
            Some(error.to_string())
        }
        _ => None,
    }
}
