//! The learning-rate range test: L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017,
//! section 3.3. The learning rate rises by the same factor at each step. It is good where the loss falls fastest, and
//! too large where the loss rises.

use crate::evaluate::unsupported;
use crate::learner::Learner;
use crate::optimize::{self, RunOptimizer};
use crate::{Config, Error, Reporter, Result, Task};
use std::sync::atomic::{AtomicBool, Ordering};
use taper_config::range::is_ordinary;
use taper_data::{Batch, Dataset, LoaderOptions, Pipeline, PipelineOptions};
use taper_nn::{DType, Params};
use taper_report::plot::{Axis, Chart, Mark, Series};

/// The decay of the moving average that smooths the losses.
const SMOOTHING: f64 = 0.9;
/// The test ends when the smoothed loss is above its minimum by this many times the [`size`] of the losses: at four
/// times the minimum, if the losses hardly fell.
const DIVERGED: f64 = 3.0;
/// The points at the start and the end of the curve that the suggestion ignores: the first are not smooth yet, the last
/// diverge.
const ENDS: [usize; 2] = [10, 5];
/// The fraction of its size by which the smoothed loss must fall for a suggestion: less is noise.
const FALL: f64 = 0.02;
/// The chart leaves out losses that are above the first by more than this fraction of its size.
const HIGH: f64 = 0.5;

/// The range of learning rates to test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LrRange {
    /// The first rate.
    pub from: f64,
    /// The last rate.
    pub to: f64,
    /// The number of steps, each with its own rate.
    pub steps: u64,
}

impl Default for LrRange {
    /// From 10⁻⁷ to 10 in 100 steps.
    fn default() -> Self {
        Self { from: 1e-7, to: 10.0, steps: 100 }
    }
}

/// The result of the test.
#[derive(Debug, Clone, PartialEq)]
pub struct LrCurve {
    /// Each rate with the loss before its step, raw and smoothed.
    pub points: Vec<LrPoint>,
    /// The rate at which the smoothed loss falls fastest; `None` if it never falls by more than 2 %.
    pub suggestion: Option<f64>,
}

/// A step of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LrPoint {
    /// The rate.
    pub lr: f64,
    /// The loss of the step's samples, before the step.
    pub loss: f64,
    /// An exponential moving average of the losses so far, corrected for its bias at the start.
    pub smoothed: f64,
}

impl LrRange {
    /// Errs unless the rates rise and there are enough steps.
    ///
    /// # Errors
    /// The value that is out of range, and what was expected.
    pub fn check(&self) -> Result<()> {
        let Self { from, to, steps } = *self;
        let wrong = |what: String| Err(Error::Usage(what));
        if !(from > 0.0 && is_ordinary(from)) {
            return wrong(format!("from: expected a number from 1e-37 to 1e37, found {from}"));
        }
        if !(to > from && is_ordinary(to)) {
            return wrong(format!("to: expected a number above the first rate, {from}, up to 1e37, found {to}"));
        }
        let least = ENDS[0] + ENDS[1] + 3;
        if steps < least as u64 {
            return wrong(format!(
                "steps: expected {least} or more, without which no slope can be told, found {steps}"
            ));
        }
        Ok(())
    }

    /// Trains `task` with `config`'s optimiser and batches, from the first epoch of `train` on, with rising rates. The
    /// rates of parameter groups keep their ratios; the rates that are reported are those of `[optimizer]`. The weights
    /// are restored afterwards.
    ///
    /// # Errors
    /// A range that does not rise, and the errors of training.
    pub fn find(
        &self,
        config: &Config,
        task: &dyn Task,
        params: &Params,
        train: &dyn Dataset,
        stop: &AtomicBool,
        reporter: &mut dyn Reporter,
    ) -> Result<LrCurve> {
        self.check()?;
        optimize::check(config)?;
        if !matches!(params.dtype(), DType::F32 | DType::F64) {
            return Err(unsupported(params.dtype()));
        }
        let before: Vec<_> = params.all().iter().map(|param| param.tensor().detach()).collect();
        let losses = self.losses(Learner { config, task, params }, train, stop, reporter);
        params.all().iter().zip(&before).try_for_each(|(param, value)| param.set(value))?;
        Ok(LrCurve::new(&losses?))
    }

    /// The rate of step `step`.
    fn rate(&self, step: u64) -> f64 {
        self.from * (self.to / self.from).powf(step as f64 / (self.steps - 1) as f64)
    }

