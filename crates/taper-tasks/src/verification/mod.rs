//! Verification: embeddings in which samples of one class are near each other, of classes never seen too, as of faces.
//!
//! A model gives embeddings; how alike two samples are is the cosine of the angle between theirs. It learns with a margin, by
//! ArcFace's classification (Deng et al., CVPR 2019) or by the triplets of each batch (Hermans, Beyer and Leibe, 2017), and is
//! measured on pairs.

mod pairs;
mod report;

pub(crate) use pairs::{Chosen, Samples, labels};

use crate::metrics::Verification;
use taper_data::Dataset;
use taper_nn::{ArcFace, Context, CrossEntropy, DType, Module, Reduction, Tensor, TripletMargin};
use taper_report::Picture;
use taper_report::html::Page;
use taper_report::tensorboard::EventWriter;
use taper_train::{Better, DeviceBatch, Error, Finished, Measured, Metric, Result, Rows, Sums, Task};

/// The part of different pairs that may be accepted where true accepts are counted.
const FALSE_ACCEPTS: f64 = 0.01;

/// How embeddings are learned.
pub enum EmbeddingLoss {
    /// The cross entropy of a classification with a margin.
    ArcFace(Box<ArcFace>),
    /// The hardest triplets of each batch, of embeddings of length 1.
    Triplet(TripletMargin),
}

/// The task of learning embeddings of the field `inputs` by the classes in the field `labels` (`[N]`, i64), with a model that
/// gives `[N, D]`. Held-out data are pairs: the samples 2k and 2k + 1.
///
/// Metrics: the loss; of pairs the area under the ROC curve (`auc`), the accuracy at the best threshold, that threshold, and
/// the true accepts at 1 % false ones (`tar`). The classes of pairs have no weight in ArcFace, so that the loss of pairs is
/// another than that of training: the mean of 1 − cos θ of the same, and of max(0, cos θ) of others.
pub struct Embeddings<M> {
    model: M,
    loss: EmbeddingLoss,
    /// The names of all classes.
    classes: Vec<String>,
    shown: Shown,
}

/// How the report shows samples.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    /// What the values of a sample are: `pixels`.
    pub values: &'static str,
    /// The picture of a sample of a dataset; `None` for one that is none.
    pub picture: fn(&dyn Dataset, usize) -> Result<Option<Picture>>,
}

impl<M: Module> Embeddings<M> {
    /// With a model, and how it learns.
    pub fn new(model: M, loss: EmbeddingLoss, classes: Vec<String>) -> Self {
        Self { model, loss, classes, shown: report::PICTURES }
    }

    /// With samples that are shown otherwise than as pictures.
    #[cfg(feature = "audio")]
    #[must_use]
    pub(crate) fn shown_as(self, shown: Shown) -> Self {
        Self { shown, ..self }
    }

