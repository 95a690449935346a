//! What layers and models have in common.

use crate::Context;
use taper_tensor::{Activation, Result, Tensor};

/// A function of one tensor, with parameters: a layer, a model.
pub trait Module: Send + Sync {
    /// The output for the input `x`.
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor>;

    /// The modules that this one runs one after the other, if it is a [`Sequential`], which another can take over: a chain
    /// of them is a list, not a nest.
    fn sequence(&mut self) -> Option<&mut Vec<Box<dyn Module>>> {
        None
    }
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        (**self).forward(x, context)
    }

    fn sequence(&mut self) -> Option<&mut Vec<Box<dyn Module>>> {
        (**self).sequence()
    }
}

/// An activation function is a layer without parameters.
impl Module for Activation {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        x.activation(*self)
    }
}

/// Modules one after the other. A model with a shape worth explaining is better written as a struct of its own.
#[derive(Default)]
pub struct Sequential(Vec<Box<dyn Module>>);

impl Sequential {
    /// No module: the identity.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more module behind the others; of another `Sequential`, each of its modules.
    pub fn then(mut self, mut module: impl Module + 'static) -> Self {
        match module.sequence() {
            Some(modules) if self.0.is_empty() => self.0 = std::mem::take(modules),
            Some(modules) => self.0.append(modules),
            None => self.0.push(Box::new(module)),
        }
        self
    }
}

impl Module for Sequential {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.0.iter().try_fold(x.clone(), |x, module| module.forward(&x, context))
    }

    fn sequence(&mut self) -> Option<&mut Vec<Box<dyn Module>>> {
        Some(&mut self.0)
    }
}
