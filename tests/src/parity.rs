//! What PyTorch's models and layers gave, recorded by the scripts `tests/peers/parity_*.py` in f64, for tests that compare
//! ours. Weights are drawn from the names of a state dict, the same on both sides, so that no file holds them.

use crate::hash::word;
use serde_json::Value;
use std::path::PathBuf;
use taper_nn::weights::read_noted;
use taper_nn::{DType, Device, Error, Params, Result, Tensor};

/// A recorded model or layer.
pub struct Parity {
    name: String,
    tensors: Vec<(String, Tensor)>,
    /// The names and shapes of PyTorch's state dict.
    state_dict: Vec<(String, Vec<usize>)>,
}

impl Parity {
    /// The record `tests/peers/parity/NAME.safetensors`, with its tensors on `device`.
    pub fn read(name: &str, device: &Device) -> Result<Self> {
        let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "peers", "parity"].iter().collect();
        let (tensors, state) = read_noted("state_dict", path.join(format!("{name}.safetensors")), device)?;
        let state: Value = serde_json::from_str(&state.unwrap_or_default())
            .map_err(|error| Error::Parameter(format!("{name}: its state dict is damaged: {error}")))?;
        let size = |size: &Value| size.as_u64().unwrap_or(0) as usize;
        let pair = |pair: &Value| {
            (
                pair[0].as_str().unwrap_or_default().to_owned(),
                pair[1].as_array().into_iter().flatten().map(size).collect(),
            )
        };
        let state_dict = state.as_array().into_iter().flatten().map(pair).collect();
        Ok(Self { name: name.to_owned(), tensors, state_dict })
    }

    /// The names of the recorded tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|(name, _)| name.as_str())
    }

    /// The recorded tensor `name`: a float in `dtype`, an integer as it is.
    pub fn tensor(&self, name: &str, dtype: DType) -> Result<Tensor> {
        let found = self.tensors.iter().find(|(found, _)| found == name);
        let (_, tensor) = found.ok_or_else(|| Error::Parameter(format!("{}: there is no {name}", self.name)))?;
        if tensor.dtype().is_float() { tensor.cast(dtype) } else { Ok(tensor.clone()) }
    }

    /// Gives every parameter and buffer of floats the value of its name (`value` of `parity.py`).
    ///
    /// # Errors
    /// When names or shapes are not those of PyTorch's state dict: the error lists the differences.
    pub fn fill(&self, params: &Params) -> Result<()> {
        let ours: Vec<(String, Vec<usize>)> =
            params.all().iter().map(|param| (param.name().to_owned(), param.tensor().shape().to_vec())).collect();
        let lacking = |of: &[(String, Vec<usize>)], from: &[(String, Vec<usize>)]| {
            of.iter()
                .filter(|one| !from.contains(one))
                .map(|(name, shape)| format!("{name} {shape:?}"))
                .collect::<Vec<_>>()
        };
        let (missing, more) = (lacking(&self.state_dict, &ours), lacking(&ours, &self.state_dict));
        if !missing.is_empty() || !more.is_empty() {
            let detail = format!("{}: PyTorch alone has {missing:?}, ours alone {more:?}", self.name);
            return Err(Error::Parameter(detail));
        }
        fill(params)
    }

    /// Holds `found` to the recorded tensor `name`: the same shape, and ‖found − recorded‖ ≤ `tolerance` · ‖recorded‖.
    pub fn check(&self, name: &str, found: &Tensor, tolerance: f64) -> Result<()> {
        let due = self.tensor(name, DType::F64)?;
        let difference = relative(found, &due)?;
        // A NaN is not at most the tolerance.
        if difference <= tolerance {
            return Ok(());
        }
        let detail =
            format!("{} {name} ({}): differs by {difference:.3e}, allowed {tolerance:.0e}", self.name, found.dtype());
        Err(Error::Parameter(detail))
    }
}

/// Gives every parameter and buffer of floats the value of its name, whatever a state dict holds.
pub fn fill(params: &Params) -> Result<()> {
    for param in params.all() {
        let tensor = param.tensor();
        if tensor.dtype().is_float() {
            let values = value(param.name(), tensor.shape());
            param.set(&Tensor::from_vec(values, tensor.shape().clone(), tensor.device())?.cast(tensor.dtype())?)?;
        }
    }
    Ok(())
}

/// ‖found − due‖ / ‖due‖ in f64.
///
/// # Errors
/// When the shapes differ.
pub fn relative(found: &Tensor, due: &Tensor) -> Result<f64> {
    if found.shape() != due.shape() {
        return Err(Error::shape("parity", format!("expected {}, came {}", due.shape(), found.shape())));
    }
    let (found, due) = (found.detach().cast(DType::F64)?.to_vec::<f64>()?, due.cast(DType::F64)?.to_vec::<f64>()?);
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(&due).map(|(a, b)| a - b));
    let size = norm(&mut due.iter().copied());
    Ok(if size > 0.0 { difference / size } else { difference })
}

/// FNV-1a of the name, 64 bits.
fn stream(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// Numbers in [-1, 1) of the stream that `name` selects, as `uniform` of `parity.py`: an input that no file holds.
pub fn uniform(name: &str, shape: &[usize], device: &Device) -> Result<Tensor> {
    Tensor::from_vec(drawn(name, shape).collect::<Vec<f64>>(), shape, device)
}

fn drawn(name: &str, shape: &[usize]) -> impl Iterator<Item = f64> {
    let stream = stream(name);
    let uniform = move |i: u64| 2.0 * ((word(stream, i) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)) - 1.0;
    (0..shape.iter().product::<usize>() as u64).map(uniform)
}

/// The value of the parameter or buffer `name`, as `value` of `parity.py`.
fn value(name: &str, shape: &[usize]) -> Vec<f64> {
    let numbers = drawn(name, shape);
    if shape.len() >= 2 {
        let bound = (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
        return numbers.map(|u| u * bound).collect();
    }
    match name {
        _ if name.ends_with("running_var") => numbers.map(|u| 1.25 + 0.25 * u).collect(),
        _ if name.ends_with("weight") => numbers.map(|u| 1.0 + 0.1 * u).collect(),
        _ => numbers.map(|u| 0.1 * u).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of `parity.py` for these names.
    #[test]
    fn values_are_those_of_the_script() {
        assert_eq!(stream("fc.weight"), 0x79FB_28A7_5603_C7A0);
        assert_eq!(value("fc.weight", &[2, 3])[..2], [-0.9297850822840801, 0.1838744984061058]);
        assert_eq!(value("bn1.running_var", &[2]), [1.4422249255114128, 1.264551209104364]);
    }
}
