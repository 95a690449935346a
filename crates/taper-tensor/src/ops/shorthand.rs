//! Functions that many operations share: calling the backend after the checks, computing f16 and bf16 in f32, recording
//! rules.

use crate::Tensor;
use crate::check;
use crate::tape::{Rule, grad_enabled, no_grad};
use taper_backend::{BinaryOp, Buffer, DType, Error, FusedOp, Result, Saved, UnaryOp};

/// A backend method's result as a tensor that is not on the tape, on the device of `x`.
pub(crate) fn plain(x: &Tensor, buffer: Buffer) -> Tensor {
    Tensor::constant(buffer, x.device())
}

/// Whether `x` is f16 or bf16 ("halves"). Operations composed of sums, squares and differences compute these in f32: in
/// a half a square may overflow, or a sum lose precision, where the result would not.
pub(crate) fn is_half(x: &Tensor) -> bool {
    matches!(x.dtype(), DType::F16 | DType::BF16)
}

/// `f` of `x` (f16 or bf16), computed in f32. The value and gradients of any order are rounded once, at the end.
pub(crate) fn in_f32(x: &Tensor, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    f(&x.cast(DType::F32)?)?.cast(x.dtype())
}

/// The `tensors` that are present, cast to f32.
pub(crate) fn all_f32<const N: usize>(tensors: [Option<&Tensor>; N]) -> Result<[Option<Tensor>; N]> {
    let mut wide = [const { None }; N];
    for (wide, tensor) in wide.iter_mut().zip(tensors) {
        *wide = tensor.map(|tensor| tensor.cast(DType::F32)).transpose()?;
    }
    Ok(wide)
}

/// `op(a, b)` with broadcasting, after the checks. Not recorded. Of bytes the sum, the difference and the product are
/// i64, so that nothing wraps (backends compute with floats and i64 only).
pub(crate) fn binary(name: &'static str, op: BinaryOp, a: &Tensor, b: &Tensor) -> Result<Buffer> {
    check::same(name, &["a", "b"], &[a, b])?;
    check::size(name, &a.shape().broadcast_with(b.shape(), name)?, a.dtype())?;
    if a.dtype() == DType::U8 {
        return of_bytes(name, op, a, |a| binary(name, op, a, &b.cast(DType::I64)?));
    }
    a.device().binary(op, a.buffer()?, b.buffer()?)
}

/// `op(x, number)`, or `op(number, x)` with `number_first`, after the checks. Not recorded.
pub(crate) fn binary_scalar(
    name: &'static str,
    op: BinaryOp,
    x: &Tensor,
    number: f64,
    number_first: bool,
) -> Result<Buffer> {
    x.dtype().check_operand(name, number)?;
    if x.dtype() == DType::U8 {
        return of_bytes(name, op, x, |x| binary_scalar(name, op, x, number, number_first));
    }
    x.device().binary_scalar(op, x.buffer()?, number, number_first)
}

/// `f` of x (u8) in i64; what is no larger than the operands is u8 again.
fn of_bytes(name: &'static str, op: BinaryOp, x: &Tensor, f: impl FnOnce(&Tensor) -> Result<Buffer>) -> Result<Buffer> {
    match op {
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul => f(&x.cast(DType::I64)?),
        BinaryOp::Maximum | BinaryOp::Minimum => plain(x, f(&x.cast(DType::I64)?)?).cast(DType::U8)?.into_buffer(),
        BinaryOp::Div | BinaryOp::Pow => {
            Err(Error::dtype(name, "the input is u8: cast it, to a float for fractions, to i64 for whole quotients"))
        }
    }
}

/// `op(x)` for floats, after the checks. Not recorded.
pub(crate) fn unary(name: &'static str, op: UnaryOp, x: &Tensor) -> Result<Buffer> {
    check::float(name, x)?;
    x.device().unary(op, x.buffer()?)
}

/// An operation's output `y` inside its backward rule: the saved value or, where the rule itself is being recorded, the
/// value that `anew` recomputes from the inputs, so that gradients of gradients flow through it. (The rule cannot save
/// the output with its node, which would be a reference cycle.)
pub(crate) fn saved_or_recomputed(g: &Tensor, y: &Buffer, anew: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
    if grad_enabled() { anew() } else { Ok(plain(g, y.clone())) }
}

/// `value` of x, recorded on the tape with a backward rule: `rule` gives x's gradient from the output's gradient g and
/// x, in operations that can be differentiated again.
pub(crate) fn with_rule(
    name: &'static str,
    x: &Tensor,
    value: impl FnOnce() -> Result<Tensor>,
    rule: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    let value = no_grad(value)?.into_buffer()?;
    Ok(Tensor::record(name, value, &[x], || {
        let x = x.clone();
        Rule::tensors(move |g, _| Ok(vec![Some(rule(g, &x)?)]))
    }))
}

/// [`with_rule`] with the gradient g · `slope`(x).
pub(crate) fn with_slope(
    name: &'static str,
    x: &Tensor,
    value: impl FnOnce() -> Result<Tensor>,
    slope: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    with_rule(name, x, value, move |g, x| g.mul(&slope(x)?))
}

