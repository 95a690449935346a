//! Average pooling. Its gradient spreads each output's gradient evenly over its window; the gradient of that, as both
//! are linear, is average pooling again.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Pool2dSpec, Result, Shape};

impl Tensor {
    /// The mean of each window of `[N, C, H, W]`: `[N, C, H_out, W_out]`.
    pub fn avg_pool2d(&self, spec: Pool2dSpec) -> Result<Tensor> {
        check::float("avg_pool2d", self)?;
        check::size("avg_pool2d", &spec.output_shape("avg_pool2d", self.shape())?, self.dtype())?;
        let y = self.device().avg_pool2d(self.buffer()?, &spec)?;
        Ok(Tensor::record("avg_pool2d", y, &[self], || {
            let shape = self.shape().clone();
            Rule::tensors(move |g, _| Ok(vec![Some(spread(g, spec, &shape)?)]))
        }))
    }
}

/// dL/dx from g = dL/dy, for x of `shape`.
fn spread(g: &Tensor, spec: Pool2dSpec, shape: &Shape) -> Result<Tensor> {
    let gradient = g.device().avg_pool2d_grad(g.buffer()?, &spec, shape)?;
    Ok(Tensor::record("avg_pool2d_grad", gradient, &[g], || {
        Rule::tensors(move |gg, _| Ok(vec![Some(gg.avg_pool2d(spec)?)]))
    }))
}

pub(super) fn cases() -> Vec<Case> {
    let pool = |name: &str, spec: Pool2dSpec, x: [usize; 4]| Case::new(name, move |x| x[0].avg_pool2d(spec)).input(x);
    let square = Pool2dSpec::square(2);
    let overlapping = Pool2dSpec { kernel_size: [3, 3], padding: [1, 1], ..square };
    vec![
        pool("2 × 2", square, [2, 2, 4, 4]),
        pool("overlapping, padded", overlapping, [1, 2, 5, 6]),
        pool("padding not counted", Pool2dSpec { count_include_pad: false, ..overlapping }, [1, 2, 5, 6]),
        pool("ceil mode", Pool2dSpec { ceil_mode: true, ..overlapping }, [1, 1, 4, 6]),
        pool("1 × 3", Pool2dSpec { kernel_size: [1, 3], stride: [1, 2], ..square }, [1, 1, 3, 7]),
    ]
}
