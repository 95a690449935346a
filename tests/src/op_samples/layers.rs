//! What layers compute.

use super::call::{Answer, Arg, Call, Stop, lacking, number};
use super::table::Rule::{Exact, Sums};
use super::table::{Op, call, one};
use taper_tensor::{Conv2dSpec, PadAmount, Pool2dSpec, RandomKey, Result, Tensor};

/// One line for each.
pub(super) fn ops() -> Vec<Op> {
    vec![
        call("nn.functional.conv2d", Sums, |c| batched(&c.x()?, 4, |x| convolution(c, x, &c.tensor(1, "weight")?))),
        call("nn.functional.max_pool2d", Exact, |c| {
            let spec = pooling(c, 5)?;
            batched(&c.x()?, 4, |x| one(x.max_pool2d(spec)))
        }),
        call("nn.functional.avg_pool2d", Sums, |c| {
            let spec = averaging(c)?;
            batched(&c.x()?, 4, |x| one(x.avg_pool2d(spec)))
        }),
        call("nn.functional.adaptive_avg_pool2d", Sums, |c| {
            let x = c.x()?;
            let size = match c.find(1, "output_size") {
                Some(Arg::List(all)) => [0, 1].map(|i| match all.get(i) {
                    Some(Arg::Int(size)) => *size as usize,
                    // `None` keeps the size.
                    _ => x.shape()[x.shape().rank() - 2 + i],
                }),
                Some(Arg::Int(size)) => [*size as usize; 2],
                _ => return lacking("no output_size"),
            };
            batched(&x, 4, |x| one(x.adaptive_avg_pool2d(size)))
        }),
        call("nn.functional.adaptive_avg_pool1d", Sums, |c| {
            let size = c.pair(1, "output_size")?.map_or(1, |pair| pair[1]);
            batched(&c.x()?, 3, |x| one(x.unsqueeze(2)?.adaptive_avg_pool2d([1, size])?.squeeze(2)))
        }),
        call("nn.functional.layer_norm", Sums, |c| {
            let dims = c.ints(1, "normalized_shape")?.unwrap_or_default().len();
            let (weight, bias) = (c.maybe_tensor(2, "weight")?, c.maybe_tensor(3, "bias")?);
            one(c.x()?.layer_norm(dims, weight.as_ref(), bias.as_ref(), c.number(4, "eps", 1e-5)?))
        }),
        call("nn.functional.rms_norm", Sums, |c| {
            let dims = c.ints(1, "normalized_shape")?.unwrap_or_default().len();
            let weight = c.maybe_tensor(2, "weight")?;
            one(c.x()?.rms_norm(dims, weight.as_ref(), c.find(3, "eps").and_then(number)))
        }),
        call("nn.functional.batch_norm", Sums, |c| {
            let x = c.x()?;
            let (mean, var) = (c.maybe_tensor(1, "running_mean")?, c.maybe_tensor(2, "running_var")?);
            let (weight, bias) = (c.maybe_tensor(3, "weight")?, c.maybe_tensor(4, "bias")?);
            let eps = c.number(7, "eps", 1e-5)?;
            // It moves the running statistics, which are no output.
            c.find(6, "momentum");
            if c.flag(5, "training", false) {
                return Ok(vec![x.batch_norm(weight.as_ref(), bias.as_ref(), eps)?.0]);
            }
            match (mean, var) {
                (Some(mean), Some(var)) => one(x.batch_norm_eval(&mean, &var, weight.as_ref(), bias.as_ref(), eps)),
                _ => lacking("evaluation without statistics"),
            }
        }),
        call("nn.functional.dropout", Exact, |c| {
            let (p, training) = (c.number(1, "p", 0.5)?, c.flag(2, "training", true));
            match p {
                _ if !training => one(c.x()?.dropout(0.0, RandomKey::new(0))),
                0.0 | 1.0 => one(c.x()?.dropout(p, RandomKey::new(0))),
                _ => lacking("random numbers"),
            }
        }),
        call("nn.functional.embedding", Exact, |c| one(c.x()?.embedding(&c.tensor(1, "input")?))),
    ]
}

/// `run` with a batch of one in front where a dimension is missing.
pub(super) fn batched(x: &Tensor, rank: usize, run: impl FnOnce(&Tensor) -> Answer) -> Answer {
    if x.shape().rank() + 1 != rank {
        return run(x);
    }
    let all = run(&x.unsqueeze(0)?)?;
    Ok(all.iter().map(|y| y.squeeze(0)).collect::<Result<_>>()?)
}

/// Two sizes for a window, or one for that of a row, in which case rows keep `other`.
fn window(c: &Call, i: usize, name: &str, default: [usize; 2]) -> Result<[usize; 2], Stop> {
    Ok(c.pair(i, name)?.unwrap_or(default))
}

fn convolution(c: &Call, x: &Tensor, weight: &Tensor) -> Answer {
    let row = c.tensor(1, "weight")?.shape().rank() == 3;
    let down = |pair: [usize; 2], none| if row { [none, pair[1]] } else { pair };
    let stride = down(window(c, 3, "stride", [1, 1])?, 1);
    let dilation = down(window(c, 5, "dilation", [1, 1])?, 1);
    let groups = c.int(6, "groups")?.unwrap_or(1) as usize;
    let bias = c.maybe_tensor(2, "bias")?;
    let mut x = x.clone();
    let padding = match c.find(4, "padding") {
        Some(Arg::Text(text)) if text == "valid" => [0, 0],
        Some(Arg::Text(_)) => {
            // `same`: where an odd number is missing, one more behind.
            let missing = |i: usize| dilation[i] * weight.shape()[2 + i].saturating_sub(1);
            let amount = |i| PadAmount { low: missing(i) / 2, high: missing(i) - missing(i) / 2, interior: 0 };
            x = x.pad(&[PadAmount::default(), PadAmount::default(), amount(0), amount(1)], 0.0)?;
            [0, 0]
        }
        _ => down(window(c, 4, "padding", [0, 0])?, 0),
    };
    one(x.conv2d(weight, bias.as_ref(), Conv2dSpec { stride, padding, dilation, groups }))
}

/// Kernel, stride and padding at positions 1 to 3, `ceil_mode` at `ceil`.
pub(super) fn pooling(c: &Call, ceil: usize) -> Result<Pool2dSpec, Stop> {
    let Some(kernel_size) = c.pair(1, "kernel_size")? else { return lacking("no kernel_size") };
    let spec = Pool2dSpec {
        kernel_size,
        stride: window(c, 2, "stride", kernel_size)?,
        padding: window(c, 3, "padding", [0, 0])?,
        ceil_mode: c.flag(ceil, "ceil_mode", false),
        count_include_pad: true,
    };
    if ceil == 5 && window(c, 4, "dilation", [1, 1])? != [1, 1] {
        return lacking("dilation in pooling");
    }
    if ceil == 5 && c.flag(6, "return_indices", false) {
        return lacking("return_indices");
    }
    Ok(spec)
}

pub(super) fn averaging(c: &Call) -> Result<Pool2dSpec, Stop> {
    let count_include_pad = c.flag(5, "count_include_pad", true);
    Ok(Pool2dSpec { count_include_pad, ..pooling(c, 4)? })
}
