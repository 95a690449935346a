//! `taper tune`: searches for good values of configuration keys, by successive halving or at random.

use crate::commands::Command;
use crate::device::device;
use crate::environment::{command, commit, typed};
use crate::experiment::{ExperimentArgs, OfExperiment};
use crate::failure::Failure;
use crate::logging::LogArgs;
use crate::needs::Needs;
use crate::output::Output;
use crate::progress::DownloadProgress;
use crate::settings::SettingArgs;
use crate::stop;
use clap::Args;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use taper::Device;
use taper::backend::{printable, printable_lines};
use taper::data::{Event, LocateOptions};
use taper::train::tune::{Entry, Method, Search, Settings, Space, Trial, Trials};
use taper::train::{Config, Error, Evaluation, Experiment, Metric, Reporter, Start, TrainOptions, train};

/// The arguments of `tune` other than the flags that set a configuration key for all trials. The description in
/// `--help` is the experiment's.
#[derive(Args)]
pub struct TuneArgs {
    /// A TOML file of keys with ranges, such as "optimizer.lr" = { log = [1e-4, 1e-1] }; or uniform, integer,
    /// log_integer, choice
    #[arg(long, value_name = "SPACE.toml")]
    space: PathBuf,
    /// How many configurations to try
    #[arg(long, value_name = "N", default_value_t = 27, allow_negative_numbers = true)]
    trials: u64,
    /// The search method: asha starts many trials and continues the best (Li et al., 2020), random trains each to the
    /// end
    #[arg(long, value_name = "asha|random", value_parser = ["asha", "random"], hide_possible_values = true)]
    #[arg(default_value = "asha")]
    method: String,
    /// Epochs of a trial that is trained to the end; schedules span this many [default: train.epochs]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    max_epochs: Option<u64>,
    /// Epochs after which asha first compares trials
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    min_epochs: u64,
    /// The reduction factor of asha: the best 1/N of the trials continue, for N times the epochs
    #[arg(long, value_name = "N", default_value_t = 3, allow_negative_numbers = true)]
    eta: u64,
    /// The seed of the search, from which values are drawn; the seed of the runs is train.seed
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    seed: u64,
    /// The search's folder; if it holds this search already, the search continues [default: runs/tune-EXPERIMENT]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print only the last line, the command of the best trial [default: a line per job and the table too]
    #[arg(long)]
    quiet: bool,
}

impl ExperimentArgs for TuneArgs {
    const NAME: &'static str = "tune";

    /// The search sets the epochs of a trial itself, and has its own `--seed`.
    fn takes(flag: &str) -> bool {
        !["epochs", "max-steps", "seed"].contains(&flag)
    }
}

/// The command `tune`.
pub type Tune = OfExperiment<TuneArgs>;

impl Command for Tune {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let (experiment, args) = (self.experiment, &self.args);
        let wrong = |failure: Failure| self.explained(failure);
        let config = self.change(experiment.config()).map_err(wrong)?;
        let device = device(&config).map_err(wrong)?;
        let mut search = open(args, experiment, &config).map_err(wrong)?;
        let download = DownloadProgress::new(args.quiet, output);
        let screen = Screen { output: RefCell::new(output), quiet: args.quiet, metrics: RefCell::default() };
        begin(&search, args, &screen);
        let mut trainer = TrialTrainer {
            experiment,
            config: search.config().clone(),
            device,
            locate: self.locate(),
            stop: Arc::new(AtomicBool::new(false)),
            listening: false,
            told: false,
            screen: &screen,
            download,
        };
        let ended = search.run(&mut trainer, &mut |search, entry| {
            screen.line(&job(search, entry, &screen.metrics.borrow()));
        });
        let smaller = "smaller batches need less: --batch-size";
        if !ended.map_err(|error| wrong(Failure::of_run(error, smaller)))? {
            let (jobs, dir) = (search.results().len(), printable(&search.dir().to_string_lossy()).into_owned());
            let text =
                format!("stopped; what {jobs} jobs found is in {dir}, and the same command continues the search");
            return Err(Failure::failed(text).code(stop::code()));
        }
        screen.line(&format!("\n{}\n", search.table()));
        screen.line(&format!(
            "All of it is in {}: results.csv, results.svg, ledger.toml, a run a trial.",
            printable(&search.dir().to_string_lossy())
        ));
        let Some(best) = search.best() else {
            let why = search.results().last().and_then(|entry| entry.failed.clone()).unwrap_or_default();
            return Err(Failure::failed(format!("every trial failed, the last so: {why}")));
        };
        screen.line(&format!("The best is trial {}. To train it again:", best.trial));
        let again = search.command(best.trial, &experiment.config(), &flags(&self.settings));
        screen.output.borrow_mut().line(&command(&again));
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        self.needs_of(&self.change(self.experiment.config())?, needs)
    }

    fn logs(&self) -> LogArgs {
        self.logs.clone()
    }
}

