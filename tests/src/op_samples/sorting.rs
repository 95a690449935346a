//! Sorting, and extremes with their index.

use super::call::{Answer, Call, Stop};
use super::table::Rule::Exact;
use super::table::{Op, call, one};
use taper_tensor::{Result, Tensor};

/// One line for each.
pub(super) fn ops() -> Vec<Op> {
    vec![
        call("sort", Exact, |c| two(c.x()?.sort(axis(c, 1)?, descending(c, 2)))),
        call("argsort", Exact, |c| one(c.x()?.argsort(axis(c, 1)?, descending(c, 2)))),
        call("msort", Exact, |c| one(Ok(c.x()?.sort(0, false)?.0))),
        call("topk", Exact, |c| {
            // Ours are sorted whatever it says.
            c.flag(4, "sorted", true);
            two(c.x()?.topk(c.axis(1, "k")? as usize, axis(c, 2)?, c.flag(3, "largest", true)))
        }),
        call("max.reduction_with_dim", Exact, |c| two(c.x()?.max_with_index(c.axis(1, "dim")?, keepdim(c)))),
        call("min.reduction_with_dim", Exact, |c| two(c.x()?.min_with_index(c.axis(1, "dim")?, keepdim(c)))),
        call("argmax", Exact, |c| index(c, Tensor::argmax)),
        call("argmin", Exact, |c| index(c, Tensor::argmin)),
    ]
}

fn axis(c: &Call, i: usize) -> Result<isize, Stop> {
    Ok(c.int(i, "dim")?.unwrap_or(-1))
}

fn descending(c: &Call, i: usize) -> bool {
    // Ours is stable whatever it says.
    c.flag(usize::MAX, "stable", false);
    c.flag(i, "descending", false)
}

fn keepdim(c: &Call) -> bool {
    c.flag(2, "keepdim", false)
}

fn two(y: Result<(Tensor, Tensor)>) -> Answer {
    y.map(|(value, index)| vec![value, index]).map_err(Stop::from)
}

fn index(c: &Call, of: fn(&Tensor, isize, bool) -> Result<Tensor>) -> Answer {
    let x = c.x()?;
    match c.int(1, "dim")? {
        Some(axis) => one(of(&x, axis, keepdim(c))),
        None if keepdim(c) => one(of(&x.reshape([x.count()])?, 0, false)?.reshape(vec![1; x.shape().rank()])),
        None => one(of(&x.reshape([x.count()])?, 0, false)),
    }
}
