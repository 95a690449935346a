//! `taper train`: trains an experiment and prints its test accuracy.

use crate::args::TrainArgs;
use crate::commands::{commit, device, locate};
use crate::failure::Failure;
use crate::output::Output;
use crate::profile::Profiling;
use crate::progress::{Progress, last_line};
use crate::stop;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use taper::backend::printable;
use taper::train::{Config, Experiment, TrainOptions, shell_quoted, train};

pub fn run(experiment: &Experiment, args: &TrainArgs, logs: bool, output: &mut Output) -> Result<u8, Failure> {
    let hint = format!("`taper train {} --help` explains flags and keys", experiment.name());
    let mut config = args.config(experiment).map_err(|failure| failure.usage_hint(&hint))?;
    // The run records the number of threads, so that 0 is resolved here. Other devices have no threads.
    if config.device.name == "cpu" && config.device.threads == 0 {
        config.device.threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(1024);
    }
    let device = device(&config).map_err(|failure| failure.usage_hint(&hint))?;
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
        locate: locate(&args.settings.data_dir, args.settings.offline),
        commit: commit(),
        stop: &raised,
    };
    let mut progress = Progress::new(output, &config, args.quiet, logs);
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
    let trained = train(experiment, &config, &device, options, &mut progress);
    progress.clear();
    drop(progress);
    // The profile is written even if the run failed or was stopped.
    let profiled = profiling.map(Profiling::write).transpose();
    let (folder, record, outcome) =
        trained.map_err(|error| Failure::of_run(error, &smaller_batches(&config)).usage_hint(&hint))?;
    let profiled = profiled?;
    if outcome.stopped {
        let failure = Failure::failed(format!(
            "stopped after {} of training; weights and metrics are in {folder}; `taper train {} --resume {folder}` goes on",
            if outcome.steps == 1 { "1 step".into() } else { format!("{} steps", outcome.steps) },
            experiment.name(),
            folder = shell_quoted(&folder.path().to_string_lossy())
        ));
        return Err(failure.code(stop::code()));
    }
    if let Some(written) = profiled
        && !args.quiet
    {
        output.line(&written);
    }
    if let Some(test) = outcome.test {
        output.line(&last_line(&test, &record.dataset));
    }
    Ok(0)
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
    use taper::train::experiments;

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
