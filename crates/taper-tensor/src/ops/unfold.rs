//! Windows as columns (PyTorch's `unfold`, im2col), and columns added up at their windows (`fold`). Each is the other's
//! gradient.

use super::shorthand::{in_f32, is_half, linear};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Conv2dSpec, DType, Error, PadAmount, Result, SliceRange};

/// The windows of [`Tensor::unfold`] and [`Tensor::fold`]. Pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnfoldSpec {
    /// The window's size; at least 1.
    pub kernel_size: [usize; 2],
    /// The distance from one window to the next; at least 1.
    pub stride: [usize; 2],
    /// Zeros added on each side.
    pub padding: [usize; 2],
    /// The distance between a window's elements; at least 1.
    pub dilation: [usize; 2],
}

impl UnfoldSpec {
    /// Windows of `kernel_size` with a stride of 1, no padding and no dilation.
    pub fn of(kernel_size: [usize; 2]) -> Self {
        Self { kernel_size, stride: [1, 1], padding: [0, 0], dilation: [1, 1] }
    }

    /// The number of windows along height and width in pictures `[N, C, H, W]`.
    fn positions(&self, x: [usize; 4]) -> Result<[usize; 2]> {
        let Self { kernel_size: [height, width], stride, padding, dilation } = *self;
        let spec = Conv2dSpec { stride, padding, dilation, groups: 1 };
        let shape = spec.output_shape(&x.into(), &[1, x[1], height, width].into())?;
        Ok([shape[2], shape[3]])
    }

    /// The number of a window's elements.
    fn kernel(&self, op: &'static str) -> Result<usize> {
        let [height, width] = self.kernel_size;
        height.checked_mul(width).ok_or_else(|| too_large(op))
    }

    /// The offset of each element of a window, in rows.
    fn offsets(self) -> impl Iterator<Item = [usize; 2]> {
        let [height, width] = self.kernel_size;
        (0..height).flat_map(move |i| (0..width).map(move |j| [i * self.dilation[0], j * self.dilation[1]]))
    }
}

impl Tensor {
    /// The windows of `[N, C, H, W]` as columns, `[N, C · Kh · Kw, windows]`: the convolution with a weight is the matrix
    /// product of that, flattened, and this.
    pub fn unfold(&self, spec: UnfoldSpec) -> Result<Tensor> {
        const OP: &str = "unfold";
        let x: [usize; 4] = self.shape()[..]
            .try_into()
            .map_err(|_| Error::shape(OP, format!("input must be [N, C, H, W], came as {}", self.shape())))?;
        let [rows, columns] = spec.positions(x)?;
        let count = spec.kernel(OP)?.checked_mul(x[1]).ok_or_else(|| too_large(OP))?;
        check::size(OP, &[x[0], count, rows, columns].into(), self.dtype())?;
        linear(OP, self, || windows(self, spec, x, [rows, columns]), move |g| g.fold([x[2], x[3]], spec))
    }

    /// Columns `[N, C · Kh · Kw, windows]` added up at their windows in pictures `[N, C, H, W]` of `size`: the adjoint of
    /// [`Tensor::unfold`]. What no window reads is 0.
    pub fn fold(&self, size: [usize; 2], spec: UnfoldSpec) -> Result<Tensor> {
        const OP: &str = "fold";
        check::float(OP, self)?;
        let [n, height, count]: [usize; 3] = self.shape()[..].try_into().map_err(|_| {
            Error::shape(OP, format!("input must be [N, C · Kh · Kw, windows], came as {}", self.shape()))
        })?;
        let kernel = spec.kernel(OP)?;
        if kernel == 0 || !height.is_multiple_of(kernel) {
            let detail = format!("a window of {:?} does not divide dim 1 of {}", spec.kernel_size, self.shape());
            return Err(Error::shape(OP, detail));
        }
        let x = [n, height / kernel, size[0], size[1]];
        let [rows, columns] = spec.positions(x)?;
        if rows.checked_mul(columns) != Some(count) {
            let detail =
                format!("dim 2 of {} must be {rows} × {columns}, the windows in pictures of {size:?}", self.shape());
            return Err(Error::shape(OP, detail));
        }
        check::size(OP, &x.into(), self.dtype())?;
        if is_half(self) {
            return in_f32(self, |x| x.fold(size, spec));
        }
        linear(OP, self, || added(self, spec, x, [rows, columns]), move |g| g.unfold(spec))
    }
}

