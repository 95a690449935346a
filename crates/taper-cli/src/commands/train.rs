//! `taper train`: an experiment from its configuration to its test accuracy.

use crate::args::TrainArgs;
use crate::commands::{device, locate};
use crate::failure::{Failure, INTERRUPTED};
use crate::output::Output;
use crate::progress::{Progress, last_line};
use crate::stop;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use taper::train::{Experiment, TrainOptions, train};

/// The environment variable in which `cargo xtask` passes the source's commit.
const COMMIT_VARIABLE: &str = "TAPER_COMMIT";

pub fn run(experiment: &Experiment, args: &TrainArgs, logs: bool, output: &mut Output) -> Result<u8, Failure> {
    let hint = format!("`taper train {} --help` explains flags and keys", experiment.name());
    let mut config = args.config(experiment).map_err(|failure| failure.usage_hint(&hint))?;
    if config.device.threads == 0 {
        config.device.threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(1024);
    }
    let device = device(&config).map_err(|failure| failure.usage_hint(&hint))?;
    let raised = Arc::new(AtomicBool::new(false));
    let options = TrainOptions {
        run_dir: args.run_dir.clone(),
        runs: "runs".into(),
        locate: locate(&args.data_dir, args.offline),
        commit: std::env::var(COMMIT_VARIABLE).ok().filter(|commit| !commit.is_empty()),
        stop: &raised,
    };
    let mut progress = Progress::new(output, &config, args.quiet, logs);
    // Before the first step there is nothing to save, and Ctrl-C just ends the process.
    progress.at_start = Some(Box::new({
        let raised = raised.clone();
        move || stop::listen(&raised)
    }));
    let trained = train(experiment, &config, &device, options, &mut progress);
    progress.clear();
    drop(progress);
    let (folder, record, outcome) = trained.map_err(|error| Failure::from(error).usage_hint(&hint))?;
    if outcome.stopped {
        let failure = Failure::failed(format!(
            "stopped after {} of training; weights and metrics are in {}",
            if outcome.steps == 1 { "1 step".into() } else { format!("{} steps", outcome.steps) },
            folder.path().display()
        ));
        return Err(failure.code(INTERRUPTED));
    }
    if let Some(last) = outcome.last {
        output.line(&last_line(&last.test, &record.dataset));
    }
    Ok(0)
}