/// The flags `--data-dir` and `--offline` as they were given, for the command that is printed at the end.
fn flags(settings: &SettingArgs) -> Vec<String> {
    let dir = settings.data_dir.iter().flat_map(|dir| ["--data-dir".into(), dir.display().to_string()]);
    dir.chain(settings.offline.then(|| "--offline".into())).collect()
}

/// Opens the search that the command line describes: a new one, or the one in its folder.
///
/// # Errors
/// Settings out of range, no validation split, a search space that cannot be read, a folder with another search.
fn open(args: &TuneArgs, experiment: &dyn Experiment, config: &Config) -> Result<Search, Failure> {
    let settings = Settings {
        experiment: experiment.name().into(),
        method: if args.method == "random" { Method::Random } else { Method::Asha },
        trials: args.trials,
        min_epochs: args.min_epochs,
        max_epochs: args.max_epochs.unwrap_or(config.train.epochs),
        eta: args.eta,
        seed: args.seed,
    };
    if config.data.validation == 0.0 {
        return Err(Failure::usage(
            "trials are compared on the validation split, and there is none: set data.validation",
        ));
    }
    let space = Space::read(&args.space, config, &|config| experiment.check(config))?;
    let dir = args.dir.clone().unwrap_or_else(|| format!("runs/tune-{}", experiment.name()).into());
    Search::open(dir, &settings, space, config).map_err(|error| {
        // An error about one of these settings names the flag that sets it.
        let flag = ["trials", "max-epochs", "min-epochs", "eta", "seed"]
            .iter()
            .any(|name| error.to_string().strip_prefix(name).is_some_and(|rest| rest.starts_with(": ")));
        if flag { Failure::usage(format!("--{error}")) } else { error.into() }
    })
}

/// Prints what the search is about to do.
fn begin(search: &Search, args: &TuneArgs, screen: &Screen<'_>) {
    let rungs: Vec<String> = search.rungs().iter().map(ToString::to_string).collect();
    let (trials, keys) = (args.trials, search.keys().join(", "));
    let dir = printable(&search.dir().to_string_lossy()).into_owned();
    let after = rungs.join(", ");
    screen.line(&format!("{trials} trials over {keys}, measured after {after} epochs; in {dir}"));
    let found = search.results().len();
    if found > 0 {
        screen.line(&format!("{found} jobs are done already; the search goes on from there"));
    }
    let steps = u32::try_from(rungs.len() - 1).unwrap_or(u32::MAX);
    let needed = args.eta.saturating_pow(steps);
    if trials < needed {
        screen.line(&format!(
            "None will be trained for all {} epochs: of {} trials one is continued. Give --trials {needed} or more, or a \
             higher --min-epochs, for that.",
            search.config().train.epochs,
            args.eta
        ));
    }
}

