//! What many operations share: calling a backend and wrapping the result.

use crate::Tensor;
use crate::check;
use crate::tape::grad_enabled;
use taper_backend::{BinaryOp, Buffer, Result, UnaryOp};

/// A contract method's result as a tensor that is not on the tape.
pub(crate) fn plain(x: &Tensor, buffer: Buffer) -> Tensor {
    Tensor::constant(buffer, x.device())
}

/// `op(a, b)` with broadcasting, after the checks. Not recorded.
pub(crate) fn binary(name: &'static str, op: BinaryOp, a: &Tensor, b: &Tensor) -> Result<Buffer> {
    check::same(name, &["a", "b"], &[a, b])?;
    a.shape().broadcast_with(b.shape(), name)?;
    a.device().binary(op, a.buffer()?, b.buffer()?)
}

/// `op(x)` for floats, after the checks. Not recorded.
pub(crate) fn unary(name: &'static str, op: UnaryOp, x: &Tensor) -> Result<Buffer> {
    check::float(name, x)?;
    x.device().unary(op, x.buffer()?)
}

/// An operation's output `y` inside its backward rule: the value saved, or, where the rule itself is being recorded,
/// computed `anew` from the inputs, so that gradients of gradients flow through it. (A saved output leads nowhere: it
/// would be a cycle.)
pub(crate) fn again(g: &Tensor, y: &Buffer, anew: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
    if grad_enabled() { anew() } else { Ok(plain(g, y.clone())) }
}
