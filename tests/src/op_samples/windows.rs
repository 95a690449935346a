//! Windows of signals and pictures: convolutions, pooling, resizing; norms over groups of channels.

use super::call::{Answer, Arg, Call, Stop, lacking, number};
use super::layers::{averaging, batched, pooling};
use super::table::Rule::{Exact, Sums};
use super::table::{Op, call, one};
use taper_tensor::{
    Conv1dSpec, ConvTranspose1dSpec, ConvTranspose2dSpec, Interpolation, PadAmount, Pool1dSpec, Pool2dSpec, Result,
    Tensor, UnfoldSpec,
};

/// One line for each.
pub(super) fn ops() -> Vec<Op> {
    vec![
        call("nn.functional.conv1d", Sums, |c| batched(&c.x()?, 3, |x| convolution(c, x))),
        call("nn.functional.conv_transpose1d", Sums, |c| {
            let (weight, bias) = (c.tensor(1, "weight")?, c.maybe_tensor(2, "bias")?);
            let spec = ConvTranspose1dSpec {
                stride: pair(c, 3, "stride", 1)?[1],
                padding: pair(c, 4, "padding", 0)?[1],
                output_padding: pair(c, 5, "output_padding", 0)?[1],
                groups: c.int(6, "groups")?.unwrap_or(1) as usize,
                dilation: pair(c, 7, "dilation", 1)?[1],
            };
            batched(&c.x()?, 3, |x| one(x.conv_transpose1d(&weight, bias.as_ref(), spec)))
        }),
        call("nn.functional.conv_transpose2d", Sums, |c| {
            let (weight, bias) = (c.tensor(1, "weight")?, c.maybe_tensor(2, "bias")?);
            let spec = ConvTranspose2dSpec {
                stride: pair(c, 3, "stride", 1)?,
                padding: pair(c, 4, "padding", 0)?,
                output_padding: pair(c, 5, "output_padding", 0)?,
                groups: c.int(6, "groups")?.unwrap_or(1) as usize,
                dilation: pair(c, 7, "dilation", 1)?,
            };
            batched(&c.x()?, 4, |x| one(x.conv_transpose2d(&weight, bias.as_ref(), spec)))
        }),
        call("nn.functional.max_pool1d", Exact, |c| {
            let spec = of_row(pooling(c, 5)?);
            batched(&c.x()?, 3, |x| one(x.max_pool1d(spec)))
        }),
        call("nn.functional.avg_pool1d", Sums, |c| {
            let spec = of_row(averaging(c)?);
            batched(&c.x()?, 3, |x| one(x.avg_pool1d(spec)))
        }),
        call("nn.functional.interpolate", Sums, |c| {
            let align_corners = c.flag(4, "align_corners", false);
            let mode = match c.text(3, "mode", "nearest").as_str() {
                "nearest" => Interpolation::Nearest,
                "nearest-exact" => Interpolation::NearestExact,
                "linear" | "bilinear" | "trilinear" => Interpolation::Linear { align_corners },
                other => return lacking(format!("interpolation {other}")),
            };
            resized(c, mode)
        }),
        call("nn.functional.upsample_nearest", Sums, |c| resized(c, Interpolation::Nearest)),
        call("nn.functional.upsample_bilinear", Sums, |c| resized(c, Interpolation::Linear { align_corners: true })),
        // `fold`, of which there is no sample, is its gradient.
        call("nn.functional.unfold", Exact, |c| {
            let spec = columns(c, 1)?;
            batched(&c.x()?, 4, |x| one(x.unfold(spec)))
        })
        .sums_back(),
        call("nn.functional.pixel_shuffle", Exact, |c| {
            one(c.x()?.pixel_shuffle(c.axis(1, "upscale_factor")? as usize))
        }),
        call("nn.functional.pixel_unshuffle", Exact, |c| {
            one(c.x()?.pixel_unshuffle(c.axis(1, "downscale_factor")? as usize))
        }),
        call("nn.functional.group_norm", Sums, |c| {
            let (weight, bias) = (c.maybe_tensor(2, "weight")?, c.maybe_tensor(3, "bias")?);
            let groups = c.axis(1, "num_groups")? as usize;
            one(c.x()?.group_norm(groups, weight.as_ref(), bias.as_ref(), c.number(4, "eps", 1e-5)?))
        }),
        call("nn.functional.instance_norm", Sums, |c| {
            let (mean, var) = (c.maybe_tensor(1, "running_mean")?, c.maybe_tensor(2, "running_var")?);
            let (weight, bias) = (c.maybe_tensor(3, "weight")?, c.maybe_tensor(4, "bias")?);
            let (own, eps) = (c.flag(5, "use_input_stats", true), c.number(7, "eps", 1e-5)?);
            // It moves the running statistics, which are no output.
            c.find(6, "momentum");
            match (own, mean, var) {
                (true, ..) => one(c.x()?.instance_norm(weight.as_ref(), bias.as_ref(), eps)),
                (false, Some(mean), Some(var)) => {
                    one(c.x()?.batch_norm_eval(&mean, &var, weight.as_ref(), bias.as_ref(), eps))
                }
                _ => lacking("evaluation without statistics"),
            }
        }),
    ]
}

