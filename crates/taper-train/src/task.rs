//! What is learned: a task says what a batch means, how a loss comes of it, and what is measured.

use crate::{DeviceBatch, Error, Evaluation, Outcome, Result, Rows, Split};
use std::borrow::Cow;
use taper_data::{Batch, Dataset};
use taper_nn::{Context, DType, Device, Gradients, Params, Tensor};
use taper_report::Format;
use taper_report::html::Page;
use taper_report::tensorboard::EventWriter;

/// A learning task, trained by [`Fit`](crate::Fit). It owns or borrows its model, whose signature is its own affair.
///
/// ```
/// use taper_nn::{Context, Linear, Pass};
/// use taper_train::{DeviceBatch, Metric, Result, Sums, Task};
///
/// /// Least squares: the model's output for `inputs` is to be `targets`.
/// struct LeastSquares<'a>(&'a Linear);
///
/// impl Task for LeastSquares<'_> {
///     fn metrics(&self) -> Vec<Metric> {
///         vec![Metric::loss("squared error")]
///     }
///
///     fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
///         let y = batch.float("inputs")?.pass(self.0, context)?; // [N, 1]
///         let error = y.sub(&batch.float("targets")?)?;
///         Ok(Sums::mean(error.mul(&error)?.mean_all()?, batch.len()))
///     }
/// }
/// ```
pub trait Task: Sync {
    /// What is measured, by name. The first is the loss, of whatever unit; training stops when it is not finite.
    fn metrics(&self) -> Vec<Metric>;

    /// The loss of a training batch, which is differentiated, and what else is measured in passing.
    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums>;

    /// What is measured on a held-out batch, without gradients: by default what [`train`](Self::train) gives for it.
    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        self.train(batch, context)
    }

    /// Metrics of a whole split that are no quotient of sums over its samples: a mean over classes, an average precision. They
    /// are among [`metrics`](Self::metrics), and added to what was summed. By default there are none.
    fn conclude(&self, _measured: &Measured<'_>) -> Result<Vec<(String, f64)>> {
        Ok(Vec::new())
    }

    /// How many of the batch's samples count: those with a label, say. A batch of which none counts is not shown to the
    /// model and makes no step.
    fn counted(&self, batch: &Batch) -> usize {
        batch.len()
    }

    /// Draws the first training samples for TensorBoard, as the first step gets them. Called at the start of a run whose
    /// events are written; by default nothing is drawn.
    fn draw(&self, _first: &Batch, _events: &mut EventWriter) -> Result<()> {
        Ok(())
    }

    /// Adds to the report of a finished run what this task has found on the test split: sections of the page, and events
    /// for TensorBoard if they are written. By default nothing is added to the metrics.
    fn report(&self, _found: &Finished<'_>, _page: &mut Page, _events: Option<&mut EventWriter>) -> Result<()> {
        Ok(())
    }

    /// The metric that selects the best epoch, unless `checkpoint.monitor` names another.
    fn monitor(&self) -> &str {
        LOSS
    }
}

/// A run that is finished, as [`Task::report`] sees it.
#[derive(Clone, Copy)]
pub struct Finished<'a> {
    /// The results.
    pub outcome: &'a Outcome,
    /// The test split.
    pub test: &'a dyn Dataset,
    /// The parameters of the task's model.
    pub params: &'a Params,
}

/// A held-out split that was measured, as [`Task::conclude`] sees it.
#[derive(Clone, Copy)]
pub struct Measured<'a> {
    /// The metrics that are quotients of sums.
    pub found: &'a Evaluation,
    /// The numbers of each sample, in the order of the data.
    pub rows: &'a Rows,
    /// The samples.
    pub data: &'a dyn Dataset,
    /// Which split it is.
    pub split: Split,
    /// The parameters of the task's model.
    pub params: &'a Params,
}

/// The name of the first metric of every task.
pub(crate) const LOSS: &str = "loss";

