//! The command line. What each flag sets is a key of the configuration, and its default is read from there.

use crate::commands::tune::TuneArgs;
use crate::failure::Failure;
use crate::logging::LogFormat;
use clap::builder::EnumValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, ValueEnum};
use std::path::PathBuf;
use taper::train::{Config, Experiment, KEYS, Key, Override, RunFolder, experiments};

/// A command line, read.
pub struct Cli {
    pub verbose: u8,
    pub log_format: Option<LogFormat>,
    pub command: Command,
}

impl Cli {
    /// Whether logs are written, which a bar would be torn by.
    pub fn logs(&self) -> bool {
        self.verbose > 0 || self.log_format.is_some()
    }
}

/// What to do.
pub enum Command {
    Train(&'static Experiment, TrainArgs),
    Tune(TuneArgs),
    Eval(EvalArgs),
    Runs(RunsArgs),
    Download(DownloadArgs),
    Gradcheck(GradcheckArgs),
}

/// What `train` takes beside the flags that set a key. Its description is the experiment's.
#[derive(Args)]
pub struct TrainArgs {
    /// Look for the data in this folder, and nowhere else [default: $TAPER_DATA, the downloads' folder, the network]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Never touch the network [default: data that are nowhere else are downloaded]
    #[arg(long)]
    pub offline: bool,
    /// The run's folder, new or empty [default: runs/EXPERIMENT-YYYYMMDD-HHMMSS]
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// Go on with the run in this folder from its last checkpoint, as if it had never stopped; its settings are its own, and
    /// what is set besides must agree with them [default: a new run]
    #[arg(long, value_name = "RUN", conflicts_with = "run_dir")]
    pub resume: Option<PathBuf>,
    /// Settings known to work well together; the other flags come after them [default: none; recipes below]
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// A TOML file of settings that differ from the defaults; flags and --set come after it [default: none]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set any key of the configuration, flags included; may be repeated [default: none; keys below]
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Measure each operation of the training steps: a table to FILE, and beside it a trace for chrome://tracing or Perfetto
    /// [default: none]
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Print only the last line [default: progress and a line an epoch]
    #[arg(long)]
    pub quiet: bool,
    /// What was said by flags, key by key.
    #[arg(skip)]
    pub flags: Vec<(&'static str, Override)>,
}

/// Measure a saved run on its test data again
#[derive(Args)]
pub struct EvalArgs {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Where to compute: cpu, candle, cuda or cuda:N [default: as the run]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// CPU threads; 0 for one a core; results do not depend on it [default: as the run]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub threads: Option<String>,
    /// CPU instruction set; auto for the best of this machine [default: as the run]
    #[arg(long, value_name = "auto|avx512|avx2|portable")]
    pub isa: Option<String>,
    /// CPU convolutions: as defined, or by Winograd's algorithm where it pays [default: as the run]
    #[arg(long, value_name = "auto|direct")]
    pub conv: Option<String>,
    /// Pictures at a time [default: as the run]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub batch_size: Option<String>,
    /// Look for the data in this folder, and nowhere else [default: $TAPER_DATA, the downloads' folder, the network]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Never touch the network [default: data that are nowhere else are downloaded]
    #[arg(long)]
    pub offline: bool,
    /// Print only the last line [default: progress too]
    #[arg(long)]
    pub quiet: bool,
}

/// List runs, and compare them
#[derive(Args)]
pub struct RunsArgs {
    /// The folder that holds them, or one of them [default: runs]
    #[arg(value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Put these beside each other, with the keys that differ: names in DIR, or paths [default: none]
    #[arg(long, value_name = "RUN", num_args = 2..)]
    pub compare: Vec<String>,
    /// What to sort by; the best, the newest and the longest come first [default: name, or as compared]
    #[arg(long, value_name = "KEY", value_enum)]
    pub sort: Option<RunsSort>,
    /// How it is written
    #[arg(long, value_name = "NAME", value_enum, default_value = "table")]
    pub format: RunsFormat,
}

/// What runs are sorted by.
#[derive(Clone, Copy, ValueEnum)]
pub enum RunsSort {
    Name,
    Model,
    State,
    Started,
    Epochs,
    Validation,
    Test,
    Time,
}

/// How runs are written.
#[derive(Clone, Copy, ValueEnum)]
pub enum RunsFormat {
    Table,
    Json,
}

/// Fetch a data set into the downloads' folder
#[derive(Args)]
pub struct DownloadArgs {
    /// The data set: cifar
    #[arg(value_name = "DATASET")]
    pub dataset: String,
    /// The folder it goes to [default: $TAPER_DOWNLOADS, or taper/datasets in the user's cache]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Print nothing but errors [default: progress]
    #[arg(long)]
    pub quiet: bool,
}

/// Check the gradient of every operation, layer and loss against differences, in f64
#[derive(Args)]
pub struct GradcheckArgs {
    /// Only what is called so: conv2d, "layer conv2d", "loss mse" [default: all]
    #[arg(long, value_name = "NAME")]
    pub op: Option<String>,
    /// Check gradients of gradients, and list what refuses
    #[arg(long)]
    pub second: bool,
    /// Where to compute: devices, separated by commas; `all` for all of this build and machine
    #[arg(long, value_name = "NAMES", default_value = "cpu")]
    pub device: String,
}

/// The flags of `train` that set a key: the flag, its key, and how its value is called (`None` for a switch, with what
/// the switch sets).
const KEY_FLAGS: &[(&str, &str, Option<&str>)] = &[
    ("model", "model", Some("NAME")),
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
    ("init", "train.init", Some("FILE.safetensors")),
    ("no-shuffle", "train.shuffle", None),
];

/// Reads the process's command line; help, version and mistakes end the process here.
pub fn parse() -> Cli {
    read(command().get_matches()).unwrap_or_else(|error| error.exit())
}

fn read(matches: ArgMatches) -> Result<Cli, clap::Error> {
    let (verbose, log_format) = (matches.get_count("verbose"), matches.get_one("log-format").copied());
    let command = match matches.subcommand() {
        Some(("train", train)) => {
            let (name, found) = train.subcommand().ok_or_else(no_command)?;
            let experiment = experiments().iter().find(|e| e.name() == name).ok_or_else(no_command)?;
            let mut args = TrainArgs::from_arg_matches(found)?;
            args.flags = flags(found);
            Command::Train(experiment, args)
        }
        Some(("tune", found)) => Command::Tune(TuneArgs::from_arg_matches(found)?),
        Some(("eval", found)) => Command::Eval(EvalArgs::from_arg_matches(found)?),
        Some(("runs", found)) => Command::Runs(RunsArgs::from_arg_matches(found)?),
        Some(("download", found)) => Command::Download(DownloadArgs::from_arg_matches(found)?),
        Some(("gradcheck", found)) => Command::Gradcheck(GradcheckArgs::from_arg_matches(found)?),
        _ => return Err(no_command()),
    };
    Ok(Cli { verbose, log_format, command })
}

/// clap asks for a command itself: this is what would be said if it did not.
fn no_command() -> clap::Error {
    command().error(ErrorKind::MissingSubcommand, "a command is missing")
}

/// The command line as clap knows it.
fn command() -> clap::Command {
    let verbose = Arg::new("verbose")
        .short('v')
        .long("verbose")
        .action(ArgAction::Count)
        .global(true)
        .display_order(900)
        .help("Log the spans of run, epoch and step to standard error; -vv every loss too [default: no logs]");
    let log_format = Arg::new("log-format")
        .long("log-format")
        .value_parser(EnumValueParser::<LogFormat>::new())
        .value_name("text|json")
        .hide_possible_values(true)
        .global(true)
        .display_order(901)
        .help("How logs are written; turns them on [default: text]");
    let train = clap::Command::new("train").about("Train an experiment").subcommand_value_name("EXPERIMENT");
    clap::Command::new("taper")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Neural networks, trained from a clean clone")
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args([verbose, log_format])
        .subcommand(
            train
                .subcommand_help_heading("Experiments")
                .disable_help_subcommand(true)
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommands(experiments().iter().map(train_command)),
        )
        .subcommand(TuneArgs::augment_args(clap::Command::new("tune")))
        .subcommand(EvalArgs::augment_args(clap::Command::new("eval")))
        .subcommand(RunsArgs::augment_args(clap::Command::new("runs")))
        .subcommand(DownloadArgs::augment_args(clap::Command::new("download")))
        .subcommand(GradcheckArgs::augment_args(clap::Command::new("gradcheck")))
}

/// `train NAME`, each flag with this experiment's default.
fn train_command(experiment: &Experiment) -> clap::Command {
    let config = experiment.config();
    let key_flags = KEY_FLAGS.iter().map(|(flag, key, value)| {
        let help = help(&config, key);
        let arg = Arg::new(*flag).long(*flag);
        match value {
            Some(name) => arg.value_name(*name).allow_negative_numbers(true).help(help),
            None => arg.action(ArgAction::SetTrue).help("Go through the data in their order [default: shuffled]"),
        }
    });
    let keys = KEYS.iter().map(|key| format!("  {:<24} {}; {}", key.name, help(&config, key.name), key.range));
    let recipes = experiment.recipes().iter().map(|recipe| format!("  {:<24} {}\n", recipe.name(), recipe.about()));
    let recipes = match recipes.collect::<String>() {
        list if list.is_empty() => list,
        list => format!("Recipes:\n{list}\n"),
    };
    TrainArgs::augment_args(clap::Command::new(experiment.name()).args(key_flags))
        .about(experiment.about())
        .after_help(format!("{recipes}Keys for --set and --config:\n{}", keys.collect::<Vec<_>>().join("\n")))
}

/// The help of the flag that sets `key`, with its default.
fn help(config: &Config, key: &str) -> String {
    let default = match config.get(key) {
        Some(value) if value.is_empty() => "none".to_string(),
        value => value.unwrap_or_default(),
    };
    let meaning = KEYS.iter().find(|known| known.name == key).map_or("", |known| known.help);
    format!("{meaning} [default: {default}]")
}

/// What the flags that set a key were given.
fn flags(matches: &ArgMatches) -> Vec<(&'static str, Override)> {
    let given = |(flag, key, value): &(&'static str, &'static str, Option<&str>)| match value {
        Some(_) => matches.get_one::<String>(flag).map(|raw| (*flag, Override::flag(*key, raw))),
        None => matches.get_flag(flag).then(|| (*flag, Override::new(*key, false))),
    };
    KEY_FLAGS.iter().filter_map(given).collect()
}

impl TrainArgs {
    /// The experiment's configuration with the recipe's differences, then the file's, then the flags', then those of
    /// `--set`. That of a run to resume is its own, and what is said besides may only change its threads.
    pub fn config(&self, experiment: &Experiment) -> Result<Config, Failure> {
        let own = match &self.resume {
            Some(path) if path.join("config.toml").is_file() => Some(RunFolder::resume(path)?.read_config()?.0),
            _ => None,
        };
        let config = self.changed(own.clone().unwrap_or_else(|| experiment.config()), experiment)?;
        let Some(own) = own else { return Ok(config) };
        let other = |key: &&Key| key.name != "device.threads" && own.get(key.name) != config.get(key.name);
        match KEYS.iter().find(other) {
            None => Ok(config),
            Some(key) => Err(Failure::usage(format!(
                "--resume: {} is {} in this run, and cannot become {}; a new run can have it",
                key.name,
                own.get(key.name).unwrap_or_else(|| "not set".into()),
                config.get(key.name).unwrap_or_else(|| "not set".into())
            ))),
        }
    }

