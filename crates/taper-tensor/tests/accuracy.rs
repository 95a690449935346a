//! The accuracy of every unary operation and activation on a part of the floats: each exponent, both signs, and what is
//! special. Bounds in ulp are the worst over all 2³² floats, which `docs/accuracy.md` lists, rounded up.

#[path = "../examples/accuracy/functions.rs"]
mod functions;
#[path = "../examples/accuracy/measure.rs"]
#[allow(dead_code)] // all floats are the example's
mod measure;

use functions::all;
use measure::{Tally, judge};
use taper_backend::{Activation, DType, Pool2dSpec};
use taper_cpu::{CpuBackend, CpuOptions, Isa};
use taper_tensor::{Device, Result, Tensor};

/// What may be off by more than 4 ulp, and by how much. A derivative that crosses 0 keeps its absolute precision there, not
/// its relative one; those are bounded by 2⁻²² of the largest value in `near_their_zeros`.
fn bound(name: &str) -> f64 {
    match name {
        "normal_cdf" | "gelu" => 8.0,
        "gelu_tanh" | "silu" | "sigmoid′" | "tanh′" => 6.0,
        "sigmoid″" | "tanh″" | "softplus″" => 8.0,
        // Products with what is subnormal.
        "exp_neg_square′" | "normal_pdf′" => 16.0,
        "gelu′" | "gelu_tanh′" | "silu′" | "gelu″" | "silu″" => f64::INFINITY,
        _ => 4.0,
    }
}

/// Floats of every exponent and both signs, and the special ones.
fn arguments() -> Vec<f32> {
    let special = [0.0, f32::INFINITY, f32::NAN, f32::MAX, f32::MIN_POSITIVE, f32::from_bits(1), 1.0, 3.0, 20.0, 88.0];
    let spread = (0..u64::from(u32::MAX)).step_by(65_521).map(|bits| f32::from_bits(bits as u32));
    special.into_iter().flat_map(|x| [x, -x]).chain(spread).collect()
}

#[test]
fn within_their_bounds_on_every_instruction_set() -> Result<()> {
    let of = |isa| CpuBackend::with_options(CpuOptions { threads: 1, isa: Some(isa), ..CpuOptions::default() });
    let sets = Isa::available();
    let devices: Vec<Device> = sets.iter().map(|&isa| Ok(Device::new(of(isa)?))).collect::<Result<_>>()?;
    let x = arguments();
    for function in all() {
        let mut tallies = vec![Tally::default(); devices.len()];
        judge(&function, &x, &devices, &mut tallies)?;
        for (isa, tally) in sets.iter().zip(&tallies) {
            let name = function.name;
            assert_eq!(tally.wrong, [0; 3], "{name} on {isa}: {:?}", tally.example);
            assert!(tally.worst <= bound(name), "{name} on {isa}: {} ulp at {:e}", tally.worst, tally.at);
        }
    }
    Ok(())
}

/// Derivatives that cross 0, within 3e-7 of the truth near there.
#[test]
fn near_their_zeros() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(1)?);
    let x: Vec<f32> = (-4000..4000).map(|i| i as f32 / 1000.0).collect();
    for function in all().into_iter().filter(|function| bound(function.name).is_infinite()) {
        for (&x, y) in x.iter().zip(function.computed.at(&x, &device)?) {
            let error = (f64::from(y) - (function.truth)(x.into())).abs();
            assert!(error <= 3e-7, "{} at {x}: {y}, off by {error:e}", function.name);
        }
    }
    Ok(())
}

const ACTIVATIONS: [Activation; 10] = [
    Activation::Relu,
    Activation::LeakyRelu { negative_slope: 0.1 },
    Activation::Elu { alpha: 1.0 },
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Softplus { beta: 1.0, threshold: 20.0 },
    Activation::Hardswish,
];

