//! Average pooling to a given output size: output row i of `out` is the mean of the input rows from ⌊i H / out⌋ to
//! before ⌈(i + 1) H / out⌉, and columns likewise, as in PyTorch. Where all windows have one size this is ordinary
//! average pooling; otherwise it is two matrix products, y = P x Qᵀ.

use super::shorthand::{in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, HostData, Pool2dSpec, Result};

impl Tensor {
    /// Averages `[N, C, H, W]` to `[N, C, size[0], size[1]]`; sizes are at least 1.
    pub fn adaptive_avg_pool2d(&self, size: [usize; 2]) -> Result<Tensor> {
        const OP: &str = "adaptive_avg_pool2d";
        check::float(OP, self)?;
        if self.shape().rank() != 4 {
            return Err(Error::shape(OP, format!("input must be [N, C, H, W], came as {}", self.shape())));
        }
        let picture = [self.shape()[2], self.shape()[3]];
        if size.contains(&0) || picture.contains(&0) {
            let detail = format!("the output size {size:?} and dims 2 and 3 of {} must be at least 1", self.shape());
            return Err(Error::argument(OP, detail));
        }
        if (0..2).all(|i| picture[i].is_multiple_of(size[i])) {
            let kernel_size = [picture[0] / size[0], picture[1] / size[1]];
            return self.avg_pool2d(Pool2dSpec { kernel_size, stride: kernel_size, ..Pool2dSpec::square(1) });
        }
        if is_half(self) {
            return in_f32(self, |x| x.adaptive_avg_pool2d(size));
        }
        let rows = self.averages(size[0], picture[0])?;
        let columns = self.averages(size[1], picture[1])?;
        rows.matmul(self)?.matmul_t(&columns, [false, true])
    }

    /// The matrix `[out, size]` whose row i averages the input positions of output i.
    fn averages(&self, out: usize, size: usize) -> Result<Tensor> {
        check::size("adaptive_avg_pool2d", &[out, size].into(), self.dtype())?;
        let mut matrix = vec![0.0; out * size];
        for i in 0..out {
            let (start, end) = (i * size / out, ((i + 1) * size).div_ceil(out));
            matrix[i * size + start..i * size + end].fill(1.0 / (end - start) as f64);
        }
        Tensor::from_host(HostData::from_f64(&matrix, self.dtype()), [out, size], self.device())
    }
}

pub(super) fn cases() -> Vec<Case> {
    let pool = |name: &str, size, x: [usize; 4]| Case::new(name, move |x| x[0].adaptive_avg_pool2d(size)).input(x);
    vec![
        pool("to one", [1, 1], [2, 3, 3, 2]),
        pool("windows of one size", [2, 3], [1, 2, 4, 3]),
        pool("overlapping windows", [3, 2], [1, 2, 4, 5]),
        pool("to more than there is", [3, 4], [1, 1, 2, 3]),
    ]
}
