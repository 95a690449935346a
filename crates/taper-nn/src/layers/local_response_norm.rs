//! Local response normalisation (Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural
//! networks", NeurIPS 2012, section 3.3), as PyTorch's `LocalResponseNorm`.

use crate::gradcheck::layer;
use crate::optim::wide;
use crate::{Context, Module};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, PadAmount, Pool2dSpec, Result, Tensor};

const OP: &str = "local_response_norm";

/// x_c / (k + α/n · Σ x_j²)^β for `[N, C, …]`, with the sum over the n channels j around c: n/2 (rounded down) before it,
/// (n − 1)/2 after it; those that do not exist count as 0.
///
/// PyTorch divides α by n, and the paper does not: the paper's α = 1e-4 with n = 5 is 5e-4 here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalResponseNorm {
    size: usize,
    alpha: f64,
    beta: f64,
    k: f64,
}

impl LocalResponseNorm {
    /// Over `size` channels, n (at least 1), with α = 1e-4, β = 0.75 and k = 1.
    pub fn new(size: usize) -> Self {
        Self { size, alpha: 1e-4, beta: 0.75, k: 1.0 }
    }

    /// Sets α, at least 0.
    pub fn alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// Sets β, at least 0.
    pub fn beta(self, beta: f64) -> Self {
        Self { beta, ..self }
    }

    /// Sets k, over 0: otherwise the divisor could be 0.
    pub fn k(self, k: f64) -> Self {
        Self { k, ..self }
    }

    fn check(&self) -> Result<()> {
        let Self { size, alpha, beta, k } = *self;
        if size > 0 && alpha >= 0.0 && beta >= 0.0 && k > 0.0 && [alpha, beta, k].into_iter().all(f64::is_finite) {
            return Ok(());
        }
        let detail = format!(
            "size must be at least 1, alpha and beta at least 0, k over 0: came as {size}, {alpha}, {beta}, {k}"
        );
        Err(Error::argument(OP, detail))
    }
}

impl Module for LocalResponseNorm {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        self.check()?;
        let shape = x.shape();
        if shape.rank() < 3 {
            let detail = format!("expected [N, C, L], [N, C, H, W] or more, the input came as {shape}");
            return Err(Error::shape(OP, detail));
        }
        let Self { size, alpha, beta, k } = *self;
        // In f16 a square may overflow where its share of the divisor would not.
        let wide = x.cast(wide(x.dtype()))?;
        let channels = wide.mul(&wide)?.reshape([shape[0], 1, shape[1], shape[2..].iter().product()])?;
        let around = PadAmount { low: size / 2, high: (size - 1) / 2, interior: 0 };
        let none = PadAmount::default();
        let window = Pool2dSpec { kernel_size: [size, 1], stride: [1, 1], ..Pool2dSpec::square(1) };
        let mean = channels.pad(&[none, none, around, none], 0.0)?.avg_pool2d(window)?.reshape(shape)?;
        let divisor = mean.mul_scalar(alpha)?.add_scalar(k)?.pow_scalar(beta)?;
        wide.div(&divisor)?.cast(x.dtype())
    }
}

pub(super) fn cases() -> Vec<Case> {
    let of = |name: &str, norm: LocalResponseNorm| layer(name, move |_| Ok(norm));
    vec![
        of("three channels", LocalResponseNorm::new(3).alpha(0.9)).input([2, 4, 2, 2]),
        of("two, of signals", LocalResponseNorm::new(2).alpha(1.4).beta(0.5).k(2.0)).input([2, 3, 3]),
        of("more than there are", LocalResponseNorm::new(5)).input([1, 2, 2]),
    ]
}
