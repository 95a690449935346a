//! 2-D convolution and its two gradients. Results are channels-last.

use crate::CpuBackend;
use crate::conv::gather::{Gather, Target, Weight};
use crate::conv::pointwise::{Pointwise, is_pointwise};
use crate::conv::source::Source;
use crate::conv::tile::Windows;
use crate::conv::weight::WeightGrad;
use crate::gemm::{Epilogue, Real, Shared};
use crate::layout::channels_last;
use crate::memory::Block;
use crate::storage::{Stored, View, for_float};
use crate::transfer::in_f32;
use taper_backend::{Buffer, Conv2dSpec, DType, Result, Shape};

fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16)
}

/// `y = x ⋆ weight`.
pub(crate) fn conv2d(cpu: &CpuBackend, x: &Buffer, weight: &Buffer, spec: &Conv2dSpec) -> Result<Buffer> {
    if is_half(x.dtype()) {
        return in_f32(cpu, [x, weight], |[x, weight]| conv2d(cpu, x, weight, spec));
    }
    for_float!(x.dtype(), T => {
        let source = Source::Plain(cpu.view::<T>(x)?);
        forward(cpu, source, weight, spec, Epilogue::default())
    }, else Err(cpu.unsupported("conv2d", x.dtype())))
}

/// The gradient of [`conv2d`] with respect to the input.
pub(crate) fn conv2d_input_grad(
    cpu: &CpuBackend,
    g: &Buffer,
    weight: &Buffer,
    spec: &Conv2dSpec,
    x_shape: &Shape,
) -> Result<Buffer> {
    if is_half(g.dtype()) {
        return in_f32(cpu, [g, weight], |[g, weight]| conv2d_input_grad(cpu, g, weight, spec, x_shape));
    }
    for_float!(g.dtype(), T => input_grad(cpu, Source::Plain(cpu.view::<T>(g)?), weight, spec, x_shape),
        else Err(cpu.unsupported("conv2d_input_grad", g.dtype())))
}

/// The gradient of [`conv2d`] with respect to the weight.
pub(crate) fn conv2d_weight_grad(
    cpu: &CpuBackend,
    x: &Buffer,
    g: &Buffer,
    spec: &Conv2dSpec,
    weight_shape: &Shape,
) -> Result<Buffer> {
    if is_half(g.dtype()) {
        return in_f32(cpu, [x, g], |[x, g]| conv2d_weight_grad(cpu, x, g, spec, weight_shape));
    }
    for_float!(g.dtype(), T => {
        let g = Source::Plain(cpu.view::<T>(g)?);
        Ok(weight_grad(cpu, x, g, spec, weight_shape, false)?.0)
    }, else Err(cpu.unsupported("conv2d_weight_grad", g.dtype())))
}

/// The sizes of an `[N, C, H, W]` shape.
pub(crate) fn sizes(shape: &[usize]) -> [usize; 4] {
    std::array::from_fn(|i| shape[i])
}

/// `weight` as the forward convolution (`outputs_first`) or the input gradient reads it.
fn read_weight<'a, T>(weight: &View<'a, T>, groups: usize, outputs_first: bool) -> Weight<'a, T> {
    let [out, inner, row, column] = sizes(weight.strides);
    Weight {
        data: weight.data,
        offset: weight.offset,
        strides: if outputs_first { [out, inner] } else { [inner, out] },
        group: weight.shape[0] / groups * out,
        place: [row, column],
        width: weight.shape[3],
    }
}

/// The operands of a forward convolution as a [`Gather`].
pub(crate) fn forward_gather<'a, T: Real + Stored>(
    cpu: &'a CpuBackend,
    source: Source<'a, T>,
    weight: &View<'a, T>,
    spec: &Conv2dSpec,
    windows: &'a Windows,
) -> Gather<'a, T> {
    let [outputs, inputs, ..] = sizes(weight.shape);
    let groups = spec.groups;
    let channels = [inputs, outputs / groups];
    Gather { cpu, source, weight: read_weight(weight, groups, true), windows, groups, channels }
}

