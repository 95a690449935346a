//! The `taper` program: train an experiment, find a learning rate, tune settings, evaluate and list runs, download
//! data, check gradients. See the crate's README.md.

mod args;
mod commands;
mod failure;
mod logging;
mod output;
mod profile;
mod progress;
mod settings;
mod stop;

use args::Command;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = args::parse();
    logging::start(cli.verbose, cli.log_format);
    let mut output = Output::new();
    let done = match &cli.command {
        Command::Train(experiment, args) => commands::train::run(experiment, args, cli.logs(), &mut output),
        Command::FindLr(experiment, args) => commands::find_lr::run(experiment, args, cli.logs(), &mut output),
        Command::Tune(experiment, args) => commands::tune::run(experiment, args, cli.logs(), &mut output),
        Command::Eval(args) => commands::eval::run(args, cli.logs(), &mut output),
        Command::Download(args) => commands::download::run(args, cli.logs(), &mut output),
        Command::Runs(args) => commands::runs::run(args, &mut output),
        Command::Gradcheck(args) => commands::gradcheck::run(args, &mut output),
    };
    // The command's work is done by now: an error of standard output is reported last, and nothing else is lost.
    match done.and_then(|code| output.finish().map(|()| code)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.tell(),
    }
}
