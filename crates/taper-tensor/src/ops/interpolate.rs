//! Resizing of pictures and signals: nearest neighbours, and linear interpolation along each axis. The gradient of each
//! output goes to the elements that it was read from.

use super::shorthand::{in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, Result};

const OP: &str = "interpolate";

/// How [`Tensor::interpolate`] finds the value of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// The element at ⌊i · in / out⌋, PyTorch's `nearest`.
    Nearest,
    /// The element whose middle is nearest to the output's middle, at ⌊(i + ½) · in / out⌋: PyTorch's `nearest-exact`.
    NearestExact,
    /// The weighted mean of the two neighbours along each axis: PyTorch's `linear`, `bilinear` and `trilinear`.
    Linear {
        /// Whether the middles of the first and last elements stay where they are; else the edges of the picture.
        align_corners: bool,
    },
}

impl Tensor {
    /// Resizes the dimensions after the first two of `[N, C, …]` to `size`: `[N, C, L]`, `[N, C, H, W]` or more.
    pub fn interpolate(&self, size: &[usize], mode: Interpolation) -> Result<Tensor> {
        resized(self, size, &vec![None; size.len()], mode)
    }

    /// Resizes the dimensions after the first two of `[N, C, …]` by a factor for each, to sizes rounded down. Places are
    /// measured by the factor itself (PyTorch's `scale_factor`, not recomputed), except with aligned corners.
    pub fn interpolate_by(&self, factors: &[f64], mode: Interpolation) -> Result<Tensor> {
        check_rank(self, factors.len())?;
        let size = |(i, factor): (usize, &f64)| {
            let size = (self.shape()[2 + i] as f64 * factor).floor();
            // A factor that is NaN or infinite fails here too.
            if *factor > 0.0 && size <= 2f64.powi(53) { Ok(size as usize) } else { Err(bad_factor(*factor)) }
        };
        let size = factors.iter().enumerate().map(size).collect::<Result<Vec<_>>>()?;
        resized(self, &size, &factors.iter().copied().map(Some).collect::<Vec<_>>(), mode)
    }
}

fn bad_factor(factor: f64) -> Error {
    Error::argument(OP, format!("the factor {factor} must be a positive number, and what it gives countable"))
}

fn check_rank(x: &Tensor, count: usize) -> Result<()> {
    if count > 0 && x.shape().rank() == count + 2 {
        return Ok(());
    }
    let detail = format!("{count} sizes came for {}: expected [N, C, …] with one size for each further dim", x.shape());
    Err(Error::shape(OP, detail))
}

fn resized(x: &Tensor, size: &[usize], factors: &[Option<f64>], mode: Interpolation) -> Result<Tensor> {
    check::float(OP, x)?;
    check_rank(x, size.len())?;
    for (i, &size) in size.iter().enumerate() {
        if size == 0 || x.shape()[2 + i] == 0 {
            let detail = format!("dim {} would go from {} to {size}: expected at least 1", 2 + i, x.shape()[2 + i]);
            return Err(Error::argument(OP, detail));
        }
    }
    let whole = [&x.shape()[..2], size].concat();
    check::size(OP, &whole.into(), x.dtype())?;
    if is_half(x) && matches!(mode, Interpolation::Linear { .. }) {
        return in_f32(x, |x| resized(x, size, factors, mode));
    }
    let mut y = x.clone();
    for (i, (&size, &factor)) in size.iter().zip(factors).enumerate() {
        let (axis, from) = (2 + i, x.shape()[2 + i]);
        // An axis that stays as large is copied, whatever the factor, as in PyTorch.
        if from != size {
            y = match mode {
                Interpolation::Linear { align_corners } => linear(&y, axis, size, factor, align_corners)?,
                Interpolation::Nearest => picked(&y, axis, nearest(from, size, factor, 0.0))?,
                Interpolation::NearestExact => picked(&y, axis, nearest(from, size, factor, 0.5))?,
            };
        }
    }
    Ok(y)
}

/// The places that `size` outputs read of an axis of `from`. PyTorch computes them in f32, which decides at the borders.
fn nearest(from: usize, size: usize, factor: Option<f64>, shift: f64) -> Vec<i64> {
    let scale = factor.map_or(from as f32 / size as f32, |factor| (1.0 / factor) as f32);
    let place = |i: usize| match shift {
        // Twice as many: every element twice.
        0.0 if size == 2 * from => i / 2,
        0.0 => ((i as f32 * scale).floor() as usize).min(from - 1),
        _ => (((i as f64 + shift) * f64::from(scale)) as f32).floor().min((from - 1) as f32) as usize,
    };
    (0..size).map(|i| place(i) as i64).collect()
}

fn picked(x: &Tensor, axis: usize, places: Vec<i64>) -> Result<Tensor> {
    let count = places.len();
    x.index_select(axis as isize, &Tensor::from_vec(places, [count], x.device())?)
}

/// Along one axis: (1 − t) · x at ⌊place⌋ + t · x at ⌊place⌋ + 1, t the place's fraction.
fn linear(x: &Tensor, axis: usize, size: usize, factor: Option<f64>, align_corners: bool) -> Result<Tensor> {
    let from = x.shape()[axis];
    let scale = match (align_corners, factor) {
        (true, _) if size == 1 => 0.0,
        (true, _) => (from - 1) as f64 / (size - 1) as f64,
        (false, Some(factor)) => 1.0 / factor,
        (false, None) => from as f64 / size as f64,
    };
    // Before the first middle this is negative: the first element, to a share of 1.
    let place = |i: usize| if align_corners { i as f64 * scale } else { (i as f64 + 0.5) * scale - 0.5 };
    let first = |i: usize| (place(i) as usize).min(from - 1);
    let low: Vec<i64> = (0..size).map(|i| first(i) as i64).collect();
    let high: Vec<i64> = (0..size).map(|i| (first(i) + 1).min(from - 1) as i64).collect();
    let share: Vec<f64> = (0..size).map(|i| (place(i) - first(i) as f64).clamp(0.0, 1.0)).collect();
    let mut column = vec![1; x.shape().rank()];
    column[axis] = size;
    let weights = |values: Vec<f64>| Tensor::from_vec(values, column.clone(), x.device())?.cast(x.dtype());
    let rest = weights(share.iter().map(|t| 1.0 - t).collect())?;
    picked(x, axis, low)?.mul(&rest)?.add(&picked(x, axis, high)?.mul(&weights(share)?)?)
}

pub(super) fn cases() -> Vec<Case> {
    let to = |name: &str, size: &'static [usize], mode, x: &'static [usize]| {
        Case::new(name, move |x| x[0].interpolate(size, mode)).input(x)
    };
    let [aligned, plain] = [true, false].map(|align_corners| Interpolation::Linear { align_corners });
    vec![
        to("nearest", &[5, 2], Interpolation::Nearest, &[2, 2, 3, 4]),
        to("nearest, exact", &[5, 2], Interpolation::NearestExact, &[1, 2, 3, 4]),
        to("bilinear", &[5, 2], plain, &[2, 2, 3, 4]),
        to("bilinear, corners aligned", &[5, 3], aligned, &[2, 1, 3, 4]),
        to("linear", &[7], plain, &[2, 1, 3]),
        to("trilinear", &[2, 3, 4], plain, &[1, 1, 3, 2, 2]),
        Case::new("by a factor", move |x| x[0].interpolate_by(&[1.7, 0.6], plain)).input([1, 2, 3, 4]),
    ]
}
