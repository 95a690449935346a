//! A case of a gradient check: a function and its inputs.

use crate::Tensor;
use std::fmt;
use taper_backend::{Device, Distribution, RandomKey, Result, Shape};

/// One case of a gradient check: inputs, and a function of them whose gradients are checked.
///
/// ```
/// use taper_tensor::gradcheck::{Case, check};
/// use taper_tensor::{Device, RandomKey};
/// # fn main() -> taper_tensor::Result<()> {
/// let device = Device::new(taper_cpu::CpuBackend::new()?);
/// let case = Case::new("a row", |x| x[0].add(&x[1])).input([4, 3]).input([3]);
/// assert!(check(&case, &device, RandomKey::new(0))? < 1e-6);
/// # Ok(())
/// # }
/// ```
pub struct Case {
    name: String,
    function: Box<Function>,
    inputs: Vec<Input>,
    zero_gradients: Vec<usize>,
    subgradients: Vec<(usize, Vec<f64>)>,
}

/// The function whose gradients are checked.
type Function = dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync;

enum Input {
    /// Drawn uniformly from a range.
    Drawn(Shape, f64, f64),
    /// With given values.
    Values(Shape, Vec<f64>),
}

impl Case {
    /// A case of `function`, which takes the inputs in the order in which they are added below.
    pub fn new(
        name: impl Into<String>,
        function: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    ) -> Self {
        let function = Box::new(function);
        Self { name: name.into(), function, inputs: Vec::new(), zero_gradients: Vec::new(), subgradients: Vec::new() }
    }

    /// Adds an input drawn uniformly from −1..1.
    pub fn input(self, shape: impl Into<Shape>) -> Self {
        self.input_in(shape, -1.0, 1.0)
    }

    /// Adds an input drawn uniformly from `low..high`: for functions that are not defined everywhere.
    pub fn input_in(mut self, shape: impl Into<Shape>, low: f64, high: f64) -> Self {
        self.inputs.push(Input::Drawn(shape.into(), low, high));
        self
    }

    /// Adds an input with the given values: for edge cases.
    pub fn values(mut self, shape: impl Into<Shape>, values: Vec<f64>) -> Self {
        self.inputs.push(Input::Values(shape.into(), values));
        self
    }

    /// Declares that the gradient of input `i` is zero everywhere.
    pub fn zero_gradient(mut self, i: usize) -> Self {
        self.zero_gradients.push(i);
        self
    }

    /// Declares the gradient of input `i` for a cotangent of ones, for inputs at a kink of the function. A case with a
    /// declared gradient is compared with that instead of central differences: inputs without a declared gradient are
    /// not checked, and neither are second gradients, which do not exist there.
    pub fn subgradient(mut self, i: usize, gradient: Vec<f64>) -> Self {
        self.subgradients.push((i, gradient));
        self
    }

    /// The inputs that `key` draws, and the function's output for them: for tests that a case covers what it is meant
    /// to.
    pub fn evaluate(&self, key: RandomKey, device: &Device) -> Result<(Vec<Tensor>, Tensor)> {
        let inputs = self.draw(key, device)?;
        let output = self.call(&inputs)?;
        Ok((inputs, output))
    }

    /// The case's name, which distinguishes it from the subject's other cases.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn zero_gradients(&self) -> &[usize] {
        &self.zero_gradients
    }

    pub(crate) fn subgradients(&self) -> &[(usize, Vec<f64>)] {
        &self.subgradients
    }

    /// Whether the function is smooth at the inputs, so that central differences approximate the gradient.
    pub(crate) fn is_smooth(&self) -> bool {
        self.subgradients.is_empty()
    }

    /// The function's output for `inputs`.
    pub fn call(&self, inputs: &[Tensor]) -> Result<Tensor> {
        (self.function)(inputs)
    }

    /// The values of the inputs, in f64. `key` draws the random ones.
    pub fn draw(&self, key: RandomKey, device: &Device) -> Result<Vec<Tensor>> {
        let draw = |(i, input): (usize, &Input)| match input {
            Input::Drawn(shape, low, high) => {
                let distribution = Distribution::Uniform { low: *low, high: *high };
                Tensor::random(distribution, key.index(i as u64), shape, crate::DType::F64, device)
            }
            Input::Values(shape, values) => Tensor::from_vec(values.clone(), shape, device),
        };
        self.inputs.iter().enumerate().map(draw).collect()
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({}, {} inputs)", self.name, self.inputs.len())
    }
}
