//! NLinear (A. Zeng, M. Chen, L. Zhang and Q. Xu, "Are Transformers effective for time series forecasting?", AAAI 2023, section
//! 4): one linear layer from the history to the forecast, both taken relative to the last value, so that a series whose level
//! moved is no stranger. With several quantiles the layer gives each of them for each step, where the paper gives one value.

use crate::SampledModel;
use crate::forecasters::{by_step, check_history, increasing, last_of, quantiles};
use taper_config::table;
use taper_nn::{Context, DType, Device, Linear, LinearConfig, Module, Params, Pass, Result, Tensor};

table! {
    /// The sizes of a [`NLinear`].
    pub struct NLinearConfig {
        /// Steps of the past that the model sees.
        context: usize = 336, at_least(1);
        /// Steps that are forecast.
        horizon: usize = 48, at_least(1);
        /// The quantiles that are forecast; that of 0.5 is the forecast itself.
        quantiles: Vec<f64> = quantiles(), increasing();
        /// Whether everything is relative to the last value (NLinear), or as it is (Linear).
        relative: bool = true, flag();
    }
}

/// The layer `Linear`, as in the authors' code: `[N, context]` to `[N, horizon, quantiles]`.
#[derive(Debug, Clone)]
pub struct NLinear {
    path: String,
    config: NLinearConfig,
    linear: Linear,
}

impl NLinear {
    /// Creates the layer in `params`. An error when a size is 0.
    pub fn new(config: &NLinearConfig, params: &Params) -> Result<Self> {
        let sizes = LinearConfig::new(config.context, config.horizon * config.quantiles.len());
        let linear = Linear::new(sizes, &params.sub("Linear"))?;
        Ok(Self { path: params.path().to_owned(), config: config.clone(), linear })
    }
}

impl Module for NLinear {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            check_history("nlinear", x, self.config.context)?;
            let level = last_of(x)?; // [N, 1]
            let y = match self.config.relative {
                true => x.sub(&level)?.pass(&self.linear, context)?.add(&level)?,
                false => x.pass(&self.linear, context)?,
            };
            by_step(&y, self.config.horizon, self.config.quantiles.len())
        })
    }
}

impl SampledModel for NLinear {
    type Config = NLinearConfig;

    fn build(config: &NLinearConfig, params: &Params) -> Result<Self> {
        Self::new(config, params)
    }

    fn sample(config: &NLinearConfig) -> String {
        format!("{} steps", config.context)
    }

    fn forward_sample(
        &self,
        config: &NLinearConfig,
        dtype: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>> {
        Ok(vec![self.forward(&Tensor::zeros([1, config.context], dtype, device)?, context)?])
    }
}
