//! Average pooling `[N, C, H, W] → [N, C, H_out, W_out]` and its gradient, in both layouts.

use crate::isa::multiversion;
use crate::math::Float;
use crate::parallel::TASK;
use crate::storage::for_float;
use crate::window::{Windows, in_layout, layout_strides, pooling_layout};
use crate::{CpuBackend, transfer};
use taper_backend::{Buffer, DType, Pool2dSpec, Result, Shape};

multiversion! {
    /// `y[i] += x[i]`.
    fn add<T: Float>(x: &[T], y: &mut [T]) {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y += x);
    }
}

multiversion! {
    /// `y[i] += x[i] · scale`.
    fn add_scaled<T: Float>(x: &[T], scale: T, y: &mut [T]) {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y += x * scale);
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
    let windows = Windows::new("avg_pool2d", x.shape(), spec)?;
    let (x, last) = pooling_layout(cpu, x)?;
    let from = cpu.view::<T>(&x)?.dense().unwrap_or_default();
    let Windows { c, size: [h, w], out: [rows, columns], .. } = windows;
    let shape = windows.y_shape();
    let mut out = cpu.pool().alloc::<T>(shape.count())?;
    // A run is a row of windows: of all channels if they lie last, else of one plane.
    let channels = if last { c } else { 1 };
    let run = columns * channels;
    let group = (TASK / 4 / run.max(1)).max(1);
    cpu.for_chunks(&mut out, group * run, from.len(), |task, out| {
        for (r, out) in out.chunks_exact_mut(run).enumerate() {
            let (outer, i) = ((task * group + r) / rows, (task * group + r) % rows);
            let picture = &from[outer * h * w * channels..][..h * w * channels];
            for (j, out) in out.chunks_exact_mut(channels).enumerate() {
                let divisor = T::of(windows.divisor(i, j) as f64);
                if last {
                    out.fill(T::ZERO);
                    windows.each(i, j, |_, index| add(cpu.isa(), &picture[index * c..][..c], out));
                    out.iter_mut().for_each(|y| *y = *y / divisor);
                } else {
                    let mut sum = T::ZERO;
                    windows.each(i, j, |_, index| sum += picture[index]);
                    out[0] = sum / divisor;
                }
            }
        }
    });
    let strides = layout_strides(&shape, last);
    Ok(cpu.wrap_strided(shape, strides, out))
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
    let windows = Windows::new("avg_pool2d_grad", x_shape, spec)?;
    let (g, last) = pooling_layout(cpu, g)?;
    let g = in_layout(cpu, &g, last)?;
    let g = cpu.view::<T>(&g)?.dense().unwrap_or_default();
    let Windows { c, size: [h, w], out: [rows, columns], .. } = windows;
    let channels = if last { c } else { 1 };
    let (from, to) = (rows * columns * channels, h * w * channels);
    let group = if last { 1 } else { (TASK / to.max(1)).max(1) };
    let mut grad = cpu.pool().alloc::<T>(x_shape.count())?;
    let count = grad.len();
    cpu.for_chunks(&mut grad, group * to, count, |task, out| {
        out.fill(T::ZERO);
        for (k, out) in out.chunks_exact_mut(to).enumerate() {
            let g = &g[(task * group + k) * from..][..from];
            for window in 0..rows * columns {
                let (i, j) = (window / columns, window % columns);
                let scale = T::ONE / T::of(windows.divisor(i, j) as f64);
                if last {
                    let g = &g[window * c..][..c];
                    windows.each(i, j, |_, index| add_scaled(cpu.isa(), g, scale, &mut out[index * c..][..c]));
                } else {
                    windows.each(i, j, |_, index| out[index] += g[window] * scale);
                }
            }
        }
    });
    Ok(cpu.wrap_strided(x_shape.clone(), layout_strides(x_shape, last), grad))
}
