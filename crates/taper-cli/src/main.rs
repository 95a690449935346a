//! The `taper` command: train, look for learning rates and other settings, evaluate, list runs, download, check
//! gradients. See README.md beside it.

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
    // What was asked for is done by now, so that an output that could not be written loses nothing else.
    match done.and_then(|code| output.finish().map(|()| code)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.tell(),
    }
}
