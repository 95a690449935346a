//! Tensors from nothing, and conversions.

use super::call::{Arg, Call, Stop, lacking};
use super::table::Rule::Exact;
use super::table::{Op, call, one, unary};
use taper_tensor::{DType, Tensor};

/// One line for each.
pub(super) fn ops() -> Vec<Op> {
    vec![
        call("zeros", Exact, |c| one(Tensor::zeros(size(c, 0)?, dtype(c)?, &c.device))),
        call("ones", Exact, |c| one(Tensor::ones(size(c, 0)?, dtype(c)?, &c.device))),
        call("full", Exact, |c| one(Tensor::full(c.number(1, "fill_value", 0.0)?, size(c, 0)?, dtype(c)?, &c.device))),
        call("zeros_like", Exact, |c| one(c.x()?.zeros_like()?.cast(dtype(c)?))),
        call("ones_like", Exact, |c| one(c.x()?.ones_like()?.cast(dtype(c)?))),
        call("full_like", Exact, |c| {
            one(Tensor::full(c.number(1, "fill_value", 0.0)?, c.x()?.shape(), dtype(c)?, &c.device))
        }),
        call("new_zeros", Exact, |c| c.x().and_then(|_| one(Tensor::zeros(size(c, 1)?, dtype(c)?, &c.device)))),
        call("new_ones", Exact, |c| c.x().and_then(|_| one(Tensor::ones(size(c, 1)?, dtype(c)?, &c.device)))),
        call("new_full", Exact, |c| {
            c.x()?;
            one(Tensor::full(c.number(2, "fill_value", 0.0)?, size(c, 1)?, dtype(c)?, &c.device))
        }),
        call("scalar_tensor", Exact, |c| one(Tensor::full(c.number(0, "s", 0.0)?, [], dtype(c)?, &c.device))),
        call("fill", Exact, |c| {
            let x = c.x()?;
            one(c.operand(1, "value", x.dtype())?.broadcast_to(x.shape()))
        }),
        unary("zero_", Exact, |x| Tensor::zeros(x.shape(), x.dtype(), x.device())),
        // Conversions.
        call("to", Exact, |c| {
            // A dtype or a tensor that has it, behind a device or not; what follows says how to copy.
            let named = (1..c.args.len()).filter_map(|i| match c.find(i, "") {
                Some(Arg::DType(dtype)) => Some(*dtype),
                Some(Arg::Tensor(like)) => Some(Some(like.dtype())),
                _ => None,
            });
            match named.last().unwrap_or(Some(c.dtype)) {
                Some(dtype) => one(c.x()?.cast(dtype)),
                None => lacking("a dtype that is not offered"),
            }
        }),
        unary("float", Exact, |x| x.cast(DType::F32)),
        unary("double", Exact, |x| x.cast(DType::F64)),
        unary("half", Exact, |x| x.cast(DType::F16)),
        unary("bfloat16", Exact, |x| x.cast(DType::BF16)),
        unary("long", Exact, |x| x.cast(DType::I64)),
        unary("byte", Exact, |x| x.cast(DType::U8)),
        unary("bool", Exact, |x| x.ne(&Tensor::zeros([], x.dtype(), x.device())?)),
    ]
}

fn size(c: &Call, i: usize) -> Result<Vec<usize>, Stop> {
    Ok(c.ints(i, "size")?.unwrap_or_default().into_iter().map(|size| size as usize).collect())
}

fn dtype(c: &Call) -> Result<DType, Stop> {
    c.dtype(usize::MAX, "dtype", c.dtype)
}
