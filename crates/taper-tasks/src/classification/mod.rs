//! Classification: cross entropy of logits, with label smoothing, mixup, CutMix and test-time augmentation.

mod config;
pub(crate) mod report;
mod views;

pub use config::{ClassifyConfig, Reduction, Views};
pub use report::Predictions;
pub(crate) use report::scores;
pub use views::logits;

use crate::labels;
use taper_data::augment::Normalize;
use taper_data::{Batch, Dataset};
use taper_nn::{Context, CrossEntropy, CutMix, DType, HostData, Mixup, Module, Tensor, no_grad};
use taper_report::html::Page;
use taper_report::tensorboard::EventWriter;
use taper_train::{DeviceBatch, Error, Finished, Metric, Outcome, Result, Split, Sums, Task};

/// The label of a sample without one, as PyTorch's `ignore_index`: such samples count in no loss, accuracy or metric. A
/// batch of such samples alone changes no weights.
pub const IGNORED_LABEL: i64 = -100;

/// The task of classifying the field `inputs` by the field `labels` (`[N]`, i64), with a model that gives logits
/// `[N, classes]`. A sample whose label is [`IGNORED_LABEL`] does not count.
///
/// Metrics: the loss (cross entropy, in nats) and the accuracy.
pub struct Classification<M> {
    model: M,
    classes: Vec<String>,
    config: ClassifyConfig,
    normalize: Option<Normalize>,
}

impl<M: Module> Classification<M> {
    /// With the names of the classes, in the order of their labels.
    pub fn new<S: Into<String>>(model: M, classes: impl IntoIterator<Item = S>) -> Self {
        let classes = classes.into_iter().map(Into::into).collect();
        Self { model, classes, config: ClassifyConfig::default(), normalize: None }
    }

    /// With these settings.
    pub fn with(mut self, config: ClassifyConfig) -> Self {
        self.config = config;
        self
    }

    /// Says that the pictures of the batches are normalised so, which is undone where they are shown.
    pub fn normalized(mut self, normalize: Option<Normalize>) -> Self {
        self.normalize = normalize;
        self
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The predictions of a finished run on the test split.
    ///
    /// # Errors
    /// When the labels cannot be read.
    pub fn predictions(&self, outcome: &Outcome, test: &dyn Dataset) -> Result<Predictions> {
        Predictions::of(&outcome.rows, test)
    }

    /// Logits and cross entropy of a batch of which every sample has a label or is left out by the loss.
    fn loss(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<(Tensor, Tensor, Tensor)> {
        let (x, labels) = (inputs(batch)?, batch.tensor("labels")?);
        let ClassifyConfig { label_smoothing, mixup, cutmix, reduction, .. } = self.config;
        let reduction = match reduction {
            Reduction::Mean => taper_nn::Reduction::Mean,
            Reduction::Sum => taper_nn::Reduction::Sum,
        };
        let cross_entropy = CrossEntropy { label_smoothing, reduction, ..CrossEntropy::default() };
        if mixup == 0.0 && cutmix == 0.0 {
            let (logits, loss) = self.forward(&x, &labels, &cross_entropy, context)?;
            return Ok((logits, labels, loss));
        }
        // With both, a random draw decides for the batch.
        let key = batch.key("mix");
        let (x, target) = if cutmix == 0.0 || (mixup > 0.0 && key.child("which").uniform(0) < 0.5) {
            Mixup { alpha: mixup }.apply(&x, &labels, self.classes.len(), key)?
        } else {
            CutMix { alpha: cutmix }.apply(&x, &labels, self.classes.len(), key)?
        };
        let (logits, loss) = self.forward(&x, &target, &cross_entropy, context)?;
        Ok((logits, labels, loss))
    }

    /// The logits of x, and their loss with that of the model's auxiliary heads.
    fn forward(&self, x: &Tensor, target: &Tensor, loss: &CrossEntropy, context: &Context) -> Result<(Tensor, Tensor)> {
        let heads = self.model.auxiliary();
        // A captured output is found by its layer's path.
        let context = heads.iter().fold(context.clone(), |context, (path, _)| context.capture(path));
        let logits = self.model.forward(x, &context)?;
        let mut sum = loss.forward(&logits, target)?;
        let outputs = if heads.is_empty() { Vec::new() } else { context.captured()? };
        for (path, weight) in &heads {
            for (_, output) in outputs.iter().filter(|(of, _)| of == path) {
                sum = sum.add(&loss.forward(output, target)?.mul_scalar(*weight)?)?;
            }
        }
        Ok((logits, sum))
    }
}

impl<M: Module> Task for Classification<M> {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss("nats"), Metric::percent("accuracy")]
    }

    fn monitor(&self) -> &str {
        "accuracy"
    }

