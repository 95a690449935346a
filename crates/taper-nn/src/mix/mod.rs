//! Regularisers that mix the samples of a batch and their targets, one per file, each listed below.

mod beta;

crate::gradcheck::checked_modules! {
    cutmix,
    mixup,
}

pub use cutmix::CutMix;
pub use mixup::Mixup;

use taper_tensor::{DType, Error, RandomKey, Result, Tensor};

/// The random pairing of a batch: a partner for each sample.
struct Pairs {
    op: &'static str,
    /// partner[i] is the index of the sample that is mixed into sample i; `[B]`, i64.
    partner: Tensor,
}

impl Pairs {
    /// Checks `x: [B, …]` and `classes: [B]`, and draws the partners.
    fn draw(op: &'static str, x: &Tensor, classes: &Tensor, key: RandomKey) -> Result<Self> {
        if !x.dtype().is_float() {
            return Err(Error::dtype(op, format!("the input must hold floats to be mixed, it is {}", x.dtype())));
        }
        if classes.dtype() != DType::I64 {
            return Err(Error::dtype(op, format!("classes must be i64, they are {}", classes.dtype())));
        }
        if x.shape().rank() == 0 || classes.shape()[..] != x.shape()[..1] {
            let detail =
                format!("expected an input [B, …] and classes [B], came {} and {}", x.shape(), classes.shape());
            return Err(Error::shape(op, detail));
        }
        let batch = x.shape()[0];
        let order: Vec<i64> = key.child("pairs").permutation(batch).into_iter().map(|i| i as i64).collect();
        Ok(Self { op, partner: Tensor::from_vec(order, [batch], x.device())? })
    }

    /// Each sample's partner, of `x`'s shape.
    fn of(&self, x: &Tensor) -> Result<Tensor> {
        let batch = x.shape()[0];
        let width = x.shape()[1..].iter().product();
        x.reshape([batch, width])?.embedding(&self.partner)?.reshape(x.shape())
    }

    /// The target probabilities `[B, num_classes]` in `dtype`: `share` for the sample's own class, the rest for its
    /// partner's.
    fn targets(&self, classes: &Tensor, num_classes: usize, share: f64, dtype: DType) -> Result<Tensor> {
        let batch = classes.shape()[0];
        if num_classes == 0 {
            return Err(Error::argument(self.op, "num_classes must be at least 1, came as 0"));
        }
        let device = classes.device();
        let own = classes.reshape([batch, 1])?;
        let partners = own.gather(0, &self.partner.reshape([batch, 1])?)?;
        let weight = |value| Tensor::full(value, [batch, 1], dtype, device);
        let targets = Tensor::zeros([batch, num_classes], dtype, device)?;
        targets.scatter_add(1, &own, &weight(share)?)?.scatter_add(1, &partners, &weight(1.0 - share)?)
    }
}
