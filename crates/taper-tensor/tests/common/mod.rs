//! What the tests share.
#![allow(dead_code)] // each test program uses some of it

use taper_cpu::CpuBackend;
use taper_tensor::{DType, Device, Element, Error, Result, Shape, Tensor};

pub fn device() -> Device {
    Device::new(CpuBackend::with_threads(2).expect("two threads"))
}

/// The f64 numbers sin(1.7 · k · i), i = 0, 1, …, which a peer's script draws too.
pub fn wave(shape: impl Into<Shape>, k: f64, device: &Device) -> Tensor {
    let shape = shape.into();
    let values: Vec<f64> = (0..shape.count()).map(|i| (i as f64 * 1.7 * k).sin()).collect();
    Tensor::from_vec(values, shape, device).expect("a tensor of waves")
}

pub fn f64s<const N: usize>(values: [f64; N], device: &Device) -> Tensor {
    Tensor::from_vec(values.to_vec(), [N], device).expect("a vector")
}

pub fn zeros(shape: impl Into<Shape>, device: &Device) -> Tensor {
    Tensor::zeros(shape, DType::F64, device).expect("zeros")
}

/// ‖a − b‖ / ‖b‖; NaN when the lengths differ.
pub fn apart(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::NAN;
    }
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| a - b));
    if difference == 0.0 { 0.0 } else { difference / norm(&mut b.iter().copied()) }
}

/// Fails unless `x` holds `expected` to within `bound`.
pub fn assert_close(what: &str, x: &Tensor, expected: &[f64], bound: f64) {
    let found = x.to_host().expect("readable").to_f64();
    let error = apart(&found, expected);
    // Written so that NaN fails.
    assert!(error <= bound, "{what}: {found:?} instead of {expected:?}, apart by {error:e}");
}

/// The text of an error.
pub fn text<T>(result: Result<T>) -> String {
    match result {
        Err(error) => error.to_string(),
        Ok(_) => "no error".into(),
    }
}

/// Fails unless the error's text is `expected`.
#[track_caller]
pub fn says<T>(result: Result<T>, expected: &str) {
    assert_eq!(text(result), expected);
}

/// A tensor of `values`.
pub fn of<T: Element>(values: &[T], shape: &[usize], device: &Device) -> Tensor {
    Tensor::from_vec(values.to_vec(), shape, device).expect("as many elements as the shape has")
}

/// The f64 numbers 0, 1, 2, … in `shape`.
pub fn counted(shape: &[usize], device: &Device) -> Tensor {
    let count = shape.iter().product::<usize>();
    Tensor::from_vec((0..count).map(|i| i as f64).collect(), shape, device).expect("a tensor")
}

/// Fails unless `x` has this shape and exactly these elements.
#[track_caller]
pub fn holds<T: Element>(x: Result<Tensor>, shape: &[usize], expected: &[T]) {
    let x = x.expect("a tensor");
    assert_eq!(x.shape()[..], *shape, "{x:?}");
    assert_eq!(x.to_vec::<T>().expect("its dtype"), expected);
}

/// Whether an error is one of the tape's.
pub fn is_tape_error<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Tape(_)))
}
