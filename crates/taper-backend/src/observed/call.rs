//! The record of one call of a backend's method: shapes and dtypes of operands and results, never values.

use crate::{
    AdamSpec, BinaryOp, Buffer, CompareOp, Conv2dSpec, DType, Distribution, FusedOp, FusedOutput, HostData, PadAmount,
    Pool2dSpec, RandomKey, ReduceOp, Result, SgdSpec, Shape, SliceRange, UnaryOp,
};
use std::fmt;
use std::time::{Duration, Instant};

/// The shape and dtype of an operand or a result, written `f32[64, 10]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Operand {
    /// The logical shape.
    pub shape: Shape,
    /// The dtype of the elements.
    pub dtype: DType,
}

impl Operand {
    /// The bytes of its elements; a broadcast view counts every repeated element.
    pub fn bytes(&self) -> u64 {
        self.shape.count() as u64 * self.dtype.size() as u64
    }
}

impl From<&Buffer> for Operand {
    fn from(buffer: &Buffer) -> Self {
        Self { shape: buffer.shape().clone(), dtype: buffer.dtype() }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, self.shape)
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The method returned its result.
    Done,
    /// An optional method returned `None`: the backend has no kernel for it.
    Declined,
    /// The method returned an error.
    Failed,
}

/// A call that has returned.
#[derive(Debug, Clone)]
pub struct Call {
    /// The name of the method, `conv2d`; of a fused operation or of its gradient, `linear`, `linear_grad`.
    pub method: &'static str,
    /// Which of the method's operations was called: `Add` for `binary`, `Relu` for `linear`. Empty for a method with
    /// one operation.
    pub variant: String,
    /// The buffers that it was given, in order: for the gradient of a fused operation the output's gradient, then the
    /// operands whose values it reads.
    pub operands: Vec<Operand>,
    /// How many of the operands, counted from the first, the method writes to: one for `assign`, three for `adam_step`.
    pub written: usize,
    /// The buffers that it returned.
    pub results: Vec<Operand>,
    /// For a fused operation, the floating-point operations of its products ([`FusedOp::flop`]).
    pub flop: Option<u64>,
    /// The boolean arguments, in order: `transpose_a` and `transpose_b` of `matmul`.
    pub flags: Vec<bool>,
    /// When the call began.
    pub began: Instant,
    /// How long the call took, by the host's clock.
    pub took: Duration,
    /// How the call ended.
    pub ending: Ending,
}

impl Call {
    /// The record of a call of `method`, with nothing filled in yet.
    pub fn new(method: &'static str) -> Self {
        Self {
            method,
            variant: String::new(),
            operands: Vec::new(),
            written: 0,
            results: Vec::new(),
            flop: None,
            flags: Vec::new(),
            began: Instant::now(),
            took: Duration::ZERO,
            ending: Ending::Done,
        }
    }

    /// The record of a call that computes `op`.
    pub(super) fn fused(op: &FusedOp<'_>) -> Self {
        let operands = op.operands().into_iter().map(Operand::from).collect();
        Self { variant: op.variant(), operands, flop: op.flop(), ..Self::new(op.name()) }
    }

    /// The record of a call that computes the gradients of `op`.
    pub(super) fn fused_grad(op: &FusedOp<'_>, g: &Buffer, needs: &[bool]) -> Self {
        let operands = std::iter::once(g).chain(op.grad_operands()).map(Operand::from).collect();
        Self { variant: op.variant(), operands, flop: op.grad_flop(needs), ..Self::new(op.grad_name()) }
    }
}

/// An argument of a backend's method. `note` records in `call` what an observer may see of it; by default nothing.
pub(super) trait Argument {
    fn note(&self, _call: &mut Call) {}
}

impl Argument for &Buffer {
    fn note(&self, call: &mut Call) {
        call.operands.push(Operand::from(*self));
    }
}

impl Argument for &mut Buffer {
    fn note(&self, call: &mut Call) {
        call.written += 1;
        call.operands.push(Operand::from(&**self));
    }
}

impl<T: Argument> Argument for Option<T> {
    fn note(&self, call: &mut Call) {
        if let Some(argument) = self {
            argument.note(call);
        }
    }
}

impl Argument for &[&Buffer] {
    fn note(&self, call: &mut Call) {
        call.operands.extend(self.iter().map(|buffer| Operand::from(*buffer)));
    }
}

impl Argument for bool {
    fn note(&self, call: &mut Call) {
        call.flags.push(*self);
    }
}

macro_rules! variants {
    ($($of:ty),*) => {$(
        impl Argument for $of {
            fn note(&self, call: &mut Call) {
                call.variant = format!("{self:?}");
            }
        }
    )*};
}
variants!(UnaryOp, BinaryOp, CompareOp, ReduceOp);

macro_rules! unseen {
    ($($of:ty),* $(,)?) => {$(
        impl Argument for $of {}
    )*};
}
unseen!(
    &HostData,
    &Shape,
    DType,
    f64,
    usize,
    Distribution,
    RandomKey,
    &[usize],
    &[SliceRange],
    &[PadAmount],
    &Conv2dSpec,
    &Pool2dSpec,
    &AdamSpec,
    &SgdSpec,
);

/// The result of a backend's method. `note` records in `call` what an observer may see of it.
pub(super) trait Returned {
    fn note(&self, call: &mut Call);
}

impl Returned for Buffer {
    fn note(&self, call: &mut Call) {
        call.results.push(Operand::from(self));
    }
}

impl Returned for FusedOutput {
    fn note(&self, call: &mut Call) {
        call.results.extend(std::iter::once(&self.y).chain(&self.more).map(Operand::from));
    }
}

impl Returned for Vec<Option<Buffer>> {
    fn note(&self, call: &mut Call) {
        call.results.extend(self.iter().flatten().map(Operand::from));
    }
}

impl<T: Returned> Returned for Option<T> {
    fn note(&self, call: &mut Call) {
        match self {
            Some(returned) => returned.note(call),
            None => call.ending = Ending::Declined,
        }
    }
}

impl<T: Returned> Returned for Result<T> {
    fn note(&self, call: &mut Call) {
        match self {
            Ok(returned) => returned.note(call),
            Err(_) => call.ending = Ending::Failed,
        }
    }
}

macro_rules! nothing_returned {
    ($($of:ty),*) => {$(
        impl Returned for $of {
            fn note(&self, _call: &mut Call) {}
        }
    )*};
}
nothing_returned!((), HostData);

impl Returned for (Buffer, Buffer) {
    fn note(&self, call: &mut Call) {
        self.0.note(call);
        self.1.note(call);
    }
}