    fn changed(&self, mut config: Config, experiment: &Experiment) -> Result<Config, Failure> {
        if let Some(name) = &self.recipe {
            config = config.with(&experiment.recipe(name)?.overrides()?)?;
        }
        if let Some(path) = &self.config {
            config = config.with(&Override::read_file(path)?)?;
        }
        for (flag, change) in &self.flags {
            config = with_flag(config, flag, change.clone())?;
        }
        for text in &self.set {
            config = config.with(&[Override::parse(text)?])?;
        }
        Ok(config)
    }
}

/// `config` with `change`; an error names the flag instead of the key.
pub fn with_flag(config: Config, flag: &str, change: Override) -> Result<Config, Failure> {
    let key = KEY_FLAGS.iter().find(|known| known.0 == flag).map_or("", |known| known.1);
    config.with(&[change]).map_err(|error| match error.to_string().strip_prefix(&format!("{key}: ")) {
        Some(rest) => Failure::usage(format!("--{flag}: {rest}")),
        None => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_flag_has_a_key_with_help() {
        for experiment in experiments() {
            for (flag, key, _) in KEY_FLAGS {
                assert!(KEYS.iter().any(|known| known.name == *key), "{flag}");
                assert!(!help(&experiment.config(), key).starts_with(' '), "{flag}");
            }
        }
    }

    fn config(line: &[&str]) -> Result<Config, String> {
        let matches = command().try_get_matches_from(line).map_err(|e| e.to_string())?;
        match read(matches).map_err(|e| e.to_string())?.command {
            Command::Train(experiment, args) => args.config(experiment).map_err(|failure| format!("{failure:?}")),
            _ => Err("another command".into()),
        }
    }

    #[test]
    fn flags_set_keys_and_set_comes_last() {
        let line =
            ["taper", "train", "digits", "--epochs", "3", "--lr", "1", "--no-shuffle", "--set", "train.epochs=4"];
        let found = config(&line).unwrap();
        assert_eq!((found.train.epochs, found.optimizer.lr, found.train.shuffle), (4, Some(1.0), false));
        assert_eq!(config(&["taper", "train", "digits"]).unwrap(), experiments()[1].config());
    }

    #[test]
    fn a_flag_out_of_range_is_named() {
        let text = config(&["taper", "train", "digits", "--lr", "-1"]).unwrap_err();
        assert!(text.contains("--lr: expected a finite number above 0, found -1"), "{text}");
        let text = config(&["taper", "train", "digits", "--epochs", "many"]).unwrap_err();
        assert!(text.contains("--epochs: expected an integer, 1 or more, found many"), "{text}");
    }
}