    fn losses(
        &self,
        learner: Learner<'_>,
        train: &dyn Dataset,
        stop: &AtomicBool,
        reporter: &mut dyn Reporter,
    ) -> Result<Vec<(f64, f64)>> {
        let Learner { config, task, params } = learner;
        let metrics = task.metrics();
        let mut settings = config.clone();
        settings.schedule = crate::ScheduleConfig::default();
        // Groups that are trained for some epochs only are trained throughout: the steps here are not those of a run.
        settings.groups.iter_mut().for_each(|group| group.epochs = 0.0);
        let mut optimizer = RunOptimizer::new(&settings, params, self.steps, self.steps)?;
        let loader = LoaderOptions {
            batch_size: config.train.batch_size,
            shuffle: config.train.shuffle.then_some(config.train.seed),
            drop_last: config.train.drop_last,
        };
        let options =
            PipelineOptions { loader, epoch_batches: 0, workers: config.data.workers, ahead: config.data.ahead };
        std::thread::scope(|scope| {
            let mut pipeline = Pipeline::start(scope, train, options)?;
            let mut batch = Batch::default();
            let (mut losses, mut epoch, mut number) = (Vec::new(), 0, 0);
            let mut smooth = MovingAverage::default();
            let mut seen: Vec<f64> = Vec::new();
            for step in 0..self.steps {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                if pipeline.position() == pipeline.len() {
                    (epoch, number) = (epoch + 1, 0);
                    pipeline.start_epoch(epoch, 0)?;
                }
                optimizer.prepare(step)?;
                let lr = self.rate(step);
                let now = optimizer.lr();
                optimizer.scale_lr(lr / now)?;
                let batches = config.train.accumulate;
                let next = |batch: &mut _| pipeline.next_into(batch);
                let mut learned = learner.learn(&metrics, [epoch, number, batches], &mut batch, next)?;
                number = number.saturating_add(batches);
                if learned.counted == 0 {
                    continue; // no sample counts: the rate shows nothing
                }
                let loss = learned.loss.item()?;
                let smoothed = smooth.next(loss);
                losses.push((lr, loss));
                reporter.rate(&LrPoint { lr, loss, smoothed }, step + 1, self.steps);
                seen.push(smoothed);
                if !loss.is_finite() || diverged(&losses, &seen) {
                    break;
                }
                learner.clip(&mut learned.gradients)?;
                let _ = optimizer.step(&learned.gradients)?;
            }
            Ok(losses)
        })
    }
}

/// The size of the losses, whatever their sign: the largest magnitude among the first losses, which are not smooth yet,
/// and the smallest smoothed loss. A single loss may be near 0, which says nothing about the scale.
fn size(first: impl Iterator<Item = f64>, least: f64) -> f64 {
    first.take(ENDS[0]).map(f64::abs).fold(least.abs(), f64::max)
}

/// Whether the last of the `smoothed` losses is far above the smallest: the training diverges.
fn diverged(losses: &[(f64, f64)], smoothed: &[f64]) -> bool {
    let least = smoothed.iter().copied().fold(f64::INFINITY, f64::min);
    let first = losses.iter().map(|(_, loss)| *loss);
    smoothed.last().is_some_and(|last| last - least > DIVERGED * size(first, least))
}

/// An exponential moving average, corrected for its bias at the start.
#[derive(Default)]
struct MovingAverage {
    average: f64,
    weight: f64,
}

impl MovingAverage {
    fn next(&mut self, value: f64) -> f64 {
        self.average = SMOOTHING * self.average + (1.0 - SMOOTHING) * value;
        self.weight = SMOOTHING * self.weight + (1.0 - SMOOTHING);
        self.average / self.weight
    }
}