fn too_large(op: &'static str) -> Error {
    Error::argument(op, "the windows are more than can be counted")
}

fn windows(x: &Tensor, spec: UnfoldSpec, [n, c, height, width]: [usize; 4], places: [usize; 2]) -> Result<Tensor> {
    let around = |i: usize| PadAmount { low: spec.padding[i], high: spec.padding[i], interior: 0 };
    let none = PadAmount::default();
    let padded = if spec.padding == [0, 0] { x.clone() } else { x.pad(&[none, none, around(0), around(1)], 0.0)? };
    debug_assert_eq!(padded.shape()[2..], [height + 2 * spec.padding[0], width + 2 * spec.padding[1]]);
    let all = spec.offsets().map(|at| {
        let range = |i: usize| SliceRange {
            start: at[i],
            end: at[i] + (places[i] - 1) * spec.stride[i] + 1,
            step: spec.stride[i],
        };
        padded.slice(&[SliceRange::new(0, n), SliceRange::new(0, c), range(0), range(1)])?.unsqueeze(2)
    });
    let all = all.collect::<Result<Vec<_>>>()?;
    let count = places[0] * places[1];
    Tensor::concat(&all.iter().collect::<Vec<_>>(), 2)?.reshape([n, c * spec.kernel("unfold")?, count])
}

fn added(x: &Tensor, spec: UnfoldSpec, [n, c, height, width]: [usize; 4], places: [usize; 2]) -> Result<Tensor> {
    let kernel = spec.kernel("fold")?;
    let x = x.reshape([n, c, kernel, places[0], places[1]])?;
    let padded = [0, 1].map(|i| [height, width][i] + 2 * spec.padding[i]);
    let mut sum: Option<Tensor> = None;
    for (k, at) in spec.offsets().enumerate() {
        let amount = |i: usize| {
            let reach = (places[i] - 1) * spec.stride[i] + 1;
            PadAmount { low: at[i], high: padded[i] - at[i] - reach, interior: spec.stride[i] - 1 }
        };
        let none = PadAmount::default();
        let part = x.narrow(2, k, 1)?.squeeze(2)?.pad(&[none, none, amount(0), amount(1)], 0.0)?;
        sum = Some(match sum {
            Some(sum) => sum.add(&part)?,
            None => part,
        });
    }
    let sum = sum.ok_or_else(|| Error::argument("fold", "a window of nothing"))?;
    sum.narrow(2, spec.padding[0], height)?.narrow(3, spec.padding[1], width)
}

pub(super) fn cases() -> Vec<Case> {
    let plain = UnfoldSpec::of([2, 2]);
    let wide = UnfoldSpec { kernel_size: [2, 3], stride: [2, 1], padding: [1, 2], dilation: [2, 1] };
    vec![
        Case::new("unfold", move |x| x[0].unfold(plain)).input([2, 2, 3, 4]),
        Case::new("unfold, all parameters", move |x| x[0].unfold(wide)).input([1, 2, 4, 3]),
        Case::new("fold", move |x| x[0].fold([3, 4], plain)).input([2, 8, 6]),
        Case::new("fold, all parameters", move |x| x[0].fold([4, 3], wide)).input([1, 12, 10]),
        Case::new("a convolution", move |x| x[1].matmul(&x[0].unfold(plain)?)).input([1, 2, 3, 3]).input([2, 8]),
        Case::new("of bytes", move |x| x[0].cast(DType::U8)?.unfold(plain)?.cast(DType::F64))
            .input([1, 1, 2, 2])
            .zero_gradient(0),
    ]
}