    /// Embeddings `[N, D]` of length 1, in f32 at least.
    fn embed(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Tensor> {
        unit(&self.model.forward(&batch.float("inputs")?, context)?)
    }
}

/// The samples with another of their class, and one of another, in the batch.
fn anchors(labels: &[i64]) -> usize {
    let same = |label: i64| labels.iter().filter(|other| **other == label).count();
    labels.iter().filter(|&&label| (2..labels.len()).contains(&same(label))).count()
}

/// Rows of length 1; a row of zeros stays one.
pub(crate) fn unit(x: &Tensor) -> Result<Tensor> {
    let x = if x.dtype() == DType::F64 { x.clone() } else { x.cast(DType::F32)? };
    Ok(x.div(&x.norm(2.0, &[1], true)?.maximum_scalar(1e-12)?)?)
}

/// The cosine of the angle between two embeddings of length 1, −1 to 1.
#[cfg(any(feature = "audio", feature = "images"))]
pub(crate) fn cosine(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>().clamp(-1.0, 1.0)
}

impl<M: Module> Task for Embeddings<M> {
    fn metrics(&self) -> Vec<Metric> {
        vec![
            Metric::loss(""),
            Metric::percent("auc"),
            Metric::percent("accuracy"),
            Metric::percent("tar"),
            Metric::new("threshold", "", Better::Higher).aside(),
        ]
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let labels = batch.tensor("labels")?;
        let mut count = batch.len();
        let loss = match &self.loss {
            EmbeddingLoss::ArcFace(head) => {
                let embeddings = self.model.forward(&batch.float("inputs")?, context)?;
                CrossEntropy::default().forward(&head.with_target(&embeddings, &labels, context)?, &labels)?
            }
            EmbeddingLoss::Triplet(triplets) => {
                // The last batch of an epoch may have no triplet: then the sum is 0, where a mean were of nothing.
                count = anchors(batch.host().i64s("labels")?).max(1);
                let triplets = TripletMargin { reduction: Reduction::Sum, ..*triplets };
                triplets.batch_hard(&self.embed(batch, context)?, &labels)?.div_scalar(count as f64)?
            }
        };
        Ok(Sums::mean(loss, count))
    }

    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let pairs = batch.len() / 2;
        if 2 * pairs != batch.len() {
            let detail = "expected an even number of samples in a batch, since two are a pair";
            return Err(Error::Usage(format!("train.eval_batch_size: {detail}, found {}", batch.len())));
        }
        let embeddings = self.embed(batch, context)?;
        let [_, length] = embeddings.dims::<2>()?;
        let both = embeddings.reshape([pairs, 2 * length])?;
        let (a, b) = (both.narrow(1, 0, length)?, both.narrow(1, length, length)?);
        let cosine = a.mul(&b)?.sum(&[1], true)?; // [pairs, 1]
        let labels = batch.tensor("labels")?.reshape([pairs, 2])?;
        let same = labels.narrow(1, 0, 1)?.eq(&labels.narrow(1, 1, 1)?)?.cast(cosine.dtype())?;
        let other = same.neg()?.add_scalar(1.0)?;
        let loss = same.mul(&cosine.neg()?.add_scalar(1.0)?)?.add(&other.mul(&cosine.relu()?)?)?;
        Ok(Sums::sum(loss.sum_all()?, pairs).with_rows(embeddings))
    }

    fn conclude(&self, measured: &Measured<'_>) -> Result<Vec<(String, f64)>> {
        let Scored { same, scores, .. } = Scored::new(measured.rows, measured.data)?;
        let found = Verification::new(&same, &scores)?;
        let values = [
            ("auc", found.auc),
            ("accuracy", found.accuracy),
            ("tar", found.true_accepts_at(FALSE_ACCEPTS)),
            ("threshold", found.threshold),
        ];
        Ok(values.map(|(name, value)| (name.to_string(), value)).to_vec())
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, _events: Option<&mut EventWriter>) -> Result<()> {
        report::report(&self.classes, self.shown, found, page)
    }

    fn monitor(&self) -> &str {
        "auc"
    }
}

/// Pairs with the cosines of their embeddings.
struct Scored {
    /// The class of each sample.
    labels: Vec<i64>,
    same: Vec<bool>,
    scores: Vec<f64>,
}

impl Scored {
    /// Of the pairs of `data`, whose embeddings are `rows`.
    fn new(rows: &Rows, data: &dyn Dataset) -> Result<Self> {
        let labels = labels(data)?;
        let embeddings: Vec<&[f64]> = rows.iter().collect();
        if embeddings.len() != labels.len() || !labels.len().is_multiple_of(2) {
            let found = (labels.len(), embeddings.len());
            let detail = format!("expected pairs of samples and their embeddings, found {} and {}", found.0, found.1);
            return Err(Error::Usage(format!("verification: {detail}")));
        }
        Ok(Self {
            same: labels.as_chunks::<2>().0.iter().map(|[a, b]| a == b).collect(),
            scores: embeddings.as_chunks::<2>().0.iter().map(|[a, b]| dot(a, b)).collect(),
            labels,
        })
    }
}

/// The product of two embeddings of length 1: the cosine of their angle.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_has_one_of_its_class_and_one_of_another() {
        for (labels, count) in
            [(&[3][..], 0), (&[3, 3], 0), (&[3, 4], 0), (&[3, 4, 3], 2), (&[1, 2, 1, 2, 5], 4), (&[], 0)]
        {
            assert_eq!(anchors(labels), count, "{labels:?}");
        }
    }
}
