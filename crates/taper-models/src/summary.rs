//! What a model is made of: its layers with the shapes of their outputs, their parameters and floating-point operations
//! (FLOP), found by passing one sample through it in evaluation on a device of shapes alone
//! ([`meta`](taper_nn::taper_tensor::meta)), which takes neither memory nor time.

use crate::{InputSpec, ModelInfo};
use std::collections::HashMap;
use taper_config::Named;
use taper_nn::taper_tensor::meta::Meta;
use taper_nn::taper_tensor::profile::{Profiler, WARM_UP, step};
use taper_nn::{Context, DType, Params, RandomKey, Result, Shape, no_grad};

/// A model's layers and their sums.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The model's name.
    pub name: String,
    /// What one sample is: `3x224x224`.
    pub input: String,
    /// The shapes of its outputs, without the dimension of the batch.
    pub outputs: Vec<Shape>,
    /// The layers and blocks in the order in which they finished: a block after the layers inside it. Last those that did
    /// not run, because they run in training alone.
    pub layers: Vec<LayerSummary>,
}

/// A layer, or what a block does beside its layers.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerSummary {
    /// The path, as of its parameters: `layer1.0.conv1`; empty for the model itself.
    pub path: String,
    /// The shape of its output without the dimension of the batch, of the last run; `None` where it did not run.
    pub output: Option<Shape>,
    /// How often it ran.
    pub runs: usize,
    /// Its trained parameters, without those of layers inside it.
    pub parameters: usize,
    /// The FLOP of one sample in all its runs, without those of layers inside it: two for each multiply-add of a product,
    /// else one for each element.
    pub flop: u64,
}

/// The summary of the model that `named` names, of the keys of its table, for `input`, or for the sizes that it is listed
/// with.
///
/// ```
/// let summary = taper_models::summary("mlp", None)?;
/// assert_eq!((summary.parameters(), summary.input.as_str()), (118_282, "1x28x28"));
/// assert_eq!((summary.layers[0].path.as_str(), summary.layers[0].flop), ("fc1", 2 * 784 * 128));
/// # Ok::<(), taper_nn::Error>(())
/// ```
///
/// # Errors
/// An unknown name (the error lists the nearest ones), a key that the model does not have, a value out of range, an input
/// that does not fit.
pub fn summary(named: impl Into<Named>, input: Option<InputSpec>) -> Result<Summary> {
    let named = named.into();
    of(crate::model(&named.name)?, &named, input)
}

fn of(info: &ModelInfo, named: &Named, input: Option<InputSpec>) -> Result<Summary> {
    let (device, profiler) = Profiler::device(Meta::device());
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let sample = info.sample(&info.values(named)?, input, &params)?;
    let context = Context::eval().capture("*");
    let outputs = no_grad(|| {
        let _step = step(WARM_UP + 1);
        let outputs = (sample.forward)(&context)?;
        // What is still pending is computed now.
        outputs.iter().try_for_each(|output| output.buffer().map(drop))?;
        Ok(outputs)
    })?;
    let flop = profiler.profile().layers;
    let mut layers = Layers::default();
    // A model without layers has nothing to capture.
    let captured = if context.unmatched().is_empty() { context.captured()? } else { Vec::new() };
    for (path, output) in captured {
        let layer = layers.at(&path);
        layer.output = Some(of_sample(output.shape()));
        layer.runs += 1;
    }
    for row in flop {
        layers.at(row.path.as_deref().unwrap_or_default()).flop += row.flop;
    }
    for param in params.trainable() {
        layers.holding(param.name()).parameters += param.tensor().count();
    }
    let outputs = outputs.iter().map(|output| of_sample(output.shape())).collect();
    Ok(Summary { name: named.name.clone(), input: sample.input, outputs, layers: layers.list })
}

impl Summary {
    /// The number of trained parameters.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.parameters).sum()
    }

    /// The FLOP of a forward pass of one sample in evaluation.
    pub fn flop(&self) -> u64 {
        self.layers.iter().map(|layer| layer.flop).sum()
    }

    /// The same with layers whose paths have more than `depth` parts folded into the blocks around them.
    #[must_use]
    pub fn folded(&self, depth: usize) -> Self {
        let mut layers = Layers::default();
        for layer in &self.layers {
            let parts: Vec<&str> = layer.path.split('.').take(depth).collect();
            let path = parts.join(".");
            let into = layers.at(&path);
            into.parameters += layer.parameters;
            into.flop += layer.flop;
            if path == layer.path {
                (into.output, into.runs) = (layer.output.clone(), layer.runs);
            } else if into.output.is_none() {
                into.output = layer.output.clone(); // until the block itself comes, which finishes last
            }
        }
        Self { layers: layers.list, ..self.clone() }
    }
}

/// The shape without the dimension of the batch.
fn of_sample(shape: &Shape) -> Shape {
    shape.dims().get(1..).unwrap_or_default().into()
}

/// The layers in their order, and where each is.
#[derive(Default)]
struct Layers {
    list: Vec<LayerSummary>,
    places: HashMap<String, usize>,
}

impl Layers {
    fn at(&mut self, path: &str) -> &mut LayerSummary {
        let place = *self.places.entry(path.to_owned()).or_insert_with(|| {
            self.list.push(LayerSummary { path: path.to_owned(), output: None, runs: 0, parameters: 0, flop: 0 });
            self.list.len() - 1
        });
        &mut self.list[place]
    }

    /// The innermost layer that holds the parameter `name`: one that ran, or the one that the name says.
    fn holding(&mut self, name: &str) -> &mut LayerSummary {
        let own = name.rsplit_once('.').map_or("", |(path, _)| path);
        let mut path = own;
        while !path.is_empty() && !self.places.contains_key(path) {
            path = path.rsplit_once('.').map_or("", |(path, _)| path);
        }
        // Below the model itself alone: a layer that did not run has a row of its own.
        self.at(if path.is_empty() { own } else { path })
    }
}
