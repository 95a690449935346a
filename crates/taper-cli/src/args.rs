//! The command line and its parser. A flag such as `--lr` sets a key of the configuration, and the default that
//! `--help` shows is read from the experiment's configuration.

use crate::commands::find_lr::FindLrArgs;
use crate::commands::tune::TuneArgs;
use crate::failure::Failure;
use crate::logging::LogFormat;
use crate::settings::{self, SettingArgs, wrapped};
use clap::builder::EnumValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, ValueEnum};
use std::path::PathBuf;
use taper::train::{Config, Experiment, RunFolder, experiments};

/// The parsed command line.
pub struct Cli {
    pub verbose: u8,
    pub log_format: Option<LogFormat>,
    pub command: Command,
}

impl Cli {
    /// Whether logs are written to standard error. If so, no progress bar is drawn: log lines would break it.
    pub fn logs(&self) -> bool {
        self.verbose > 0 || self.log_format.is_some()
    }
}

/// The subcommand with its arguments.
pub enum Command {
    Train(&'static Experiment, TrainArgs),
    FindLr(&'static Experiment, FindLrArgs),
    Tune(&'static Experiment, TuneArgs),
    Eval(EvalArgs),
    Runs(RunsArgs),
    Download(DownloadArgs),
    Gradcheck(GradcheckArgs),
}

/// The arguments of `train` other than the flags that set a configuration key. The description in `--help` is the
/// experiment's.
#[derive(Args)]
pub struct TrainArgs {
    /// The run's folder, new or empty [default: runs/EXPERIMENT-YYYYMMDD-HHMMSS]
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// Resume the run in this folder from its last checkpoint, as if it had never stopped; its settings stay, except
    /// --epochs, which may grow; starts a run there if there is none [default: a new run]
    #[arg(long, value_name = "RUN", conflicts_with = "run_dir")]
    pub resume: Option<PathBuf>,
    /// Measure each operation of the training steps: write a table to FILE, and beside it a trace for
    /// chrome://tracing or Perfetto [default: none]
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Print only the last line [default: progress and a line an epoch]
    #[arg(long)]
    pub quiet: bool,
    #[command(flatten)]
    pub settings: SettingArgs,
}

/// Evaluate a saved run on its test split again
#[derive(Args)]
pub struct EvalArgs {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// The device to compute on: cpu, candle, cuda or cuda:N [default: as the run]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// CPU threads; 0 for one per core; results do not depend on it [default: as the run]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub threads: Option<String>,
    /// CPU instruction set; auto for the best that this machine has [default: as the run]
    #[arg(long, value_name = "auto|avx512|avx2|portable")]
    pub isa: Option<String>,
    /// CPU convolutions: direct, or auto for Winograd's algorithm where it is faster [default: as the run]
    #[arg(long, value_name = "auto|direct")]
    pub conv: Option<String>,
    /// Samples per batch [default: as the run]
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

/// List runs and compare them
#[derive(Args)]
pub struct RunsArgs {
    /// The folder that holds the runs, or the folder of one run [default: runs]
    #[arg(value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Compare these runs side by side, with the keys that differ: names in DIR, or paths [default: none]
    #[arg(long, value_name = "RUN", num_args = 2..)]
    pub compare: Vec<String>,
    /// The column to sort by; the best, the newest and the longest come first [default: name, or as compared]
    #[arg(long, value_name = "KEY", value_enum)]
    pub sort: Option<RunsSort>,
    /// The output format
    #[arg(long, value_name = "NAME", value_enum, default_value = "table")]
    pub format: RunsFormat,
}

/// The column that runs are sorted by.
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

/// The format in which runs are printed.
#[derive(Clone, Copy, ValueEnum)]
pub enum RunsFormat {
    Table,
    Json,
}

/// Download a data set into the downloads' folder
#[derive(Args)]
pub struct DownloadArgs {
    /// The data set: cifar
    #[arg(value_name = "DATASET")]
    pub dataset: String,
    /// The folder to download into [default: $TAPER_DOWNLOADS, or taper/datasets in the user's cache]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Print nothing but errors [default: progress]
    #[arg(long)]
    pub quiet: bool,
}

/// Check the gradients of operations, layers and losses against finite differences, in f64
#[derive(Args)]
pub struct GradcheckArgs {
    /// Check only what has this name: conv2d, "layer conv2d", "loss mse" [default: all]
    #[arg(long, value_name = "NAME")]
    pub op: Option<String>,
    /// Check second derivatives too, and list what does not support them
    #[arg(long)]
    pub second: bool,
    /// The devices to compute on, separated by commas; `all` for all of this build and machine
    #[arg(long, value_name = "NAMES", default_value = "cpu")]
    pub device: String,
}

/// Parses the process's command line. `--help`, `--version` and invalid arguments end the process here.
pub fn parse() -> Cli {
    read(command().get_matches()).unwrap_or_else(|error| error.exit())
}

fn read(matches: ArgMatches) -> Result<Cli, clap::Error> {
    let (verbose, log_format) = (matches.get_count("verbose"), matches.get_one("log-format").copied());
    let command = match matches.subcommand() {
        Some(("train", train)) => {
            let (experiment, found) = experiment(train)?;
            let mut args = TrainArgs::from_arg_matches(found)?;
            args.settings.flags = settings::flags(found, |_| true);
            Command::Train(experiment, args)
        }
        Some(("find-lr", find)) => {
            let (experiment, found) = experiment(find)?;
            let mut args = FindLrArgs::from_arg_matches(found)?;
            args.settings.flags = settings::flags(found, settings::counts_for_rates);
            Command::FindLr(experiment, args)
        }
        Some(("tune", tune)) => {
            let (experiment, found) = experiment(tune)?;
            let mut args = TuneArgs::from_arg_matches(found)?;
            args.settings.flags = settings::flags(found, settings::counts_for_trials);
            Command::Tune(experiment, args)
        }
        Some(("eval", found)) => Command::Eval(EvalArgs::from_arg_matches(found)?),
        Some(("runs", found)) => Command::Runs(RunsArgs::from_arg_matches(found)?),
        Some(("download", found)) => Command::Download(DownloadArgs::from_arg_matches(found)?),
        Some(("gradcheck", found)) => Command::Gradcheck(GradcheckArgs::from_arg_matches(found)?),
        _ => return Err(no_command()),
    };
    Ok(Cli { verbose, log_format, command })
}

/// The experiment that `matches` names, and the arguments after its name.
fn experiment(matches: &ArgMatches) -> Result<(&'static Experiment, &ArgMatches), clap::Error> {
    let (name, found) = matches.subcommand().ok_or_else(no_command)?;
    let known = experiments().iter().find(|experiment| experiment.name() == name);
    Ok((known.ok_or_else(no_command)?, found))
}

/// The error for a missing subcommand. clap reports that itself, so that this is only a fallback.
fn no_command() -> clap::Error {
    command().error(ErrorKind::MissingSubcommand, "a command is missing")
}

/// The command line as a clap command.
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
    let with_experiments = |name: &'static str, about: &'static str, of: fn(&Experiment) -> clap::Command| {
        clap::Command::new(name)
            .about(about)
            .subcommand_value_name("EXPERIMENT")
            .subcommand_help_heading("Experiments")
            .disable_help_subcommand(true)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(experiments().iter().map(of))
    };
    let train = with_experiments("train", "Train an experiment", |e| of_experiment::<TrainArgs>(e, |_| true));
    let find_lr = with_experiments("find-lr", "Look for a good learning rate, and draw the curve", |e| {
        of_experiment::<FindLrArgs>(e, settings::counts_for_rates)
    });
    let tune_about = "Search for good values of configuration keys, by successive halving or at random";
    let tune = with_experiments("tune", tune_about, |e| of_experiment::<TuneArgs>(e, settings::counts_for_trials));
    let command = clap::Command::new("taper")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Neural networks, trained from a clean clone")
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args([verbose, log_format])
        .subcommand(train)
        .subcommand(find_lr)
        .subcommand(tune)
        .subcommand(EvalArgs::augment_args(clap::Command::new("eval")))
        .subcommand(RunsArgs::augment_args(clap::Command::new("runs")))
        .subcommand(DownloadArgs::augment_args(clap::Command::new("download")))
        .subcommand(GradcheckArgs::augment_args(clap::Command::new("gradcheck")));
    narrow(command)
}

/// The subcommand `train NAME`, `find-lr NAME` or `tune NAME`, with this experiment's defaults in the help of its
/// flags; `wanted` selects the flags that set a configuration key.
fn of_experiment<A: Args>(experiment: &Experiment, wanted: fn(&str) -> bool) -> clap::Command {
    let config = experiment.config();
    A::augment_args(clap::Command::new(experiment.name()).args(settings::key_flags(&config, wanted)))
        .about(experiment.about())
        .after_help(settings::below(experiment, &config))
}

/// Wraps the help texts so that they fit a terminal of 100 columns: beside the flags there is room for `COLUMNS`.
fn narrow(command: clap::Command) -> clap::Command {
    const COLUMNS: usize = 57;
    let narrowed = |arg: Arg| {
        let Some(mut help) = arg.get_help().map(|help| help.to_string()) else { return arg };
        // clap's own notes would come after the last line, however long that is.
        let noted = matches!(arg.get_default_values(), [_]) && arg.get_action().takes_values();
        if noted {
            help += &format!(" [default: {}]", arg.get_default_values()[0].to_string_lossy());
        }
        let values = arg.get_possible_values();
        let listed = !values.is_empty() && arg.get_action().takes_values() && !arg.is_hide_possible_values_set();
        if listed {
            let names: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
            help += &format!(" [possible values: {}]", names.join(", "));
        }
        let help = wrapped(&help, COLUMNS).join("\n");
        let arg = if listed { arg.hide_possible_values(true) } else { arg };
        if noted { arg.help(help).hide_default_value(true) } else { arg.help(help) }
    };
    // 0: clap itself neither wraps nor puts help on a line of its own.
    command.term_width(0).mut_args(narrowed).mut_subcommands(narrow)
}

impl TrainArgs {
    /// The configuration: the experiment's, or that of the run to resume, then changed by the recipe, by the file of
    /// `--config`, by the flags and by `--set`, in this order. [`taper::train::train`] checks which settings of a
    /// resumed run may change.
    ///
    /// # Errors
    /// A run that cannot be read or is another experiment's; an unknown recipe or key; a value out of range.
    pub fn config(&self, experiment: &Experiment) -> Result<Config, Failure> {
        let own = match &self.resume {
            Some(path) if path.join("config.toml").exists() => {
                let folder = RunFolder::resume(path)?;
                folder.check_experiment(experiment.name())?;
                Some(folder.read_config()?.0)
            }
            _ => None,
        };
        self.settings.change(own.unwrap_or_else(|| experiment.config()), experiment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
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
        assert!(text.contains("--lr: expected a number from 1e-37 to 1e37, found -1"), "{text}");
        let text = config(&["taper", "train", "digits", "--epochs", "many"]).unwrap_err();
        assert!(text.contains("--epochs: expected an integer, 1 or more, found many"), "{text}");
    }
}
