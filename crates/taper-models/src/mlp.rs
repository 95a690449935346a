//! The multilayer perceptron: linear layers with an activation between them (D. E. Rumelhart, G. E. Hinton and R. J. Williams,
//! "Learning representations by back-propagating errors", Nature 323, 1986). Without hidden layers it is the perceptron of one
//! layer (F. Rosenblatt, "The perceptron", Psychological Review 65, 1958), here with logits in the place of a threshold.

use crate::{InputSpec, NoKeys, ZooModel};
use taper_config::table;
use taper_nn::{Activation, Context, Linear, LinearConfig, Module, Params, Pass, Result, Tensor};

table! {
    /// `[model]` of an [`Mlp`].
    pub struct MlpConfig {
        /// Sizes of the hidden layers.
        ///
        /// An empty list gives a linear model.
        hidden: Vec<usize> = vec![128, 128], each("a list of integers, 1 or more", |size| *size >= 1);
        /// The activation between layers.
        activation: String = "relu".into(), one_of(ACTIVATIONS);
    }
}

/// The names of activations, PyTorch's.
const ACTIVATIONS: &[&str] =
    &["relu", "leaky_relu", "elu", "gelu", "silu", "hardswish", "softplus", "sigmoid", "tanh", "identity"];

/// The activation of that name, with PyTorch's parameters.
fn activation(name: &str) -> Activation {
    match name {
        "leaky_relu" => Activation::LeakyRelu { negative_slope: 0.01 },
        "elu" => Activation::Elu { alpha: 1.0 },
        "gelu" => Activation::Gelu,
        "silu" => Activation::Silu,
        "hardswish" => Activation::Hardswish,
        "softplus" => Activation::Softplus { beta: 1.0, threshold: 20.0 },
        "sigmoid" => Activation::Sigmoid,
        "tanh" => Activation::Tanh,
        "identity" => Activation::Identity,
        _ => Activation::Relu,
    }
}

/// Linear layers `fc1`, `fc2`, … with an activation between them, on inputs flattened to `[N, C·H·W]`.
#[derive(Debug, Clone)]
pub struct Mlp {
    path: String,
    layers: Vec<Linear>,
    activation: Activation,
}

impl Mlp {
    /// Two hidden layers of 128 units, with ReLU.
    pub fn new(input: &InputSpec, params: &Params) -> Result<Self> {
        Self::with_hidden(input, &[128, 128], params)
    }

    /// Hidden layers of these sizes, with ReLU; an empty list gives a linear model.
    pub fn with_hidden(input: &InputSpec, hidden: &[usize], params: &Params) -> Result<Self> {
        Self::with_activation(input, hidden, Activation::Relu, params)
    }

    /// Hidden layers of these sizes, with this activation behind each.
    pub fn with_activation(
        input: &InputSpec,
        hidden: &[usize],
        activation: Activation,
        params: &Params,
    ) -> Result<Self> {
        let mut features = input.shape.iter().fold(1, |features: usize, &size| features.saturating_mul(size));
        let mut layers = Vec::new();
        for (i, &next) in hidden.iter().chain([&input.classes]).enumerate() {
            layers.push(Linear::new(LinearConfig::new(features, next), &params.sub(format!("fc{}", i + 1)))?);
            features = next;
        }
        Ok(Self { path: params.path().to_owned(), layers, activation })
    }
}

impl ZooModel for Mlp {
    type Config = MlpConfig;

    fn build(config: &MlpConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        Self::with_activation(input, &config.hidden, activation(&config.activation), params)
    }
}

/// One linear layer, on inputs flattened to `[N, C·H·W]`.
#[derive(Debug, Clone)]
pub struct Perceptron(Mlp);

impl ZooModel for Perceptron {
    type Config = NoKeys;

    fn build(_: &NoKeys, input: &InputSpec, params: &Params) -> Result<Self> {
        Mlp::with_hidden(input, &[], params).map(Self)
    }
}

impl Module for Perceptron {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.0.forward(x, context)
    }
}

impl Module for Mlp {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let mut x = x.flatten(1)?; // [N, C, H, W] → [N, C·H·W]
            for (i, layer) in self.layers.iter().enumerate() {
                if i > 0 {
                    x = x.activation(self.activation)?;
                }
                x = x.pass(layer, context)?; // [N, hidden], at last [N, classes]
            }
            Ok(x)
        })
    }
}
