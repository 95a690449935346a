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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics;
    use std::sync::atomic::AtomicBool;
    use taper_data::{SeriesWindows, seasonal_naive};
    use taper_nn::{Device, Params, RandomKey};
    use taper_train::{EvaluateOptions, Silent, Split, evaluate};

    const WINDOW: [usize; 2] = [5, 3];
    const QUANTILES: [f64; 3] = [0.2, 0.5, 0.9];

    /// Of a history `[N, 5]` its last value for each of three steps, and quantiles around it, the outer two exchanged.
    struct Last;

    impl Module for Last {
        fn forward(&self, x: &Tensor, _context: &Context) -> taper_nn::Result<Tensor> {
            let last = x.narrow(1, 4, 1)?.broadcast_to([x.shape()[0], 3])?.unsqueeze(2)?; // [N, 3, 1]
            let around = Tensor::from_vec(vec![0.75_f32, 0.0, -0.5], [3], x.device())?.cast(x.dtype())?;
            last.add(&around)
        }
    }

    /// What is measured on the device is what the metrics give on the host, in the series' own unit, for batches of any size.
    #[test]
    fn forecasts_are_measured_in_their_own_unit() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F64, RandomKey::new(0));
        // Multiples of ¼, that f32 holds, with a mean and a deviation that it holds too.
        let learned: Vec<f64> = (0..40).map(|i| 3.0 + if i % 2 == 0 { 2.0 } else { -2.0 }).collect();
        let later = (0..20).map(|i| ((i * 7 % 11) as f64) / 2.0);
        let values: Vec<f64> = learned.iter().copied().chain(later).collect();
        let stats = SeriesStats { scale: 1.5, ..SeriesStats::learn(&learned, 4).unwrap() };
        assert_eq!((stats.mean, stats.std), (3.0, 2.0));
        let series = TimeSeries { name: "y".into(), values: values.clone(), clock: None };
        let task = Forecasting::new(Box::new(Last), QUANTILES.to_vec(), stats, Arc::new(series), 45);
        let standard: Arc<[f32]> = values.iter().map(|&value| stats.standard(value)).collect();
        let data = SeriesWindows::new(standard, WINDOW, 45..58).unwrap().with_naive(4).unwrap();

        let pairs: Vec<(usize, usize)> = (45..58).flat_map(|origin| (0..3).map(move |lead| (origin, lead))).collect();
        let truth: Vec<f64> = pairs.iter().map(|&(origin, lead)| values[origin + lead]).collect();
        let median: Vec<f64> = pairs.iter().map(|&(origin, _)| values[origin - 1]).collect();
        let at = |by: f64| median.iter().map(|value| value + 2.0 * by).collect::<Vec<f64>>();
        let naive: Vec<f64> = pairs.iter().map(|&(o, lead)| seasonal_naive(&values, 4, o, lead).unwrap()).collect();
        let mae = metrics::mae(&truth, &median).unwrap();
        let coverage = metrics::coverage(&truth, &at(-0.5), &at(0.75)).unwrap();
        // The loss is of the quantiles as they are given, standardised.
        let pinball = |by: f64, q: f64| metrics::pinball(&truth, &at(by), q).unwrap() / 2.0 / 3.0;
        let loss = pinball(0.75, 0.2) + pinball(0.0, 0.5) + pinball(-0.5, 0.9);
        assert!(coverage > 0.1 && coverage < 0.9);
        for batch_size in [1, 5, 64] {
            let options = EvaluateOptions { batch_size, workers: 0, split: Split::Test };
            let found = evaluate(&task, &params, &data, &options, &AtomicBool::new(false), &mut Silent).unwrap();
            let (found, rows) = found.unwrap();
            for (name, due) in [
                ("loss", loss),
                ("mae", mae),
                ("mase", mae / 1.5),
                ("coverage", coverage),
                ("naive_mae", metrics::mae(&truth, &naive).unwrap()),
            ] {
                let found = found.get(name).unwrap();
                assert!((found - due).abs() < 1e-9, "{name}: {found}, expected {due}");
            }
            // Rows are in order, and in the series' unit.
            assert_eq!((rows.width, rows.values.len()), (9, 13 * 9));
            let last = values[44];
            assert_eq!(rows.iter().next().unwrap()[..3], [last - 1.0, last, last + 1.5]);
        }
    }
}