impl LrCurve {
    /// The curve of (rate, loss) pairs, whose rates rise by a constant factor.
    fn new(losses: &[(f64, f64)]) -> Self {
        let mut smooth = MovingAverage::default();
        let finite = losses.iter().take_while(|(_, loss)| loss.is_finite());
        let points: Vec<LrPoint> =
            finite.map(|&(lr, loss)| LrPoint { lr, loss, smoothed: smooth.next(loss) }).collect();
        let inner = points.get(ENDS[0].min(points.len())..points.len().saturating_sub(ENDS[1])).unwrap_or_default();
        // Neighbouring rates have the same distance on a logarithmic axis.
        let slopes = inner.windows(3).map(|window| (window[1].lr, window[2].smoothed - window[0].smoothed));
        let steepest = slopes.min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, slope)| *slope < 0.0);
        let least = inner.iter().map(|point| point.smoothed).fold(f64::INFINITY, f64::min);
        let falls =
            inner.first().is_some_and(|first| first.smoothed - least > FALL * first.smoothed.abs().max(least.abs()));
        Self { suggestion: steepest.filter(|_| falls).map(|(lr, _)| lr), points }
    }

    /// A chart of the losses over the rates, with the suggestion marked. Losses far above the first are left out: they
    /// would flatten the part that matters.
    pub fn chart(&self) -> Chart {
        let least = self.points.iter().map(|point| point.smoothed).fold(f64::INFINITY, f64::min);
        let most = self.points.first().map_or(0.0, |point| point.loss + HIGH * point.loss.abs().max(least.abs()));
        let of = |value: fn(&LrPoint) -> f64| {
            let points = self.points.iter().map(|point| (point.lr, value(point)));
            points.filter(|(_, loss)| *loss <= most).collect()
        };
        let marks = self.suggestion.map(|lr| Mark { x: lr, label: format!("{lr:.2e}") });
        Chart {
            title: "Learning-rate range test".into(),
            x: Axis::log("learning rate"),
            y: Axis::linear("loss"),
            series: vec![
                Series::dots("loss", of(|point| point.loss)),
                Series::line("smoothed", of(|point| point.smoothed)),
            ],
            marks: marks.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steepest_place_is_suggested() {
        // A loss that falls around 10⁻³ and rises again from 10⁻¹ on.
        let range = LrRange::default();
        let loss = |lr: f64| 2.3 - 1.5 / (1.0 + (-3.0 * (lr.log10() + 3.0)).exp()) + (lr / 0.3).powi(2);
        let losses: Vec<_> = (0..range.steps).map(|step| (range.rate(step), loss(range.rate(step)))).collect();
        let curve = LrCurve::new(&losses);
        let suggestion = curve.suggestion.unwrap();
        // The smoothed loss lags behind.
        assert!((1e-3..1e-2).contains(&suggestion), "{suggestion}");
        assert_eq!(curve.chart().marks[0].x, suggestion);
        assert!((range.rate(0) / 1e-7 - 1.0).abs() < 1e-12 && (range.rate(99) / 10.0 - 1.0).abs() < 1e-12);
    }

    /// The loss may be a log-density or a negated reward: then 0 has no meaning, and a shift changes nothing.
    #[test]
    fn losses_of_any_sign_have_a_rate() {
        let range = LrRange::default();
        let loss = |lr: f64| -1.5 / (1.0 + (-3.0 * (lr.log10() + 3.0)).exp()) + (lr / 0.3).powi(2);
        let suggested: Vec<f64> = [2.3, 0.5, -3.0]
            .into_iter()
            .map(|shift| {
                let rates = (0..range.steps).map(|step| range.rate(step));
                let losses: Vec<_> = rates.map(|lr| (lr, shift + loss(lr))).collect();
                let mut smooth = MovingAverage::default();
                let smoothed: Vec<f64> = losses.iter().map(|(_, loss)| smooth.next(*loss)).collect();
                let ends = (1..=losses.len()).find(|&n| diverged(&losses[..n], &smoothed[..n]));
                assert!(ends.is_some_and(|n| losses[n - 1].0 > 0.3), "{shift}: {ends:?}");
                LrCurve::new(&losses).suggestion.unwrap()
            })
            .collect();
        assert_eq!(suggested, [suggested[0]; 3]);
    }

    #[test]
    fn the_chart_leaves_out_what_diverges() {
        let losses: Vec<_> = (0..50).map(|i| (10f64.powi(i - 49), if i < 49 { 2.0 } else { 1000.0 })).collect();
        let chart = LrCurve::new(&losses).chart();
        assert!(chart.series.iter().all(|series| series.points.len() == 49), "{chart:?}");
    }

    #[test]
    fn a_loss_that_only_rises_suggests_nothing() {
        let losses: Vec<_> = (0..50).map(|i| (10f64.powi(i - 49), 1.0 + f64::from(i))).collect();
        assert_eq!(LrCurve::new(&losses).suggestion, None);
        assert_eq!(LrCurve::new(&[(1.0, f64::NAN)]).points, []);
        // Nor does a loss that falls by no more than noise.
        let losses: Vec<_> = (0..50).map(|i| (10f64.powi(i - 49), 2.3 - 1e-4 * f64::from(i))).collect();
        assert_eq!(LrCurve::new(&losses).suggestion, None);
    }
}
