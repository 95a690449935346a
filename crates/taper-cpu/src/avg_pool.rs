//! Average pooling `[N, C, H, W] → [N, C, H_out, W_out]` and its gradient, for row-major and channels-last layouts.
//! Sums of more than [`RUN`] terms are accumulated in f64: the elements of a window in the forward, the windows that
//! cover an element in the backward.

use crate::isa::multiversion;
use crate::long_sum::{RUN, add, add_rows, round, total};
use crate::math::Float;
use crate::parallel::TASK;
use crate::storage::for_float;
use crate::window::{PoolWindows, in_layout, layout_strides, pooling_layout};
use crate::{CpuBackend, transfer};
use taper_backend::{Buffer, DType, Pool2dSpec, Result, Shape};

multiversion! {
    /// `y[i] += x[i] · scale`.
    fn add_scaled<T: Float, A: Float>(x: &[T], scale: A, y: &mut [A]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += A::of(x.wide()) * scale;
        }
    }
}

pub(crate) fn avg_pool2d(cpu: &CpuBackend, x: &Buffer, spec: &Pool2dSpec) -> Result<Buffer> {
    match x.dtype() {
        DType::F16 | DType::BF16 => {
            let y = avg_pool2d(cpu, &transfer::cast(cpu, x, DType::F32)?, spec)?;
            transfer::cast(cpu, &y, x.dtype())
        }
        dtype => {
            for_float!(dtype, T => forward::<T>(cpu, x, spec), else Err(cpu.unsupported("avg_pool2d", dtype)))
        }
    }
}

fn forward<T: Float>(cpu: &CpuBackend, x: &Buffer, spec: &Pool2dSpec) -> Result<Buffer> {
    let windows = PoolWindows::new("avg_pool2d", x.shape(), spec)?;
    let (x, last) = pooling_layout(cpu, x)?;
    let from = cpu.view::<T>(&x)?.dense().unwrap_or_default();
    let PoolWindows { c, size: [h, w], out: [rows, columns], .. } = windows;
    let shape = windows.y_shape();
    let mut out = cpu.pool().alloc::<T>(shape.count())?;
    // A run is a row of windows: of all channels if channels-last, else of one plane.
    let channels = if last { c } else { 1 };
    let run = columns * channels;
    let group = (TASK / 4 / run.max(1)).max(1);
    let long = spec.kernel_size[0] * spec.kernel_size[1] > RUN;
    cpu.for_chunks(&mut out, group * run, from.len(), |task, out| {
        let mut sums = vec![0.0; if long { channels } else { 0 }];
        for (r, out) in out.chunks_exact_mut(run).enumerate() {
            let (outer, i) = ((task * group + r) / rows, (task * group + r) % rows);
            let image = &from[outer * h * w * channels..][..h * w * channels];
            if long {
                for (j, out) in out.chunks_exact_mut(channels).enumerate() {
                    long_mean(cpu, &windows, [i, j], last, image, &mut sums, out);
                }
                continue;
            }
            for (j, out) in out.chunks_exact_mut(channels).enumerate() {
                let divisor = T::of(windows.divisor(i, j) as f64);
                if last {
                    out.fill(T::ZERO);
                    windows.each(i, j, |_, index| add(cpu.isa(), &image[index * c..][..c], out));
                    out.iter_mut().for_each(|y| *y = *y / divisor);
                } else {
                    let mut sum = T::ZERO;
                    windows.each(i, j, |_, index| sum += image[index]);
                    out[0] = sum / divisor;
                }
            }
        }
    });
    let strides = layout_strides(&shape, last);
    Ok(cpu.wrap_strided(shape, strides, out))
}

/// The mean of one large window; if channels-last, the mean of each channel.
fn long_mean<T: Float>(
    cpu: &CpuBackend,
    windows: &PoolWindows,
    [i, j]: [usize; 2],
    last: bool,
    image: &[T],
    sums: &mut [f64],
    out: &mut [T],
) {
    sums.fill(0.0);
    windows.each_run(i, j, |run| {
        if last {
            let c = sums.len();
            add_rows(cpu.isa(), &image[run.start * c..run.end * c], c, sums);
        } else {
            sums[0] += total(cpu.isa(), &image[run]);
        }
    });
    let divisor = windows.divisor(i, j) as f64;
    out.iter_mut().zip(sums).for_each(|(y, sum)| *y = T::of(*sum / divisor));
}

pub(crate) fn avg_pool2d_grad(cpu: &CpuBackend, g: &Buffer, spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer> {
    match g.dtype() {
        DType::F16 | DType::BF16 => {
            let grad = avg_pool2d_grad(cpu, &transfer::cast(cpu, g, DType::F32)?, spec, x_shape)?;
            transfer::cast(cpu, &grad, g.dtype())
        }
        dtype => for_float!(dtype, T => backward::<T>(cpu, g, spec, x_shape),
            else Err(cpu.unsupported("avg_pool2d_grad", dtype))),
    }
}

fn backward<T: Float>(cpu: &CpuBackend, g: &Buffer, spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer> {
    let windows = PoolWindows::new("avg_pool2d_grad", x_shape, spec)?;
    let (g, last) = pooling_layout(cpu, g)?;
    let g = in_layout(cpu, &g, last)?;
    let g = cpu.view::<T>(&g)?.dense().unwrap_or_default();
    let PoolWindows { c, size: [h, w], out: [rows, columns], .. } = windows;
    let channels = if last { c } else { 1 };
    let (from, to) = (rows * columns * channels, h * w * channels);
    let group = if last { 1 } else { (TASK / to.max(1)).max(1) };
    let mut grad = cpu.pool().alloc::<T>(x_shape.count())?;
    let count = grad.len();
    let long = windows.overlap() > RUN;
    cpu.for_chunks(&mut grad, group * to, count, |task, out| {
        let mut sums = vec![0.0; if long { to } else { 0 }];
        for (k, out) in out.chunks_exact_mut(to).enumerate() {
            let g = &g[(task * group + k) * from..][..from];
            if long {
                sums.fill(0.0);
                spread(cpu, &windows, last, g, &mut sums);
                round(cpu.isa(), &sums, out);
            } else {
                out.fill(T::ZERO);
                spread(cpu, &windows, last, g, out);
            }
        }
    });
    Ok(cpu.wrap_strided(x_shape.clone(), layout_strides(x_shape, last), grad))
}

/// Adds each window's `g`, divided by its divisor, to the elements that the window covers: in a plane or, if
/// channels-last, in an image.
fn spread<T: Float, A: Float>(cpu: &CpuBackend, windows: &PoolWindows, last: bool, g: &[T], sums: &mut [A]) {
    let PoolWindows { c, out: [rows, columns], .. } = *windows;
    for window in 0..rows * columns {
        let (i, j) = (window / columns, window % columns);
        let scale = A::ONE / A::of(windows.divisor(i, j) as f64);
        if last {
            let g = &g[window * c..][..c];
            windows.each(i, j, |_, index| add_scaled(cpu.isa(), g, scale, &mut sums[index * c..][..c]));
        } else {
            let g = A::of(g[window].wide()) * scale;
            windows.each(i, j, |_, index| sums[index] += g);
        }
    }
}
