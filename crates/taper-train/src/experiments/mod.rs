//! The experiments: one file each, and the list of them.

mod cifar;
mod digits;

use crate::{Config, Error, Override, Result};
use taper_config::unknown;

/// All experiments. To add one, add a file beside this one and an entry here.
const ALL: &[Experiment] = &[
    Experiment {
        name: "cifar",
        about: "A convolutional network on CIFAR-10's pictures",
        config: cifar::config,
        recipes: cifar::RECIPES,
    },
    Experiment {
        name: "digits",
        about: "A small MLP on 8x8 handwritten digits, in seconds",
        config: digits::config,
        recipes: digits::RECIPES,
    },
];

/// A dataset with a model and a default configuration, trained by name.
#[derive(Debug, Clone, Copy)]
pub struct Experiment {
    name: &'static str,
    about: &'static str,
    config: fn() -> Config,
    recipes: &'static [Recipe],
}

/// A named set of overrides of an experiment's configuration.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    name: &'static str,
    about: &'static str,
    toml: &'static str,
}

impl Recipe {
    /// The name, as after `--recipe`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A description in a few words.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// The overrides of the experiment's configuration.
    ///
    /// # Errors
    /// None for the recipes in this crate: a test reads them all.
    pub fn overrides(&self) -> Result<Vec<Override>> {
        Ok(Override::read(self.toml, &format!("recipe {}", self.name))?)
    }
}

impl Experiment {
    /// The name, as on the command line: `cifar`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A description in a few words.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// The default configuration.
    pub fn config(&self) -> Config {
        (self.config)()
    }

    /// The recipes of this experiment.
    pub fn recipes(&self) -> &'static [Recipe] {
        self.recipes
    }

    /// The recipe called `name`.
    ///
    /// # Errors
    /// An unknown name; the error lists the nearest ones.
    pub fn recipe(&self, name: &str) -> Result<&'static Recipe> {
        self.recipes.iter().find(|recipe| recipe.name == name).ok_or_else(|| {
            if self.recipes.is_empty() {
                return Error::Usage(format!("{} has no recipes", self.name));
            }
            let known: Vec<&str> = self.recipes.iter().map(|recipe| recipe.name).collect();
            Error::Usage(unknown("recipe", name, &known))
        })
    }
}

/// All experiments, in alphabetical order.
pub fn experiments() -> &'static [Experiment] {
    ALL
}

/// The experiment called `name`.
///
/// # Errors
/// An unknown name; the error lists the nearest ones.
pub fn experiment(name: &str) -> Result<&'static Experiment> {
    ALL.iter().find(|experiment| experiment.name == name).ok_or_else(|| {
        let known: Vec<&str> = ALL.iter().map(|experiment| experiment.name).collect();
        Error::Usage(unknown("experiment", name, &known))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_a_configuration() {
        for experiment in experiments() {
            for recipe in experiment.recipes() {
                let config = experiment.config().with(&recipe.overrides().unwrap()).unwrap();
                assert_ne!(config, experiment.config(), "{}", recipe.name());
            }
        }
        let text = experiment("cifar").unwrap().recipe("fast95").unwrap_err().to_string();
        assert_eq!(text, "unknown recipe `fast95`; did you mean fast94? (known: fast94, resnet18)");
        assert_eq!(experiment("digits").unwrap().recipe("x").unwrap_err().to_string(), "digits has no recipes");
    }

    #[test]
    fn names_are_found_and_others_told() {
        assert_eq!(experiment("digits").unwrap().name(), "digits");
        let text = experiment("digit").unwrap_err().to_string();
        assert_eq!(text, "unknown experiment `digit`; did you mean digits? (known: cifar, digits)");
    }
}
