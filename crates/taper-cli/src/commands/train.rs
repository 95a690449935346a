//! `taper train`: trains an experiment and prints its test accuracy.

use crate::commands::Command;
use crate::device::device;
use crate::environment::{command, commit, typed};
use crate::experiment::{ExperimentArgs, OfExperiment};
use crate::failure::Failure;
use crate::logging::LogArgs;
use crate::needs::Needs;
use crate::output::Output;
use crate::profile::Profiling;
use crate::progress::{Progress, last_line};
use crate::stop;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use taper::backend::printable;
use taper::train::{Config, RunFolder, TrainOptions, shell_quoted, train};

/// The arguments of `train` other than the flags that set a configuration key. The description in `--help` is the
/// experiment's.
#[derive(Args)]
pub struct TrainArgs {
    /// The run's folder, new or empty [default: runs/EXPERIMENT-YYYYMMDD-HHMMSS]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Resume the run in this folder from its last checkpoint, as if it had never stopped; its settings stay, except
    /// --epochs, which may grow; starts a run there if there is none [default: a new run]
    #[arg(long, value_name = "RUN", conflicts_with = "run_dir")]
    resume: Option<PathBuf>,
    /// Measure each operation of the training steps: write a table to FILE, and beside it a trace for
    /// chrome://tracing or Perfetto [default: none]
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Print only the last line [default: progress and a line an epoch]
    #[arg(long)]
    quiet: bool,
}

impl ExperimentArgs for TrainArgs {
    const NAME: &'static str = "train";
}

/// The command `train`.
pub type Train = OfExperiment<TrainArgs>;

impl Train {
    /// The configuration: the experiment's, or that of the run to resume, then changed by the recipe, by the file of
    /// `--config`, by the flags and by `--set`, in this order. [`taper::train::train`] checks which settings of a
    /// resumed run may change.
    ///
    /// # Errors
    /// A run that cannot be read or is another experiment's; an unknown recipe or key; a value out of range.
    fn config(&self) -> Result<Config, Failure> {
        let own = match &self.args.resume {
            Some(path) if path.join("config.toml").exists() => {
                let folder = RunFolder::resume(path)?;
                folder.check_experiment(self.experiment.name())?;
                Some(folder.read_config()?.0)
            }
            _ => None,
        };
        self.change(own.unwrap_or_else(|| self.experiment.config()))
    }

    /// The failure for `error`, with the flag that leaves out damaged files if one of them is why.
    fn with_skip_bad(&self, error: taper::train::Error, config: &Config) -> Failure {
        use taper::data::Error::Format;
        let picture = matches!(&error, taper::train::Error::Data(Format { at, .. }) if at == "picture");
        let failure = Failure::of_run(error, &smaller_batches(config));
        let flag = self.experiment.arguments().iter().find(|argument| argument.name == "skip-bad");
        match flag.filter(|_| picture) {
            Some(flag) => failure.hint(format!("--{} leaves out files that do not decode, and lists them", flag.name)),
            None => failure,
        }
    }
}

