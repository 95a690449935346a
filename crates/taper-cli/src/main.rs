//! The `taper` program: train an experiment, find a learning rate, tune settings, evaluate and list runs, download
//! data, check gradients. See the crate's README.md.

mod amounts;
mod catalogue;
mod command_line;
mod commands;
mod device;
mod environment;
mod experiment;
mod experiment_file;
mod failure;
mod json;
mod logging;
mod needs;
mod output;
mod profile;
mod progress;
mod sampling;
mod screen;
mod settings;
mod sound;
mod stop;

use command_line::{CommandLine, Wrong};
use failure::Failure;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).peekable();
    let done = if words.next_if(|word| word == needs::NAME).is_some() {
        let mut output = Output::new(false);
        needs::print(words.skip_while(|word| word == "--"), &mut output);
        output.finish().map(|()| 0)
    } else {
        run(words)
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.tell(),
    }
}

/// Runs the command line `words`. `--help`, `--version` and a command line that cannot be parsed end the process here.
fn run(words: impl Iterator<Item = std::ffi::OsString>) -> Result<u8, Failure> {
    let CommandLine { name, command, logs } = match command_line::read(words) {
        Ok(line) => line,
        Err(Wrong::Parse(error)) => error.exit(),
        Err(Wrong::Request(failure)) => return Err(failure),
    };
    logs.start();
    let mut output = Output::new(logs.on());
    let help = environment::command(&format!("{name} --help"));
    let code =
        command.run(&mut output).map_err(|failure| failure.usage_hint(format!("`{help}` explains arguments")))?;
    // The command's work is done by now: an error of standard output is reported last, and nothing else is lost.
    output.finish().map(|()| code)
}
