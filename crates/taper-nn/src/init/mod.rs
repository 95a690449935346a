//! Initialisation of parameters.
//!
//! Kaiming: He et al., "Delving deep into rectifiers", ICCV 2015, section 2.2. Xavier: Glorot and Bengio,
//! "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010, equations 12 and 16.
//! Numbers are drawn in f64 and rounded to the parameter's dtype, so that runs in f32 and f64 start from the same
//! values. Initialisations that need more than a device's random numbers are computed on the host, each in a file of
//! its own.

mod dirac;
mod orthogonal;
mod truncated_normal;

use crate::params::check_size;
use taper_tensor::{DType, Device, Distribution, Error, HostData, RandomKey, Result, Shape, Tensor};

/// The initialisation of a parameter.
///
/// fan_in is the number of inputs that an output sums over (dim 1 times the kernel's size: `[out, in]`,
/// `[C_out, C_in / groups, Kh, Kw]`), fan_out the same with dim 0. Kaiming's gain is √(2 / (1 + a²)): the right one
/// with a leaky ReLU of negative slope `a`, √2 with a ReLU (`a` = 0).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// 0 for every element.
    Zeros,
    /// 1 for every element.
    Ones,
    /// The same number for every element.
    Constant(f64),
    /// These numbers, in row-major order: as many as the parameter has elements.
    Values(&'static [f64]),
    /// Uniform over ±`bound`.
    Uniform {
        /// Half the width of the range.
        bound: f64,
    },
    /// Normal with mean 0.
    Normal {
        /// The standard deviation.
        std: f64,
    },
    /// Uniform over ±gain · √(3 / fan_in). With `a` = √5, PyTorch's default of linear and convolution layers: ±1/√fan_in.
    KaimingUniform {
        /// The negative slope that the gain is computed for.
        a: f64,
    },
    /// Normal with standard deviation gain / √fan_in.
    KaimingNormal {
        /// The negative slope that the gain is computed for.
        a: f64,
    },
    /// Uniform over ±gain · √(6 / (fan_in + fan_out)).
    XavierUniform {
        /// 1 for linear and sigmoid, 5/3 for tanh, √2 for ReLU.
        gain: f64,
    },
    /// Normal with standard deviation gain · √(2 / (fan_in + fan_out)).
    XavierNormal {
        /// 1 for linear and sigmoid, 5/3 for tanh, √2 for ReLU.
        gain: f64,
    },
    /// gain · Q for a random Q with orthonormal rows or columns, whichever are fewer, of the weight reshaped to
    /// `[out, everything else]`, as PyTorch's `orthogonal_`.
    Orthogonal {
        /// As for Xavier: 1 for linear and sigmoid, 5/3 for tanh, √2 for ReLU.
        gain: f64,
    },
    /// Normal, drawn again where outside `low..=high`, as PyTorch's `trunc_normal_`.
    TruncatedNormal {
        /// The mean, before the truncation.
        mean: f64,
        /// The standard deviation, before the truncation.
        std: f64,
        /// The least value (PyTorch's a, −2 there).
        low: f64,
        /// The largest value (PyTorch's b, 2 there).
        high: f64,
    },
    /// The identity as a convolution's weight: 1 at the centre of the kernel from input channel i to output channel i,
    /// for as many channels as both have; 0 elsewhere. As PyTorch's `dirac_`.
    Dirac {
        /// The convolution's groups: each is initialised to an identity of its own.
        groups: usize,
    },
}

impl Init {
    /// The default of the weights of linear and convolution layers in PyTorch: uniform over ±1/√fan_in.
    pub fn layer_weight() -> Self {
        Self::KaimingUniform { a: 5f64.sqrt() }
    }

    /// The default of their biases in PyTorch: uniform over ±1/√fan_in, with the fan_in of the weight.
    pub fn layer_bias(fan_in: usize) -> Self {
        Self::Uniform { bound: 1.0 / (fan_in as f64).sqrt() }
    }

    /// A tensor of `shape` with this initialisation, drawn from the stream `key`. An error when a fan is needed and
    /// `shape` has fewer than two dimensions, or when the shape or a number of the initialisation does not suit.
    pub fn tensor(self, shape: &Shape, dtype: DType, device: &Device, key: RandomKey) -> Result<Tensor> {
        // Initialisations that no device draws: computed on the host in f64.
        let host = |make: &dyn Fn() -> Result<Vec<f64>>| -> Result<Tensor> {
            check_size("init", shape, dtype)?;
            if !dtype.is_float() {
                return Err(Error::dtype("init", format!("{self:?} makes floats, {dtype} was asked for")));
            }
            if !device.holds_values() {
                return Tensor::zeros(shape, dtype, device);
            }
            Tensor::from_host(HostData::from_f64(&make()?, dtype), shape, device)
        };
        let kaiming = |a: f64| -> Result<f64> { Ok((2.0 / (1.0 + a * a) / fans(shape)?.0).sqrt()) };
        let xavier =
            |gain: f64| -> Result<f64> { fans(shape).map(|(fan_in, out)| gain * (2.0 / (fan_in + out)).sqrt()) };
        let uniform = |bound: f64| Distribution::Uniform { low: -bound, high: bound };
        let normal = |std: f64| Distribution::Normal { mean: 0.0, std };
        // A uniform distribution over ±b has standard deviation b / √3.
        let distribution = match self {
            Self::Zeros => return Tensor::zeros(shape, dtype, device),
            Self::Ones => return Tensor::ones(shape, dtype, device),
            Self::Constant(value) => return Tensor::full(value, shape, dtype, device),
            Self::Values(values) if values.len() == shape.count() => return host(&|| Ok(values.to_vec())),
            Self::Values(values) => {
                let detail = format!("{} values came for a parameter of shape {shape}", values.len());
                return Err(Error::shape("init", detail));
            }
            Self::Uniform { bound } => uniform(bound),
            Self::Normal { std } => normal(std),
            Self::KaimingUniform { a } => uniform(3f64.sqrt() * kaiming(a)?),
            Self::KaimingNormal { a } => normal(kaiming(a)?),
            Self::XavierUniform { gain } => uniform(3f64.sqrt() * xavier(gain)?),
            Self::XavierNormal { gain } => normal(xavier(gain)?),
            Self::Orthogonal { gain } => return host(&|| orthogonal::values(shape, gain, key)),
            Self::TruncatedNormal { mean, std, low, high } => {
                return host(&|| truncated_normal::values(shape.count(), mean, std, [low, high], key));
            }
            Self::Dirac { groups } => return host(&|| dirac::values(shape, groups)),
        };
        Tensor::random(distribution, key, shape, dtype, device)
    }
}

/// (fan_in, fan_out) of a weight.
fn fans(shape: &Shape) -> Result<(f64, f64)> {
    let [out, input, kernel @ ..] = shape.dims() else {
        let detail = format!("Kaiming and Xavier need a weight of at least two dimensions, the shape is {shape}");
        return Err(Error::shape("init", detail));
    };
    let kernel = kernel.iter().product::<usize>() as f64;
    // 1 keeps the arithmetic finite for a weight without elements.
    Ok(((*input as f64 * kernel).max(1.0), (*out as f64 * kernel).max(1.0)))
}