/// `source ⋆ weight` with an epilogue.
pub(crate) fn forward<T: Real + Stored>(
    cpu: &CpuBackend,
    source: Source<T>,
    weight: &Buffer,
    spec: &Conv2dSpec,
    finish: Epilogue<T>,
) -> Result<Buffer> {
    let shape = spec.output_shape(&source.shape()[..].into(), weight.shape())?;
    let [_, c, h, w] = sizes(&shape);
    let weight = cpu.view::<T>(weight)?;
    if is_pointwise(spec, [weight.shape[2], weight.shape[3]]) {
        let (inputs, outputs) = (source.shape(), sizes(&shape));
        let out = Pointwise { cpu, inputs, outputs, stride: spec.stride }.forward(source, &weight, finish)?;
        return Ok(wrap(cpu, shape, out));
    }
    let mut out = cpu.pool().alloc::<T>(shape.count())?;
    let windows = Windows::forward(spec, [weight.shape[2], weight.shape[3]], [h, w]);
    let target = Target::Positions { out: &Shared::new(&mut out), offset: 0, pitch: [h * w * c, w * c, c], finish };
    forward_gather(cpu, source, &weight, spec, &windows).run(&target)?;
    Ok(wrap(cpu, shape, out))
}

/// The input gradient for the output's gradient `g`.
pub(crate) fn input_grad<T: Real + Stored>(
    cpu: &CpuBackend,
    g: Source<T>,
    weight: &Buffer,
    spec: &Conv2dSpec,
    x_shape: &Shape,
) -> Result<Buffer> {
    let [_, c, h, w] = sizes(x_shape);
    let weight = cpu.view::<T>(weight)?;
    if is_pointwise(spec, [weight.shape[2], weight.shape[3]]) {
        let (inputs, outputs) = (sizes(x_shape), g.shape());
        let out = Pointwise { cpu, inputs, outputs, stride: spec.stride }.input_grad(g, &weight)?;
        return Ok(wrap(cpu, x_shape.clone(), out));
    }
    let mut out = cpu.pool().alloc::<T>(x_shape.count())?;
    let shared = Shared::new(&mut out);
    // Each remainder of a position by the stride uses different places of the kernel.
    for class in (0..spec.stride[0].min(h)).flat_map(|y| (0..spec.stride[1].min(w)).map(move |x| [y, x])) {
        let windows = Windows::backward(spec, [weight.shape[2], weight.shape[3]], [h, w], class);
        let offset = (class[0] * w + class[1]) * c;
        let pitch = [h * w * c, spec.stride[0] * w * c, spec.stride[1] * c];
        let channels = [weight.shape[0] / spec.groups, weight.shape[1]];
        let weight = read_weight(&weight, spec.groups, false);
        let gather = Gather { cpu, source: g, weight, windows: &windows, groups: spec.groups, channels };
        gather.run(&Target::Positions { out: &shared, offset, pitch, finish: Epilogue::default() })?;
        gather.mend_margins(&shared, offset, pitch)?;
    }
    Ok(wrap(cpu, x_shape.clone(), out))
}

/// The gradients of weight and bias, which counts only if it is needed, for the output's gradient `g`.
pub(crate) fn weight_grad<T: Real + Stored>(
    cpu: &CpuBackend,
    x: &Buffer,
    g: Source<T>,
    spec: &Conv2dSpec,
    weight_shape: &Shape,
    bias_needed: bool,
) -> Result<(Buffer, Block<T>)> {
    let [outputs, inputs, kh, kw] = sizes(weight_shape);
    if is_pointwise(spec, [kh, kw]) {
        let x = cpu.view::<T>(x)?;
        let convolution = Pointwise { cpu, inputs: sizes(x.shape), outputs: g.shape(), stride: spec.stride };
        let (out, bias) = convolution.weight_grad(Source::Plain(x), g, bias_needed)?;
        return Ok((cpu.wrap(weight_shape.clone(), out), bias));
    }
    let [.., h, w] = g.shape();
    let windows = Windows::forward(spec, [kh, kw], [h, w]);
    let mut out = cpu.pool().alloc::<T>(weight_shape.count())?;
    let mut bias = cpu.pool().alloc::<T>(outputs)?;
    let (groups, channels) = (spec.groups, [inputs, outputs / spec.groups]);
    WeightGrad { cpu, x: Source::Plain(cpu.view(x)?), g, windows: &windows, groups, channels }
        .run(&mut out, &mut bias)?;
    Ok((cpu.wrap(weight_shape.clone(), out), bias))
}

/// A channels-last `block` as a buffer of `shape`.
pub(crate) fn wrap<T: Stored>(cpu: &CpuBackend, shape: Shape, block: Block<T>) -> Buffer {
    let strides = channels_last(sizes(&shape));
    cpu.wrap_strided(shape, strides, block)
}
