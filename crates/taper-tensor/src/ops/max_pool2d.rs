//! Max pooling. The gradient of each window goes to its largest element, of equal elements to the first.

use super::shorthand::{fused, plain};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use crate::tensor::Value;
use taper_backend::{Buffer, FusedOp, Pool2dSpec, Result};

impl Tensor {
    /// The largest element of each window of `[N, C, H, W]`: `[N, C, H_out, W_out]`.
    pub fn max_pool2d(&self, spec: Pool2dSpec) -> Result<Tensor> {
        check::float("max_pool2d", self)?;
        let shape = spec.output_shape("max_pool2d", self.shape())?;
        check::size("max_pool2d", &shape, self.dtype())?;
        if let Some(pending) = self.extend_pending(|pending| pending.then_max_pool2d(self, &spec)) {
            let value = Value::Pending(shape, self.dtype(), pending);
            return Ok(Tensor::record("max_pool2d", value, &[self], || {
                Rule::kernel(|_, _| Ok(None), &[self], move |x| composed(&x[0], &spec))
            }));
        }
        fused(
            "max_pool2d",
            &[self],
            move |x| Ok(FusedOp::MaxPool2d { x: x[0].buffer()?, spec }),
            move |x| composed(&x[0], &spec),
        )
    }
}

/// The value alone, not recorded.
pub(super) fn forward(x: &Tensor, spec: &Pool2dSpec) -> Result<Buffer> {
    match x.device().fused(&FusedOp::MaxPool2d { x: x.buffer()?, spec: *spec })? {
        Some(output) => Ok(output.y),
        None => Ok(x.device().max_pool2d(x.buffer()?, spec)?.0),
    }
}

/// The composed version: gathers the largest elements, so that gradients of any order are gathers and scatter-adds.
fn composed(x: &Tensor, spec: &Pool2dSpec) -> Result<Tensor> {
    let (y, winners) = x.device().max_pool2d(x.buffer()?, spec)?;
    let (n, c, plane) = (x.shape()[0], x.shape()[1], x.shape()[2] * x.shape()[3]);
    let windows = y.shape()[2] * y.shape()[3];
    let winners = plain(x, winners).reshape([n, c, windows])?;
    x.reshape([n, c, plane])?.gather(2, &winners)?.reshape(y.shape())
}

pub(super) fn cases() -> Vec<Case> {
    let pool = |name: &str, spec: Pool2dSpec, x: [usize; 4]| Case::new(name, move |x| x[0].max_pool2d(spec)).input(x);
    let square = Pool2dSpec::square(2);
    let overlapping = Pool2dSpec { kernel_size: [3, 3], padding: [1, 1], ..square };
    vec![
        pool("2 × 2", square, [2, 2, 4, 4]),
        pool("overlapping, padded", overlapping, [1, 2, 5, 6]),
        pool("ceil mode", Pool2dSpec { ceil_mode: true, ..square }, [1, 2, 5, 3]),
        pool("1 × 3", Pool2dSpec { kernel_size: [1, 3], stride: [1, 2], ..square }, [1, 1, 3, 7]),
        Case::new("ties go to the first", move |x| x[0].max_pool2d(square))
            .values([1, 1, 2, 4], vec![1.0, 1.0, 0.0, 2.0, 1.0, 0.0, 2.0, 2.0])
            .subgradient(0, vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
    ]
}
