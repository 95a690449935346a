//! The forward and backward pass of a step's batches.

use crate::config::Reduction;
use crate::evaluate::{correct, labelled};
use crate::{Config, Error, IGNORED_LABEL, Result};
use taper_data::Batch;
use taper_nn::taper_tensor::Element;
use taper_nn::{
    Accumulator, Context, CrossEntropy, CutMix, DType, Gradients, Mixup, Module, Params, RandomKey, Tensor,
    clip_grad_norm, clip_grad_value,
};

/// A custom loss: a function of the model's output and the labels `[B]` (i64) that returns a scalar, the mean over the
/// batch.
pub type Objective<'a> = &'a (dyn Fn(&Tensor, &Tensor) -> taper_nn::Result<Tensor> + Sync);

/// What the forward and backward pass needs besides a batch.
#[derive(Clone, Copy)]
pub(crate) struct Learner<'a> {
    pub(crate) config: &'a Config,
    pub(crate) model: &'a dyn Module,
    pub(crate) params: &'a Params,
    pub(crate) objective: Option<Objective<'a>>,
    /// The number of classes, for the mixed labels of mixup and CutMix.
    pub(crate) classes: usize,
}

/// Errs when an option of the cross entropy is set, although a custom objective replaces it.
pub(crate) fn check_objective(config: &Config) -> Result<()> {
    let regularization = &config.regularization;
    let set = [
        ("regularization.label_smoothing", regularization.label_smoothing != 0.0),
        ("regularization.mixup", regularization.mixup != 0.0),
        ("regularization.cutmix", regularization.cutmix != 0.0),
        ("train.reduction", config.train.reduction != Reduction::Mean),
    ];
    match set.into_iter().find(|(_, set)| *set) {
        None => Ok(()),
        Some((key, _)) => {
            let detail = "is of the cross entropy, which an objective of one's own replaces";
            Err(Error::Usage(format!("{key}: {detail}: leave it at its default, and do it in the objective")))
        }
    }
}

/// The results of a step's batches, on the device.
pub(crate) struct Learned {
    /// The mean loss over all counted samples; 0 if there are none.
    pub(crate) loss: Tensor,
    /// The number of samples classified correctly.
    pub(crate) correct: Tensor,
    /// The gradients of that loss (or of the sum of the losses) over all batches as if they were one, before clipping.
    pub(crate) gradients: Gradients,
    pub(crate) samples: usize,
    /// The number of samples that count: with the cross entropy, those with a label. If it is 0 there is no gradient.
    pub(crate) counted: usize,
}

