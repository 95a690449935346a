//! The command line: its parser, and reading it.

use crate::catalogue;
use crate::commands::{ALL, Command};
use crate::environment;
use crate::experiment_file;
use crate::failure::Failure;
use crate::logging::LogArgs;
use crate::settings::wrapped;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Args, FromArgMatches};
use std::ffi::OsString;

/// The parsed command line.
pub struct CommandLine {
    /// The command's name.
    pub name: &'static str,
    pub command: Box<dyn Command>,
    pub logs: LogArgs,
}

/// Why a command line was not read.
#[derive(Debug)]
pub enum Wrong {
    /// It cannot be parsed, or asks for `--help` or `--version`: clap's error prints what is to be said.
    Parse(clap::Error),
    /// A file in an experiment's place is wrong.
    Request(Failure),
}

/// Reads the command line `words`, which begins after the program's name.
///
/// # Errors
/// See [`Wrong`].
pub fn read(words: impl Iterator<Item = OsString>) -> Result<CommandLine, Wrong> {
    let parser = parser();
    let words = experiment_file::resolved(words.collect(), &parser).map_err(Wrong::Request)?;
    let matches = parser.try_get_matches_from(std::iter::once("taper".into()).chain(words));
    matches.map_err(with_tip).and_then(|matches| of(&matches)).map_err(Wrong::Parse)
}

/// `error` with a tip if an experiment, a data set or a model was named where a command or an experiment is expected.
fn with_tip(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand)
        && let Some(tip) = catalogue::tip(name)
    {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn of(matches: &ArgMatches) -> Result<CommandLine, clap::Error> {
    // clap reports a missing or unknown command itself.
    let missing = || parser().error(ErrorKind::MissingSubcommand, "a command is missing");
    let (name, found) = matches.subcommand().ok_or_else(missing)?;
    let entry = ALL.iter().find(|entry| entry.name == name).ok_or_else(missing)?;
    let command = entry.read(found)?;
    let logs = LogArgs::from_arg_matches(matches)?.and(&command.logs());
    Ok(CommandLine { name: entry.name, command, logs })
}

/// The parser of the whole command line.
fn parser() -> clap::Command {
    let command = LogArgs::augment_args(clap::Command::new("taper"))
        .bin_name(environment::program())
        .version(env!("CARGO_PKG_VERSION"))
        .about("Neural networks, trained from a clean clone")
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(ALL.iter().map(|entry| entry.parser()))
        .after_help(catalogue::below());
    narrow(command)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_command_line_is_sound() {
        parser().debug_assert();
    }

    #[test]
    fn names_of_commands_are_unique() {
        let names: BTreeSet<&str> = ALL.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
