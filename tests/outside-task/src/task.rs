//! The task: the log-likelihood of the value that came, which rewards a forecast that knows how sure it is.

use crate::Forecaster;
use std::f64::consts::PI;
use taper_nn::{Context, DType, no_grad};
use taper_train::{DeviceBatch, Metric, Result, Sums, Task};

/// Forecasts the field `next`, `[N]`, from the field `past`, `[N, window]`.
///
/// Metrics: the loss (the negative log-likelihood, in nats), the error of the mean (`rmse`), and the fraction of values
/// within 1.96 standard deviations (`coverage`), which is 95% for a forecast that is as sure as it may be.
pub struct Forecasting(pub Forecaster);

impl Task for Forecasting {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss("nats"), Metric::root_mean_square("rmse", "V"), Metric::percent("coverage")]
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let (mean, log_variance) = self.0.forward(&batch.float("past")?, context)?;
        let error = batch.float("next")?.sub(&mean)?;
        let squares = error.mul(&error)?;
        // −log p(x) = ½ (log 2π + log σ² + (x − μ)² / σ²)
        let scaled = squares.mul(&log_variance.neg()?.exp()?)?;
        let nats = scaled.add(&log_variance)?.add_scalar((2.0 * PI).ln())?.mul_scalar(0.5)?;
        let (squares, within) = no_grad(|| -> Result<_> {
            let within = scaled.detach().le_scalar(1.96 * 1.96)?.cast(DType::I64)?.sum_all()?;
            Ok((squares.detach().cast(DType::F64)?.sum_all()?, within))
        })?;
        let n = batch.len();
        Ok(Sums::mean(nats.mean_all()?, n).with("rmse", squares, n).with("coverage", within, n))
    }
}
