//! Max pooling `[N, C, H, W] → [N, C, H_out, W_out]` and its gradient. Besides the values, the forward pass returns the
//! index of each window's maximum in its plane. The first of equals is chosen, NaN counts as the largest, and padding
//! is never chosen.

use super::launch::{Grid, Launch, Scalar};
use super::number::{Number, for_float};
use super::source::{FLOATS, Kernel};
use candle_core::{Result, Tensor, bail};
use num_traits::{Float, Zero};
use std::ops::Range;
use taper_backend::{Pool2dSpec, Shape};

pub(crate) const KERNEL: Kernel = Kernel {
    name: "max_pool",
    text: include_str!("max_pool.cu"),
    dtypes: FLOATS,
    entries: &["max_pool_index", "max_pool_pick", "max_pool_grad"],
};

/// The pooling windows over the planes of an input `[N, C, H, W]`.
struct Windows {
    /// The input's height and width.
    size: [usize; 2],
    /// The number of windows along height and width.
    out: [usize; 2],
    spec: Pool2dSpec,
    /// The number of planes, N · C.
    planes: usize,
    y_shape: [usize; 4],
}

impl Windows {
    fn new(op: &'static str, x: [usize; 4], spec: &Pool2dSpec) -> Result<Self> {
        let y = match spec.output_shape(op, &Shape::from(x)) {
            Ok(y) => [y[0], y[1], y[2], y[3]],
            Err(error) => bail!("{error}"),
        };
        if x.contains(&0) && !y.contains(&0) {
            bail!("{op}: the pictures of {x:?} have no elements to pool");
        }
        let (size, out) = ([x[2], x[3]], [y[2], y[3]]);
        Ok(Self { size, out, spec: *spec, planes: x[0] * x[1], y_shape: y })
    }

    /// The scalar arguments of the kernels, `count` first.
    fn scalars(&self, count: usize) -> [Scalar; 11] {
        let [[h, w], [rows, columns]] = [self.size, self.out];
        let Pool2dSpec { kernel_size: [kh, kw], stride: [sh, sw], padding: [ph, pw], .. } = self.spec;
        [count, h, w, rows, columns, kh, kw, sh, sw, ph, pw].map(Scalar::count)
    }

    /// The rows (`axis` 0) or columns (`axis` 1) of the input that window `i` covers.
    fn range(&self, axis: usize, i: usize) -> Range<usize> {
        let (start, padding) = (i * self.spec.stride[axis], self.spec.padding[axis]);
        start.saturating_sub(padding)
            ..self.size[axis].min((start + self.spec.kernel_size[axis]).saturating_sub(padding))
    }

    /// The index of each window's maximum in `plane`, in row-major order of the windows.
    fn choices<T: Number>(&self, plane: &[T]) -> impl Iterator<Item = usize> {
        let [rows, columns] = self.out;
        (0..rows * columns).map(move |window| {
            let (down, across) = (self.range(0, window / columns), self.range(1, window % columns));
            let mut places = down.flat_map(|i| across.clone().map(move |j| i * self.size[1] + j));
            let first = places.next().unwrap_or(0);
            places
                .fold((first, plane[first].wide()), |(at, best), place| {
                    let x = plane[place].wide();
                    if x > best || (Float::is_nan(x) && !Float::is_nan(best)) { (place, x) } else { (at, best) }
                })
                .0
        })
    }
}

