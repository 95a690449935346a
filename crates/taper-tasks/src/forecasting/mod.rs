//! Forecasting: the values of a series that follow, with their quantiles.

mod report;
mod stats;

pub use stats::SeriesStats;

use crate::forecasting::report::{Found, report};
use std::sync::Arc;
use taper_data::TimeSeries;
use taper_nn::{Context, DType, Module, Quantile, Tensor, no_grad};
use taper_report::html::Page;
use taper_report::tensorboard::EventWriter;
use taper_train::{Better, DeviceBatch, Finished, Metric, Result, Sums, Task};

/// The task of predicting the field `targets`, `[N, horizon]`, from the field `history`, `[N, context]`, both standardised by
/// the mean and the deviation of what is learned from, with a model that gives quantiles `[N, horizon, Q]`.
///
/// The loss is the pinball loss of all quantiles. Metrics, in the series' own unit: the mean absolute error of the median,
/// `mae`; the same over that of the seasonal naive forecast on what was learned from, `mase`; the share of values between the
/// lowest and the highest quantile, `coverage`; and, where batches have the field `naive`, the mean absolute error of the
/// seasonal naive forecast for the same values, `naive_mae`. Quantiles that cross are put in order before they are measured
/// (V. Chernozhukov, I. Fernández-Val and A. Galichon, "Quantile and probability curves without crossing", Econometrica 78, 2010).
///
/// The report shows forecasts with their band, errors by how far ahead, baselines, and how often values were below each
/// quantile.
pub struct Forecasting {
    model: Box<dyn Module>,
    loss: Quantile,
    stats: SeriesStats,
    series: Arc<TimeSeries>,
    /// The origin of the first test sample.
    first: usize,
}

impl Forecasting {
    /// With a model of these `quantiles`, in increasing order and with 0.5 among them, for `series`, of which the origin of
    /// the first test sample is the step `first`.
    pub fn new(
        model: Box<dyn Module>,
        quantiles: Vec<f64>,
        stats: SeriesStats,
        series: Arc<TimeSeries>,
        first: usize,
    ) -> Self {
        Self { model, loss: Quantile::new(quantiles), stats, series, first }
    }

    fn sums(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<(Sums, Tensor)> {
        let targets = batch.float("targets")?; // [N, H]
        let found = self.model.forward(&batch.float("history")?, context)?; // [N, H, Q]
        let loss = self.loss.forward(&found, &targets)?;
        let (count, SeriesStats { std, scale, .. }) = (targets.count(), self.stats);
        let naive = batch.host().field("naive").is_ok();
        let naive = naive.then(|| batch.float("naive")).transpose()?;
        no_grad(|| {
            let targets = targets.cast(DType::F64)?;
            let found = in_order(&found.detach())?.cast(DType::F64)?;
            let size = |forecast: &Tensor| targets.sub(forecast)?.abs()?.sum_all()?.mul_scalar(std);
            let of = |quantile: usize| found.narrow(2, quantile, 1)?.squeeze(2); // [N, H]
            let (low, high) = (of(0)?, of(self.loss.quantiles.len().saturating_sub(1))?);
            let within = targets.ge(&low)?.logical_and(&targets.le(&high)?)?.cast(DType::F64)?.sum_all()?;
            let error = size(&of(median(&self.loss.quantiles))?)?;
            let mut sums = Sums::mean(loss, count).with("mae", &error, count).with("coverage", within, count);
            if scale > 0.0 {
                sums = sums.with("mase", error.div_scalar(scale)?, count);
            }
            if let Some(naive) = naive {
                sums = sums.with("naive_mae", size(&naive.cast(DType::F64)?)?, count);
            }
            Ok((sums, found))
        })
    }
}

/// Quantiles `[N, H, Q]` that may cross, in order.
pub(crate) fn in_order(found: &Tensor) -> taper_nn::Result<Tensor> {
    Ok(found.sort(2, false)?.0)
}

/// The place of the median.
pub(crate) fn median(quantiles: &[f64]) -> usize {
    quantiles.iter().position(|&quantile| quantile == 0.5).unwrap_or(quantiles.len() / 2)
}

impl Task for Forecasting {
    fn metrics(&self) -> Vec<Metric> {
        let number = |name: &'static str| Metric::new(name, "", Better::Lower);
        let coverage = Metric::percent("coverage");
        vec![Metric::loss("pinball loss"), number("mae"), number("mase"), coverage, number("naive_mae")]
    }

    fn monitor(&self) -> &str {
        "mae"
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        Ok(self.sums(batch, context)?.0)
    }

    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let (sums, found) = self.sums(batch, context)?;
        let SeriesStats { mean, std, .. } = self.stats;
        Ok(sums
            .with_rows(found.mul_scalar(std)?.add_scalar(mean)?.reshape([batch.len(), found.count() / batch.len()])?))
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, _events: Option<&mut EventWriter>) -> Result<()> {
        let (series, quantiles, stats) = (&self.series, &self.loss.quantiles[..], &self.stats);
        let rows = &found.outcome.rows;
        report(&Found { series, quantiles, stats, rows, first: self.first }, page)
    }
}