/// `value`, recorded as a linear function of x, with `back` as its transpose: it gives x's gradient from the output's, in
/// operations that can be differentiated again.
pub(crate) fn linear(
    name: &'static str,
    x: &Tensor,
    value: impl FnOnce() -> Result<Tensor>,
    back: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    let value = no_grad(value)?.into_buffer()?;
    Ok(Tensor::record(name, value, &[x], || Rule::tensors(move |g, _| Ok(vec![Some(back(g)?)]))))
}

/// `value`, recorded as a step function of x: the gradient is 0 everywhere, a view of one zero.
pub(crate) fn step(name: &'static str, x: &Tensor, value: Buffer) -> Tensor {
    Tensor::record(name, value, &[x], || {
        let shape = x.shape().clone();
        Rule::tensors(move |g, _| Ok(vec![Some(g.scalar_like(0.0)?.broadcast_to(&shape)?)]))
    })
}

/// x clamped to ±`bound`; NaN stays. For a factor whose other factor is 0 beyond the bound, where 0 · ∞ would be NaN.
pub(crate) fn within(x: &Tensor, bound: f64) -> Result<Tensor> {
    let (low, high) = (x.scalar_like(-bound)?, x.scalar_like(bound)?);
    x.gt_scalar(bound)?.select(&high, &x.lt_scalar(-bound)?.select(&low, x)?)
}

/// A fused operation: the backend's, with the gradient that its kernel gives, or the `composed` version where the
/// backend has none, and for gradients of gradients.
///
/// `operands` are those of `op` that are present, in order. Those that are floats, which come first, are the inputs of
/// `composed` and of the tape's node; so is the first in any case (a table of integers).
pub(crate) fn fused(
    name: &'static str,
    operands: &[&Tensor],
    op: impl for<'a> Fn(&'a [Tensor]) -> Result<FusedOp<'a>> + Send + Sync + 'static,
    composed: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    let all: Vec<Tensor> = operands.iter().map(|&operand| operand.clone()).collect();
    let inputs = operands.iter().take_while(|operand| operand.dtype().is_float()).count().max(1);
    match operands[0].device().fused(&op(&all)?)? {
        Some(output) => Ok(recorded(name, (output.y, output.saved), &operands[..inputs], all, op, composed)),
        None => composed(&all[..inputs]),
    }
}

/// The output `y` of a fused operation that the backend computed, recorded. `inputs` are those of the `operands` that
/// are floats; the other arguments are those of [`fused`].
pub(crate) fn recorded(
    name: &'static str,
    (y, saved): (Buffer, Saved),
    inputs: &[&Tensor],
    operands: Vec<Tensor>,
    op: impl for<'a> Fn(&'a [Tensor]) -> Result<FusedOp<'a>> + Send + Sync + 'static,
    composed: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
) -> Tensor {
    Tensor::record(name, y, inputs, || {
        Rule::kernel(move |g, needs| fused_gradients(&op(&operands)?, g, &saved, needs), inputs, composed)
    })
}

/// The gradients of a fused operation's inputs, by the backend's kernel; `None` where it has none. The inputs are the
/// operands that are floats, of which `needs` says which need a gradient.
pub(crate) fn fused_gradients(
    op: &FusedOp<'_>,
    g: &Tensor,
    saved: &Saved,
    needs: &[bool],
) -> Result<Option<Vec<Option<Tensor>>>> {
    // Integer operands need none.
    let mut of_all = [false; FusedOp::MOST_OPERANDS];
    of_all[..needs.len()].copy_from_slice(needs);
    let found = g.device().fused_grad(op, g.buffer()?, saved, &of_all[..op.operand_count()])?;
    Ok(found.map(|found| found.into_iter().take(needs.len()).map(|buffer| Some(plain(g, buffer?))).collect()))
}

/// As [`fused_gradients`], for operations of which the contract says that a backend which computes them computes their
/// gradients.
pub(crate) fn chain_gradients(
    op: &FusedOp<'_>,
    g: &Tensor,
    saved: &Saved,
    needs: &[bool],
) -> Result<Vec<Option<Tensor>>> {
    let missing = || Error::argument(op.grad_name(), "the backend computes the operation and not its gradient");
    fused_gradients(op, g, saved, needs)?.ok_or_else(missing)
}

/// The value of a tensor, if there is one.
pub(crate) fn optional(x: Option<&Tensor>) -> Result<Option<&Buffer>> {
    x.map(Tensor::buffer).transpose()
}

/// Which of a layer's optional weight and bias are present. They are its inputs after the first, x.
#[derive(Clone, Copy)]
pub(crate) struct Affine {
    weight: bool,
    bias: bool,
}

impl Affine {
    pub(crate) fn of(weight: Option<&Tensor>, bias: Option<&Tensor>) -> Self {
        Self { weight: weight.is_some(), bias: bias.is_some() }
    }

    /// The inputs that are present, in order.
    pub(crate) fn inputs<'a>(
        self,
        x: &'a Tensor,
        weight: Option<&'a Tensor>,
        bias: Option<&'a Tensor>,
    ) -> Vec<&'a Tensor> {
        [Some(x), weight, bias].into_iter().flatten().collect()
    }

    /// Weight and bias among `inputs`, which are x and those that are present.
    pub(crate) fn parts(self, inputs: &[Tensor]) -> (Option<&Tensor>, Option<&Tensor>) {
        let weight = if self.weight { inputs.get(1) } else { None };
        let bias = if self.bias { inputs.last() } else { None };
        (weight, bias)
    }
}
