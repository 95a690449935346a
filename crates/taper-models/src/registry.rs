//! The models by name. A new one is a file and one line here.

use crate::{Mlp, SeedCnn};
use taper_nn::{Error, Module, Params, Result};

const MODELS: &[ModelInfo] = &[
    ModelInfo::new("mlp", "two hidden layers of 128 with ReLU", |i, p| Ok(Box::new(Mlp::new(i, p)?))),
    ModelInfo::new("seed-cnn", "two convolutions, two linear layers", |i, p| Ok(Box::new(SeedCnn::new(i, p)?))),
];

/// What a classifier is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSpec {
    /// Channels, height and width of a picture.
    pub shape: [usize; 3],
    /// The number of classes: the size of the output.
    pub classes: usize,
}

/// A model that can be built by its name.
#[derive(Debug, Clone, Copy)]
pub struct ModelInfo {
    /// The name, as on the command line: `seed-cnn`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// Builds it with its parameters in a list.
    pub build: Build,
}

/// Builds a model for an input, with its parameters in a list.
pub type Build = fn(&InputSpec, &Params) -> Result<Box<dyn Module>>;

impl ModelInfo {
    const fn new(name: &'static str, summary: &'static str, build: Build) -> Self {
        Self { name, summary, build }
    }
}

/// All models, in alphabetical order.
pub fn models() -> &'static [ModelInfo] {
    MODELS
}

/// Builds the model called `name`, its parameters in `params`. An unknown name is an error that lists the known ones.
pub fn build(name: &str, input: &InputSpec, params: &Params) -> Result<Box<dyn Module>> {
    let Some(model) = MODELS.iter().find(|model| model.name == name) else {
        let known: Vec<&str> = MODELS.iter().map(|model| model.name).collect();
        return Err(Error::argument("model", format!("there is no model {name:?}; known: {}", known.join(", "))));
    };
    (model.build)(input, params)
}
