//! Ranges and patterns, masks, triangles, scans, products and norms.

use super::call::{Answer, Arg, Call, Stop, lacking, number};
use super::table::Rule::{Exact, Sums, Ulps};
use super::table::{Op, binary, call, one, unary};
use taper_tensor::{DType, Result, Tensor};

/// One line for each.
pub(super) fn ops() -> Vec<Op> {
    vec![
        unary("atan", Ulps(2.0), Tensor::atan),
        binary("atan2", Ulps(4.0), Tensor::atan2),
        call("arange", Exact, |c| {
            let whole = c.args.iter().all(|arg| matches!(arg, Arg::Int(_)));
            let dtype = c.dtype(usize::MAX, "dtype", if whole { DType::I64 } else { DType::F32 })?;
            let step = c.number(2, "step", 1.0)?;
            // With one number, it is the end.
            let [start, end] = match c.find(1, "end") {
                Some(_) => [c.number(0, "start", 0.0)?, c.number(1, "end", 0.0)?],
                None => [0.0, c.number(0, "end", 0.0)?],
            };
            one(Tensor::arange(start, end, step, dtype, &c.device))
        }),
        call("linspace", Sums, |c| {
            let number = |i, name| -> Result<f64, Stop> {
                match c.find(i, name) {
                    Some(Arg::Tensor(one)) => Ok(one.item()?),
                    Some(arg) => number(arg).map_or_else(|| lacking(format!("{name} that is no number")), Ok),
                    None => lacking(format!("no {name}")),
                }
            };
            let (start, end, count) = (number(0, "start")?, number(1, "end")?, c.axis(2, "steps")?);
            one(Tensor::linspace(start, end, count as usize, c.dtype(usize::MAX, "dtype", DType::F32)?, &c.device))
        }),
        call("eye", Exact, |c| {
            let rows = c.axis(0, "n")?;
            let columns = c.int(1, "m")?.unwrap_or(rows);
            let dtype = c.dtype(usize::MAX, "dtype", c.dtype)?;
            one(Tensor::eye(rows as usize, columns as usize, dtype, &c.device))
        }),
        call("nn.functional.one_hot", Exact, |c| match c.axis(1, "num_classes")? {
            classes if classes >= 0 => one(c.x()?.one_hot(classes as usize)),
            _ => lacking("a number of classes that the host reads from the values"),
        }),
        call("triu", Exact, |c| one(c.x()?.triu(c.int(1, "diagonal")?.unwrap_or(0)))),
        call("tril", Exact, |c| one(c.x()?.tril(c.int(1, "diagonal")?.unwrap_or(0)))),
        call("masked_select", Exact, |c| one(c.x()?.masked_select(&c.tensor(1, "mask")?))),
        call("cumsum", Sums, |c| one(summed(c, 2)?.cumsum(c.axis(1, "dim")?))),
        call("cumprod", Sums, |c| one(summed(c, 2)?.cumprod(c.axis(1, "dim")?))),
        call("prod", Sums, |c| {
            let axes = c.ints(1, "dim")?.unwrap_or_default();
            one(summed(c, 3)?.prod(&axes, c.flag(2, "keepdim", false)))
        }),
        call("norm", Sums, norm),
        call("linalg.vector_norm", Sums, norm),
    ]
}

/// The input in the dtype that PyTorch adds and multiplies in: its own, `dtype`, or i64 for integers.
fn summed(c: &Call, i: usize) -> Result<Tensor, Stop> {
    let x = c.x()?;
    let natural = if x.dtype().is_float() { x.dtype() } else { DType::I64 };
    Ok(x.cast(c.dtype(i, "dtype", natural)?)?)
}

fn norm(c: &Call) -> Answer {
    let p = match c.find(1, "ord").or_else(|| c.find(usize::MAX, "p")) {
        None => 2.0,
        Some(Arg::Text(name)) if name == "fro" => 2.0,
        Some(arg) => number(arg).map_or_else(|| lacking("a norm of the singular values"), Ok)?,
    };
    let x = c.x()?;
    let x = x.cast(c.dtype(usize::MAX, "dtype", x.dtype())?)?;
    one(x.norm(p, &c.ints(2, "dim")?.unwrap_or_default(), c.flag(3, "keepdim", false)))
}
