//! Convolution and its gradients.
//!
//! Candle's convolution takes one stride, padding and dilation for both directions. If they differ between height and
//! width, the input is padded, the kernel is spread with zeros, or rows and columns of a result with stride 1 are left
//! out. Candle's own gradients are not used: they run outside cuDNN.

use crate::backend::CandleBackend;
use crate::data::{CandleResult, full, is_half};
use crate::views::{every, pad, slice};
use candle_core::{DType as CandleDType, Tensor};
use taper_backend::{Conv2dSpec, PadAmount, SliceRange};

/// Convolution of `x: [N, C_in, H, W]` with `weight: [C_out, C_in / groups, Kh, Kw]`, giving `y: [N, C_out, Ho, Wo]`.
pub(crate) fn conv2d(x: &Tensor, weight: &Tensor, spec: &Conv2dSpec, y: &[usize]) -> CandleResult<Tensor> {
    if [x, weight].iter().any(|t| t.elem_count() == 0) || y.contains(&0) {
        return full(0.0, y, x.dtype(), x.device());
    }
    let Conv2dSpec { stride, padding, dilation, groups } = *spec;
    let mut x = x.clone();
    let mut border = padding[0];
    if padding[0] != padding[1] {
        x = pad(&x, &around(padding), 0.0)?;
        border = 0;
    }
    let mut weight = weight.clone();
    let mut spread = dilation[0];
    if dilation[0] != dilation[1] {
        let zeros = |i: usize| PadAmount { interior: dilation[i] - 1, ..PadAmount::default() };
        weight = pad(&weight, &[PadAmount::default(), PadAmount::default(), zeros(0), zeros(1)], 0.0)?;
        spread = 1;
    }
    let step = if stride[0] == stride[1] { stride[0] } else { 1 };
    let result = wide_on_cpu(&x, &weight, |x, weight| {
        x.contiguous()?.conv2d(&weight.contiguous()?, border, step, spread, groups)
    })?;
    if stride[0] == stride[1] {
        return Ok(result);
    }
    every(&every(&result, 2, 0, stride[0], y[2])?, 3, 0, stride[1], y[3])
}

/// `f` of the operands, in f32 for halves on candle's CPU device, which would accumulate in halves; cuDNN accumulates
/// in f32.
fn wide_on_cpu(
    x: &Tensor,
    weight: &Tensor,
    f: impl FnOnce(&Tensor, &Tensor) -> CandleResult<Tensor>,
) -> CandleResult<Tensor> {
    if is_half(x.dtype()) && x.device().is_cpu() {
        return f(&x.to_dtype(CandleDType::F32)?, &weight.to_dtype(CandleDType::F32)?)?.to_dtype(x.dtype());
    }
    f(x, weight)
}

fn around(padding: [usize; 2]) -> [PadAmount; 4] {
    let sides = |size| PadAmount { low: size, high: size, interior: 0 };
    [PadAmount::default(), PadAmount::default(), sides(padding[0]), sides(padding[1])]
}