impl Learner<'_> {
    /// Runs `batches` batches of epoch `epoch`, from its batch `first` on, forward and backward. `next` makes each
    /// batch and returns whether there was one.
    pub(crate) fn learn<T: Element>(
        &self,
        [epoch, first, batches]: [u64; 3],
        batch: &mut Batch<T>,
        mut next: impl FnMut(&mut Batch<T>) -> taper_data::Result<bool>,
    ) -> Result<Learned> {
        let mut sum: Option<(Tensor, Tensor)> = None;
        let (mut samples, mut counted) = (0, 0);
        let mut accumulator = (batches > 1).then(|| Accumulator::new(self.params.trainable()));
        let mut only = None;
        for number in first..first.saturating_add(batches) {
            if !next(batch)? {
                break;
            }
            samples += batch.labels.len();
            let here = if self.objective.is_some() { batch.labels.len() } else { labelled(&batch.labels) };
            if here == 0 {
                continue; // not shown to the model either, whose statistics stay as they are
            }
            counted += here;
            let (loss, right, gradients) = self.one([epoch, number], here, batches > 1, batch)?;
            sum = Some(match sum {
                None => (loss, right),
                Some((losses, rights)) => (losses.add(&loss)?, rights.add(&right)?),
            });
            match &mut accumulator {
                Some(accumulator) => accumulator.add(&gradients)?,
                None => only = Some(gradients),
            }
        }
        if samples == 0 {
            return Err(taper_data::Error::Argument("the loader has no batch left".into()).into());
        }
        let Some((loss, correct)) = sum else {
            let zero = |dtype| Tensor::zeros([], dtype, self.params.device());
            let (loss, correct) = (zero(self.params.dtype())?, zero(DType::I64)?);
            return Ok(Learned { loss, correct, gradients: Gradients::default(), samples, counted });
        };
        let (loss, gradients) = match (accumulator, only) {
            // The mean of each batch is weighted by its counted samples: an epoch's last batch may be smaller.
            (Some(mut accumulator), _) => {
                let share = self.config.train.batch_size as f64 / counted as f64;
                (loss.mul_scalar(share)?, accumulator.take(if self.sums() { 1.0 } else { share })?)
            }
            (None, gradients) => (loss, gradients.unwrap_or_default()),
        };
        Ok(Learned { loss, correct, gradients, samples, counted })
    }

    /// Runs one batch, with `counted` samples that count, forward and backward.
    fn one<T: Element>(
        &self,
        [epoch, number]: [u64; 2],
        counted: usize,
        one_of_several: bool,
        batch: &mut Batch<T>,
    ) -> Result<(Tensor, Tensor, Gradients)> {
        let regularization = &self.config.regularization;
        let mixes = self.objective.is_none() && (regularization.mixup > 0.0 || regularization.cutmix > 0.0);
        if mixes && counted < batch.labels.len() {
            keep_labelled(batch);
        }
        let (x, classes) = crate::evaluate::upload(batch, self.params)?;
        let seed = self.config.train.seed;
        let key = RandomKey::new(seed).child("mix").index(epoch).index(number);
        let context = Context::train(seed, epoch, number);
        let (logits, loss) = match self.objective {
            Some(objective) => {
                let y = self.model.forward(&x, &context)?;
                let loss = objective(&y, &classes)?;
                (y, loss)
            }
            None => self.classify(&x, &classes, &context, key)?,
        };
        // With several batches per step, a smaller batch's mean counts for less.
        let share = counted as f64 / self.config.train.batch_size as f64;
        let smaller = one_of_several && share < 1.0;
        let gradients = if smaller && !self.sums() { loss.mul_scalar(share)?.backward()? } else { loss.backward()? };
        let scale = if self.sums() { 1.0 / counted as f64 } else { 1.0 } * if smaller { share } else { 1.0 };
        let loss = if scale == 1.0 { loss.detach() } else { loss.detach().mul_scalar(scale)? };
        let right = if logits.shape().rank() == 2 && self.objective.is_none() {
            correct(&logits, &classes)?
        } else {
            Tensor::zeros([], DType::I64, self.params.device())?
        };
        Ok((loss, right, gradients))
    }

    /// Whether the loss of a batch is the sum over its samples.
    fn sums(&self) -> bool {
        self.objective.is_none() && self.config.train.reduction == Reduction::Sum
    }

    /// Logits `[B, classes]` and their cross entropy, with label smoothing, mixup or CutMix as configured.
    fn classify(&self, x: &Tensor, classes: &Tensor, context: &Context, key: RandomKey) -> Result<(Tensor, Tensor)> {
        let regularization = &self.config.regularization;
        let loss = CrossEntropy {
            label_smoothing: regularization.label_smoothing,
            reduction: match self.config.train.reduction {
                Reduction::Mean => taper_nn::Reduction::Mean,
                Reduction::Sum => taper_nn::Reduction::Sum,
            },
            ..CrossEntropy::default()
        };
        let (mixup, cutmix) = (regularization.mixup, regularization.cutmix);
        if mixup == 0.0 && cutmix == 0.0 {
            let logits = self.model.forward(x, context)?;
            let loss = loss.forward(&logits, classes)?;
            return Ok((logits, loss));
        }
        // With both, a random draw decides for the batch.
        let (x, target) = if cutmix == 0.0 || (mixup > 0.0 && key.child("which").uniform(0) < 0.5) {
            Mixup { alpha: mixup }.apply(x, classes, self.classes, key)?
        } else {
            CutMix { alpha: cutmix }.apply(x, classes, self.classes, key)?
        };
        let logits = self.model.forward(&x, context)?;
        let loss = loss.forward(&logits, &target)?;
        Ok((logits, loss))
    }

    /// Clips the gradients, by value and by norm, as configured.
    pub(crate) fn clip(&self, gradients: &mut Gradients) -> Result<()> {
        let regularization = &self.config.regularization;
        if regularization.clip_value > 0.0 {
            clip_grad_value(gradients, &self.params.trainable(), regularization.clip_value)?;
        }
        if regularization.clip_norm > 0.0 {
            clip_grad_norm(gradients, &self.params.trainable(), regularization.clip_norm)?;
        }
        Ok(())
    }
}

/// Removes the samples without a label from a batch whose labels are to be mixed, as a missing label cannot be mixed.
fn keep_labelled<T: Element>(batch: &mut Batch<T>) {
    let width = batch.inputs.len() / batch.labels.len().max(1);
    let rows = batch.inputs.chunks(width.max(1)).zip(&batch.labels);
    let kept = rows.filter(|(_, label)| **label != IGNORED_LABEL).flat_map(|(row, _)| row).copied().collect();
    batch.inputs = kept;
    batch.labels.retain(|label| *label != IGNORED_LABEL);
    if let Some(size) = batch.shape.first_mut() {
        *size = batch.labels.len();
    }
}