    fn counted(&self, batch: &Batch) -> usize {
        labels::samples(batch, "labels")
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let counted = self.counted(batch.host());
        let mixes = self.config.mixup > 0.0 || self.config.cutmix > 0.0;
        let (logits, labels, loss) = if mixes && counted < batch.len() {
            // A missing label cannot be mixed.
            let all = batch.host().i64s("labels")?;
            let kept: Vec<usize> = (0..all.len()).filter(|&row| all[row] != IGNORED_LABEL).collect();
            self.loss(&batch.with_host(&batch.host().select(&kept)?), context)?
        } else {
            self.loss(batch, context)?
        };
        let right = correct(&logits, &labels)?;
        let sums =
            if self.config.reduction == Reduction::Sum { Sums::sum(loss, counted) } else { Sums::mean(loss, counted) };
        Ok(sums.with("accuracy", right, counted))
    }

    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let counted = self.counted(batch.host());
        let labels = batch.tensor("labels")?;
        let views = if batch.split() == Split::Test { self.config.views } else { Views::One };
        let logits = logits(&self.model, &inputs(batch)?, context, views)?; // [N, classes]
        let each = CrossEntropy { reduction: taper_nn::Reduction::None, ..CrossEntropy::default() };
        let loss = each.forward(&logits, &labels)?.cast(DType::F64)?.sum_all()?;
        // Of each sample the predicted class and its probability: [N, 2].
        let predicted = logits.argmax(1, false)?; // [N]
        let probability = logits.softmax(1)?.max(&[1], false)?; // [N]
        let columns = [predicted, probability].map(|column| column.cast(DType::F64)?.reshape([batch.len(), 1]));
        let columns = columns.into_iter().collect::<taper_nn::Result<Vec<_>>>()?;
        let rows = Tensor::concat(&columns.iter().collect::<Vec<_>>(), 1)?;
        Ok(Sums::sum(loss, counted).with("accuracy", correct(&logits, &labels)?, counted).with_rows(rows))
    }

    fn draw(&self, first: &Batch, events: &mut EventWriter) -> Result<()> {
        report::draw(first, self.normalize.as_ref(), events)
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, events: Option<&mut EventWriter>) -> Result<()> {
        report::report(&self.classes, self.normalize.as_ref(), found, page, events)
    }
}

/// The field `inputs`: numbers of words as they are, all else in the model's dtype.
fn inputs(batch: &DeviceBatch<'_>) -> Result<Tensor> {
    match batch.host().field("inputs")?.data {
        HostData::I64(_) => batch.tensor("inputs"),
        _ => batch.float("inputs"),
    }
}

/// How many rows of `logits: [N, classes]` have their largest value at their class in `labels: [N]`. Of equal values
/// the first counts as the largest. Logits of another rank have none.
fn correct(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    if logits.shape().rank() != 2 {
        let shape = logits.shape();
        return Err(Error::Usage(format!("classification: expected logits [N, classes] of the model, found {shape}")));
    }
    // In i64, in which the sum is exact.
    Ok(no_grad(|| logits.argmax(1, false)?.eq(labels)?.cast(DType::I64)?.sum_all())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::Device;

    #[test]
    fn the_label_that_is_ignored_is_that_of_the_loss() {
        assert_eq!(CrossEntropy::default().ignore_index, IGNORED_LABEL);
    }

    /// Logits that are the input, and twice the input by a head.
    struct WithHead;

    impl Module for WithHead {
        fn forward(&self, x: &Tensor, context: &Context) -> taper_nn::Result<Tensor> {
            if context.is_training() {
                context.layer("head", |_| x.mul_scalar(2.0))?;
            }
            Ok(x.clone())
        }

        fn auxiliary(&self) -> Vec<(String, f64)> {
            vec![("head".into(), 0.3)]
        }
    }

    #[test]
    fn the_loss_of_auxiliary_heads_is_added() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let x = Tensor::from_vec(vec![1.0, 3.0, -1.0, 0.5], [2, 2], &device).unwrap().requires_grad();
        let labels = Tensor::from_vec(vec![0_i64, 1], [2], &device).unwrap();
        let task = Classification::new(Box::new(WithHead) as Box<dyn Module>, ["a", "b"]);
        let loss = CrossEntropy::default();
        let (_, found) = task.forward(&x, &labels, &loss, &Context::train(0, 0, 0)).unwrap();
        let of = |x: &Tensor| loss.forward(x, &labels).unwrap();
        let due = of(&x).item().unwrap() + 0.3 * of(&x.mul_scalar(2.0).unwrap()).item().unwrap();
        assert!((found.item().unwrap() - due).abs() < 1e-12, "{found:?} {due}");
        // Its gradient flows through the head: twice as steep there.
        let twice = x.mul_scalar(2.0).unwrap();
        let sum = of(&x).add(&of(&twice).mul_scalar(0.3).unwrap()).unwrap();
        let gradient = |loss: Tensor| loss.backward().unwrap().of(&x).unwrap().to_vec::<f64>().unwrap();
        let (ours, due) = (gradient(found), gradient(sum));
        assert!(ours.iter().zip(&due).all(|(a, b)| (a - b).abs() < 1e-12), "{ours:?} {due:?}");
    }

    #[test]
    fn the_first_of_equals_counts() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let logits = Tensor::from_vec(vec![1.0_f32, 3.0, 3.0, 5.0, 4.0, 5.0, 0.0, 0.0, 0.0], [3, 3], &device).unwrap();
        let of = |classes: [i64; 3]| {
            correct(&logits, &Tensor::from_vec(classes.to_vec(), [3], &device).unwrap()).unwrap().item().unwrap()
        };
        assert_eq!([of([1, 0, 0]), of([1, 0, 1]), of([2, 2, 1])], [3.0, 2.0, 0.0]);
    }
}
