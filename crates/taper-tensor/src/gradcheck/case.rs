//! What an operation is checked on.

use crate::Tensor;
use std::fmt;
use taper_backend::{Device, Distribution, RandomKey, Result, Shape};

/// One case: inputs, and a function of them whose gradients are checked.
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

/// What is checked.
type Function = dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync;

enum Input {
    /// Drawn uniformly from a range.
    Drawn(Shape, f64, f64),
    /// Given.
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

    /// One more input, drawn uniformly from (−1, 1).
    pub fn input(self, shape: impl Into<Shape>) -> Self {
        self.input_in(shape, -1.0, 1.0)
    }

    /// One more input, drawn uniformly from `low..high`: for functions with a domain.
    pub fn input_in(mut self, shape: impl Into<Shape>, low: f64, high: f64) -> Self {
        self.inputs.push(Input::Drawn(shape.into(), low, high));
        self
    }

    /// One more input with these values: for edges.
    pub fn values(mut self, shape: impl Into<Shape>, values: Vec<f64>) -> Self {
        self.inputs.push(Input::Values(shape.into(), values));
        self
    }

    /// Declares that the gradient of input `i` is zero everywhere.
    pub fn zero_gradient(mut self, i: usize) -> Self {
        self.zero_gradients.push(i);
        self
    }

    /// Declares the gradient of input `i` for a cotangent of ones, at a kink: it replaces the differences for every input
    /// of this case, and inputs without one are not checked. Second gradients do not exist there.
    pub fn subgradient(mut self, i: usize, gradient: Vec<f64>) -> Self {
        self.subgradients.push((i, gradient));
        self
    }

    /// The inputs that `key` draws, and the function's output for them: to see that a case does what it is there for.
    pub fn evaluate(&self, key: RandomKey, device: &Device) -> Result<(Vec<Tensor>, Tensor)> {
        let inputs = self.draw(key, device)?;
        let output = self.call(&inputs)?;
        Ok((inputs, output))
    }

    /// What distinguishes this case.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn zero_gradients(&self) -> &[usize] {
        &self.zero_gradients
    }

    pub(crate) fn subgradients(&self) -> &[(usize, Vec<f64>)] {
        &self.subgradients
    }

    /// Whether differences mean something.
    pub(crate) fn is_smooth(&self) -> bool {
        self.subgradients.is_empty()
    }

    pub(crate) fn call(&self, inputs: &[Tensor]) -> Result<Tensor> {
        (self.function)(inputs)
    }

    /// The inputs' values, in f64.
    pub(crate) fn draw(&self, key: RandomKey, device: &Device) -> Result<Vec<Tensor>> {
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
