//! The settings of `train`, `find-lr` and `tune` on the command line: the flags that set a configuration key, `--set`,
//! `--config` and `--recipe`, and the help texts of flags and keys.

use crate::experiment_file;
use crate::failure::Failure;
use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args};
use std::path::{Path, PathBuf};
use taper::backend::printable;
use taper::data::Collection;
use taper::train::{Argument, Config, Experiment, Form, GroupConfig, Key, OptimizerConfig, Override};

/// The arguments that change the configuration, and those that say where the data are.
#[derive(Args)]
pub struct SettingArgs {
    /// Settings known to work well together; the other flags override them [default: none; recipes below]
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// A TOML file of settings that differ from the defaults; flags and --set override it [default: none]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set any key of the configuration, flags included; may be repeated [default: none; keys below]
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Freeze the parameters whose names match, as in 'layer[1-3].*'; may be repeated [default: none]
    #[arg(long, value_name = "PATTERN")]
    pub freeze: Vec<String>,
    /// Train the parameters whose names match at a rate of their own, as in 'fc.*=0.01', frozen ones too; may be
    /// repeated [default: none]
    #[arg(long, value_name = "PATTERN=RATE")]
    pub group_lr: Vec<String>,
    /// Look for the data in this folder only [default: $TAPER_DATA, the downloads' folder, the network]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Never touch the network [default: data that are nowhere else are downloaded]
    #[arg(long)]
    pub offline: bool,
}