impl Command for Train {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let args = &self.args;
        let wrong = |failure: Failure| self.explained(failure);
        let mut config = self.config().map_err(wrong)?;
        // The run records the number of threads, so that 0 is resolved here. Other devices have no threads.
        if config.device.name == "cpu" && config.device.threads == 0 {
            config.device.threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(1024);
        }
        let device = device(&config).map_err(wrong)?;
        // `--resume` of a folder without a run starts one, so that the same command also continues a run that was killed
        // before it wrote its first file. A mistyped folder looks the same, so that a note is printed.
        let begins = args.resume.clone().filter(|run| !run.join("config.toml").is_file());
        let (device, profiling) = match &args.profile {
            Some(path) => Profiling::start(path, device).map(|(device, profiling)| (device, Some(profiling)))?,
            None => (device, None),
        };
        let raised = Arc::new(AtomicBool::new(false));
        let options = TrainOptions {
            run_dir: args.resume.clone().or_else(|| args.run_dir.clone()),
            resume: args.resume.is_some(),
            pause_after: None,
            test: true,
            runs: "runs".into(),
            locate: self.locate(),
            commit: commit(),
            command: Some(typed()),
            stop: &raised,
        };
        let mut progress = Progress::new(output, &config, args.quiet);
        // Before the first step there is nothing to save, so that Ctrl-C ends the process.
        progress.at_start = Some(Box::new({
            let raised = raised.clone();
            move || {
                stop::listen(&raised);
                if let Some(run) = begins {
                    // If standard error is closed, the note is lost.
                    let _ = writeln!(
                        std::io::stderr(),
                        "note: no run in {} yet: starting one",
                        printable(&run.to_string_lossy())
                    );
                }
            }
        }));
        let trained = train(self.experiment, &config, &device, options, &mut progress);
        progress.clear();
        drop(progress);
        // The profile is written even if the run failed or was stopped.
        let profiled = profiling.map(Profiling::write).transpose();
        let (folder, record, outcome) = trained.map_err(|error| wrong(self.with_skip_bad(error, &config)))?;
        let profiled = profiled?;
        if outcome.stopped {
            let folder = shell_quoted(&folder.path().to_string_lossy());
            let failure = Failure::failed(format!(
                "stopped after {} of training; weights and metrics are in {folder}; `{}` goes on",
                if outcome.steps == 1 { "1 step".into() } else { format!("{} steps", outcome.steps) },
                command(&format!("train {} --resume {folder}", self.experiment.name())),
            ));
            return Err(failure.code(stop::code()));
        }
        if let Some(written) = profiled
            && !args.quiet
        {
            output.line(&written);
        }
        if let Some(test) = outcome.test {
            output.line(&last_line(&test, &record));
        }
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        self.needs_of(&self.config()?, needs)
    }

    fn logs(&self) -> LogArgs {
        self.logs.clone()
    }
}

/// The hint after running out of memory: halve the batch sizes. The evaluation batch is named only if it is the larger
/// one, since evaluation stores nothing for the backward pass.
fn smaller_batches(config: &Config) -> String {
    let halved = |key: &str, size: usize| format!("--set {key}={}", size / 2);
    let (batch, eval) = (config.train.batch_size, config.train.eval_batch_size);
    let train = (batch > 1).then(|| halved("train.batch_size", batch));
    let eval = (eval > batch).then(|| halved("train.eval_batch_size", eval));
    let flags: Vec<String> = train.into_iter().chain(eval).collect();
    if flags.is_empty() { "a smaller model needs less too".into() } else { format!("try {}", flags.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};
    use taper::tasks::{experiment, experiments};

    fn config(line: &str) -> Result<Config, String> {
        let parser = Train::augment_args(clap::Command::new("train"));
        let matches = parser.try_get_matches_from(line.split(' ')).map_err(|e| e.to_string())?;
        let train = Train::from_arg_matches(&matches).map_err(|e| e.to_string())?;
        train.config().map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn flags_set_keys_and_set_comes_last() {
        let found = config("train digits --epochs 3 --lr 1 --no-shuffle --set train.epochs=4").unwrap();
        assert_eq!((found.train.epochs, found.optimizer.number("lr"), found.train.shuffle), (4, Some(1.0), false));
        assert_eq!(config("train digits").unwrap(), experiment("digits").unwrap().config());
    }

    #[test]
    fn a_flag_out_of_range_is_named() {
        let text = config("train digits --lr -1").unwrap_err();
        assert!(text.contains("--lr: expected a number from 1e-37 to 1e37, found -1"), "{text}");
        let text = config("train digits --epochs many").unwrap_err();
        assert!(text.contains("--epochs: expected an integer, 1 or more, found many"), "{text}");
    }

    #[test]
    fn smaller_batches_are_half_of_the_present_ones() {
        let hint = |batch, eval| {
            let mut config = experiments()[0].config();
            (config.train.batch_size, config.train.eval_batch_size) = (batch, eval);
            smaller_batches(&config)
        };
        assert_eq!(hint(64, 64), "try --set train.batch_size=32");
        assert_eq!(hint(64, 250), "try --set train.batch_size=32 --set train.eval_batch_size=125");
        assert_eq!(hint(1, 2), "try --set train.eval_batch_size=1");
        assert_eq!(hint(1, 1), "a smaller model needs less too");
    }
}
