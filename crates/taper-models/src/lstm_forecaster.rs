//! An LSTM that reads the history and gives all quantiles of all steps at once (R. Wen, K. Torkkola, B. Narayanaswamy and D.
//! Madeka, "A multi-horizon quantile recurrent forecaster", NeurIPS 2017 time series workshop; here with one linear decoder).
//! Several steps of the history are one step of the LSTM, so that a week of half-hours is not 336 of them; everything is
//! relative to the last value.

use crate::SampledModel;
use crate::forecasters::{by_step, check_history, increasing, last_of, quantiles};
use taper_config::table;
use taper_nn::{
    Context, DType, Device, Error, Linear, LinearConfig, Lstm, Module, Params, Pass, RecurrentConfig, RecurrentInput,
    Result, Tensor,
};

table! {
    /// The sizes of an [`LstmForecaster`].
    pub struct LstmForecasterConfig {
        /// Steps of the past that the model sees.
        context: usize = 336, at_least(1);
        /// Steps that are forecast.
        horizon: usize = 48, at_least(1);
        /// The quantiles that are forecast; that of 0.5 is the forecast itself.
        quantiles: Vec<f64> = quantiles(), increasing();
        /// Steps of the history that the LSTM reads at a time; it divides the context.
        patch: usize = 12, at_least(1);
        /// Units of each layer.
        hidden: usize = 128, at_least(1);
        /// Layers of the LSTM.
        layers: usize = 1, at_least(1);
        /// The dropout between layers, and before the last.
        dropout: f64 = 0.0, number(0.0..=1.0);
    }
}

/// Layers `lstm` and `fc`: `[N, context]` to `[N, horizon, quantiles]`.
#[derive(Debug, Clone)]
pub struct LstmForecaster {
    path: String,
    config: LstmForecasterConfig,
    lstm: Lstm,
    dropout: taper_nn::Dropout,
    fc: Linear,
}

impl LstmForecaster {
    /// Creates the layers in `params`. An error when a size is 0, or the patch does not divide the context.
    pub fn new(config: &LstmForecasterConfig, params: &Params) -> Result<Self> {
        let LstmForecasterConfig { context, horizon, patch, hidden, layers, dropout, .. } = *config;
        if patch == 0 || !context.is_multiple_of(patch) {
            let detail = format!("the patch must divide the context of {context} steps, came as {patch}");
            return Err(Error::argument("lstm_forecaster", detail));
        }
        let recurrent = RecurrentConfig::new(patch, hidden).layers(layers).dropout(dropout);
        let outputs = horizon * config.quantiles.len();
        Ok(Self {
            path: params.path().to_owned(),
            config: config.clone(),
            lstm: Lstm::new(recurrent, &params.sub("lstm"))?,
            dropout: taper_nn::Dropout::new(dropout, &params.sub("dropout"))?,
            fc: Linear::new(LinearConfig::new(hidden, outputs), &params.sub("fc"))?,
        })
    }
}

impl Module for LstmForecaster {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let LstmForecasterConfig { context: steps, patch, .. } = self.config;
            check_history("lstm_forecaster", x, steps)?;
            let level = last_of(x)?; // [N, 1]
            let patches = x.sub(&level)?.reshape([x.shape()[0], steps / patch, patch])?.transpose(0, 1)?;
            let (_, [h, _]) = self.lstm.forward_with(&patches, RecurrentInput::default(), context)?;
            let h = h.narrow(0, h.shape()[0] - 1, 1)?.squeeze(0)?; // [N, hidden], of the last layer
            let y = h.pass(&self.dropout, context)?.pass(&self.fc, context)?.add(&level)?;
            by_step(&y, self.config.horizon, self.config.quantiles.len())
        })
    }
}

impl SampledModel for LstmForecaster {
    type Config = LstmForecasterConfig;

    fn build(config: &LstmForecasterConfig, params: &Params) -> Result<Self> {
        Self::new(config, params)
    }

    fn sample(config: &LstmForecasterConfig) -> String {
        format!("{} steps", config.context)
    }

    fn forward_sample(
        &self,
        config: &LstmForecasterConfig,
        dtype: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>> {
        Ok(vec![self.forward(&Tensor::zeros([1, config.context], dtype, device)?, context)?])
    }
}
