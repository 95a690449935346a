//! The record of one call of a backend's method: shapes and dtypes of operands and results, never values.

use crate::{
    Activation, AdamSpec, BinaryOp, Buffer, CompareOp, Conv2dSpec, CrossEntropySpec, DType, Distribution, HostData,
    PadAmount, ParamGrads, Pool2dSpec, RandomKey, ReduceOp, Result, Saved, SgdSpec, Shape, SliceRange, UnaryOp,
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
    /// An optional fused method returned `None`: the backend has no kernel for it.
    Declined,
    /// The method returned an error.
    Failed,
}

/// A call that has returned.
#[derive(Debug, Clone)]
pub struct Call {
    /// The name of the method: `conv2d`.
    pub method: &'static str,
    /// Which of the method's operations was called: `Add` for `binary`, `Relu` for `linear`. Empty for a method with
    /// one operation.
    pub variant: String,
    /// The buffers that it was given, in order.
    pub operands: Vec<Operand>,
    /// How many of the operands, counted from the first, the method writes to: one for `assign`, three for `adam_step`.
    pub written: usize,
    /// The buffers that it returned.
    pub results: Vec<Operand>,
    /// The convolution's parameters, if it is one.
    pub conv: Option<Conv2dSpec>,
    /// For a method that computes gradients, which were asked for: of input, weight and bias.
    pub needs: Option<[bool; 3]>,
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
            conv: None,
            needs: None,
            flags: Vec::new(),
            began: Instant::now(),
            took: Duration::ZERO,
            ending: Ending::Done,
        }
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

impl Argument for &Conv2dSpec {
    fn note(&self, call: &mut Call) {
        call.conv = Some(**self);
    }
}

impl Argument for [bool; 3] {
    fn note(&self, call: &mut Call) {
        call.needs = Some(*self);
    }
}

/// The last flag is the residual's gradient. It is not recorded: its cost is negligible beside the others.
impl Argument for [bool; 4] {
    fn note(&self, call: &mut Call) {
        call.needs = Some([self[0], self[1], self[2]]);
    }
}

impl Argument for bool {
    fn note(&self, call: &mut Call) {
        call.flags.push(*self);
    }
}

impl Argument for Activation {
    fn note(&self, call: &mut Call) {
        if *self != Activation::Identity {
            call.variant = format!("{self:?}");
        }
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
    HostData,
    &Shape,
    DType,
    f64,
    usize,
    Distribution,
    RandomKey,
    &[usize],
    &[SliceRange],
    &[PadAmount],
    &Pool2dSpec,
    &Saved,
    &CrossEntropySpec,
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

impl Returned for ParamGrads {
    fn note(&self, call: &mut Call) {
        let grads = [&self.x, &self.weight, &self.bias, &self.residual].into_iter().flatten();
        call.results.extend(grads.map(Operand::from));
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
nothing_returned!((), HostData, Saved);

macro_rules! several_returned {
    ($($part:ident),*) => {
        impl<$($part: Returned),*> Returned for ($($part,)*) {
            #[allow(non_snake_case)]
            fn note(&self, call: &mut Call) {
                let ($($part,)*) = self;
                $($part.note(call);)*
            }
        }
    };
}
several_returned!(A, B);
several_returned!(A, B, C);
several_returned!(A, B, C, D);
