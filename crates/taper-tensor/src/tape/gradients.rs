//! The gradients that a backward pass returns.

use crate::{Param, Tensor};
use std::collections::HashMap;

/// The gradients of one scalar with respect to every leaf that it depends on.
#[derive(Debug, Default)]
pub struct Gradients(pub(crate) HashMap<u64, Tensor>);

impl Gradients {
    /// The gradient with respect to a leaf; `None` when the scalar does not depend on it, or it is not a leaf.
    pub fn of(&self, leaf: &Tensor) -> Option<&Tensor> {
        let (variable, _) = leaf.node()?.leaf.as_ref()?;
        self.0.get(&variable.id)
    }

    /// The gradient with respect to a parameter; `None` when the scalar does not depend on it.
    pub fn of_param(&self, param: &Param) -> Option<&Tensor> {
        self.0.get(&param.variable().id)
    }

    /// Sets the gradient of a parameter: to a clipped or scaled one, for example. It must have the parameter's shape
    /// and dtype and be on its device; optimisers return an error for any other.
    pub fn set_param(&mut self, param: &Param, gradient: Tensor) {
        self.0.insert(param.variable().id, gradient);
    }
}
