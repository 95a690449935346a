//! Dense labels: a class for each pixel, as in semantic segmentation.

use crate::{IGNORED_LABEL, labels};
use taper_data::Batch;
use taper_nn::{Context, CrossEntropy, DType, Module, Tensor, no_grad};
use taper_train::{DeviceBatch, Metric, Result, Sums, Task};

/// The task of predicting the field `labels` (`[N, H, W]`, i64) from the field `inputs`, with a model that gives logits
/// `[N, classes, H, W]`. A pixel whose label is [`IGNORED_LABEL`] does not count.
///
/// Metrics: the loss (cross entropy, in nats a pixel), the accuracy of pixels, and the intersection over union of all
/// classes together: correct pixels over the union of predicted and true ones, each summed over classes. `iou_NAME` is that
/// of one class.
pub struct DenseLabels<M> {
    model: M,
    classes: Vec<String>,
}

impl<M: Module> DenseLabels<M> {
    /// With the names of the classes, in the order of their labels.
    pub fn new<S: Into<String>>(model: M, classes: impl IntoIterator<Item = S>) -> Self {
        Self { model, classes: classes.into_iter().map(Into::into).collect() }
    }
}

impl<M: Module> Task for DenseLabels<M> {
    fn metrics(&self) -> Vec<Metric> {
        let each = self.classes.iter().map(|name| Metric::percent(format!("iou_{name}")));
        let all = [Metric::loss("nats/pixel"), Metric::percent("accuracy"), Metric::percent("iou")];
        all.into_iter().chain(each).collect()
    }

    fn monitor(&self) -> &str {
        "iou"
    }

    /// The samples with a label on at least one pixel.
    fn counted(&self, batch: &Batch) -> usize {
        labels::samples(batch, "labels")
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let labels = batch.tensor("labels")?; // [N, H, W]
        let logits = self.model.forward(&batch.float("inputs")?, context)?; // [N, classes, H, W]
        let loss = CrossEntropy::default().forward(&logits, &labels)?;
        let pixels = labels::counted(batch.host().i64s("labels")?);
        let ones = |mask: Tensor| -> taper_nn::Result<Tensor> { mask.cast(DType::I64)?.sum_all() };
        no_grad(|| {
            let predicted = logits.detach().argmax(1, false)?; // [N, H, W]
            let known = labels.ne_scalar(IGNORED_LABEL as f64)?;
            let right = ones(predicted.eq(&labels)?)?;
            // |A ∪ B| = |A| + |B| − |A ∩ B|; over all classes |A| and |B| are all pixels.
            let union = Tensor::full(2.0 * pixels as f64, [], DType::I64, batch.device())?.sub(&right)?;
            let mut sums = Sums::mean(loss, pixels).with("accuracy", &right, pixels).with("iou", &right, union);
            for (class, name) in self.classes.iter().enumerate() {
                let (guessed, truth) = (predicted.eq_scalar(class as f64)?, labels.eq_scalar(class as f64)?);
                let guessed = guessed.logical_and(&known)?;
                let both = ones(guessed.logical_and(&truth)?)?;
                let either = ones(guessed.logical_or(&truth)?)?;
                sums = sums.with(format!("iou_{name}"), both, either);
            }
            Ok(sums)
        })
    }
}