impl CandleBackend {
    /// The gradient with respect to the input, of shape `x`: the convolution of `g: [N, C_out, Ho, Wo]`, spread
    /// with stride − 1 zeros between its elements, with the flipped kernel, whose input and output channels are
    /// exchanged. For a stride over 1, candle's transposed convolution is faster and is used if it supports the
    /// parameters (`examples/conv_gradients.rs` times both).
    pub(crate) fn conv2d_input_grad_of(
        &self,
        g: &Tensor,
        weight: &Tensor,
        spec: &Conv2dSpec,
        x: &[usize],
    ) -> CandleResult<Tensor> {
        if g.elem_count() == 0 || weight.elem_count() == 0 || x.contains(&0) {
            return full(0.0, x, g.dtype(), g.device());
        }
        let Conv2dSpec { stride, padding, dilation, groups } = *spec;
        let kernel = [weight.dims()[2], weight.dims()[3]];
        let even = |pair: [usize; 2]| pair[0] == pair[1];
        let rest = |i: usize| {
            let reached = (g.dims()[2 + i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1;
            (x[2 + i] + 2 * padding[i]).saturating_sub(reached)
        };
        if stride[0] > 1 && groups == 1 && even(stride) && even(padding) && even(dilation) && rest(0) == rest(1) {
            return wide_on_cpu(g, weight, |g, weight| {
                let (g, weight) = (g.contiguous()?, weight.contiguous()?);
                g.conv_transpose2d(&weight, padding[0], rest(0), stride[0], dilation[0])
            });
        }
        // Output row o reads input rows o·stride − padding + k·dilation. Input row 0 therefore needs (K − 1)·dilation −
        // padding zeros before the spread g; if that is negative, as many rows of g are cut off. The same holds at the
        // end.
        let mut amounts = [PadAmount::default(); 4];
        let mut cuts = vec![SliceRange::new(0, g.dims()[0]), SliceRange::new(0, g.dims()[1])];
        for i in 0..2 {
            let spread = (g.dims()[2 + i] - 1) * stride[i] + 1;
            let reach = (kernel[i] - 1) * dilation[i];
            let wanted = x[2 + i] + reach; // the input size of a convolution without padding
            let low = reach.saturating_sub(padding[i]);
            let cut = padding[i].saturating_sub(reach);
            let high = (wanted + cut).saturating_sub(low + spread);
            amounts[2 + i] = PadAmount { low, high, interior: stride[i] - 1 };
            cuts.push(SliceRange::new(cut, cut + wanted));
        }
        let same = |a: PadAmount| a.interior == 0 && a.low == a.high;
        // Candle's convolution does the padding itself if it is the same on all sides and nothing is cut.
        let border = if amounts[2] == amounts[3] && same(amounts[2]) && cuts[2].start + cuts[3].start == 0 {
            amounts[2].low
        } else {
            usize::MAX
        };
        let (g, padding) = match border {
            usize::MAX => (slice(&pad(g, &amounts, 0.0)?, &cuts)?, [0, 0]),
            border => (g.clone(), [border, border]),
        };
        let weight = self.transposed_kernel(weight, groups)?;
        conv2d(&g, &weight, &Conv2dSpec { stride: [1, 1], padding, dilation, groups }, x)
    }

    /// `weight: [C_out, C_in / groups, Kh, Kw]` flipped in both directions, with the input and output channels of each
    /// group exchanged: `[C_in, C_out / groups, Kh, Kw]`.
    fn transposed_kernel(&self, weight: &Tensor, groups: usize) -> CandleResult<Tensor> {
        let (out, c, kh, kw) = weight.dims4()?;
        let flipped = if kh * kw == 1 {
            weight.clone()
        } else {
            weight.contiguous()?.reshape((out, c, kh * kw))?.index_select(&self.reversed(kh * kw)?, 2)?
        };
        flipped.reshape((groups, out / groups, c, kh * kw))?.transpose(1, 2)?.contiguous()?.reshape((
            groups * c,
            out / groups,
            kh,
            kw,
        ))
    }
}

/// The gradient with respect to a weight of shape `weight`: dW[o, c, k] = Σ g[n, o, p] · x[n, c, p + k]. It is a GEMM
/// over the batch and all positions, with `x` unfolded to columns (im2col).
pub(crate) fn weight_grad(x: &Tensor, g: &Tensor, spec: &Conv2dSpec, weight: &[usize]) -> CandleResult<Tensor> {
    if x.elem_count() == 0 || g.elem_count() == 0 || weight.contains(&0) {
        return full(0.0, weight, x.dtype(), x.device());
    }
    wide_on_cpu(x, g, |x, g| {
        let x = pad(x, &around(spec.padding), 0.0)?;
        let groups = spec.groups;
        let (c, out) = (x.dims()[1] / groups, g.dims()[1] / groups);
        let of_group = |group: usize| {
            let (x, g) = (x.narrow(1, group * c, c)?, g.narrow(1, group * out, out)?);
            group_weight_grad(&x, &g, spec, [weight[2], weight[3]])
        };
        Tensor::cat(&(0..groups).map(of_group).collect::<CandleResult<Vec<_>>>()?, 0)
    })
}

/// The weight's gradient `[O, C, Kh, Kw]` of one group, of the padded `x: [N, C, H, W]` and `g: [N, O, Ho, Wo]`.
fn group_weight_grad(x: &Tensor, g: &Tensor, spec: &Conv2dSpec, [kh, kw]: [usize; 2]) -> CandleResult<Tensor> {
    let (n, out, ho, wo) = g.dims4()?;
    let c = x.dims()[1];
    let columns: Vec<Tensor> = (0..kh * kw)
        .map(|k| {
            let rows = every(x, 2, k / kw * spec.dilation[0], spec.stride[0], ho);
            let seen = every(&rows?, 3, k % kw * spec.dilation[1], spec.stride[1], wo)?;
            seen.transpose(0, 1) // [C, N, Ho, Wo], a view: the concatenation copies it once
        })
        .collect::<CandleResult<_>>()?;
    let columns = Tensor::cat(&columns, 0)?.reshape((kh * kw * c, n * ho * wo))?;
    let g = g.transpose(0, 1)?.contiguous()?.reshape((out, n * ho * wo))?;
    g.matmul(&columns.t()?)?.reshape((out, kh * kw, c))?.transpose(1, 2)?.contiguous()?.reshape((out, c, kh, kw))
}
