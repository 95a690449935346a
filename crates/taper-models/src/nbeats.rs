//! N-BEATS (B. N. Oreshkin, D. Carpov, N. Chapados and Y. Bengio, "N-BEATS: neural basis expansion analysis for interpretable
//! time series forecasting", ICLR 2020, section 3), the generic architecture: each block explains a part of the history, which is
//! taken away before the next (the backcast), and adds its part of the forecast. As in the authors' code the forecast begins at
//! the last value, and the history comes the other way round. With several quantiles a block gives each of them for each step.

use crate::SampledModel;
use crate::forecasters::{by_step, check_history, increasing, last_of, quantiles};
use taper_config::table;
use taper_nn::{Context, DType, Device, Linear, LinearConfig, Module, Params, Pass, Result, Tensor};

table! {
    /// The sizes of an [`NBeats`].
    pub struct NBeatsConfig {
        /// Steps of the past that the model sees.
        context: usize = 336, at_least(1);
        /// Steps that are forecast.
        horizon: usize = 48, at_least(1);
        /// The quantiles that are forecast; that of 0.5 is the forecast itself.
        quantiles: Vec<f64> = quantiles(), increasing();
        /// Blocks, one after the other.
        blocks: usize = 3, at_least(1);
        /// Linear layers with ReLU of each block.
        layers: usize = 4, at_least(1);
        /// Units of each layer.
        width: usize = 256, at_least(1);
    }
}

/// A block: layers `layers.0` to `layers.L`, and `basis_parameters` for backcast and forecast.
#[derive(Debug, Clone)]
struct Block {
    path: String,
    layers: Vec<Linear>,
    basis: Linear,
}

impl Block {
    fn new(config: &NBeatsConfig, params: &Params) -> Result<Self> {
        let layer = |i: usize| {
            let inputs = if i == 0 { config.context } else { config.width };
            Linear::new(LinearConfig::new(inputs, config.width), &params.sub("layers").sub(i.to_string()))
        };
        let outputs = config.context + config.horizon * config.quantiles.len();
        Ok(Self {
            path: params.path().to_owned(),
            layers: (0..config.layers).map(layer).collect::<Result<_>>()?,
            basis: Linear::new(LinearConfig::new(config.width, outputs), &params.sub("basis_parameters"))?,
        })
    }
}

/// `[N, context]` to backcast and forecast side by side, `[N, context + horizon · quantiles]`.
impl Module for Block {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let mut x = x.clone();
            for layer in &self.layers {
                x = x.pass(layer, context)?.relu()?;
            }
            x.pass(&self.basis, context)
        })
    }
}

/// Blocks `blocks.0` and so on, with the names of the authors' code: `[N, context]` to `[N, horizon, quantiles]`.
#[derive(Debug, Clone)]
pub struct NBeats {
    path: String,
    config: NBeatsConfig,
    blocks: Vec<Block>,
}

impl NBeats {
    /// Creates the blocks in `params`. An error when a size is 0.
    pub fn new(config: &NBeatsConfig, params: &Params) -> Result<Self> {
        let block = |i: usize| Block::new(config, &params.sub("blocks").sub(i.to_string()));
        let blocks = (0..config.blocks).map(block).collect::<Result<_>>()?;
        Ok(Self { path: params.path().to_owned(), config: config.clone(), blocks })
    }
}

impl Module for NBeats {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let (steps, outputs) = (self.config.context, self.config.horizon * self.config.quantiles.len());
            check_history("nbeats", x, steps)?;
            let mut forecast = last_of(x)?; // [N, 1]
            let mut left = x.flip(&[1])?;
            for block in &self.blocks {
                let both = left.pass(block, context)?;
                left = left.sub(&both.narrow(1, 0, steps)?)?;
                forecast = forecast.add(&both.narrow(1, steps, outputs)?)?; // [N, horizon · quantiles]
            }
            by_step(&forecast, self.config.horizon, self.config.quantiles.len())
        })
    }
}

impl SampledModel for NBeats {
    type Config = NBeatsConfig;

    fn build(config: &NBeatsConfig, params: &Params) -> Result<Self> {
        Self::new(config, params)
    }

    fn sample(config: &NBeatsConfig) -> String {
        format!("{} steps", config.context)
    }

    fn forward_sample(
        &self,
        config: &NBeatsConfig,
        dtype: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>> {
        Ok(vec![self.forward(&Tensor::zeros([1, config.context], dtype, device)?, context)?])
    }
}