/// The line that is printed after a job: its trial, epochs, validation metrics, and values.
fn job(search: &Search, entry: &Entry, known: &[Metric]) -> String {
    let Entry { trial, epochs, loss, metrics, failed } = entry;
    let found = match (failed, loss) {
        (None, Some(loss)) => {
            let shown = |name: &str, value: f64| {
                let metric = known.iter().find(|metric| metric.name == name);
                metric.map_or_else(|| format!("{value:.4}"), |metric| metric.shown_short(value))
            };
            let others = metrics.iter().map(|(name, value)| format!(", {name} {}", shown(name, *value)));
            format!("loss {}{}", shown("loss", *loss), others.collect::<String>())
        }
        (reason, ..) => format!("failed: {}", reason.as_deref().unwrap_or("nothing was measured")),
    };
    let s = if *epochs == 1 { "" } else { "s" };
    let values = search.trial(*trial).overrides.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    printable(&format!("trial {trial}, {epochs} epoch{s}: {found}; {values}")).into_owned()
}

/// Standard output, shared by everything that prints during the search.
struct Screen<'a> {
    output: RefCell<&'a mut Output>,
    quiet: bool,
    /// The metrics of the trials' task, once one has begun.
    metrics: RefCell<Vec<Metric>>,
}

impl Screen<'_> {
    fn line(&self, text: &str) {
        if !self.quiet {
            self.output.borrow_mut().line(text);
        }
    }
}

/// Trains a search's trials, each in its run folder.
struct TrialTrainer<'a> {
    experiment: &'a dyn Experiment,
    config: Config,
    device: Device,
    locate: LocateOptions,
    stop: Arc<AtomicBool>,
    /// Whether the handler that makes Ctrl-C raise `stop` is installed.
    listening: bool,
    /// Whether the line about the data has been printed.
    told: bool,
    screen: &'a Screen<'a>,
    download: DownloadProgress,
}

impl Trials for TrialTrainer<'_> {
    fn run(&mut self, trial: &Trial, epochs: u64) -> taper::train::Result<Option<Evaluation>> {
        let config = self.config.with(&trial.overrides)?;
        let stop = self.stop.clone();
        let options = TrainOptions {
            run_dir: Some(trial.folder.clone()),
            // From the checkpoint of a lower rung, or of a job that was killed.
            resume: true,
            pause_after: Some(epochs),
            test: false,
            runs: "runs".into(),
            locate: self.locate.clone(),
            commit: commit(),
            command: Some(typed()),
            stop: &stop,
        };
        let (experiment, device) = (self.experiment, self.device.clone());
        let (_, _, outcome) = train(experiment, &config, &device, options, &mut TrialReporter { trainer: self })?;
        if outcome.stopped {
            return Ok(None);
        }
        // With early stopping a run ends with the weights of its best epoch, not of its last.
        let early = config.regularization.patience > 0;
        let epoch = if early { outcome.best } else { outcome.last };
        let unmeasured = || Error::Usage("nothing was measured on the validation split".into());
        epoch.and_then(|epoch| epoch.validation).ok_or_else(unmeasured).map(Some)
    }
}

/// Shows the progress of a trial's data, and installs the handler of Ctrl-C.
struct TrialReporter<'a, 'b> {
    trainer: &'a mut TrialTrainer<'b>,
}

impl Reporter for TrialReporter<'_, '_> {
    fn fetching(&mut self, event: Event<'_>) {
        let TrialTrainer { download, screen, .. } = &mut *self.trainer;
        download.event(event, &mut screen.output.borrow_mut());
    }

    fn found(&mut self, notice: &str) {
        self.trainer.download.clear();
        if !std::mem::replace(&mut self.trainer.told, true) {
            self.trainer.screen.line(&printable_lines(notice));
        }
    }

    fn start(&mut self, start: &Start<'_>) {
        self.trainer.screen.metrics.replace(start.metrics.to_vec());
        // Before the first step there is nothing to save, so that Ctrl-C ends the process.
        if !std::mem::replace(&mut self.trainer.listening, true) {
            stop::listen(&self.trainer.stop);
        }
    }
}
