//! Maxout (Goodfellow et al., "Maxout networks", ICML 2013): the largest of k affine functions, a learned convex activation.

use crate::gradcheck::layer;
use crate::{Context, Module};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Result, Tensor};

/// `[N, C·k, …]` to `[N, C, …]`: channel c is the largest of the channels c·k to c·k + k − 1.
///
/// A maxout layer is this after a linear layer or a convolution with k times the outputs. The gradient goes to the first
/// of equals.
///
/// ```
/// use taper_nn::{Context, Linear, LinearConfig, Maxout, Params, Pass, Result, Tensor};
///
/// /// From 8 features to 4, each the largest of 3.
/// fn forward(x: &Tensor, params: &Params, context: &Context) -> Result<Tensor> {
///     let fc = Linear::new(LinearConfig::new(8, 4 * 3), &params.sub("fc"))?;
///     x.pass(&fc, context)?.pass(&Maxout(3), context) // [N, 4]
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maxout(pub usize);

impl Module for Maxout {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        let (shape, k) = (x.shape(), self.0);
        if k == 0 || shape.rank() < 2 || !shape[1].is_multiple_of(k) {
            let detail = format!("expected [N, C·k, …] with k = {k} (dim 1), the input came as {shape}");
            return Err(Error::shape("maxout", detail));
        }
        let pieces = [&[shape[0], shape[1] / k, k], &shape[2..]].concat();
        Ok(x.reshape(pieces)?.max_with_index(2, false)?.0)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("rows", |_| Ok(Maxout(3))).input([2, 6]),
        layer("pictures", |_| Ok(Maxout(2))).input([1, 4, 2, 3]),
        layer("of equals the first", |_| Ok(Maxout(2)))
            .values([1, 4], vec![1.0, 1.0, 0.0, 2.0])
            .subgradient(0, vec![1.0, 0.0, 0.0, 1.0]),
    ]
}