impl SettingArgs {
    /// `config` changed by the recipe, by the file of `--config`, by `flags` and by `--set`, in this order.
    ///
    /// # Errors
    /// An unknown recipe or key, a file that cannot be read, a value out of range.
    pub fn change(
        &self,
        mut config: Config,
        experiment: &dyn Experiment,
        flags: &[(&'static str, Override)],
    ) -> Result<Config, Failure> {
        if let Some(name) = &self.recipe {
            config = config.with(&experiment.recipe(name)?.overrides()?)?;
        }
        if let Some(path) = &self.config {
            let (named, changes) = experiment_file::read(path)?;
            if let Some(named) = named.filter(|named| named.value().as_str() != Some(experiment.name())) {
                let text = format!("its experiment is {}, not {}", named.found(), experiment.name());
                return Err(Failure::usage(text).of(path));
            }
            config = config.with(&changes)?;
        }
        // One by one for errors that name the flag.
        flags.iter().try_fold(config.clone(), |config, (flag, change)| with_flag(config, flag, change.clone()))?;
        // All at once: a key may be of a model that is named after it, by a flag or by `--set`.
        let set = self.set.iter().map(|text| Override::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let flags = flags.iter().map(|(_, change)| change.clone());
        config = config.with(&flags.chain(set).collect::<Vec<_>>())?;
        // Last, since only now it is known which data are named, built-in ones or one's own.
        if let Some(dir) = &self.data_dir
            && experiment.source(&config).is_none()
        {
            config = match data_dir(experiment) {
                Some(own) => with_path(config, own, dir)?,
                None => return Err(own_data_dir(dir, &format!("`{}`", usage(experiment)))),
            };
        }
        self.with_groups(config)
    }

    /// `config` with the groups of `--group-lr` and `--freeze` before its own: the first that matches a parameter takes
    /// it, so that a rate is an exception to what is frozen. A run that is resumed has them already.
    fn with_groups(&self, mut config: Config) -> Result<Config, Failure> {
        let mut groups = Vec::new();
        for text in &self.group_lr {
            let group = text.rsplit_once('=').filter(|(pattern, _)| !pattern.is_empty());
            let wrong = || Failure::usage(format!("--group-lr: expected PATTERN=RATE, found {}", printable(text)));
            let (pattern, rate) = group.ok_or_else(wrong)?;
            let rate: f64 = rate.parse().map_err(|_| wrong())?;
            groups.push(group_of(pattern, false, OptimizerConfig::default().with("lr", rate)));
        }
        if self.freeze.iter().any(String::is_empty) {
            return Err(Failure::usage("--freeze: expected a name, `*` standing for any characters, found none"));
        }
        groups.extend(self.freeze.iter().map(|pattern| group_of(pattern, true, OptimizerConfig::default())));
        if !config.groups.starts_with(&groups) {
            config.groups.splice(0..0, groups);
            config.check()?;
        }
        Ok(config)
    }
}

fn group_of(pattern: &str, frozen: bool, optimizer: OptimizerConfig) -> GroupConfig {
    GroupConfig { pattern: pattern.into(), frozen, optimizer, ..GroupConfig::default() }
}

/// What `--data-dir` sets for `experiment`, if that reads its data itself.
pub fn data_dir(experiment: &dyn Experiment) -> Option<&'static Argument> {
    experiment.arguments().iter().find(|argument| argument.form == Form::DataDir)
}

/// `config` with the key of `own` set to `path`.
///
/// # Errors
/// A value that the key does not take.
pub fn with_path(config: Config, own: &Argument, path: &Path) -> Result<Config, Failure> {
    with_flag(config, own.name, Override::flag(own.key, &absolute(path)))
}

/// `path` as a text, absolute, so that the run can be evaluated and resumed from another folder; the name of a collection
/// as it is.
fn absolute(path: &Path) -> String {
    if let Some(collection) = path.to_str().and_then(Collection::meant_by) {
        return collection.name.clone();
    }
    std::path::absolute(path).unwrap_or_else(|_| path.into()).to_string_lossy().into_owned()
}

/// The flags that say where built-in data are, by their names here.
pub const LOCATING: [&str; 2] = ["data_dir", "offline"];

/// The error of `--data-dir` where the data are one's own, which `place` says the place of.
pub fn own_data_dir(dir: &Path, place: &str) -> Failure {
    let dir = printable(&dir.to_string_lossy()).into_owned();
    Failure::usage(format!("--data-dir {dir}: built-in data are looked for there; your own are read from {place}"))
}

/// What is typed to train `experiment`: `train pictures DIR`.
pub fn usage(experiment: &dyn Experiment) -> String {
    let places = experiment.arguments().iter().filter(|argument| argument.form == Form::Positional);
    let words = ["train", experiment.name()].into_iter().chain(places.map(|argument| argument.value));
    words.collect::<Vec<_>>().join(" ")
}

/// The flags that set a key: the flag, its key, and the name of its value in `--help` (`None` for a switch, which sets
/// the key to false).
const KEY_FLAGS: &[(&str, &str, Option<&str>)] = &[
    ("model", "model.name", Some("NAME")),
    ("device", "device.name", Some("NAME")),
    ("epochs", "train.epochs", Some("N")),
    ("batch-size", "train.batch_size", Some("N")),
    ("lr", "optimizer.lr", Some("RATE")),
    ("seed", "train.seed", Some("N")),
    ("threads", "device.threads", Some("N")),
    ("isa", "device.isa", Some("auto|avx512|avx2|portable")),
    ("conv", "device.conv", Some("auto|direct")),
    ("dtype", "train.dtype", Some("f32|f64")),
    ("max-steps", "train.max_steps", Some("N")),
    ("init", "init.file", Some("FILE")),
    ("no-shuffle", "train.shuffle", None),
];

/// The maximal width of a help text, in columns.
pub const COLUMNS: usize = 100;
/// The column at which the explanations in the lists of recipes and keys begin.
const INDENT: usize = 34;

/// The flags of [`KEY_FLAGS`] that `wanted` selects, each with the default of `config` in its help.
pub fn key_flags(config: &Config, wanted: fn(&str) -> bool) -> Vec<Arg> {
    let arg = |(flag, key, value): &(&'static str, &'static str, Option<&'static str>)| {
        let arg = Arg::new(*flag).long(*flag);
        match value {
            Some(name) => arg.value_name(*name).allow_negative_numbers(true).help(help(config, key)),
            None => arg.action(ArgAction::SetTrue).help("Go through the data in their order [default: shuffled]"),
        }
    };
    KEY_FLAGS.iter().filter(|(flag, ..)| wanted(flag)).map(arg).collect()
}

/// The values given for the flags of [`KEY_FLAGS`] that `wanted` selects, as changes of the configuration.
pub fn flags(matches: &ArgMatches, wanted: fn(&str) -> bool) -> Vec<(&'static str, Override)> {
    let given = |(flag, key, value): &(&'static str, &'static str, Option<&str>)| match value {
        Some(_) => matches.get_one::<String>(flag).map(|raw| (*flag, Override::flag(*key, raw))),
        None => matches.get_flag(flag).then(|| (*flag, Override::new(*key, false))),
    };
    KEY_FLAGS.iter().filter(|(flag, ..)| wanted(flag)).filter_map(given).collect()
}

/// The arguments that only `experiment` has, each with its default in its help.
pub fn own_arguments(experiment: &dyn Experiment) -> Vec<Arg> {
    let config = experiment.config();
    let keys = config.keys(&experiment.families());
    let arg = |own: &Argument| {
        let default = keys.iter().find(|key| key.name == own.key).map_or_else(String::new, |key| default(&config, key));
        let help = match own.form {
            Form::Positional => own.help.to_string(),
            _ => format!("{} [default: {default}]", own.help),
        };
        // By its key, since another argument of a command may have its name: `tune --dir`.
        let arg = Arg::new(own.key).help(help);
        match own.form {
            Form::Positional => arg.value_name(own.value).value_parser(ValueParser::path_buf()),
            Form::Switch => arg.long(own.name).action(ArgAction::SetTrue),
            Form::Flag | Form::List | Form::DataDir => {
                arg.long(own.name).value_name(own.value).allow_negative_numbers(true)
            }
        }
    };
    experiment.arguments().iter().filter(|own| own.form != Form::DataDir).map(arg).collect()
}

/// The values given for the arguments of `experiment` alone, as changes of the configuration.
pub fn own_flags(matches: &ArgMatches, experiment: &dyn Experiment) -> Vec<(&'static str, Override)> {
    let given = |own: &Argument| {
        let text = || matches.get_one::<String>(own.key);
        let change = match own.form {
            Form::Positional => Override::flag(own.key, &absolute(matches.get_one::<PathBuf>(own.key)?)),
            // The flag is there for every experiment: `SettingArgs` has it.
            Form::DataDir => return None,
            Form::Flag => Override::flag(own.key, text()?),
            Form::Switch => matches.get_flag(own.key).then(|| Override::new(own.key, true))?,
            Form::List => {
                let names = text()?.split(',').map(|name| name.trim().to_string());
                Override::new(own.key, names.filter(|name| !name.is_empty()).collect::<Vec<_>>())
            }
        };
        Some((own.name, change))
    };
    experiment.arguments().iter().filter_map(given).collect()
}

/// The text below the flags in `--help`: the experiment's recipes, then all keys, one paragraph per TOML table.
pub fn below(experiment: &dyn Experiment, config: &Config) -> String {
    let mut text = String::new();
    if !experiment.recipes().is_empty() {
        let recipes = experiment.recipes().iter().map(|recipe| entry(recipe.name, recipe.about));
        text = format!("Recipes:\n{}\n", recipes.collect::<String>());
    }
    text += "Keys for --set and --config:\n";
    let mut table = None;
    for key in config.keys(&experiment.families()) {
        let of = key.name.split_once('.').map(|(table, _)| table.to_string());
        if of != table {
            text.push('\n');
        }
        table = of;
        let meaning = format!("{}; {} [default: {}]", key.help, key.range, default(config, &key));
        text += &entry(&key.name, &meaning);
    }
    text
}

/// A line of a list below the flags, such as that of recipes: a name and its meaning, in as many lines as it takes.
pub fn entry(name: &str, meaning: &str) -> String {
    let lines = wrapped(meaning, COLUMNS - INDENT).join(&format!("\n{:INDENT$}", ""));
    format!("  {name:<width$}{lines}\n", width = INDENT - 2)
}

/// The help of the flag that sets `key`, with its default.
pub fn help(config: &Config, key: &str) -> String {
    let known = config.keys(&[]).into_iter().find(|known| known.name == key);
    known.map_or_else(String::new, |known| format!("{} [default: {}]", known.help, default(config, &known)))
}

/// The default of `key` as `--help` shows it.
fn default(config: &Config, key: &Key) -> String {
    match config.get(&key.name).or_else(|| key.default_told()) {
        Some(value) if value.is_empty() || value == "[]" || value == "\"\"" => "none".into(),
        Some(value) => value,
        // A setting that the experiment leaves to the optimiser's own default.
        None if key.varies => "the optimiser's".into(),
        None => "none".into(),
    }
}

/// `text` wrapped to `columns`; a longer word has a line of its own. `[default: ` and the word after it stay on one
/// line.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let text = text.replace("[default: ", "[default:\u{a0}");
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines.into_iter().map(|line| line.replace('\u{a0}', " ")).collect()
}

/// `config` with `change`, which `flag` asked for.
///
/// # Errors
/// A value out of range; the error names the flag instead of the key.
pub fn with_flag(config: Config, flag: &str, change: Override) -> Result<Config, Failure> {
    let key = change.key().to_string();
    config.with(&[change]).map_err(|error| match error.to_string().strip_prefix(&format!("{key}: ")) {
        Some(rest) => Failure::usage(format!("--{flag}: {rest}")),
        None => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper::tasks::experiments;

    #[test]
    fn every_flag_has_a_key_with_help() {
        for experiment in experiments() {
            for (flag, key, _) in KEY_FLAGS {
                assert!(Config::default().keys(&[]).iter().any(|known| known.name == *key), "{flag}");
                assert!(!help(&experiment.config(), key).starts_with(' '), "{flag}");
            }
        }
    }

    #[test]
    fn lines_are_as_long_as_they_may_be() {
        assert_eq!(wrapped("to be or not to be", 5), ["to be", "or", "not", "to be"]);
        assert_eq!(wrapped("a handkerchief  ", 5), ["a", "handkerchief"]);
        assert_eq!(wrapped("so much [default: 0]", 9), ["so much", "[default: 0]"]);
        assert_eq!(wrapped("", 5), [] as [&str; 0]);
    }
}
