//! Average pooling. Candle's has neither padding nor `ceil_mode`. Both are done by padding with zeros, and the result
//! is divided by the same pooling of ones, the share of each window that counts.

use crate::data::{CandleResult, full, widened};
use crate::reduce::{RUN, sum};
use crate::views::{pad, slice};
use candle_core::Tensor;
use taper_backend::{PadAmount, Pool2dSpec, SliceRange};

/// Average pooling of `x: [N, C, H, W]` to `y: [N, C, Ho, Wo]`.
pub(crate) fn avg_pool2d(x: &Tensor, spec: &Pool2dSpec, y: &[usize]) -> CandleResult<Tensor> {
    if y.contains(&0) {
        return full(0.0, y, x.dtype(), x.device());
    }
    widened(&[x], |x| {
        let (size, plain) = (x[0].dims().to_vec(), Extent::of(spec, x[0].dims(), y));
        let means = pooled(&plain.around(&x[0])?, spec.kernel_size, spec.stride)?;
        if plain.is_whole(&size) { Ok(means) } else { means.broadcast_div(&plain.share(&x[0], spec)?) }
    })
}

/// The gradient of [`avg_pool2d`] with respect to an input of shape `x`: each window's g over its divisor, spread over
/// the window. This is again a sum over windows, of g with zeros between and around its elements.
pub(crate) fn avg_pool2d_grad(g: &Tensor, spec: &Pool2dSpec, x: &[usize]) -> CandleResult<Tensor> {
    if g.elem_count() == 0 || x.contains(&0) {
        return full(0.0, x, g.dtype(), g.device());
    }
    widened(&[g], |g| {
        let extent = Extent::of(spec, x, g[0].dims());
        let like = full(0.0, &[1, 1, x[2], x[3]], g[0].dtype(), g[0].device())?;
        let mut g = g[0].clone();
        if !extent.is_whole(x) {
            g = g.broadcast_div(&extent.share(&like, spec)?)?;
        }
        let spread = |i: usize| {
            let reach = spec.kernel_size[i] - 1;
            PadAmount { low: reach, high: reach, interior: spec.stride[i] - 1 }
        };
        let g = pad(&g, &[PadAmount::default(), PadAmount::default(), spread(0), spread(1)], 0.0)?;
        // The mean over a window of g is the sum of g / (Kh · Kw).
        let wide = pooled(&g, spec.kernel_size, [1, 1])?;
        // The result covers the padded input from its first row on, as far as the windows reach: zeros are added for
        // the rest.
        let rest = |i: usize| PadAmount { high: extent.uncovered(i), ..PadAmount::default() };
        let wide = pad(&wide, &[PadAmount::default(), PadAmount::default(), rest(0), rest(1)], 0.0)?;
        let inside = |i: usize| SliceRange::new(spec.padding[i], spec.padding[i] + x[2 + i]);
        let all = |i: usize| SliceRange::new(0, x[i]);
        slice(&wide, &[all(0), all(1), inside(0), inside(1)])
    })
}

fn pooled(x: &Tensor, size: [usize; 2], stride: [usize; 2]) -> CandleResult<Tensor> {
    let x = x.contiguous()?;
    if size == x.dims()[2..] {
        return sum(&x, &[2, 3])?.affine(1.0 / (size[0] * size[1]) as f64, 0.0);
    }
    if size[0] * size[1] > RUN {
        // Along the width, then along the height: candle adds up a window one after another in its dtype, and two
        // passes have shorter sums, Kw and Kh terms instead of Kh · Kw.
        let across = x.avg_pool2d_with_stride((1, size[1]), (1, stride[1]))?;
        return across.avg_pool2d_with_stride((size[0], 1), (stride[0], 1));
    }
    x.avg_pool2d_with_stride((size[0], size[1]), (stride[0], stride[1]))
}

/// The region that the pooling windows cover, along height and width.
struct Extent {
    /// Zeros above and to the left of the input.
    padding: [usize; 2],
    /// The input's height and width.
    size: [usize; 2],
    /// The height and width of the region that all windows together cover, from the padding's first row and column on.
    reach: [usize; 2],
}

impl Extent {
    fn of(spec: &Pool2dSpec, x: &[usize], y: &[usize]) -> Self {
        let reach = |i: usize| (y[2 + i] - 1) * spec.stride[i] + spec.kernel_size[i];
        Self { padding: spec.padding, size: [x[2], x[3]], reach: [reach(0), reach(1)] }
    }

    /// Whether the windows cover no padding and reach past no edge, so that every divisor is the window's size.
    fn is_whole(&self, x: &[usize]) -> bool {
        self.padding == [0, 0] && (0..2).all(|i| self.reach[i] <= x[2 + i])
    }

    /// How many of the padded input's last rows (i = 0) or columns (i = 1) no window reaches.
    fn uncovered(&self, i: usize) -> usize {
        (self.padding[i] * 2 + self.size[i]).saturating_sub(self.reach[i])
    }

    /// `x` padded with zeros, or cut, to exactly the region that the windows cover.
    fn around(&self, x: &Tensor) -> CandleResult<Tensor> {
        let (mut amounts, mut ranges) = ([PadAmount::default(); 4], vec![]);
        for i in 0..2 {
            let have = self.padding[i] + self.size[i];
            amounts[2 + i] = PadAmount { low: self.padding[i], high: self.reach[i].saturating_sub(have), interior: 0 };
        }
        ranges.extend([SliceRange::new(0, x.dims()[0]), SliceRange::new(0, x.dims()[1])]);
        ranges.extend(self.reach.map(|reach| SliceRange::new(0, reach)));
        slice(&pad(x, &amounts, 0.0)?, &ranges)
    }

    /// The share of each window that counts in its divisor, `[1, 1, Ho, Wo]`. Elements beyond the padding never count;
    /// the padding counts if `count_include_pad`.
    fn share(&self, like: &Tensor, spec: &Pool2dSpec) -> CandleResult<Tensor> {
        let ones = full(1.0, &[1, 1, self.size[0], self.size[1]], like.dtype(), like.device())?;
        let ones = if spec.count_include_pad {
            let sides = |i: usize| PadAmount { low: self.padding[i], high: self.padding[i], interior: 0 };
            let padded = pad(&ones, &[PadAmount::default(), PadAmount::default(), sides(0), sides(1)], 1.0)?;
            let whole = [padded.dims()[2], padded.dims()[3]];
            Extent { padding: [0, 0], size: whole, reach: self.reach }.around(&padded)?
        } else {
            self.around(&ones)?
        };
        pooled(&ones, spec.kernel_size, spec.stride)
    }
}
