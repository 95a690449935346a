//! Hyperparameter search: random search and asynchronous successive halving over keys of the configuration.
//!
//! A [`Search`] decides which trial to train next and for how long; [`Trials`] trains it. The results are written to
//! `ledger.toml` after every job, so that a search that was ended at any moment can be continued with the same results.
//! `results.csv` and `results.svg` beside it are for reading.
//!
//! ```
//! use taper_train::tune::{Method, Search, Settings, Space, Trial, Trials};
//! use taper_train::{Config, Evaluation, Result};
//!
//! /// Stands for training with the lowest loss at a learning rate of 0.01.
//! struct Pretend(Config);
//!
//! impl Trials for Pretend {
//!     fn run(&mut self, trial: &Trial, epochs: u64) -> Result<Option<Evaluation>> {
//!         let rate = self.0.with(&trial.overrides)?.optimizer.number("lr").unwrap_or(0.1);
//!         let away = (rate / 0.01).ln().abs();
//!         Ok(Some(Evaluation::new(100, [("loss".to_string(), away + 1.0 / epochs as f64)])))
//!     }
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! std::fs::write(dir.join("space.toml"), "optimizer.lr = { log = [1e-4, 1] }")?;
//! let config = Config::default();
//! let space = Space::read(&dir.join("space.toml"), &config, &|_| Ok(()))?;
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
//! assert!(search.best().is_some_and(|best| best.epochs == 9 && best.loss < Some(0.7)));
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
use crate::{Config, Error, Evaluation, Override, Result, optimize};
use std::path::{Path, PathBuf};

/// The number of trials whose configuration is checked before the first is trained.
const CHECKED: u64 = 100;

/// A trial: one set of values for the keys that are searched over.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The number of the trial, from 1.
    pub number: u64,
    /// The folder of its run: `trial-001` and so on in the search's folder. It does not exist before the trial is first
    /// trained.
    pub folder: PathBuf,
    /// The values, as overrides of [`Search::config`].
    pub overrides: Vec<Override>,
}

/// Trains the trials of a search.
pub trait Trials {
    /// Trains the trial's run (new, or resumed from its checkpoint) until `epochs` epochs are done, with the schedule
    /// of a run of the maximum, and evaluates it on the validation split. `None` when stopped from outside.
    ///
    /// [`Error::NotFinite`], too little memory, and values that do not go together ([`Error::Usage`], shapes) count as
    /// a failure of this trial, and the search goes on. Any other error ends the search.
    fn run(&mut self, trial: &Trial, epochs: u64) -> Result<Option<Evaluation>>;
}

/// A search, new or continued.
#[derive(Debug)]
pub struct Search {
    dir: PathBuf,
    config: Config,
    space: Space,
    ledger: Ledger,
    rungs: Vec<u64>,
}

impl Search {
    /// Opens the search in the folder `dir`: a new one if the folder is empty or does not exist, else the one in it.
    ///
    /// # Errors
    /// A setting out of range, values that do not go together, a folder that holds other files or a search with other
    /// settings (the error says which differ).
    pub fn open(dir: impl Into<PathBuf>, settings: &Settings, space: Space, config: &Config) -> Result<Self> {
        let dir = dir.into();
        settings.check()?;
        if config.train.max_steps != 0 {
            let detail = "a search counts in epochs; leave it at 0, and give --max-epochs";
            return Err(Error::Usage(format!("train.max_steps: {detail}")));
        }
        // `check` ensures that it is below 2^63.
        let config = config.with(&[Override::new("train.epochs", settings.max_epochs as i64)])?;
        check_trials(settings, &space, &config)?;
        let ledger = Ledger::open(&dir, settings, &space, &config)?;
        Ok(Self { dir, config, space, ledger, rungs: settings.rungs() })
    }

    /// The search's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The configuration that all trials share; `train.epochs` is the maximum of the search.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The results so far, in the order of the jobs.
    pub fn results(&self) -> &[Entry] {
        self.ledger.results()
    }

    /// The numbers of epochs at which trials are evaluated, in rising order.
    pub fn rungs(&self) -> &[u64] {
        &self.rungs
    }

    /// Runs the remaining jobs, and calls `told` for each once its result is in the ledger. False when stopped.
    ///
    /// # Errors
    /// Errors of the trials that are not failures of a trial, and of writing. Earlier results are kept.
    pub fn run(&mut self, trials: &mut dyn Trials, told: &mut dyn FnMut(&Self, &Entry)) -> Result<bool> {
        self.write_results()?;
        while let Some(Job { trial: number, rung }) = self.next() {
            let (trial, epochs) = (self.trial(number), self.rungs[rung]);
            let found = match trials.run(&trial, epochs) {
                Ok(None) => return Ok(false),
                Ok(Some(found)) if found.loss().is_finite() => Ok(found),
                Ok(Some(found)) => Err(format!("the validation loss is {}", found.loss())),
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
        // Every result in a ledger is at a rung: the epochs were checked against the settings.
        let rung = |entry: &Entry| self.rungs.iter().position(|&epochs| epochs == entry.epochs);
        let done = |entry: &Entry| Some(Done { job: Job { trial: entry.trial, rung: rung(entry)? }, loss: entry.loss });
        let done: Vec<Done> = self.results().iter().filter_map(done).collect();
        let Settings { eta, trials, .. } = *self.ledger.settings();
        asha::next_job(&done, self.rungs.len(), eta, trials)
    }
}

/// Errs when a trial cannot be trained at all, such as one whose optimiser lacks a key that is set, before any is
/// trained. Checks the first [`CHECKED`] trials. The dataset's own keys were checked with the space, and are again when a
/// trial is trained.
fn check_trials(settings: &Settings, space: &Space, config: &Config) -> Result<()> {
    (1..=settings.trials.min(CHECKED)).try_for_each(|number| {
        let values = space.overrides(settings.seed, number);
        config.with(&values).and_then(|config| optimize::check_but_source(&config)).map_err(|error| {
            let values = values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Error::Usage(format!("trial {number} would have {values}: {error}"))
        })
    })
}

/// The reason, if `error` is a failure of this trial. Its text does not depend on where the trial ran or was
/// interrupted. Values that do not fit the model show only when it is built: such an error would recur each time the
/// search is continued.
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
