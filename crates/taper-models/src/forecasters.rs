//! Forecasters by name: what they share, and the list of them.

use crate::{
    DLinear, DLinearConfig, LstmForecaster, LstmForecasterConfig, NBeats, NBeatsConfig, NLinear, NLinearConfig,
};
use taper_config::{Named, Range, Schema, range, unknown};
use taper_nn::{Error, Module, Params, Result, Tensor};

/// Each forecaster by name, with its keys, of which `context`, `horizon` and `quantiles` are all forecasters'. Each takes
/// the last values of a series, `[N, context]`, to the quantiles of those that follow, `[N, horizon, quantiles]`.
pub fn forecasters() -> Vec<(&'static str, Schema)> {
    vec![
        ("dlinear", Schema::of::<DLinearConfig>()),
        ("lstm", Schema::of::<LstmForecasterConfig>()),
        ("nbeats", Schema::of::<NBeatsConfig>()),
        ("nlinear", Schema::of::<NLinearConfig>()),
    ]
}

/// Builds the forecaster that `named` names, of the keys of its table, with its parameters in `params`.
///
/// # Errors
/// An unknown name, a key that the forecaster does not have, a value out of range, values that do not fit each other.
pub fn forecaster(named: &Named, params: &Params) -> Result<Box<dyn Module>> {
    let wrong = |error: taper_config::Error| Error::argument("model", error.to_string());
    Ok(match named.name.as_str() {
        "dlinear" => Box::new(DLinear::new(&named.parse("model").map_err(wrong)?, params)?),
        "nlinear" => Box::new(NLinear::new(&named.parse("model").map_err(wrong)?, params)?),
        "lstm" => Box::new(LstmForecaster::new(&named.parse("model").map_err(wrong)?, params)?),
        "nbeats" => Box::new(NBeats::new(&named.parse("model").map_err(wrong)?, params)?),
        name => return Err(unknown_name(name)),
    })
}

/// What all forecasters have: how far they look back and ahead, and the quantiles that they give.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastSizes {
    /// Steps of the past that the model sees.
    pub context: usize,
    /// Steps that are forecast.
    pub horizon: usize,
    /// The quantiles, in increasing order, with 0.5 among them.
    pub quantiles: Vec<f64>,
}

/// The sizes of the forecaster that `named` names.
///
/// # Errors
/// As [`forecaster`].
pub fn forecast_sizes(named: &Named) -> Result<ForecastSizes> {
    let wrong = |error: taper_config::Error| Error::argument("model", error.to_string());
    let Some((_, schema)) = forecasters().into_iter().find(|(name, _)| *name == named.name) else {
        return Err(unknown_name(&named.name));
    };
    let values = schema.resolve(named, "model").map_err(wrong)?;
    let size = |key: &str| values.get(key).and_then(|value| usize::try_from(value.as_integer()?).ok()).unwrap_or(0);
    let quantiles = values.get("quantiles").and_then(|value| value.as_array()).into_iter().flatten();
    let quantiles = quantiles.filter_map(|value| value.as_float()).collect();
    Ok(ForecastSizes { context: size("context"), horizon: size("horizon"), quantiles })
}

fn unknown_name(name: &str) -> Error {
    let known: Vec<&str> = forecasters().iter().map(|(name, _)| *name).collect();
    Error::argument("model", unknown("forecaster", name, &known))
}

/// The quantiles that a forecaster gives by default: the median, and a band of 80%.
pub(crate) fn quantiles() -> Vec<f64> {
    vec![0.1, 0.5, 0.9]
}

/// What quantiles may be: the median is the forecast itself.
pub(crate) fn increasing() -> Range<Vec<f64>> {
    range::list("increasing numbers between 0 and 1 with 0.5 among them", |quantiles: &[f64]| {
        let between = quantiles.iter().all(|q| *q > 0.0 && *q < 1.0);
        between && quantiles.is_sorted_by(|a, b| a < b) && quantiles.contains(&0.5)
    })
}

/// Errs unless the history is `[N, context]`.
pub(crate) fn check_history(model: &'static str, x: &Tensor, context: usize) -> Result<()> {
    match x.shape().dims() {
        [_, steps] if *steps == context => Ok(()),
        _ => {
            let detail = format!("the history must be [samples, {context}], came as {}", x.shape());
            Err(Error::shape(model, detail))
        }
    }
}

/// The output `[N, horizon · quantiles]` of a head as `[N, horizon, quantiles]`.
pub(crate) fn by_step(y: &Tensor, horizon: usize, quantiles: usize) -> Result<Tensor> {
    y.reshape([y.shape()[0], horizon, quantiles])
}

/// The last value of each history `[N, T]`, `[N, 1]`.
pub(crate) fn last_of(x: &Tensor) -> Result<Tensor> {
    x.narrow(1, x.shape()[1] - 1, 1)
}
