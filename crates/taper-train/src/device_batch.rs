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