/// In every dtype: NaN stays NaN, in derivatives too.
#[test]
fn nan_comes_through() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(1)?);
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        let leaf = || Ok(Tensor::from_vec(vec![1.0, f64::NAN], [2], &device)?.cast(dtype)?.detach().requires_grad());
        let check = |name: String, x: &Tensor, y: Tensor| -> Result<()> {
            let slope = y.sum_all()?.backward()?.of(x).map(|g| g.cast(DType::F64)?.to_vec::<f64>()).transpose()?;
            let value = y.cast(DType::F64)?.to_vec::<f64>()?;
            assert!(value[0].is_finite() && value[1].is_nan(), "{name} in {dtype}: {value:?}");
            let slope = slope.unwrap_or_default();
            assert!(slope[0].is_finite() && slope[1].is_nan(), "the gradient of {name} in {dtype}: {slope:?}");
            Ok(())
        };
        for f in ACTIVATIONS {
            let x = leaf()?;
            check(format!("{f:?}"), &x, x.activation(f)?)?;
        }
        type Function = fn(&Tensor) -> Result<Tensor>;
        let zero = |x: &Tensor| Tensor::zeros([2], x.dtype(), x.device());
        let others: [(&str, Function); 4] =
            [("abs", Tensor::abs), ("exp", Tensor::exp), ("erf", Tensor::erf), ("normal_cdf", Tensor::normal_cdf)];
        for (name, f) in others {
            let x = leaf()?;
            check(name.into(), &x, f(&x)?)?;
        }
        let x = leaf()?;
        check("maximum".into(), &x, x.maximum(&zero(&x)?)?)?;
        let x = leaf()?;
        check("minimum".into(), &x, zero(&x)?.minimum(&x)?)?;
        let x = leaf()?.reshape([1, 1, 1, 2])?;
        let pooled = x.max_pool2d(Pool2dSpec::square(1))?.cast(DType::F64)?.to_vec::<f64>()?;
        assert!(pooled[0] == 1.0 && pooled[1].is_nan(), "max pooling in {dtype}: {pooled:?}");
    }
    Ok(())
}

/// Infinite arguments give the limits, in values and derivatives, in every dtype.
#[test]
fn limits_at_infinity() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(1)?);
    let infinity = f64::INFINITY;
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        for f in ACTIVATIONS {
            let x = Tensor::from_vec(vec![-infinity, infinity], [2], &device)?.cast(dtype)?.detach().requires_grad();
            let y = x.activation(f)?;
            let slopes = y.sum_all()?.backward()?.of(&x).unwrap().cast(DType::F64)?.to_vec::<f64>()?;
            let leaky = f64::from(0.1f32);
            let due = match f {
                Activation::LeakyRelu { .. } => ([-infinity, infinity], [leaky, 1.0]),
                Activation::Elu { .. } => ([-1.0, infinity], [0.0, 1.0]),
                Activation::Sigmoid => ([0.0, 1.0], [0.0, 0.0]),
                Activation::Tanh => ([-1.0, 1.0], [0.0, 0.0]),
                _ => ([0.0, infinity], [0.0, 1.0]),
            };
            let values = y.cast(DType::F64)?.to_vec::<f64>()?;
            assert_eq!(values, due.0, "{f:?} in {dtype}");
            let near = |a: f64, b: f64| a == b || (a - b).abs() < 1e-3;
            assert!(near(slopes[0], due.1[0]) && near(slopes[1], due.1[1]), "{f:?} in {dtype}: {slopes:?}");
        }
    }
    Ok(())
}

/// Halves are computed in f32 and rounded.
#[test]
fn new_operations_in_halves() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(1)?);
    type Function = fn(&Tensor) -> Result<Tensor>;
    let all: [Function; 5] =
        [Tensor::expm1, Tensor::exp_neg_square, Tensor::normal_cdf, Tensor::normal_pdf, Tensor::atan];
    for dtype in [DType::F16, DType::BF16] {
        let x = Tensor::from_vec(vec![-1.5, 1e-3], [2], &device)?.cast(dtype)?;
        for f in all {
            let due = f(&x.cast(DType::F32)?)?.cast(dtype)?.cast(DType::F64)?.to_vec::<f64>()?;
            assert_eq!(f(&x)?.cast(DType::F64)?.to_vec::<f64>()?, due, "{dtype}");
            assert!(due.iter().all(|y| *y != 0.0));
        }
    }
    Ok(())
}
