//! An autoencoder: linear layers that narrow to a code and widen again (G. E. Hinton and R. R. Salakhutdinov, "Reducing the
//! dimensionality of data with neural networks", Science 313, 2006), without their layer-wise pretraining.

use taper_nn::{Context, Linear, LinearConfig, Module, Params, Pass, Result, Tensor};

/// Linear layers `encoder.0`, `encoder.1`, … and `decoder.0`, … with ReLU between them; the code is linear, and the output
/// is a sigmoid, for inputs in [0, 1].
#[derive(Debug, Clone)]
pub struct Autoencoder {
    path: String,
    encoder: Vec<Linear>,
    decoder: Vec<Linear>,
}

impl Autoencoder {
    /// From `inputs` features by the `hidden` sizes to a code of `code` numbers, and back.
    pub fn new(inputs: usize, hidden: &[usize], code: usize, params: &Params) -> Result<Self> {
        let sizes: Vec<usize> = [inputs].into_iter().chain(hidden.iter().copied()).chain([code]).collect();
        let layers = |name: &str, sizes: &[usize]| -> Result<Vec<Linear>> {
            let pair = |(i, pair): (usize, &[usize])| {
                Linear::new(LinearConfig::new(pair[0], pair[1]), &params.sub(name).sub(i.to_string()))
            };
            sizes.windows(2).enumerate().map(pair).collect()
        };
        let back: Vec<usize> = sizes.iter().rev().copied().collect();
        let path = params.path().to_owned();
        Ok(Self { path, encoder: layers("encoder", &sizes)?, decoder: layers("decoder", &back)? })
    }

    /// The code `[N, code]` of inputs `[N, …]`.
    pub fn encode(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        chain(x.flatten(1)?, &self.encoder, context)
    }

    /// What the code `[N, code]` stands for: `[N, inputs]`, in [0, 1].
    pub fn decode(&self, code: &Tensor, context: &Context) -> Result<Tensor> {
        chain(code.clone(), &self.decoder, context)?.sigmoid()
    }
}

/// The layers with ReLU between them.
fn chain(x: Tensor, layers: &[Linear], context: &Context) -> Result<Tensor> {
    layers.iter().enumerate().try_fold(x, |x, (i, layer)| if i == 0 { x } else { x.relu()? }.pass(layer, context))
}

impl Module for Autoencoder {
    /// The reconstruction of `x`, with its shape.
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| self.decode(&self.encode(x, context)?, context)?.reshape(x.shape()))
    }
}
