//! Fused convolution, bias, activation and max pooling. Only the pooled results are written, each with one byte for the
//! place of the largest value in its window.

use crate::CpuBackend;
use crate::conv::finish::Pooled;
use crate::conv::gather::Target;
use crate::conv::source::Source;
use crate::conv::tile::Windows;
use crate::conv2d::{forward, forward_gather, input_grad, sizes, weight_grad, wrap};
use crate::gemm::{Epilogue, Real, Shared};
use crate::memory::Block;
use crate::storage::{Stored, for_float};
use taper_backend::{Activation, Buffer, Conv2dSpec, Error, FusedOp, FusedOutput, Pool2dSpec, Result, Rim, Saved};

/// What the forward saves: how the backward routes the gradient through pooling and activation.
enum SavedRouting {
    /// No activation and no pooling: the gradient passes unchanged.
    Identity,
    /// The output of ReLU: no gradient passes where it is 0.
    ReluOutput(Buffer),
    /// The place of the largest value in each window (dense, channels-last), the window's height and width, and the
    /// height and width before pooling.
    PoolingWinners(Block<u8>, [usize; 2], [usize; 2]),
}

/// `pool(f(x ⋆ weight + bias))`. `f` is ReLU or the identity; `pool` is max pooling over windows that do not overlap,
/// or absent. Anything else is declined with `None`.
pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    let FusedOp::Conv2dBlock { x, weight, bias, ref spec, f, ref pool } = *op else { return Ok(None) };
    let relu = match f {
        Activation::Identity => false,
        Activation::Relu => true,
        _ => return Ok(None),
    };
    for_float!(x.dtype(), T => block::<T>(cpu, x, weight, bias, spec, relu, pool.as_ref()), else Ok(None))
}

/// Whether the windows over `size` are adjacent, do not overlap and lie inside it, and have few enough places for a
/// byte.
fn side_by_side(pool: &Pool2dSpec, size: [usize; 2]) -> bool {
    pool.stride == pool.kernel_size
        && pool.padding == [0, 0]
        && (!pool.ceil_mode || (0..2).all(|i| size[i].is_multiple_of(pool.kernel_size[i])))
        && pool.kernel_size[0].saturating_mul(pool.kernel_size[1]) < usize::from(u8::MAX)
}

fn block<T: Real + Stored>(
    cpu: &CpuBackend,
    x: &Buffer,
    weight: &Buffer,
    bias: Option<&Buffer>,
    spec: &Conv2dSpec,
    relu: bool,
    pool: Option<&Pool2dSpec>,
) -> Rim<FusedOutput> {
    let shape = spec.output_shape(x.shape(), weight.shape())?;
    let [n, c, h, w] = sizes(&shape);
    let source = Source::Plain(cpu.view::<T>(x)?);
    let bias = bias.map(|bias| cpu.to_contiguous(bias)).transpose()?;
    let bias = bias.as_ref().map(|bias| cpu.view::<T>(bias)).transpose()?;
    let bias = bias.and_then(|bias| bias.contiguous());
    let Some(pool) = pool else {
        let y = forward(cpu, source, weight, spec, Epilogue { bias, relu })?;
        let routing = if relu { SavedRouting::ReluOutput(y.clone()) } else { SavedRouting::Identity };
        return Ok(Some(FusedOutput::new(y, Saved::new(routing))));
    };
    if !side_by_side(pool, [h, w]) {
        return Ok(None);
    }
    let pooled_shape = pool.output_shape("conv2d_block", &shape)?;
    let [.., ph, pw] = sizes(&pooled_shape);
    let zeros = cpu.pool().alloc_zeroed::<T>(if bias.is_some() { 0 } else { c })?;
    let mut out = cpu.pool().alloc::<T>(n * c * ph * pw)?;
    let mut which = cpu.pool().alloc::<u8>(n * c * ph * pw)?;
    let pooled = Pooled {
        out: &Shared::new(&mut out),
        which: &Shared::new(&mut which),
        window: pool.kernel_size,
        size: [ph, pw],
        channels: c,
        bias: bias.unwrap_or(&zeros),
    };
    let weight = cpu.view::<T>(weight)?;
    let windows = Windows::forward(spec, [weight.shape[2], weight.shape[3]], [h, w]);
    forward_gather(cpu, source, &weight, spec, &windows).run(&Target::Pooled { pooled: &pooled, relu })?;
    let saved = Saved::new(SavedRouting::PoolingWinners(which, pool.kernel_size, [h, w]));
    Ok(Some(FusedOutput::new(wrap(cpu, pooled_shape, out), saved)))
}

pub(crate) fn fused_grad(
    cpu: &CpuBackend,
    op: &FusedOp<'_>,
    g: &Buffer,
    saved: &Saved,
    needs: &[bool],
) -> Rim<Vec<Option<Buffer>>> {
    let FusedOp::Conv2dBlock { x, weight, ref spec, .. } = *op else { return Ok(None) };
    const OP: &str = "conv2d_block_grad";
    let routing = saved.get().ok_or_else(|| Error::argument(OP, "called without what conv2d_block of cpu returned"))?;
    for_float!(g.dtype(), T => {
        Ok(Some(op.gathered(gradients::<T>(cpu, g, routing, x, weight, spec, op.spread(needs))?)))
    }, else Err(cpu.unsupported(OP, g.dtype())))
}

fn gradients<T: Real + Stored>(
    cpu: &CpuBackend,
    g: &Buffer,
    routing: &SavedRouting,
    x: &Buffer,
    weight: &Buffer,
    spec: &Conv2dSpec,
    needs: [bool; 3],
) -> Result<[Option<Buffer>; 3]> {
    let dense = cpu.to_channels_last(g)?;
    let g = cpu.view::<T>(&dense)?;
    let source = match routing {
        SavedRouting::Identity => Source::Plain(g),
        SavedRouting::ReluOutput(y) => Source::Masked { g, y: cpu.view::<T>(y)?.dense_nhwc().unwrap_or_default() },
        SavedRouting::PoolingWinners(which, window, size) => {
            Source::Unpooled { g, which, window: *window, size: *size }
        }
    };
    let [mut of_weight, mut of_bias] = [None, None];
    if needs[1] || needs[2] {
        let (weight, bias) = weight_grad(cpu, x, source, spec, weight.shape(), needs[2])?;
        let channels = bias.len();
        of_weight = needs[1].then_some(weight);
        of_bias = needs[2].then(|| cpu.wrap([channels].into(), bias));
    }
    let of_x = needs[0].then(|| input_grad(cpu, source, weight, spec, x.shape())).transpose()?;
    Ok([of_x, of_weight, of_bias])
}
