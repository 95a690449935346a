//! Pending values: the fusion of an operation with the operations that follow it.
//!
//! Eager evaluation cannot see the next call, and yet `conv → relu → max_pool` should be one kernel in an ordinary
//! network, and so should `batch norm → add → relu`. So a convolution, a linear layer or a batch norm checks its shapes
//! and returns a tensor whose value is pending. An activation, a max pooling or an addition applied to a pending tensor
//! returns a tensor with a longer pending chain. Reading a tensor's value ([`crate::Tensor::buffer`]) computes its
//! pending chain: in one fused kernel where the backend offers it, else step by step. The node of a fused value has a
//! rule that leads straight to the chain's inputs; the nodes of the steps remain beside it, for gradients of gradients
//! and for gradients with respect to a value in the middle of the chain.

use crate::Tensor;
use crate::tape::Fused;
use std::sync::Arc;
use taper_backend::profile::{current_layer, layer};
use taper_backend::{Activation, Buffer, Pool2dSpec, Result};

/// A chain of operations whose value is computed when it is read.
pub(crate) trait Pending: Send + Sync {
    /// Computes the value, and gives the backward rule of the whole chain if one kernel computed it.
    fn compute(&self) -> Result<(Buffer, Option<Fused>)>;

    /// The tensor whose value this is, for an alias; `None` where there are operations to compute.
    fn origin(&self) -> Option<&Tensor> {
        None
    }

    /// This chain followed by an activation; `None` if it cannot be fused. `this` is the tensor whose value this chain
    /// is.
    fn then_activation(&self, _this: &Tensor, _f: Activation) -> Option<Box<dyn Pending>> {
        None
    }

    /// This chain followed by the addition of `other`, of the same shape and dtype; `None` if it cannot be fused.
    fn then_add(&self, _this: &Tensor, _other: &Tensor) -> Option<Box<dyn Pending>> {
        None
    }

    /// This chain followed by max pooling; `None` if it cannot be fused.
    fn then_max_pool2d(&self, _this: &Tensor, _spec: &Pool2dSpec) -> Option<Box<dyn Pending>> {
        None
    }
}

/// An alias: the value of another tensor, which is never an alias itself, so that reading the last of many aliases does
/// not recurse through all of them ([`Tensor::with_node`] ensures it).
pub(crate) struct Alias(pub(crate) Tensor);

impl Pending for Alias {
    fn compute(&self) -> Result<(Buffer, Option<Fused>)> {
        Ok((self.0.buffer()?.clone(), None))
    }

    fn origin(&self) -> Option<&Tensor> {
        Some(&self.0)
    }
}

/// `chain`, for the profiler: its computation counts for the layer that it began in, wherever its value is read. Without
/// a profiler, and outside of layers, it is the chain itself.
pub(crate) fn in_layer(chain: Box<dyn Pending>) -> Box<dyn Pending> {
    match current_layer() {
        None => chain,
        Some(layer) => Box::new(InLayer { layer, chain }),
    }
}

/// A chain and the layer that it began in. Around another one of these it has no effect: the inner one enters its layer
/// last.
struct InLayer {
    layer: Arc<str>,
    chain: Box<dyn Pending>,
}

impl InLayer {
    fn longer(&self, chain: Option<Box<dyn Pending>>) -> Option<Box<dyn Pending>> {
        Some(Box::new(Self { layer: self.layer.clone(), chain: chain? }))
    }
}

impl Pending for InLayer {
    fn compute(&self) -> Result<(Buffer, Option<Fused>)> {
        let _layer = layer(&self.layer);
        self.chain.compute()
    }

    fn origin(&self) -> Option<&Tensor> {
        self.chain.origin()
    }

    fn then_activation(&self, this: &Tensor, f: Activation) -> Option<Box<dyn Pending>> {
        self.longer(self.chain.then_activation(this, f))
    }

    fn then_add(&self, this: &Tensor, other: &Tensor) -> Option<Box<dyn Pending>> {
        self.longer(self.chain.then_add(this, other))
    }

    fn then_max_pool2d(&self, this: &Tensor, spec: &Pool2dSpec) -> Option<Box<dyn Pending>> {
        self.longer(self.chain.then_max_pool2d(this, spec))
    }
}
