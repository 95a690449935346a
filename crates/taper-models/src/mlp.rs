//! The multilayer perceptron: linear layers with ReLU between them (Rumelhart, Hinton and Williams, Nature 323, 1986).

use crate::{InputSpec, ZooModel};
use taper_config::table;
use taper_nn::{Context, Linear, LinearConfig, Module, Params, Pass, Result, Tensor};

table! {
    /// `[model]` of an [`Mlp`].
    pub struct MlpConfig {
        /// Sizes of the hidden layers.
        ///
        /// An empty list gives a linear model.
        hidden: Vec<usize> = vec![128, 128], each("a list of integers, 1 or more", |size| *size >= 1);
    }
}

/// Linear layers `fc1`, `fc2`, … with ReLU between them, on inputs flattened to `[N, C·H·W]`.
#[derive(Debug, Clone)]
pub struct Mlp {
    path: String,
    layers: Vec<Linear>,
}

impl Mlp {
    /// Two hidden layers of 128 units.
    pub fn new(input: &InputSpec, params: &Params) -> Result<Self> {
        Self::with_hidden(input, &[128, 128], params)
    }

    /// Hidden layers of these sizes; an empty list gives a linear model.
    pub fn with_hidden(input: &InputSpec, hidden: &[usize], params: &Params) -> Result<Self> {
        let mut features = input.shape.iter().fold(1, |features: usize, &size| features.saturating_mul(size));
        let mut layers = Vec::new();
        for (i, &next) in hidden.iter().chain([&input.classes]).enumerate() {
            layers.push(Linear::new(LinearConfig::new(features, next), &params.sub(format!("fc{}", i + 1)))?);
            features = next;
        }
        Ok(Self { path: params.path().to_owned(), layers })
    }
}

impl ZooModel for Mlp {
    type Config = MlpConfig;

    fn build(config: &MlpConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        Self::with_hidden(input, &config.hidden, params)
    }
}

impl Module for Mlp {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let mut x = x.flatten(1)?; // [N, C, H, W] → [N, C·H·W]
            for (i, layer) in self.layers.iter().enumerate() {
                if i > 0 {
                    x = x.relu()?;
                }
                x = x.pass(layer, context)?; // [N, hidden], at last [N, classes]
            }
            Ok(x)
        })
    }
}