/// One size or two, `default` where there is none.
fn pair(c: &Call, i: usize, name: &str, default: usize) -> Result<[usize; 2], Stop> {
    Ok(c.pair(i, name)?.unwrap_or([default; 2]))
}

fn convolution(c: &Call, x: &Tensor) -> Answer {
    let (weight, bias) = (c.tensor(1, "weight")?, c.maybe_tensor(2, "bias")?);
    let (stride, dilation) = (pair(c, 3, "stride", 1)?[1], pair(c, 5, "dilation", 1)?[1]);
    let groups = c.int(6, "groups")?.unwrap_or(1) as usize;
    let (mut x, mut padding) = (x.clone(), 0);
    match c.find(4, "padding") {
        Some(Arg::Text(text)) if text == "valid" => {}
        Some(Arg::Text(_)) => {
            // `same`: where an odd number is missing, one more behind.
            let missing = dilation * weight.dim(2)?.saturating_sub(1);
            let amount = PadAmount { low: missing / 2, high: missing - missing / 2, interior: 0 };
            x = x.pad(&[PadAmount::default(), PadAmount::default(), amount], 0.0)?;
        }
        _ => padding = pair(c, 4, "padding", 0)?[1],
    }
    one(x.conv1d(&weight, bias.as_ref(), Conv1dSpec { stride, padding, dilation, groups }))
}

fn of_row(spec: Pool2dSpec) -> Pool1dSpec {
    let Pool2dSpec { kernel_size, stride, padding, ceil_mode, count_include_pad } = spec;
    Pool1dSpec { kernel_size: kernel_size[1], stride: stride[1], padding: padding[1], ceil_mode, count_include_pad }
}

/// Kernel, dilation, padding and stride from position `i` on.
fn columns(c: &Call, i: usize) -> Result<UnfoldSpec, Stop> {
    Ok(UnfoldSpec {
        kernel_size: pair(c, i, "kernel_size", 1)?,
        dilation: pair(c, i + 1, "dilation", 1)?,
        padding: pair(c, i + 2, "padding", 0)?,
        stride: pair(c, i + 3, "stride", 1)?,
    })
}

/// To sizes, or by factors; one may stand for all.
fn resized(c: &Call, mode: Interpolation) -> Answer {
    let x = c.x()?;
    let axes = x.shape().rank().saturating_sub(2);
    let all = |arg: &Arg| -> Option<Vec<f64>> {
        match arg {
            Arg::List(all) => all.iter().map(number).collect(),
            one => Some(vec![number(one)?; axes]),
        }
    };
    if let Some(size) = c.find(1, "size") {
        let Some(size) = all(size) else { return lacking("a size that is no number") };
        return one(x.interpolate(&size.into_iter().map(|size| size as usize).collect::<Vec<_>>(), mode));
    }
    match c.find(2, "scale_factor").and_then(all) {
        Some(factors) if c.flag(5, "recompute_scale_factor", false) => {
            let size = factors.iter().enumerate().map(|(i, factor)| (x.shape()[2 + i] as f64 * factor) as usize);
            one(x.interpolate(&size.collect::<Vec<_>>(), mode))
        }
        Some(factors) => one(x.interpolate_by(&factors, mode)),
        None => lacking("neither a size nor a factor"),
    }
}