/// The maxima and, as i64, the index of each in its plane of H · W elements.
pub(crate) fn forward(x: &Tensor, spec: &Pool2dSpec) -> Result<(Tensor, Tensor)> {
    let windows = Windows::new("max_pool2d", x.dims4()?.into(), spec)?;
    let ([h, w], [rows, columns]) = (windows.size, windows.out);
    let (inner, outer) = (h * w, rows * columns);
    let n = windows.planes * outer;
    let x = &x.contiguous()?;
    let scalars = windows.scalars(n);
    let (kernel, dtype, grid) = (&KERNEL, x.dtype(), Grid::Pieces(n));
    let choose = Launch { kernel, entry: "max_pool_index", dtype, inputs: &[Some(x)], scalars: &scalars, grid };
    let index = for_float!("max_pool2d", x.dtype(), T => choose.run::<i64>(&windows.y_shape, |host, index| {
        if outer == 0 {
            return Ok(());
        }
        for (plane, index) in host.get::<T>(0)?.chunks_exact(inner).zip(index.chunks_exact_mut(outer)) {
            index.iter_mut().zip(windows.choices(plane)).for_each(|(index, at)| *index = at as i64);
        }
        Ok(())
    }))?;
    let scalars = [n, inner, outer].map(Scalar::count);
    let inputs = [Some(x), Some(&index)];
    let pick = Launch { kernel, entry: "max_pool_pick", dtype, inputs: &inputs, scalars: &scalars, grid };
    let values = for_float!("max_pool2d", x.dtype(), T => pick.run::<T>(&windows.y_shape, |host, y| {
        let (x, index) = (host.get::<T>(0)?, host.get::<i64>(1)?);
        y.iter_mut().zip(index).enumerate().for_each(|(o, (y, &at))| *y = x[o / outer * inner + at as usize]);
        Ok(())
    }))?;
    Ok((values, index))
}

/// The gradient with respect to the input, of shape `x_shape`: for each element, the sum of `g` over the windows that
/// chose it.
pub(crate) fn backward(g: &Tensor, index: &Tensor, spec: &Pool2dSpec, x_shape: [usize; 4]) -> Result<Tensor> {
    let windows = Windows::new("max_pool2d_grad", x_shape, spec)?;
    let ([h, w], [rows, columns]) = (windows.size, windows.out);
    let (inner, outer) = (h * w, rows * columns);
    let n = windows.planes * inner;
    let launch = Launch {
        kernel: &KERNEL,
        entry: "max_pool_grad",
        dtype: g.dtype(),
        inputs: &[Some(g), Some(index)],
        scalars: &windows.scalars(n),
        grid: Grid::Pieces(n),
    };
    for_float!("max_pool2d_grad", g.dtype(), T => launch.run::<T>(&x_shape, |host, dx| {
        if inner == 0 {
            return Ok(());
        }
        let (g, index) = (host.get::<T>(0)?, host.get::<i64>(1)?);
        let mut sums = vec![<T as Number>::Wide::zero(); inner];
        for (plane, dx) in dx.chunks_exact_mut(inner).enumerate() {
            sums.fill(Zero::zero());
            for window in plane * outer..(plane + 1) * outer {
                sums[index[window] as usize] += g[window].wide();
            }
            dx.iter_mut().zip(&sums).for_each(|(dx, &sum)| *dx = T::narrow(sum));
        }
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn ties_nans_and_padding() -> Result<()> {
        let nan = f32::NAN;
        let rows = [[-1f32, -1.0, nan, 5.0], [-2.0, -3.0, nan, 6.0], [-1.0, -9.0, -7.0, -7.0]];
        let x = Tensor::new(&rows, &Device::Cpu)?.reshape((1, 1, 3, 4))?;
        let spec = Pool2dSpec { ceil_mode: true, ..Pool2dSpec::square(2) };
        let (values, index) = forward(&x, &spec)?;
        assert_eq!(index.flatten_all()?.to_vec1::<i64>()?, [0, 2, 8, 10]);
        let values = values.flatten_all()?.to_vec1::<f32>()?;
        assert!(values[1].is_nan() && [values[0], values[2], values[3]] == [-1.0, -1.0, -7.0], "{values:?}");
        // Every window of 3 × 3 with padding 1 over negative numbers: padding never wins.
        let x = Tensor::new(&[[-5f32, -4.0], [-3.0, -2.0]], &Device::Cpu)?.reshape((1, 1, 2, 2))?;
        let spec = Pool2dSpec { kernel_size: [3, 3], stride: [1, 1], padding: [1, 1], ..Pool2dSpec::square(3) };
        let (_, index) = forward(&x, &spec)?;
        assert_eq!(index.flatten_all()?.to_vec1::<i64>()?, [3; 4]);
        let dx = backward(
            &Tensor::new(&[1f32, 2.0, 3.0, 4.0], &Device::Cpu)?.reshape((1, 1, 2, 2))?,
            &index,
            &spec,
            [1, 1, 2, 2],
        )?;
        assert_eq!(dx.flatten_all()?.to_vec1::<f32>()?, [0.0, 0.0, 0.0, 10.0]);
        Ok(())
    }
}
