//! The gate: what happens around the forward of every layer.

use super::{Context, count};
use crate::layers::at;
use std::borrow::Cow;
use std::ops::Deref;
use std::sync::OnceLock;
use taper_tensor::profile;
use taper_tensor::{DType, Param, Result, Tensor};

/// The context inside a layer ([`Context::layer`]): it may be in evaluation mode where the one around it trains. It
/// knows the layer, and is used as a [`Context`] everywhere else.
#[derive(Debug)]
pub struct LayerContext<'a> {
    context: Cow<'a, Context>,
    path: &'a str,
    nth: OnceLock<u64>,
}

impl LayerContext<'_> {
    /// The layer's path, such as `layer1.0.conv1`.
    pub fn path(&self) -> &str {
        self.path
    }

    /// How many times the layer ran before in this step: 0 the first time. Runs are counted for layers that ask, in each
    /// of their runs.
    pub fn nth(&self) -> u64 {
        *self.nth.get_or_init(|| count(&self.context.step.runs, self.path))
    }

    /// `x` as an operand of a matrix product or a convolution: in the dtype to compute in
    /// ([`Context::compute_in`]), or unchanged where none is set.
    pub fn operand(&self, x: &Tensor) -> Result<Tensor> {
        match self.context.compute_dtype {
            Some(dtype) if dtype != x.dtype() && x.dtype().is_float() => x.cast(dtype),
            _ => Ok(x.clone()),
        }
    }

    /// A layer's input, weight and bias as [`operand`](Self::operand)s.
    pub(crate) fn operands(
        &self,
        x: &Tensor,
        weight: &Param,
        bias: Option<&Param>,
    ) -> Result<(Tensor, Tensor, Option<Tensor>)> {
        let bias = bias.map(|bias| self.operand(&bias.tensor())).transpose()?;
        Ok((self.operand(x)?, self.operand(&weight.tensor())?, bias))
    }

    /// `x` as the input of a layer that computes in its parameters' dtype, `dtype`, where others compute in another one
    /// ([`Context::compute_in`]). Unchanged where none is set: no operation promotes dtypes silently.
    pub fn in_param_dtype(&self, x: &Tensor, dtype: DType) -> Result<Tensor> {
        match self.context.compute_dtype {
            Some(_) if dtype != x.dtype() && x.dtype().is_float() => x.cast(dtype),
            _ => Ok(x.clone()),
        }
    }
}

impl Deref for LayerContext<'_> {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

/// What a layer returns: a tensor, or a tensor and more, as a recurrent layer returns its output and its state.
pub trait LayerOutput {
    /// The layer's output, which is what a capture takes.
    fn output(&self) -> &Tensor;
}

impl LayerOutput for Tensor {
    fn output(&self) -> &Tensor {
        self
    }
}

impl<T> LayerOutput for (Tensor, T) {
    fn output(&self) -> &Tensor {
        &self.0
    }
}

/// See [`Context::layer`]. Where nothing is asked of layers by name, and no profiler is there, this costs two branches.
#[inline]
pub(super) fn run<T: LayerOutput>(
    context: &Context,
    path: &str,
    run: impl FnOnce(&LayerContext) -> Result<T>,
) -> Result<T> {
    let _label = profile::layer(path);
    let inside = |context| LayerContext { context, path, nth: OnceLock::new() };
    let Some(watch) = &context.watch else { return at(path, run(&inside(Cow::Borrowed(context)))) };
    let context = match context.training && watch.evaluates(path) {
        true => Cow::Owned(Context { training: false, ..context.clone() }),
        false => Cow::Borrowed(context),
    };
    let layer = inside(context);
    let y = at(path, run(&layer))?;
    layer.seen().note(path, watch.captures(path).then(|| y.output().clone()));
    Ok(y)
}
