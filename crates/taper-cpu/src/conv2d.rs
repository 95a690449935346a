//! Convolution and its two gradients.

use crate::CpuBackend;
use crate::storage::{Stored, for_float};
use std::ops::{Add, Mul};
use taper_backend::{Buffer, Conv2dSpec, Result, Shape};

/// Calls `f(x index, weight index, output index)` for every product of the convolution.
fn products(x: &Shape, weight: &Shape, y: &Shape, spec: &Conv2dSpec, mut f: impl FnMut(usize, usize, usize)) {
    let (per_group, out_per_group) = (weight[1], weight[0] / spec.groups);
    let [kh, kw] = [weight[2], weight[3]];
    for o in 0..y.count() {
        let (j, i, channel, n) = (o % y[3], o / y[3] % y[2], o / (y[3] * y[2]) % y[1], o / (y[3] * y[2] * y[1]));
        for w in 0..per_group * kh * kw {
            let (q, p, c) = (w % kw, w / kw % kh, w / (kw * kh));
            let row = (i * spec.stride[0] + p * spec.dilation[0]).wrapping_sub(spec.padding[0]);
            let column = (j * spec.stride[1] + q * spec.dilation[1]).wrapping_sub(spec.padding[1]);
            if row < x[2] && column < x[3] {
                let plane = n * x[1] + channel / out_per_group * per_group + c;
                f((plane * x[2] + row) * x[3] + column, channel * per_group * kh * kw + w, o);
            }
        }
    }
}

/// Adds `a[i] · b[j]` to `out[k]` for each triple of indices that `visit` reports.
fn accumulate<T: Stored + Add<Output = T> + Mul<Output = T>>(
    cpu: &CpuBackend,
    a: &Buffer,
    b: &Buffer,
    shape: &Shape,
    visit: impl FnOnce(&mut dyn FnMut(usize, usize, usize)),
) -> Result<Buffer> {
    let (a, b) = (cpu.to_contiguous(a)?, cpu.to_contiguous(b)?);
    let (a, b) = (cpu.view::<T>(&a)?, cpu.view::<T>(&b)?);
    let (a, b) = (a.contiguous().unwrap_or_default(), b.contiguous().unwrap_or_default());
    let mut out = cpu.pool().alloc_zeroed::<T>(shape.count())?;
    visit(&mut |i, j, k| out[k] = out[k] + a[i] * b[j]);
    Ok(cpu.wrap(shape.clone(), out))
}

pub(crate) fn conv2d(cpu: &CpuBackend, x: &Buffer, weight: &Buffer, spec: &Conv2dSpec) -> Result<Buffer> {
    let (xs, ws) = (x.shape(), weight.shape());
    let ys = spec.output_shape(xs, ws)?;
    for_float!(x.dtype(), T => accumulate::<T>(cpu, x, weight, &ys, |f| products(xs, ws, &ys, spec, f)),
        else Err(cpu.unsupported("conv2d", x.dtype())))
}

pub(crate) fn conv2d_input_grad(
    cpu: &CpuBackend,
    g: &Buffer,
    weight: &Buffer,
    spec: &Conv2dSpec,
    xs: &Shape,
) -> Result<Buffer> {
    let (ys, ws) = (g.shape(), weight.shape());
    for_float!(g.dtype(), T => accumulate::<T>(cpu, g, weight, xs, |f| {
        products(xs, ws, ys, spec, |x, w, y| f(y, w, x));
    }), else Err(cpu.unsupported("conv2d_input_grad", g.dtype())))
}

pub(crate) fn conv2d_weight_grad(
    cpu: &CpuBackend,
    x: &Buffer,
    g: &Buffer,
    spec: &Conv2dSpec,
    ws: &Shape,
) -> Result<Buffer> {
    let (xs, ys) = (x.shape(), g.shape());
    for_float!(g.dtype(), T => accumulate::<T>(cpu, x, g, ws, |f| {
        products(xs, ws, ys, spec, |x, w, y| f(x, y, w));
    }), else Err(cpu.unsupported("conv2d_weight_grad", g.dtype())))
}
