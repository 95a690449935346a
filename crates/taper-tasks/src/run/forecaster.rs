//! A trained forecaster put to work: the values that follow a series.

use super::Saved;
use crate::SeriesStats;
use crate::forecasting::in_order;
use serde::{Deserialize, Serialize};
use std::path::Path;
use taper_data::{Clock, TimeSeries};
use taper_models::forecaster;
use taper_nn::{Context, Device, Module, Params, Tensor, no_grad};
use taper_train::{Error, Result};

/// The task of a run that forecasts, in its `spec.json`.
pub(crate) const FORECAST: &str = "forecast";

/// What forecasting needs besides weights and configuration: the `spec.json` of a run's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForecastSpec {
    /// The task, `forecast`.
    pub task: String,
    /// The column that is forecast.
    pub target: String,
    /// When the steps of the series that was learned from are; `None` if they are numbered.
    pub clock: Option<Clock>,
    /// What is done about gaps: `refuse`, `fill` or `ignore`.
    pub gaps: String,
    /// By what the series is standardised.
    pub stats: SeriesStats,
    /// The quantiles.
    pub quantiles: Vec<f64>,
    /// The steps of the series that there were.
    pub steps: usize,
    /// The last values of that series, as many as the model sees.
    pub history: Vec<f64>,
}

/// A trained forecaster: its model with its weights, and the end of the series that it knows.
///
/// ```no_run
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let forecaster = taper_tasks::Forecaster::load("runs/forecast-20261129-101500", &device)?;
/// for step in forecaster.forecast()?.steps {
///     println!("{}: {:?}", step.time, step.values); // 2015-01-01T00:00: [3.81, 3.97, 4.12]
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Forecaster {
    spec: ForecastSpec,
    params: Params,
    model: Box<dyn Module>,
}

/// The values that follow a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// What is forecast: the column's name.
    pub name: String,
    /// The quantiles, in increasing order.
    pub quantiles: Vec<f64>,
    /// The steps, from the first after the series on.
    pub steps: Vec<ForecastStep>,
}

/// A step of a [`Forecast`].
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastStep {
    /// When it is: a time as in the series, or the step's number from the series' first, 0.
    pub time: String,
    /// The value of each quantile, in increasing order.
    pub values: Vec<f64>,
}

impl Forecaster {
    /// Loads the run in the folder `path` onto `device`.
    ///
    /// # Errors
    /// A folder that holds no run, a run that does not forecast, and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let saved = Saved::open(path, &[FORECAST])?;
        let spec: ForecastSpec = saved.spec()?;
        let params = saved.params(device)?;
        let model = forecaster(&saved.config.model, &params)?;
        saved.weights(&params)?;
        Ok(Self { spec, params, model })
    }

    /// What forecasting needs besides weights and configuration.
    pub fn spec(&self) -> &ForecastSpec {
        &self.spec
    }

    /// The values that follow the series of the run: its end, whatever part of it was learned from.
    ///
    /// # Errors
    /// Those of the model.
    pub fn forecast(&self) -> Result<Forecast> {
        self.after(&self.spec.history, self.spec.clock.as_ref(), self.spec.steps)
    }

    /// The values that follow `series`, of the same kind as that of the run.
    ///
    /// # Errors
    /// A series of other steps, or of fewer than the model sees.
    pub fn forecast_after(&self, series: &TimeSeries) -> Result<Forecast> {
        if let (Some(due), Some(found)) = (&self.spec.clock, &series.clock)
            && due.step != found.step
        {
            let (due, found) = (due.step, found.step);
            return Err(Error::Usage(format!(
                "forecast: expected steps of {due}, as the run's, found steps of {found}"
            )));
        }
        self.after(&series.values, series.clock.as_ref(), series.values.len())
    }

    /// The values that follow `values`, the last of which is step `steps - 1` of `clock`.
    fn after(&self, values: &[f64], clock: Option<&Clock>, steps: usize) -> Result<Forecast> {
        let ForecastSpec { target, stats, quantiles, history, .. } = &self.spec;
        let due = history.len();
        let Some(from) = values.len().checked_sub(due) else {
            let found = values.len();
            return Err(Error::Usage(format!(
                "forecast: expected {due} steps or more, as many as the model sees, found {found}"
            )));
        };
        let history: Vec<f32> = values[from..].iter().map(|&value| stats.standard(value)).collect();
        let x = Tensor::from_vec(history, [1, due], self.params.device())?.cast(self.params.dtype())?;
        let found = no_grad(|| in_order(&self.model.forward(&x, &Context::eval())?))?.to_host()?.to_f64();
        let step = |(lead, values): (usize, &[f64])| ForecastStep {
            time: clock.map_or_else(|| (steps + lead).to_string(), |clock| clock.at(steps + lead)),
            values: values.iter().map(|value| value * stats.std + stats.mean).collect(),
        };
        let steps = found.chunks_exact(quantiles.len().max(1)).enumerate().map(step).collect();
        Ok(Forecast { name: target.clone(), quantiles: quantiles.clone(), steps })
    }

    /// The values that follow the series in a table, which needs the columns of the run's target and times.
    ///
    /// # Errors
    /// A missing column, a value or a time that cannot be read, a gap, a series of other steps or too short.
    #[cfg(any(feature = "csv", feature = "parquet"))]
    pub fn forecast_table(&self, source: &taper_data::TableSource) -> Result<Forecast> {
        let time = self.spec.clock.as_ref().map(|clock| clock.column.clone());
        let gaps = crate::experiments::gaps(&self.spec.gaps);
        let options = taper_data::SeriesOptions { target: self.spec.target.clone(), time, gaps };
        self.forecast_after(&source.series(&options)?)
    }
}
