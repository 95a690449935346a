//! The model: a normal distribution of the next value, from the values before it.

use std::path::Path;
use taper_config::{Family, Named, Schema, table};
use taper_nn::{Context, Device, Linear, LinearConfig, Params, Pass, RandomKey, Tensor, weights};
use taper_train::{Result, RunFolder};

table! {
    /// `[model]` of a [`Forecaster`].
    pub struct ForecasterConfig {
        /// Values that the model sees before the one that it predicts.
        window: usize = 8, integer(1..=1024);
        /// Units of the hidden layer.
        hidden: usize = 16, integer(1..=65_536);
    }
}

/// Layers `hidden`, `mean` and `spread`. It gives two tensors, so that it is no `Module`: a task may call its model as
/// it likes.
pub struct Forecaster {
    hidden: Linear,
    mean: Linear,
    spread: Linear,
}

impl Forecaster {
    /// The name in `[model]`.
    pub const NAME: &str = "forecaster";

    /// What `[model]` may name: this model, with its keys.
    pub fn family() -> Family {
        Family {
            table: "model",
            kind: "model",
            default: Self::NAME,
            members: vec![(Self::NAME, Schema::of::<ForecasterConfig>())],
            common: None,
            lenient: false,
        }
    }

    /// The model that the table `[model]` describes.
    pub fn new(table: &Named, params: &Params) -> Result<Self> {
        let ForecasterConfig { window, hidden } = table.parse("model")?;
        let linear = |name, inputs, outputs| Linear::new(LinearConfig::new(inputs, outputs), &params.sub(name));
        Ok(Self {
            hidden: linear("hidden", window, hidden)?,
            mean: linear("mean", hidden, 1)?,
            spread: linear("spread", hidden, 1)?,
        })
    }

    /// The model of the run in the folder `run`, with its weights.
    pub fn load(run: &Path, device: &Device) -> Result<Self> {
        let folder = RunFolder::open(run)?;
        let (config, _) = folder.read_config()?;
        let params = Params::new(device, config.dtype()?, RandomKey::new(0));
        let model = Self::new(&config.model, &params)?;
        weights::load_cast(&params.all(), folder.model())?;
        Ok(model)
    }

    /// The mean and the logarithm of the variance of the next value, `[N]` each, from the `past`, `[N, window]`.
    pub fn forward(&self, past: &Tensor, context: &Context) -> Result<(Tensor, Tensor)> {
        let x = past.pass(&self.hidden, context)?.tanh()?; // [N, hidden]
        Ok((x.pass(&self.mean, context)?.squeeze(1)?, x.pass(&self.spread, context)?.squeeze(1)?))
    }
}
