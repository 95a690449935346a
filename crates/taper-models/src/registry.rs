//! The models by name. A new model needs a file, and one line here.

use crate::{Airbench, Mlp, ResNet18, SeedCnn};
use taper_nn::{Error, Module, Params, Result, Tensor};

const MODELS: &[ModelInfo] = &[
    ModelInfo::new("airbench", "whitening, six convolutions, a linear head", |i, p| Ok(Box::new(Airbench::new(i, p)?)))
        .prepared_by(Airbench::prepare),
    ModelInfo::new("mlp", "two hidden layers of 128 with ReLU", |i, p| Ok(Box::new(Mlp::new(i, p)?))),
    ModelInfo::new("resnet18", "ResNet-18 with a 3 × 3 stem", |i, p| Ok(Box::new(ResNet18::new(i, p)?))),
    ModelInfo::new("seed-cnn", "two convolutions, two linear layers", |i, p| Ok(Box::new(SeedCnn::new(i, p)?))),
];

/// The input and output sizes of a classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSpec {
    /// Channels, height and width of an image.
    pub shape: [usize; 3],
    /// The number of classes: the size of the output.
    pub classes: usize,
}

/// A model that can be built by its name.
#[derive(Debug, Clone, Copy)]
pub struct ModelInfo {
    /// The name, as on the command line: `seed-cnn`.
    pub name: &'static str,
    /// A description in a few words.
    pub summary: &'static str,
    /// Builds the model, with its parameters in a [`Params`] list.
    pub build: Build,
    /// Computes, from training images, what is not trained, once, before training; `None` if the model has nothing
    /// such.
    pub prepare: Option<Prepare>,
}

/// Builds a model for an input, with its parameters in a [`Params`] list.
pub type Build = fn(&InputSpec, &Params) -> Result<Box<dyn Module>>;

/// Sets buffers among the parameters from the first training images (5,000 where there are as many), `[N, C, H, W]`,
/// normalised as in training and not augmented.
pub type Prepare = fn(&Params, &Tensor) -> Result<()>;

impl ModelInfo {
    const fn new(name: &'static str, summary: &'static str, build: Build) -> Self {
        Self { name, summary, build, prepare: None }
    }

    const fn prepared_by(self, prepare: Prepare) -> Self {
        Self { prepare: Some(prepare), ..self }
    }
}

/// All models, in alphabetical order.
pub fn models() -> &'static [ModelInfo] {
    MODELS
}

/// The model called `name`. An unknown name is an error that lists the known ones.
pub fn model(name: &str) -> Result<&'static ModelInfo> {
    MODELS.iter().find(|model| model.name == name).ok_or_else(|| {
        let known: Vec<&str> = MODELS.iter().map(|model| model.name).collect();
        Error::argument("model", format!("there is no model {name:?}; known: {}", known.join(", ")))
    })
}

/// Builds the model called `name`, with its parameters in `params`. An unknown name is an error that lists the known
/// ones.
pub fn build(name: &str, input: &InputSpec, params: &Params) -> Result<Box<dyn Module>> {
    (model(name)?.build)(input, params)
}
