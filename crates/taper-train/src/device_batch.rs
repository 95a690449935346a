//! A batch as a task sees it: its fields as tensors on the device.

use crate::{Error, Result, Split};
use taper_data::Batch;
use taper_nn::{DType, Device, Params, RandomKey, Tensor};

/// A batch whose fields a task takes to the device, each as it is asked for. The host's buffers are borrowed.
#[derive(Clone, Copy)]
pub struct DeviceBatch<'a> {
    host: &'a Batch,
    device: &'a Device,
    dtype: DType,
    split: Split,
    /// Seed, epoch and batch, which key what is random.
    place: [u64; 3],
}

impl<'a> DeviceBatch<'a> {
    /// The batch `host` of `split` on the device of `params`, with floats in their dtype. It is batch `number` of epoch
    /// `epoch` of a run with this seed: `[seed, epoch, number]`.
    pub fn new(host: &'a Batch, params: &'a Params, split: Split, place: [u64; 3]) -> Self {
        Self { host, device: params.device(), dtype: params.dtype(), split, place }
    }

    /// The split that the batch is of.
    pub fn split(&self) -> Split {
        self.split
    }

    /// The batch in host memory.
    pub fn host(&self) -> &'a Batch {
        self.host
    }

    /// The same place in the run with another batch in host memory.
    pub fn with_host<'b>(&'b self, host: &'b Batch) -> DeviceBatch<'b> {
        DeviceBatch { host, ..*self }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.host.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.host.is_empty()
    }

    /// The device.
    pub fn device(&self) -> &'a Device {
        self.device
    }

    /// The dtype of the model's parameters.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The epoch that the batch belongs to, from 0.
    pub fn epoch(&self) -> u64 {
        self.place[1]
    }

    /// The stream of random numbers called `name` for this batch of this epoch.
    pub fn key(&self, name: &str) -> RandomKey {
        let [seed, epoch, number] = self.place;
        RandomKey::new(seed).child(name).index(epoch).index(number)
    }

    /// The field `name` on the device, in its own dtype.
    ///
    /// # Errors
    /// When there is no such field; the error lists the fields.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let field = self.host.field(name).map_err(|_| missing(self.host, name))?;
        Ok(Tensor::from_host(&field.data, field.shape.as_slice(), self.device)?)
    }

    /// The field `name` on the device, in the dtype of the model's parameters. Whole numbers that stand for fractions
    /// are divided by the value that stands for 1.
    ///
    /// # Errors
    /// As [`tensor`](Self::tensor).
    pub fn float(&self, name: &str) -> Result<Tensor> {
        let values = self.tensor(name)?.cast(self.dtype)?;
        Ok(match self.host.field(name)?.max {
            Some(max) if max != 1.0 => values.div_scalar(max)?,
            _ => values,
        })
    }
}

fn missing(host: &Batch, name: &str) -> Error {
    let known: Vec<&str> = host.fields().iter().map(|field| &*field.name).collect();
    let known = if known.is_empty() { "none".into() } else { known.join(", ") };
    Error::Usage(format!("the task expects a field `{name}` in each batch, the data set has {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::RandomKey;

    /// Every byte over every number that may stand for 1 has the bits of the quotient that the host computes: in f32 that
    /// of f32, as PyTorch scales pictures, in f64 that of f64.
    #[test]
    fn bytes_are_divided_as_the_host_divides() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = [DType::F32, DType::F64].map(|dtype| Params::new(&device, dtype, RandomKey::new(0)));
        let mut batch = Batch::default();
        for max in 1..=u8::MAX {
            batch.clear(256);
            batch.u8_of("inputs", &[256], max).iter_mut().zip(0..=255).for_each(|(to, byte)| *to = byte);
            let of = |params| DeviceBatch::new(&batch, params, Split::Train, [0; 3]).float("inputs").unwrap();
            let (single, double) = (of(&params[0]).to_vec::<f32>().unwrap(), of(&params[1]).to_vec::<f64>().unwrap());
            for byte in 0..=u8::MAX {
                assert_eq!(single[usize::from(byte)].to_bits(), (f32::from(byte) / f32::from(max)).to_bits());
                assert_eq!(double[usize::from(byte)].to_bits(), (f64::from(byte) / f64::from(max)).to_bits());
            }
        }
    }

    #[test]
    fn a_field_that_is_not_there_is_told() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let mut batch = Batch::default();
        batch.clear(1);
        batch.i64("labels", &[1])[0] = 3;
        let batch = DeviceBatch::new(&batch, &params, Split::Test, [0; 3]);
        let text = batch.float("inputs").unwrap_err().to_string();
        assert_eq!(text, "the task expects a field `inputs` in each batch, the data set has labels");
        // Whole numbers that stand for themselves stay as they are.
        assert_eq!(batch.tensor("labels").unwrap().to_vec::<i64>().unwrap(), [3]);
    }
}
