//! Values that wait, so that what follows can join them.
//!
//! Eager evaluation cannot see the next call, and yet `conv → relu → max_pool` should be one kernel in an ordinary
//! network, and so should `batch norm → add → relu`. So a convolution checks its shapes, returns a tensor whose value is
//! pending, and an activation or a pooling that is applied to a pending tensor makes a longer pending chain. Whoever reads a value ([`crate::Tensor::buffer`])
//! has its chain computed: in one fused kernel where the backend offers it, else step by step. A fused value's node on
//! the tape leads straight to the chain's inputs; the nodes of the steps remain beside it, for gradients of gradients
//! and for gradients with respect to a value in the middle.

use crate::Tensor;
use crate::tape::Fused;
use taper_backend::{Activation, Buffer, Pool2dSpec, Result};

/// A value to be computed when it is read.
pub(crate) trait Pending: Send + Sync {
    /// The value, and the backward rule of the whole chain if one kernel computed it.
    fn compute(&self) -> Result<(Buffer, Option<Fused>)>;

    /// The tensor whose value this is, where there is nothing else to compute.
    fn origin(&self) -> Option<&Tensor> {
        None
    }

    /// This chain with an activation behind it. `this` is the tensor that waits.
    fn then_activation(&self, _this: &Tensor, _f: Activation) -> Option<Box<dyn Pending>> {
        None
    }

    /// This chain with `other`, of the same shape, added.
    fn then_add(&self, _this: &Tensor, _other: &Tensor) -> Option<Box<dyn Pending>> {
        None
    }

    /// This chain with max pooling behind it.
    fn then_max_pool2d(&self, _this: &Tensor, _spec: &Pool2dSpec) -> Option<Box<dyn Pending>> {
        None
    }
}

/// The value of another tensor, whatever that waits for: never for a third one's, so that a chain of handles is not as
/// deep as it is long ([`Tensor::with_node`] sees to it).
pub(crate) struct Same(pub(crate) Tensor);

impl Pending for Same {
    fn compute(&self) -> Result<(Buffer, Option<Fused>)> {
        Ok((self.0.buffer()?.clone(), None))
    }

    fn origin(&self) -> Option<&Tensor> {
        Some(&self.0)
    }
}
