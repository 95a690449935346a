//! What a walk returns.

use crate::{Param, Tensor};
use std::collections::HashMap;

/// The gradients of one scalar with respect to every leaf that it depends on.
#[derive(Debug, Default)]
pub struct Gradients(pub(crate) HashMap<u64, Tensor>);

impl Gradients {
    /// The gradient of a leaf; `None` when the scalar does not depend on it, or it is no leaf.
    pub fn of(&self, leaf: &Tensor) -> Option<&Tensor> {
        let (variable, _) = leaf.node()?.leaf.as_ref()?;
        self.0.get(&variable.id)
    }

    /// The gradient of a parameter.
    pub fn of_param(&self, param: &Param) -> Option<&Tensor> {
        self.0.get(&param.variable().id)
    }

    /// Puts another gradient in a parameter's place: a clipped or scaled one, of its shape and dtype, on its device.
    /// Optimisers refuse to step with any other.
    pub fn set_param(&mut self, param: &Param, gradient: Tensor) {
        self.0.insert(param.variable().id, gradient);
    }
}
