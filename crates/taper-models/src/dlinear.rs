//! DLinear (A. Zeng, M. Chen, L. Zhang and Q. Xu, "Are Transformers effective for time series forecasting?", AAAI 2023, section
//! 4): the history is split into a moving average, its trend, and what is left, its season, and a linear layer takes each to the
//! forecast. With several quantiles the layers give each of them for each step, where the paper gives one value.

use crate::SampledModel;
use crate::forecasters::{by_step, check_history, increasing, quantiles};
use taper_config::table;
use taper_nn::{Context, DType, Device, Error, Linear, LinearConfig, Module, Params, Pass, Pool1dSpec, Result, Tensor};

table! {
    /// The sizes of a [`DLinear`].
    pub struct DLinearConfig {
        /// Steps of the past that the model sees.
        context: usize = 336, at_least(1);
        /// Steps that are forecast.
        horizon: usize = 48, at_least(1);
        /// The quantiles that are forecast; that of 0.5 is the forecast itself.
        quantiles: Vec<f64> = quantiles(), increasing();
        /// Steps of the moving average, an odd number.
        kernel: usize = 25, at_least(1);
    }
}

/// Layers `Linear_Seasonal` and `Linear_Trend`, as in the authors' code: `[N, context]` to `[N, horizon, quantiles]`.
#[derive(Debug, Clone)]
pub struct DLinear {
    path: String,
    config: DLinearConfig,
    seasonal: Linear,
    trend: Linear,
}

impl DLinear {
    /// Creates the layers in `params`. An error when a size is 0, or the kernel is even.
    pub fn new(config: &DLinearConfig, params: &Params) -> Result<Self> {
        if config.kernel.is_multiple_of(2) {
            let detail = format!("the kernel of the moving average must be odd, came as {}", config.kernel);
            return Err(Error::argument("dlinear", detail));
        }
        let sizes = LinearConfig::new(config.context, config.horizon * config.quantiles.len());
        Ok(Self {
            path: params.path().to_owned(),
            config: config.clone(),
            seasonal: Linear::new(sizes, &params.sub("Linear_Seasonal"))?,
            trend: Linear::new(sizes, &params.sub("Linear_Trend"))?,
        })
    }

    /// The moving average of `[N, T]`, of the same shape; the ends are repeated.
    fn average(&self, x: &Tensor) -> Result<Tensor> {
        let (n, steps, side) = (x.shape()[0], x.shape()[1], self.config.kernel / 2);
        if side == 0 {
            return Ok(x.clone());
        }
        let end = |at: usize| x.narrow(1, at, 1)?.broadcast_to([n, side]);
        let padded = Tensor::concat(&[&end(0)?, x, &end(steps - 1)?], 1)?.unsqueeze(1)?; // [N, 1, T + kernel − 1]
        let spec = Pool1dSpec { stride: 1, ..Pool1dSpec::of(self.config.kernel) };
        padded.avg_pool1d(spec)?.squeeze(1)
    }
}

impl Module for DLinear {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            check_history("dlinear", x, self.config.context)?;
            let trend = self.average(x)?;
            let seasonal = x.sub(&trend)?.pass(&self.seasonal, context)?;
            let y = trend.pass(&self.trend, context)?.add(&seasonal)?; // [N, horizon · quantiles]
            by_step(&y, self.config.horizon, self.config.quantiles.len())
        })
    }
}

impl SampledModel for DLinear {
    type Config = DLinearConfig;

    fn build(config: &DLinearConfig, params: &Params) -> Result<Self> {
        Self::new(config, params)
    }

    fn sample(config: &DLinearConfig) -> String {
        format!("{} steps", config.context)
    }

    fn forward_sample(
        &self,
        config: &DLinearConfig,
        dtype: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>> {
        Ok(vec![self.forward(&Tensor::zeros([1, config.context], dtype, device)?, context)?])
    }
}
