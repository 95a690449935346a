//! The experiments: one file each, and the list of them.

mod cifar;
mod digits;
mod pictures;

use taper_train::{Error, Experiment, Result, unknown};

/// All experiments, in alphabetical order. To add one, add a file beside this one and an entry here.
const ALL: &[&dyn Experiment] = &[cifar::EXPERIMENT, digits::EXPERIMENT];

/// All experiments, in alphabetical order.
pub fn experiments() -> &'static [&'static dyn Experiment] {
    ALL
}

/// The experiment called `name`.
///
/// # Errors
/// An unknown name; the error lists the nearest ones.
pub fn experiment(name: &str) -> Result<&'static dyn Experiment> {
    ALL.iter().copied().find(|experiment| experiment.name() == name).ok_or_else(|| {
        let known: Vec<&str> = ALL.iter().map(|experiment| experiment.name()).collect();
        Error::Usage(unknown("experiment", name, &known))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_a_configuration() {
        for experiment in experiments() {
            experiment.config().check().unwrap();
            for recipe in experiment.recipes() {
                let config = experiment.config().with(&recipe.overrides().unwrap()).unwrap();
                assert_ne!(config, experiment.config(), "{}", recipe.name);
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
