//! Reductions, normalisations over axes, and matrix products.

use super::call::{Answer, Call, Stop, lacking};
use super::pointwise::scale;
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
        call("max.reduction_with_dim", Exact, |c| at_extreme(c, |x| Ok(x.clone()))),
        call("min.reduction_with_dim", Exact, |c| at_extreme(c, negative)),
        call("argmax", Exact, |c| index_of_extreme(c, |x| Ok(x.clone()))),
        call("argmin", Exact, |c| index_of_extreme(c, negative)),
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
        // Matrix products.
        call("matmul", Sums, |c| one(product(&c.x()?, &c.tensor(1, "other")?))),
        call("__rmatmul__", Sums, |c| one(product(&c.tensor(1, "other")?, &c.x()?))),
        call("mm", Sums, |c| one(c.x()?.matmul(&c.tensor(1, "mat2")?))),
        call("bmm", Sums, |c| one(c.x()?.matmul(&c.tensor(1, "mat2")?))),
        call("mv", Sums, |c| one(product(&c.x()?, &c.tensor(1, "vec")?))),
        call("dot", Sums, |c| one(product(&c.x()?, &c.tensor(1, "tensor")?))),
        call("vdot", Sums, |c| one(product(&c.x()?, &c.tensor(1, "other")?))),
        call("outer", Ulps(1.0), |c| one(outer(&c.x()?, &c.tensor(1, "vec2")?))),
        call("inner", Sums, |c| {
            let (x, y) = (c.x()?, c.tensor(1, "other")?);
            match (x.shape().rank(), y.shape().rank()) {
                (0, _) | (_, 0) => one(x.mul(&y)),
                (_, 1) => one(product(&x, &y)),
                (_, 2) => one(product(&x, &y.transpose(0, 1)?)),
                _ => lacking("inner over more than two dimensions"),
            }
        }),
        call("linalg.vecdot", Sums, |c| {
            one(c.x()?.mul(&c.tensor(1, "y")?)?.sum(&[c.int(2, "dim")?.unwrap_or(-1)], false))
        }),
        call("addmm", Sums, |c| plus(c, product(&c.tensor(1, "mat1")?, &c.tensor(2, "mat2")?))),
        call("addmv", Sums, |c| plus(c, product(&c.tensor(1, "mat")?, &c.tensor(2, "vec")?))),
        call("addr", Sums, |c| plus(c, outer(&c.tensor(1, "vec1")?, &c.tensor(2, "vec2")?))),
        call("baddbmm", Sums, |c| plus(c, c.tensor(1, "batch1")?.matmul(&c.tensor(2, "batch2")?))),
        call("addbmm", Sums, |c| plus(c, c.tensor(1, "batch1")?.matmul(&c.tensor(2, "batch2")?)?.sum(&[0], false))),
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

/// −x, which u8 has not.
fn negative(x: &Tensor) -> Result<Tensor> {
    if x.dtype() == DType::U8 { x.cast(DType::I64)?.neg() } else { x.neg() }
}

/// The first largest of `by(x)` along an axis: the element of x there, and where it is.
fn at_extreme(c: &Call, by: fn(&Tensor) -> Result<Tensor>) -> Answer {
    let (x, axis) = (c.x()?, c.axis(1, "dim")?);
    let index = by(&x.detach())?.argmax(axis, true)?;
    let value = x.gather(axis, &index)?;
    if keepdim(c) { Ok(vec![value, index]) } else { Ok(vec![value.squeeze(axis)?, index.squeeze(axis)?]) }
}

fn index_of_extreme(c: &Call, by: fn(&Tensor) -> Result<Tensor>) -> Answer {
    let x = by(&c.x()?.detach())?;
    match c.int(1, "dim")? {
        Some(axis) => one(x.argmax(axis, keepdim(c))),
        None if keepdim(c) => one(x.reshape([x.count()])?.argmax(0, false)?.reshape(vec![1; x.shape().rank()])),
        None => one(x.reshape([x.count()])?.argmax(0, false)),
    }
}

/// PyTorch's matmul, in which a vector is a row on the left and a column on the right.
pub(super) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match (a.shape().rank(), b.shape().rank()) {
        (1, 1) => a.unsqueeze(0)?.matmul(&b.unsqueeze(1)?)?.reshape([]),
        (1, _) => a.unsqueeze(0)?.matmul(b)?.squeeze(-2),
        (_, 1) => a.matmul(&b.unsqueeze(1)?)?.squeeze(-1),
        _ => a.matmul(b),
    }
}

fn outer(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.unsqueeze(1)?.mul(&b.unsqueeze(0)?)
}

/// beta · x + alpha · product.
fn plus(c: &Call, product: Result<Tensor>) -> Answer {
    let (beta, alpha) = (c.number(3, "beta", 1.0)?, c.number(4, "alpha", 1.0)?);
    let (x, product) = (c.x()?, scale(&product?, alpha)?);
    // Without x, whatever it holds, where beta is 0.
    one(if beta == 0.0 { Ok(product) } else { scale(&x, beta)?.add(&product) })
}
