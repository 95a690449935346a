//! The file that `tests/peers/torch_op_samples.py` writes.

use super::call::{Arg, Call, dtype_of};
use serde_json::{Map, Value};
use std::path::Path;
use taper_nn::weights::read_noted;
use taper_tensor::{DType, Device, Error, HostData, Result, Tensor};

/// Samples, and the elements of their tensors.
pub struct File {
    /// Which PyTorch wrote it.
    pub peer: String,
    /// A line of JSON for each, in PyTorch's order.
    samples: String,
    data: Vec<(String, HostData)>,
}

/// A tensor as the file has it: its dtype there, its shape, its elements.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The dtype; PyTorch's bool is our u8.
    pub dtype: DType,
    /// The shape.
    pub shape: Vec<usize>,
    /// The elements, which f64 holds exactly but for integers over 2⁵³.
    pub values: Vec<f64>,
}

fn damaged(what: &str) -> Error {
    Error::Parameter(format!("the file of samples is damaged: {what}"))
}

impl File {
    /// Reads `path`.
    pub fn read(path: &Path, device: &Device) -> Result<Self> {
        let (tensors, peer) = read_noted("peer", path, device)?;
        let host = |(name, tensor): (String, Tensor)| Ok((name, tensor.to_host()?));
        let mut data = tensors.into_iter().map(host).collect::<Result<Vec<_>>>()?;
        let at = data.iter().position(|(name, _)| name == "samples").ok_or_else(|| damaged("no samples"))?;
        let HostData::U8(bytes) = data.swap_remove(at).1 else { return Err(damaged("samples that are no bytes")) };
        let samples = String::from_utf8(bytes).map_err(|error| damaged(&error.to_string()))?;
        Ok(Self { peer: peer.unwrap_or_default(), samples, data })
    }

    /// The samples, in PyTorch's order.
    pub fn samples(&self) -> impl Iterator<Item = Result<Value>> {
        self.samples.lines().map(|line| serde_json::from_str(line).map_err(|error| damaged(&error.to_string())))
    }

    /// The elements of `place`, `[dtype, shape, first element]`.
    pub(super) fn host(&self, place: &Value) -> Result<(Vec<usize>, HostData)> {
        let name = place[0].as_str().ok_or_else(|| damaged("a tensor without a dtype"))?;
        let sizes = place[1].as_array().ok_or_else(|| damaged("a tensor without a shape"))?;
        let shape: Vec<usize> = sizes.iter().map(|size| size.as_u64().unwrap_or(0) as usize).collect();
        let start = place[2].as_u64().unwrap_or(0) as usize;
        let end = start + shape.iter().product::<usize>();
        let all = self.data.iter().find(|(dtype, _)| dtype == name).map(|(_, data)| data);
        let part = match all.ok_or_else(|| damaged(name))? {
            HostData::F32(all) => all.get(start..end).map(|part| HostData::F32(part.to_vec())),
            HostData::F64(all) => all.get(start..end).map(|part| HostData::F64(part.to_vec())),
            HostData::F16(all) => all.get(start..end).map(|part| HostData::F16(part.to_vec())),
            HostData::BF16(all) => all.get(start..end).map(|part| HostData::BF16(part.to_vec())),
            HostData::I64(all) => all.get(start..end).map(|part| HostData::I64(part.to_vec())),
            HostData::U8(all) => all.get(start..end).map(|part| HostData::U8(part.to_vec())),
        };
        Ok((shape, part.ok_or_else(|| damaged("a tensor past the end"))?))
    }

    /// A tensor of ours.
    pub fn tensor(&self, json: &Value, device: &Device) -> Result<Tensor> {
        let (shape, data) = self.host(&json["t"])?;
        let tensor = Tensor::from_host(data, shape, device)?;
        Ok(if json["grad"] == true { tensor.requires_grad() } else { tensor })
    }

    /// What PyTorch gave; a number is a scalar tensor. `None` is nothing.
    pub fn recorded(&self, json: &Value) -> Result<Option<Recorded>> {
        let scalar = |dtype, value| Some(Recorded { dtype, shape: Vec::new(), values: vec![value] });
        Ok(match json {
            Value::Object(_) if json["t"].is_array() => {
                let (shape, data) = self.host(&json["t"])?;
                let dtype = dtype_of(json["t"][0].as_str().unwrap_or("")).ok_or_else(|| damaged("a dtype"))?;
                Some(Recorded { dtype, shape, values: data.to_f64() })
            }
            Value::Bool(value) => scalar(DType::U8, f64::from(u8::from(*value))),
            Value::Number(number) if number.is_i64() => scalar(DType::I64, number.as_f64().unwrap_or(f64::NAN)),
            Value::Number(number) => scalar(DType::F64, number.as_f64().unwrap_or(f64::NAN)),
            Value::Object(_) if json["number"].is_string() => {
                scalar(DType::F64, json["number"].as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN))
            }
            _ => None,
        })
    }

    /// All of a list that may not be there.
    pub fn recorded_all(&self, json: &Value) -> Result<Option<Vec<Option<Recorded>>>> {
        json.as_array().map(|all| all.iter().map(|one| self.recorded(one)).collect()).transpose()
    }

    /// The call of a sample, and those of its tensors that want a gradient, in PyTorch's order.
    pub fn call(&self, sample: &Value, device: &Device) -> Result<(Call, Vec<Tensor>)> {
        let mut leaves = Vec::new();
        let mut read = |json: &Value| -> Result<Tensor> {
            let tensor = self.tensor(json, device)?;
            if tensor.tracks_grad() {
                leaves.push(tensor.clone());
            }
            Ok(tensor)
        };
        let none = Map::new();
        let args = sample["args"].as_array().map_or(&[][..], Vec::as_slice);
        let args = args.iter().map(|json| Arg::read(json, &mut read)).collect::<Result<_>>()?;
        let kwargs = sample["kwargs"].as_object().unwrap_or(&none).iter();
        let kwargs =
            kwargs.map(|(name, json)| Ok((name.clone(), Arg::read(json, &mut read)?))).collect::<Result<_>>()?;
        let dtype = sample["dtype"].as_str().and_then(dtype_of).ok_or_else(|| damaged("a sample without a dtype"))?;
        Ok((Call::new(args, kwargs, dtype, device.clone()), leaves))
    }
}
