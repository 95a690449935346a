//! An experiment that a user wrote as a file: `taper train FILE.toml`. The file is one of settings, as for `--config`, and
//! says which experiment they change, by `experiment = "cifar"` or by the data set (`data.name`) that only one
//! classifies.

use crate::catalogue;
use crate::failure::Failure;
use std::ffi::OsString;
use std::path::Path;
use taper::data::Source;
use taper::tasks::{experiment, experiments};
use taper::train::{Experiment, Override};

/// The key that names the experiment. It is none of the configuration.
const KEY: &str = "experiment";

/// The command line `words` with an experiment's name and `--config FILE.toml` in place of a FILE.toml, if that stands
/// where a command of `parser` takes an experiment.
///
/// # Errors
/// A file that cannot be read, or that does not say which experiment it changes.
pub fn resolved(mut words: Vec<OsString>, parser: &clap::Command) -> Result<Vec<OsString>, Failure> {
    let on_experiments = |word: &OsString| parser.find_subcommand(word).is_some_and(clap::Command::has_subcommands);
    let Some(at) = words.iter().position(on_experiments).map(|command| command + 1) else { return Ok(words) };
    let Some(path) = words.get(at).map(Path::new).filter(|path| path.extension().is_some_and(|end| end == "toml"))
    else {
        return Ok(words);
    };
    let (named, changes) = read(path)?;
    let experiment = base(named, &changes).map_err(|failure| failure.of(path))?;
    let mut config = OsString::from("--config=");
    config.push(path);
    words.splice(at..=at, [experiment.name().into(), config]);
    Ok(words)
}

/// The changes in a file of settings, and the experiment that it names.
///
/// # Errors
/// A file that cannot be read or is no TOML.
pub fn read(path: &Path) -> Result<(Option<Override>, Vec<Override>), Failure> {
    let mut changes = Override::read_file(path).map_err(taper::train::Error::from)?;
    let named = changes.iter().position(|change| change.key() == KEY).map(|at| changes.remove(at));
    Ok((named, changes))
}

/// The experiment that a file changes.
fn base(named: Option<Override>, changes: &[Override]) -> Result<&'static dyn Experiment, Failure> {
    if let Some(named) = named {
        let Some(name) = named.value().as_str() else {
            let found = named.found();
            return Err(Failure::usage(format!("{KEY}: expected the name of an experiment, found {found}")));
        };
        return Ok(experiment(name)?);
    }
    let data = changes.iter().rfind(|change| change.key() == "data.name").and_then(|change| change.value().as_str());
    if let Some(source) = data.and_then(|name| Source::named(name).ok())
        && let Some(found) = catalogue::of_data(source.name())
    {
        return Ok(found);
    }
    let known: Vec<&str> = experiments().iter().map(|known| known.name()).collect();
    Err(Failure::usage(format!("which experiment do these settings change? known: {}", known.join(", ")))
        .hint(format!("write {KEY} = \"NAME\" on the first line, with one of these names")))
}
