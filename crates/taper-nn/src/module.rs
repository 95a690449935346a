//! The trait of layers and models, modules in sequence, and modules under a name.

use crate::{Context, Params};
use taper_tensor::{Activation, Result, Tensor};

/// A layer or a model: a function of one tensor, with parameters.
pub trait Module: Send + Sync {
    /// The output for the input `x`.
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor>;

    /// The auxiliary heads of a classifier, whose losses are added in training: the path of each layer whose output is
    /// further logits ([`Context::capture`] gives them), with the weight of its loss. Most have none.
    fn auxiliary(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// The modules that this one applies in sequence, if it is a [`Sequential`]; `None` for any other module.
    /// [`Sequential::then`] takes them over, so that a `Sequential` appended to another is flattened, not nested.
    fn sequence(&mut self) -> Option<&mut Vec<Box<dyn Module>>> {
        None
    }
}

impl<M: Module + ?Sized> Module for &M {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        (**self).forward(x, context)
    }

    fn auxiliary(&self) -> Vec<(String, f64)> {
        (**self).auxiliary()
    }
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        (**self).forward(x, context)
    }

    fn auxiliary(&self) -> Vec<(String, f64)> {
        (**self).auxiliary()
    }

    fn sequence(&mut self) -> Option<&mut Vec<Box<dyn Module>>> {
        (**self).sequence()
    }
}

/// Applies a module to a tensor, so that modules are read in the order in which they are applied:
/// `x.pass(&self.conv1, context)?.pass(&self.bn1, context)?.relu()?`.
pub trait Pass {
    /// `module.forward(self, context)`.
    fn pass(&self, module: &(impl Module + ?Sized), context: &Context) -> Result<Tensor>;
}

impl Pass for Tensor {
    fn pass(&self, module: &(impl Module + ?Sized), context: &Context) -> Result<Tensor> {
        module.forward(self, context)
    }
}

/// A module under a path ([`Context::layer`]), for one that has no parameters and so no path of its own: an activation, a
/// pooling, a [`Sequential`].
///
/// ```
/// use taper_nn::{AdaptiveAvgPool2d, Context, DType, Device, Named, Params, Pass, RandomKey, Tensor};
/// # fn main() -> taper_nn::Result<()> {
/// # let device = Device::new(taper_cpu::CpuBackend::new()?);
/// let params = Params::new(&device, DType::F32, RandomKey::new(0));
/// let pool = Named::new(AdaptiveAvgPool2d::new(1), &params.sub("avgpool"));
/// let context = Context::eval().capture("avgpool");
/// Tensor::ones([2, 8, 4, 4], DType::F32, &device)?.pass(&pool, &context)?;
/// assert_eq!(context.captured()?[0].1.shape().dims(), [2, 8, 1, 1]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Named<M> {
    path: String,
    module: M,
}

impl<M: Module> Named<M> {
    /// `module` under the path of `params`.
    pub fn new(module: M, params: &Params) -> Self {
        Self { path: params.path().to_owned(), module }
    }
}

impl<M: Module> Module for Named<M> {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| self.module.forward(x, context))
    }
}

/// An activation function is a layer without parameters.
impl Module for Activation {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        x.activation(*self)
    }
}

/// Modules applied one after the other, as PyTorch's `nn.Sequential`. Its modules have the paths that they were created
/// with (`params.sub("0")` for PyTorch's names); it has none itself, nor has a module without parameters, unless it is
/// [`Named`]. A model with a structure worth explaining is better written as a struct of its own.
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
