//! The commands that work on an experiment: `train NAME`, `find-lr NAME`, `tune NAME`. The experiment is a subcommand, so
//! that the flags of the configuration show its defaults.

use crate::catalogue;
use crate::environment::{self, command};
use crate::failure::Failure;
use crate::logging::LogArgs;
use crate::needs::Needs;
use crate::settings::{self, LOCATING, SettingArgs};
use clap::error::ErrorKind;
use clap::{ArgMatches, Args, FromArgMatches};
use taper::data::LocateOptions;
use taper::tasks::experiments;
use taper::train::{Config, Experiment, Override};

/// What a command on an experiment adds to the flags of the configuration: its own arguments.
pub trait ExperimentArgs: Args {
    /// The name of the command, for hints.
    const NAME: &'static str;

    /// Whether the flag called `flag`, which sets a key of the configuration, applies to the command.
    fn takes(_flag: &str) -> bool {
        true
    }
}

/// A command with its experiment and arguments.
pub struct OfExperiment<A> {
    pub experiment: &'static dyn Experiment,
    pub args: A,
    pub settings: SettingArgs,
    pub logs: LogArgs,
    /// The name of the command: `train`.
    command: &'static str,
    /// The changes made by the flags that set a key, with the name of each flag.
    flags: Vec<(&'static str, Override)>,
}

impl<A> OfExperiment<A> {
    /// `config` changed by the recipe, by the file of `--config`, by the flags and by `--set`, in this order.
    ///
    /// # Errors
    /// An unknown recipe or key, a file that cannot be read, a value out of range.
    pub fn change(&self, config: Config) -> Result<Config, Failure> {
        self.settings.change(config, self.experiment, &self.flags)
    }

    /// Where to look for the data.
    pub fn locate(&self) -> LocateOptions {
        environment::locate(&self.settings.data_dir, self.settings.offline)
    }

    /// `failure` with the hint that the command's help explains flags and keys, if it is one of usage.
    pub fn explained(&self, failure: Failure) -> Failure {
        let help = command(&format!("{} {} --help", self.command, self.experiment.name()));
        failure.usage_hint(format!("`{help}` explains flags and keys"))
    }

    /// Adds what a run of `config` needs: its device and its data.
    ///
    /// # Errors
    /// Data of an unknown name, or a folder that does not hold them.
    pub fn needs_of(&self, config: &Config, needs: &mut Needs) -> Result<(), Failure> {
        needs.device(&config.device.name);
        needs.experiment(self.experiment, config, &self.locate())
    }
}

impl<A: ExperimentArgs> Args for OfExperiment<A> {
    fn augment_args(command: clap::Command) -> clap::Command {
        let of = |experiment: &&'static dyn Experiment| {
            let config = experiment.config();
            let flags = settings::key_flags(&config, A::takes);
            let command = clap::Command::new(experiment.name()).visible_aliases(experiment.also());
            let own = A::augment_args(command.args(settings::own_arguments(*experiment)).args(flags));
            let located = SettingArgs::augment_args(own).mut_args(|arg| {
                if experiment.source(&config).is_some() || !LOCATING.contains(&arg.get_id().as_str()) {
                    return arg;
                }
                match settings::data_dir(*experiment).filter(|_| arg.get_id() == LOCATING[0]) {
                    Some(own) => arg.value_name(own.value).help(own.help),
                    // Data of one's own are nowhere else.
                    None => arg.hide(true),
                }
            });
            LogArgs::augment_args(located).about(experiment.about()).after_help(settings::below(*experiment, &config))
        };
        command
            .subcommand_value_name("EXPERIMENT")
            .subcommand_help_heading("Experiments")
            .disable_help_subcommand(true)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(experiments().iter().map(of))
            .after_help(catalogue::below())
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl<A: ExperimentArgs> FromArgMatches for OfExperiment<A> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        // The parser has checked the name, so that this is only a fallback.
        let unknown = || clap::Error::raw(ErrorKind::MissingSubcommand, "an experiment is missing\n");
        let (name, found) = matches.subcommand().ok_or_else(unknown)?;
        let known = experiments().iter().copied().find(|experiment| experiment.name() == name);
        let experiment = known.ok_or_else(unknown)?;
        let own = settings::own_flags(found, experiment);
        Ok(Self {
            experiment,
            args: A::from_arg_matches(found)?,
            settings: SettingArgs::from_arg_matches(found)?,
            logs: LogArgs::from_arg_matches(found)?,
            command: A::NAME,
            flags: [own, settings::flags(found, A::takes)].concat(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
