//! The trait of layers and models, and modules in sequence.

use crate::Context;
use taper_tensor::{Activation, Result, Tensor};

/// A layer or a model: a function of one tensor, with parameters.
pub trait Module: Send + Sync {
    /// The output for the input `x`.
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor>;

    /// The modules that this one applies in sequence, if it is a [`Sequential`]; `None` for any other module.
    /// [`Sequential::then`] takes them over, so that a `Sequential` appended to another is flattened, not nested.
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

/// Modules applied one after the other, as PyTorch's `nn.Sequential`. A model with a structure worth explaining is
/// better written as a struct of its own.
#[derive(Default)]
pub struct Sequential(Vec<Box<dyn Module>>);

impl Sequential {
    /// An empty sequence, which returns its input.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a module; of another `Sequential`, each of its modules.
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
