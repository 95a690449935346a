//! Convolution and pooling, as loops over every window and every element in it.

use super::memory::{buffer, position, rounded, values};
use super::unsupported;
use taper_backend::{Buffer, Conv2dSpec, HostData, Pool2dSpec, Result, Shape};

/// Calls `product` with the positions in x, weight and y of every product that the convolution sums. Returns the shape
/// of y.
fn products(
    x: &Shape,
    weight: &Shape,
    spec: &Conv2dSpec,
    mut product: impl FnMut(usize, usize, usize),
) -> Result<Shape> {
    let y = spec.output_shape(x, weight)?;
    let (per_group_in, per_group_out) = (weight[1], weight[0] / spec.groups);
    for n in 0..y[0] {
        for out in 0..y[1] {
            let group = out / per_group_out;
            for (row, column) in (0..y[2]).flat_map(|row| (0..y[3]).map(move |column| (row, column))) {
                for channel in 0..per_group_in {
                    for (kh, kw) in (0..weight[2]).flat_map(|kh| (0..weight[3]).map(move |kw| (kh, kw))) {
                        let h = (row * spec.stride[0] + kh * spec.dilation[0]).checked_sub(spec.padding[0]);
                        let w = (column * spec.stride[1] + kw * spec.dilation[1]).checked_sub(spec.padding[1]);
                        let (Some(h), Some(w)) = (h, w) else { continue };
                        if h < x[2] && w < x[3] {
                            product(
                                position(x, &[n, group * per_group_in + channel, h, w]),
                                position(weight, &[out, channel, kh, kw]),
                                position(&y, &[n, out, row, column]),
                            );
                        }
                    }
                }
            }
        }
    }
    Ok(y)
}

pub fn conv2d(x: &Buffer, weight: &Buffer, spec: &Conv2dSpec) -> Result<Buffer> {
    if !x.dtype().is_float() {
        return Err(unsupported("conv2d", x.dtype()));
    }
    let shape = spec.output_shape(x.shape(), weight.shape())?;
    let (xs, ws, mut ys) = (values(x)?, values(weight)?, vec![0.0; shape.count()]);
    products(x.shape(), weight.shape(), spec, |i, k, o| ys[o] += xs[i] * ws[k])?;
    Ok(rounded(&shape, &ys, x.dtype()))
}

pub fn conv2d_input_grad(g: &Buffer, weight: &Buffer, spec: &Conv2dSpec, x_shape: &Shape) -> Result<Buffer> {
    let (gs, ws, mut xs) = (values(g)?, values(weight)?, vec![0.0; x_shape.count()]);
    products(x_shape, weight.shape(), spec, |i, k, o| xs[i] += gs[o] * ws[k])?;
    Ok(rounded(x_shape, &xs, g.dtype()))
}

pub fn conv2d_weight_grad(x: &Buffer, g: &Buffer, spec: &Conv2dSpec, weight_shape: &Shape) -> Result<Buffer> {
    let (xs, gs, mut ws) = (values(x)?, values(g)?, vec![0.0; weight_shape.count()]);
    products(x.shape(), weight_shape, spec, |i, k, o| ws[k] += gs[o] * xs[i])?;
    Ok(rounded(weight_shape, &ws, g.dtype()))
}

/// Calls `window` for every window with its position in y, the row-major positions in x that it covers, and the number
/// of elements that it covers including padding, but excluding what `ceil_mode` adds beyond the padding. Returns the
/// shape of y.
fn windows(
    op: &'static str,
    x: &Shape,
    spec: &Pool2dSpec,
    mut window: impl FnMut(usize, &[usize], usize),
) -> Result<Shape> {
    let y = spec.output_shape(op, x)?;
    // The rows (i = 0) or columns (i = 1) of the padded input that the window at `at` covers.
    let range = |at: usize, i: usize| {
        let start = at * spec.stride[i];
        start..(start + spec.kernel_size[i]).min(x[2 + i] + 2 * spec.padding[i])
    };
    let inside = |padded: usize, i: usize| padded.checked_sub(spec.padding[i]).filter(|&at| at < x[2 + i]);
    for (n, c) in (0..y[0]).flat_map(|n| (0..y[1]).map(move |c| (n, c))) {
        for (row, column) in (0..y[2]).flat_map(|row| (0..y[3]).map(move |column| (row, column))) {
            let (rows, columns) = (range(row, 0), range(column, 1));
            let padded = rows.len() * columns.len();
            let mut covered = Vec::new();
            for h in rows.filter_map(|h| inside(h, 0)) {
                covered.extend(columns.clone().filter_map(|w| inside(w, 1)).map(|w| position(x, &[n, c, h, w])));
            }
            window(position(&y, &[n, c, row, column]), &covered, padded);
        }
    }
    Ok(y)
}

pub fn max_pool2d(x: &Buffer, spec: &Pool2dSpec) -> Result<(Buffer, Buffer)> {
    if !x.dtype().is_float() {
        return Err(unsupported("max_pool2d", x.dtype()));
    }
    let (xs, plane) = (values(x)?, x.shape().dims().iter().skip(2).product::<usize>());
    let (mut largest, mut places) = (Vec::new(), Vec::new());
    let shape = windows("max_pool2d", x.shape(), spec, |_, covered, _| {
        let mut best = covered[0];
        for &i in covered {
            if !xs[best].is_nan() && (xs[i] > xs[best] || xs[i].is_nan()) {
                best = i;
            }
        }
        largest.push(xs[best]);
        places.push((best % plane) as i64);
    })?;
    Ok((rounded(&shape, &largest, x.dtype()), buffer(&shape, HostData::I64(places))))
}

fn divisor(spec: &Pool2dSpec, covered: &[usize], padded: usize) -> f64 {
    if spec.count_include_pad { padded as f64 } else { covered.len() as f64 }
}

pub fn avg_pool2d(x: &Buffer, spec: &Pool2dSpec) -> Result<Buffer> {
    if !x.dtype().is_float() {
        return Err(unsupported("avg_pool2d", x.dtype()));
    }
    let (xs, mut means) = (values(x)?, Vec::new());
    let shape = windows("avg_pool2d", x.shape(), spec, |_, covered, padded| {
        means.push(covered.iter().map(|&i| xs[i]).sum::<f64>() / divisor(spec, covered, padded));
    })?;
    Ok(rounded(&shape, &means, x.dtype()))
}

pub fn avg_pool2d_grad(g: &Buffer, spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer> {
    let (gs, mut xs) = (values(g)?, vec![0.0; x_shape.count()]);
    windows("avg_pool2d_grad", x_shape, spec, |o, covered, padded| {
        for &i in covered {
            xs[i] += gs[o] / divisor(spec, covered, padded);
        }
    })?;
    Ok(rounded(x_shape, &xs, g.dtype()))
}
