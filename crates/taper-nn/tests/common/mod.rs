//! What the tests share: a device, PyTorch's recorded numbers, and a comparison that NaN fails.
#![allow(dead_code)] // each test file uses a part

use serde_json::Value;
use taper_nn::{DType, Device, Params, RandomKey, Tensor};

pub fn device() -> Device {
    Device::new(taper_cpu::CpuBackend::with_threads(2).unwrap())
}

pub fn params(device: &Device, dtype: DType) -> Params {
    Params::new(device, dtype, RandomKey::new(0))
}

/// `tests/data/torch_nn.json`, written by `tests/peers/torch_nn.py`.
pub fn recorded() -> Value {
    serde_json::from_str(include_str!("../data/torch_nn.json")).unwrap()
}

pub fn numbers(tensor: &Value) -> Vec<f64> {
    tensor["data"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

pub fn shape(tensor: &Value) -> Vec<usize> {
    tensor["shape"].as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect()
}

/// A recorded tensor in f64.
pub fn floats(tensor: &Value, device: &Device) -> Tensor {
    Tensor::from_vec(numbers(tensor), shape(tensor), device).unwrap()
}

/// A recorded tensor of classes.
pub fn classes(tensor: &Value, device: &Device) -> Tensor {
    let data: Vec<i64> = numbers(tensor).into_iter().map(|x| x as i64).collect();
    Tensor::from_vec(data, shape(tensor), device).unwrap()
}

/// Panics unless ‖a − b‖ ≤ bound · ‖b‖, which NaN never is.
#[track_caller]
pub fn assert_close(name: &str, a: &Tensor, b: &Value, bound: f64) {
    assert_eq!(a.shape().dims(), shape(b), "{name}");
    let (a, b) = (a.to_host().unwrap().to_f64(), numbers(b));
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let apart = norm(&mut a.iter().zip(&b).map(|(a, b)| a - b));
    let size = norm(&mut b.iter().copied());
    assert!(apart <= bound * size, "{name}: {apart:.1e} apart, ‖b‖ = {size:.1e}\n{a:?}\n{b:?}");
}
