//! The commands. Each is one file here, with a type that holds its arguments and implements [`Command`], and one line in
//! `list.rs`.

use crate::failure::Failure;
use crate::logging::LogArgs;
use crate::needs::Needs;
use crate::output::Output;
use clap::{ArgMatches, Args};

/// A command whose arguments have been parsed.
pub trait Command {
    /// Runs it, and returns the exit code.
    ///
    /// # Errors
    /// What the user is told, with its own exit code.
    fn run(&self, output: &mut Output) -> Result<u8, Failure>;

    /// Adds the features that this command line needs of the program, with which `cargo xtask` then builds it. Nothing
    /// is changed, created or downloaded.
    ///
    /// # Errors
    /// Arguments with which [`run`](Self::run) fails: nothing is needed to say so.
    fn needs(&self, _: &mut Needs) -> Result<(), Failure> {
        Ok(())
    }

    /// The flags for logs, if the command writes any.
    fn logs(&self) -> LogArgs {
        LogArgs::default()
    }
}

/// A line of the list: a command's name, what it does, and its parser.
pub struct Entry {
    pub name: &'static str,
    about: &'static str,
    arguments: fn(clap::Command) -> clap::Command,
    read: fn(&ArgMatches) -> Result<Box<dyn Command>, clap::Error>,
}

impl Entry {
    const fn new<C: Command + Args + 'static>(name: &'static str, about: &'static str) -> Self {
        let read = |matches: &ArgMatches| Ok(Box::new(C::from_arg_matches(matches)?) as Box<dyn Command>);
        Self { name, about, arguments: C::augment_args, read }
    }

    /// The command with its arguments for the parser.
    pub fn parser(&self) -> clap::Command {
        (self.arguments)(clap::Command::new(self.name)).about(self.about)
    }

    /// The command with the arguments that were given.
    ///
    /// # Errors
    /// None that the parser would not have found already.
    pub fn read(&self, matches: &ArgMatches) -> Result<Box<dyn Command>, clap::Error> {
        (self.read)(matches)
    }
}

macro_rules! commands {
    ($($name:literal $module:ident::$command:ident $about:literal;)*) => {
        $(mod $module;)*

        /// All commands, in the order of `--help`.
        pub const ALL: &[Entry] = &[$(Entry::new::<$module::$command>($name, $about)),*];
    };
}

include!("list.rs");
