//! The experiments: one file each, and the list of them.

mod cifar;
mod digits;

use crate::nearest::unknown;
use crate::{Config, Error, Result};

/// Every experiment. A new one is a file beside this one and a line here.
const ALL: &[Experiment] = &[
    Experiment { name: "cifar", about: "A convolutional network on CIFAR-10's pictures", config: cifar::config },
    Experiment { name: "digits", about: "A small MLP on 8x8 handwritten digits, in seconds", config: digits::config },
];

/// Something that can be trained by name.
#[derive(Debug, Clone, Copy)]
pub struct Experiment {
    name: &'static str,
    about: &'static str,
    config: fn() -> Config,
}

impl Experiment {
    /// The name, as on the command line: `cifar`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it is, in a few words.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// Its configuration when nothing is said.
    pub fn config(&self) -> Config {
        (self.config)()
    }
}

/// All experiments, in alphabetical order.
pub fn experiments() -> &'static [Experiment] {
    ALL
}

/// The experiment called `name`.
///
/// # Errors
/// When there is none of that name; the error lists the nearest.
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
    fn names_are_found_and_others_told() {
        assert_eq!(experiment("digits").unwrap().name(), "digits");
        let text = experiment("digit").unwrap_err().to_string();
        assert_eq!(text, "unknown experiment `digit`; did you mean digits? (known: cifar, digits)");
    }
}