/// A metric of a task: a name, its unit and which direction is better.
#[derive(Debug, Clone)]
pub struct Metric {
    /// The name, as in `metrics.jsonl`: `loss`, `accuracy`, `perplexity`.
    pub name: Cow<'static, str>,
    /// The unit, for charts and texts: `nats`, `%`; empty for a number without one. Of `%`, the value is a fraction.
    pub unit: Cow<'static, str>,
    /// Which direction is better.
    pub better: Better,
    /// What the quotient of sum and count becomes: itself, or for a perplexity its exponential.
    pub of: fn(f64) -> f64,
    /// Whether it is one of many, such as that of each class: recorded, but neither on the terminal nor on a chart.
    pub aside: bool,
}

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Higher ones, as of an accuracy.
    Higher,
    /// Lower ones, as of a loss.
    Lower,
}

impl Metric {
    /// A metric with this name, unit and direction: the mean over what is counted.
    pub fn new(name: impl Into<Cow<'static, str>>, unit: impl Into<Cow<'static, str>>, better: Better) -> Self {
        Self { name: name.into(), unit: unit.into(), better, of: |mean| mean, aside: false }
    }

    /// The loss, in this unit.
    pub fn loss(unit: impl Into<Cow<'static, str>>) -> Self {
        Self::new(LOSS, unit, Better::Lower)
    }

    /// One of many, such as that of each class: recorded, but neither on the terminal nor on a chart.
    #[must_use]
    pub fn aside(self) -> Self {
        Self { aside: true, ..self }
    }

    /// A fraction of which more is better, shown in percent.
    pub fn percent(name: impl Into<Cow<'static, str>>) -> Self {
        Self::new(name, "%", Better::Higher)
    }

    /// The exponential of a mean of nats: the sum and the count are those of the negative log-likelihoods.
    pub fn perplexity() -> Self {
        Self { of: f64::exp, ..Self::new("perplexity", "", Better::Lower) }
    }

    /// The square root of a mean of squares: the sum and the count are those of the squared errors.
    pub fn root_mean_square(name: impl Into<Cow<'static, str>>, unit: impl Into<Cow<'static, str>>) -> Self {
        Self { of: f64::sqrt, ..Self::new(name, unit, Better::Lower) }
    }

    /// How values are written, on charts as in texts.
    pub fn format(&self) -> Format {
        if self.unit == "%" { Format::Percent(2) } else { Format::Metric }
    }

    /// The value as a text: `97.22%`, `0.1234`, `0.1234 nats`.
    pub fn shown(&self, value: f64) -> String {
        match &*self.unit {
            "%" | "" => self.shown_short(value),
            unit => format!("{} {unit}", self.shown_short(value)),
        }
    }

    /// The value as a text without its unit, unless that is a percent sign.
    pub fn shown_short(&self, value: f64) -> String {
        self.format().text(value)
    }

    /// Whether `value` is better than `than` by more than `margin`.
    pub fn is_better(&self, value: f64, than: f64, margin: f64) -> bool {
        match self.better {
            Better::Higher => value > than + margin,
            Better::Lower => value < than - margin,
        }
    }
}

/// A number of a batch: on the host, or a scalar on the device.
#[derive(Debug, Clone)]
pub enum Count {
    /// On the host.
    Host(f64),
    /// A scalar on the device, of any dtype.
    Device(Tensor),
}

impl From<usize> for Count {
    fn from(count: usize) -> Self {
        Self::Host(count as f64)
    }
}

impl From<f64> for Count {
    fn from(count: f64) -> Self {
        Self::Host(count)
    }
}

impl From<Tensor> for Count {
    fn from(count: Tensor) -> Self {
        Self::Device(count)
    }
}

impl From<&Tensor> for Count {
    fn from(count: &Tensor) -> Self {
        Self::Device(count.clone())
    }
}

impl Count {
    /// As a scalar of the dtype on the device.
    pub(crate) fn on(&self, device: &Device, dtype: DType) -> Result<Tensor> {
        Ok(match self {
            Self::Host(count) => Tensor::full(*count, [], dtype, device)?,
            Self::Device(count) => count.detach().cast(dtype)?.reshape([])?,
        })
    }
}

/// What a batch gives: the loss and each metric as a sum and a count, on the device. Sums and counts are added over
/// batches, so that batches of different sizes, padded tokens and several processes are weighed rightly.
#[derive(Debug)]
pub struct Sums {
    pub(crate) loss: Tensor,
    pub(crate) reduction: Reduced,
    pub(crate) count: Count,
    pub(crate) metrics: Vec<(Cow<'static, str>, Count, Count)>,
    pub(crate) gradients: Option<Gradients>,
    pub(crate) rows: Option<Tensor>,
}

/// Whether a loss is a mean or a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduced {
    Mean,
    Sum,
}

