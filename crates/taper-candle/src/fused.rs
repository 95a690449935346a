//! Fused operations: one function for the results, one for the gradients, each with an arm for every operation that is
//! offered.

use crate::backend::CandleBackend;
use crate::kernels::{activation, batch_norm, dropout, max_pool};
use crate::{index, loss};
use candle_core::Tensor;
use taper_backend::{Backend, Buffer, Error, FusedOp, FusedOutput, Result, Rim, Saved, Shape};

impl CandleBackend {
    /// The result of `op`; `None` if it is not offered.
    pub(crate) fn fused_of(&self, op: &FusedOp<'_>) -> Rim<FusedOutput> {
        let name = op.name();
        let output = match *op {
            FusedOp::Activation { x, f } => self.like(name, x, |x| activation::forward(f, x))?.into(),
            FusedOp::MaxPool2d { x, ref spec } => {
                let (y, index) = self.max_pool2d(x, spec)?;
                FusedOutput::new(y, Saved::new(index))
            }
            FusedOp::Softmax { x, axis, log } => {
                let y = self.like(name, x, |x| loss::softmax(x, axis, log))?;
                FusedOutput::new(y.clone(), Saved::new(y))
            }
            FusedOp::CrossEntropy { logits, target, ref spec } if logits.count() > 0 => {
                let found = self.cross_entropy_of(self.tensor(logits)?, self.tensor(target)?, spec);
                let (value, saved) = self.several(name, logits, found)?;
                let value = self.made(name, &Shape::scalar(), logits.dtype(), Ok(value))?;
                FusedOutput::new(value, Saved::new(saved))
            }
            FusedOp::BatchNorm { x, weight, bias, eps } if x.count() > 0 => {
                self.batch_norm_of(x, [weight, bias], eps)?
            }
            FusedOp::Dropout { x, p, key } => self.like(name, x, |x| dropout::apply(x, p, key))?.into(),
            FusedOp::Embedding { weight, index } => self.embedding_of(weight, index)?.into(),
            _ => return Ok(None),
        };
        Ok(Some(output))
    }

    /// The gradients of `op`; `None` if it is not offered.
    pub(crate) fn fused_grad_of(
        &self,
        op: &FusedOp<'_>,
        g: &Buffer,
        saved: &Saved,
        needs: &[bool],
    ) -> Rim<Vec<Option<Buffer>>> {
        let name = op.grad_name();
        let gradients = match *op {
            FusedOp::Activation { x, f } => {
                let g = self.tensor(g)?;
                vec![Some(self.like(name, x, |x| activation::backward(f, x, g))?)]
            }
            FusedOp::MaxPool2d { x, ref spec } => {
                let index = self.tensor(kept(name, saved)?)?;
                let shape = x.shape();
                if g.count() == 0 || shape.count() == 0 {
                    return Ok(Some(vec![Some(self.fill(shape, g.dtype(), 0.0)?)]));
                }
                let dims = [shape[0], shape[1], shape[2], shape[3]];
                let gradient = max_pool::backward(self.tensor(g)?, index, spec, dims);
                vec![Some(self.made(name, shape, g.dtype(), gradient)?)]
            }
            FusedOp::Softmax { axis, log, .. } => {
                let g = self.tensor(g)?;
                vec![Some(self.like(name, kept(name, saved)?, |y| loss::softmax_grad(g, y, axis, log))?)]
            }
            FusedOp::CrossEntropy { .. } => {
                let saved = kept::<loss::SavedLoss>(name, saved)?;
                vec![Some(self.like(name, g, |g| loss::cross_entropy_grad(g, saved))?), None]
            }
            FusedOp::BatchNorm { x, weight, .. } => {
                let stats = kept::<Tensor>(name, saved)?;
                let weight = weight.map(|weight| self.tensor(weight)).transpose()?;
                let found = batch_norm::backward(self.tensor(g)?, self.tensor(x)?, weight, stats, op.spread(needs));
                let (dx, dw, db) = self.several(name, x, found)?;
                let of = |t: Option<Tensor>| t.map(|t| self.made(name, x.shape(), x.dtype(), Ok(t))).transpose();
                op.gathered([of(dx)?, of(dw)?, of(db)?])
            }
            FusedOp::Dropout { p, key, .. } => vec![Some(self.like(name, g, |g| dropout::apply(g, p, key))?)],
            FusedOp::Embedding { weight, index } => vec![Some(self.embedding_grad_of(g, index, weight.shape())?), None],
            _ => return Ok(None),
        };
        Ok(Some(gradients))
    }

    fn batch_norm_of(&self, x: &Buffer, affine: [Option<&Buffer>; 2], eps: f64) -> Result<FusedOutput> {
        const OP: &str = "batch_norm";
        let of = |x: Option<&Buffer>| x.map(|x| self.tensor(x).cloned()).transpose();
        let [weight, bias] = affine.map(of);
        let result = batch_norm::forward(self.tensor(x)?, weight?.as_ref(), bias?.as_ref(), eps);
        let (y, mean, variance, stats) = self.several(OP, x, result)?;
        let channels = Shape::from([x.shape()[1]]);
        let of = |shape, t| self.made(OP, shape, x.dtype(), Ok(t));
        let (y, more) = (of(x.shape(), y)?, vec![of(&channels, mean)?, of(&channels, variance)?]);
        Ok(FusedOutput { y, more, saved: Saved::new(stats) })
    }

    fn embedding_of(&self, weight: &Buffer, index: &Buffer) -> Result<Buffer> {
        const OP: &str = "embedding";
        let checked = self.index(OP, index, weight.shape(), 0)?;
        let shape = Shape::from([&index.shape()[..], &weight.shape()[1..]].concat());
        if shape.count() == 0 || weight.count() == 0 {
            return self.fill(&shape, weight.dtype(), 0.0);
        }
        self.made(OP, &shape, weight.dtype(), index::embedding(self.tensor(weight)?, &checked, &shape))
    }

    /// The gradient of [`CandleBackend::embedding_of`] with respect to a weight of `shape`.
    fn embedding_grad_of(&self, g: &Buffer, index: &Buffer, shape: &Shape) -> Result<Buffer> {
        const OP: &str = "embedding_grad";
        let checked = self.index(OP, index, shape, 0)?;
        if g.count() == 0 || shape.count() == 0 {
            return self.fill(shape, g.dtype(), 0.0);
        }
        let result = index::embedding_grad(self.tensor(g)?, &checked, shape[0], shape[1]);
        self.made(OP, shape, g.dtype(), result)
    }
}

/// What the forward saved for `op`.
fn kept<'a, T: 'static>(op: &'static str, saved: &'a Saved) -> Result<&'a T> {
    saved.get().ok_or_else(|| Error::argument(op, "the saved values are not from this backend's forward"))
}
