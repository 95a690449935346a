//! Reductions, normalisations over axes, and matrix products.

use super::call::{Call, Stop, lacking};
use super::table::Rule::{Exact, Sums, Ulps};
use super::table::{Op, call, one, unary};
use taper_tensor::{DType, Result, Tensor};

/// One line for each.
pub(super) fn ops() -> Vec<Op> {
    vec![
        call("sum", Sums, |c| one(summed(c)?.sum(&axes(c)?, keepdim(c)))),
        call("nansum", Sums, |c| {
            let x = summed(c)?;
            let zero = Tensor::zeros([], x.dtype(), x.device())?;
            one(x.ne(&x)?.select(&zero, &x)?.sum(&axes(c)?, keepdim(c)))
        }),
        call("mean", Sums, |c| one(c.x()?.cast(c.dtype(3, "dtype", c.dtype)?)?.mean(&axes(c)?, keepdim(c)))),
        call("var", Sums, |c| Ok(vec![variance(c)?])),
        call("std", Sums, |c| Ok(vec![deviation(c)?])),
        call("var_mean", Sums, |c| Ok(vec![variance(c)?, c.x()?.mean(&axes(c)?, keepdim(c))?])),
        call("std_mean", Sums, |c| Ok(vec![deviation(c)?, c.x()?.mean(&axes(c)?, keepdim(c))?])),
        call("amax", Exact, |c| one(c.x()?.max(&axes(c)?, keepdim(c)))),
        call("amin", Exact, |c| one(c.x()?.min(&axes(c)?, keepdim(c)))),
        call("aminmax", Exact, |c| {
            let (x, axes, keepdim) = (c.x()?, axes(c)?, keepdim(c));
            Ok(vec![x.min(&axes, keepdim)?, x.max(&axes, keepdim)?])
        }),
        call("max.reduction_no_dim", Exact, |c| one(c.x()?.max(&[], false))),
        call("min.reduction_no_dim", Exact, |c| one(c.x()?.min(&[], false))),
        call("any", Exact, |c| one(c.x()?.any(&axes(c)?, keepdim(c)))),
        call("all", Exact, |c| one(c.x()?.all(&axes(c)?, keepdim(c)))),
        call("count_nonzero", Exact, |c| one(nonzero(&c.x()?)?.sum(&axes(c)?, false))),
        call("logsumexp", Sums, |c| one(c.x()?.logsumexp(&axes(c)?, keepdim(c)))),
        call("softmax", Ulps(8.0), |c| one(converted(c)?.softmax(c.axis(1, "dim")?))).sums_back(),
        call("log_softmax", Sums, |c| one(converted(c)?.log_softmax(c.axis(1, "dim")?))),
        call("nn.functional.softmin", Ulps(8.0), |c| {
            // PyTorch negates before it converts: u8, which we do not negate, wraps there.
            c.x()?.neg()?;
            one(converted(c)?.neg()?.softmax(c.axis(1, "dim")?))
        })
        .sums_back(),
        call("nn.functional.linear", Sums, |c| {
            let (weight, bias) = (c.tensor(1, "weight")?, c.maybe_tensor(2, "bias")?);
            match weight.shape().rank() {
                2 => one(c.x()?.linear(&weight, bias.as_ref())),
                _ => lacking("linear with a vector of weights"),
            }
        }),
        unary("trace", Sums, |x| {
            let [rows, columns] = x.dims()?;
            x.mul(&Tensor::eye(rows, columns, x.dtype(), x.device())?)?.sum_all()
        }),
    ]
}

/// `dim`, one or several; none for all.
fn axes(c: &Call) -> Result<Vec<isize>, Stop> {
    // `var(x, True)` says `unbiased` there.
    Ok(if c.unbiased_first() { Vec::new() } else { c.ints(1, "dim")?.unwrap_or_default() })
}

fn keepdim(c: &Call) -> bool {
    c.flag(2, "keepdim", false)
}

/// The input in the dtype that PyTorch sums in: its own, `dtype`, or i64 for integers.
fn summed(c: &Call) -> Result<Tensor, Stop> {
    let x = c.x()?;
    let natural = if x.dtype().is_float() { x.dtype() } else { DType::I64 };
    Ok(x.cast(c.dtype(3, "dtype", natural)?)?)
}

fn converted(c: &Call) -> Result<Tensor, Stop> {
    let x = c.x()?;
    Ok(x.cast(c.dtype(2, "dtype", x.dtype())?)?)
}

fn variance(c: &Call) -> Result<Tensor, Stop> {
    Ok(c.x()?.var(&axes(c)?, correction(c)?, keepdim(c))?)
}

fn deviation(c: &Call) -> Result<Tensor, Stop> {
    Ok(c.x()?.std(&axes(c)?, correction(c)?, keepdim(c))?)
}

fn correction(c: &Call) -> Result<usize, Stop> {
    let unbiased = if c.unbiased_first() { c.flag(1, "unbiased", true) } else { c.flag(usize::MAX, "unbiased", true) };
    let correction = c.number(usize::MAX, "correction", f64::from(u8::from(unbiased)))?;
    if correction.fract() != 0.0 || correction < 0.0 {
        return lacking("a correction that is no count");
    }
    Ok(correction as usize)
}

fn nonzero(x: &Tensor) -> Result<Tensor> {
    x.ne(&Tensor::zeros([], x.dtype(), x.device())?)?.cast(DType::I64)
}