impl Sums {
    /// A loss, a scalar that is the mean over `count`. The gradient is that of the mean over all that a step counts.
    pub fn mean(loss: Tensor, count: impl Into<Count>) -> Self {
        let (reduction, count) = (Reduced::Mean, count.into());
        Self { loss, reduction, count, metrics: Vec::new(), gradients: None, rows: None }
    }

    /// A loss, a scalar that is the sum over `count`. The gradient is that of the sum; what is shown is the mean.
    pub fn sum(loss: Tensor, count: impl Into<Count>) -> Self {
        Self { reduction: Reduced::Sum, ..Self::mean(loss, count) }
    }

    /// With the metric `name`, of which the value is `sum / count`.
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, sum: impl Into<Count>, count: impl Into<Count>) -> Self {
        self.metrics.push((name.into(), sum.into(), count.into()));
        self
    }

    /// With gradients that the task computed itself, instead of those of the loss, which then need not be
    /// differentiable: contrastive divergence, two models that play against each other.
    pub fn with_gradients(mut self, gradients: Gradients) -> Self {
        self.gradients = Some(gradients);
        self
    }

    /// With numbers of each sample, `[N, K]`, that are read from the device and given with the
    /// [`Evaluation`](crate::Evaluation): predictions, for example.
    pub fn with_rows(mut self, rows: Tensor) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Errs when these are of a metric that is not listed, which would be shown nowhere.
    pub(crate) fn check(&self, listed: &[Metric]) -> Result<()> {
        self.metrics.iter().try_for_each(|(name, ..)| check_listed(name, listed))
    }
}

/// Errs when `name` is none of the metrics `listed`, beside the loss.
pub(crate) fn check_listed(name: &str, listed: &[Metric]) -> Result<()> {
    if listed[1..].iter().any(|metric| metric.name == name) {
        return Ok(());
    }
    let known: Vec<&str> = listed[1..].iter().map(|metric| &*metric.name).collect();
    let known = if known.is_empty() { "none beside the loss".into() } else { known.join(", ") };
    Err(Error::Usage(format!("the task measures `{name}`, which is none of its metrics: it lists {known}")))
}

/// Checks that the metrics of a task can be told apart and begin with the loss.
pub(crate) fn check_metrics(metrics: &[Metric]) -> Result<()> {
    if metrics.first().is_none_or(|first| first.name != LOSS) {
        let found = metrics.first().map_or("none", |first| &first.name);
        return Err(Error::Usage(format!("a task's first metric is expected to be `{LOSS}`, found {found}")));
    }
    let twice = metrics.iter().enumerate().find(|(i, metric)| metrics[..*i].iter().any(|m| m.name == metric.name));
    match twice {
        Some((_, metric)) => Err(Error::Usage(format!("a task has two metrics called `{}`", metric.name))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_with_their_unit() {
        assert_eq!(Metric::percent("accuracy").shown(0.97222), "97.22%");
        assert_eq!(Metric::loss("nats").shown(1.23456), "1.2346 nats");
        assert_eq!(Metric::perplexity().shown(1.5e9), "1.500e9");
        assert_eq!(Metric::loss("nats").shown_short(0.5), "0.5000");
    }

    #[test]
    fn better_has_a_direction() {
        let (accuracy, loss) = (Metric::percent("accuracy"), Metric::loss(""));
        assert!(accuracy.is_better(0.6, 0.5, 0.0) && !accuracy.is_better(0.6, 0.5, 0.2));
        assert!(loss.is_better(0.5, 0.6, 0.0) && !loss.is_better(0.6, 0.5, 0.0));
    }

    #[test]
    fn metrics_that_cannot_be_told_apart_are_refused() {
        let text = |metrics: &[Metric]| check_metrics(metrics).unwrap_err().to_string();
        assert_eq!(text(&[]), "a task's first metric is expected to be `loss`, found none");
        assert_eq!(text(&[Metric::percent("a")]), "a task's first metric is expected to be `loss`, found a");
        let twice = [Metric::loss(""), Metric::percent("a"), Metric::percent("a")];
        assert_eq!(text(&twice), "a task has two metrics called `a`");
    }
}
