//! The forward and backward pass of a step's batches.

use crate::task::{Reduced, Sums};
use crate::{Config, DeviceBatch, Metric, Result, Split, Task};
use taper_data::Batch;
use taper_nn::{Accumulator, Context, DType, Gradients, Params, Tensor, clip_grad_norm, clip_grad_value, no_grad};

/// What the forward and backward pass needs besides a batch.
#[derive(Clone, Copy)]
pub(crate) struct Learner<'a> {
    pub(crate) config: &'a Config,
    pub(crate) task: &'a dyn Task,
    pub(crate) params: &'a Params,
}

/// The results of a step's batches, on the device.
pub(crate) struct Learned {
    /// The mean loss over all that counts; 0 if nothing does.
    pub(crate) loss: Tensor,
    /// The count of the loss, then sum and count of each further metric: scalars in f64. Empty if nothing counts.
    pub(crate) sums: Vec<Tensor>,
    /// The gradients over all batches as if they were one, before clipping.
    pub(crate) gradients: Gradients,
    pub(crate) samples: usize,
    /// The number of samples that count. If it is 0 there is no gradient.
    pub(crate) counted: usize,
}

impl Learner<'_> {
    /// Runs `batches` batches of epoch `epoch`, from its batch `first` on, forward and backward. `next` makes each
    /// batch and returns whether there was one.
    pub(crate) fn learn(
        &self,
        metrics: &[Metric],
        [epoch, first, batches]: [u64; 3],
        batch: &mut Batch,
        mut next: impl FnMut(&mut Batch) -> taper_data::Result<bool>,
    ) -> Result<Learned> {
        let (mut samples, mut counted) = (0, 0);
        let mut all = None;
        let mut several = (batches > 1).then(|| Accumulator::new(self.params.trainable()));
        let mut gradients = Gradients::default();
        for number in first..first.saturating_add(batches) {
            if !next(batch)? {
                break;
            }
            samples += batch.len();
            let here = self.task.counted(batch);
            if here == 0 {
                continue; // not shown to the model either, whose statistics stay as they are
            }
            counted += here;
            let seed = self.config.train.seed;
            let device_batch = DeviceBatch::new(batch, self.params, Split::Train, [seed, epoch, number]);
            let mut found = self.task.train(&device_batch, &Context::train(seed, epoch, number))?;
            match &mut several {
                None => {
                    gradients = found.gradients.take().map_or_else(|| found.loss.backward(), Ok)?;
                    all = Some(self.totals(metrics, &found, None)?);
                }
                Some(sum) => {
                    sum.add(&self.weighted(&mut found)?)?;
                    all = Some(self.totals(metrics, &found, all.as_ref())?);
                }
            }
        }
        if samples == 0 {
            return Err(taper_data::Error::Argument("the loader has no batch left".into()).into());
        }
        let Some(all) = all else {
            let loss = Tensor::zeros([], self.params.dtype(), self.params.device())?;
            return Ok(Learned { loss, sums: Vec::new(), gradients, samples, counted });
        };
        if let Some(mut sum) = several {
            gradients = sum.take(1.0)?;
            if all.reduction == Reduced::Mean {
                let share = no_grad(|| self.nominal()?.div(&all.sums[0]))?;
                scale(&mut gradients, &self.params.trainable(), &share)?;
            }
        }
        Ok(Learned { loss: all.loss, sums: all.sums, gradients, samples, counted })
    }

    /// The gradients of one of several batches. A mean is weighed by its count, in units of a full batch's samples, so
    /// that full batches, where each sample counts once, are not rounded.
    fn weighted(&self, found: &mut Sums) -> Result<Gradients> {
        let weight = |dtype| -> Result<Tensor> {
            let count = found.count.on(self.params.device(), DType::F64)?;
            Ok(no_grad(|| count.div(&self.nominal()?)?.cast(dtype))?)
        };
        match (found.gradients.take(), found.reduction) {
            (None, Reduced::Sum) => Ok(found.loss.backward()?),
            (None, Reduced::Mean) => Ok(found.loss.mul(&weight(found.loss.dtype())?)?.backward()?),
            (Some(own), Reduced::Sum) => Ok(own),
            (Some(mut own), Reduced::Mean) => {
                scale(&mut own, &self.params.trainable(), &weight(DType::F64)?)?;
                Ok(own)
            }
        }
    }

    /// The number of samples in a full batch.
    fn nominal(&self) -> taper_nn::Result<Tensor> {
        Tensor::full(self.config.train.batch_size as f64, [], DType::F64, self.params.device())
    }

    /// The mean loss and the sums of a batch, added to those `before` it.
    fn totals(&self, metrics: &[Metric], found: &Sums, before: Option<&Totals>) -> Result<Totals> {
        found.check(metrics)?;
        let device = self.params.device();
        let count = found.count.on(device, DType::F64)?;
        let mut sums = vec![count.clone()];
        for metric in &metrics[1..] {
            match found.metrics.iter().find(|(name, ..)| *name == metric.name) {
                Some((_, sum, count)) => sums.extend([sum.on(device, DType::F64)?, count.on(device, DType::F64)?]),
                None => sums.extend([Tensor::zeros([], DType::F64, device)?, Tensor::zeros([], DType::F64, device)?]),
            }
        }
        no_grad(|| {
            let (loss, reduction) = (found.loss.detach(), found.reduction);
            let Some(before) = before else {
                let loss = if reduction == Reduced::Sum { loss.cast(DType::F64)?.div(&count)? } else { loss };
                return Ok(Totals { loss, reduction, sums });
            };
            // Means are weighed by their counts, in f64.
            let weighed = |mean: &Tensor, count: &Tensor| mean.cast(DType::F64)?.reshape([])?.mul(count);
            let here = if reduction == Reduced::Sum { loss.cast(DType::F64)? } else { weighed(&loss, &count)? };
            let sum = weighed(&before.loss, &before.sums[0])?.add(&here)?;
            let sums: Vec<Tensor> =
                sums.iter().zip(&before.sums).map(|(a, b)| b.add(a)).collect::<taper_nn::Result<_>>()?;
            Ok(Totals { loss: sum.div(&sums[0])?, reduction, sums })
        })
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

/// The loss and the sums of a step's batches so far.
struct Totals {
    loss: Tensor,
    reduction: Reduced,
    sums: Vec<Tensor>,
}

/// Multiplies each gradient by the scalar `by`.
fn scale(gradients: &mut Gradients, params: &[taper_nn::Param], by: &Tensor) -> Result<()> {
    no_grad(|| {
        for param in params {
            if let Some(gradient) = gradients.of_param(param) {
                let scaled = gradient.mul(&by.cast(gradient.dtype())?)?;
                gradients.set_param(param, scaled);
            }
        }
        Ok(())
    })
}
