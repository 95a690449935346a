//! Tensors from nothing: from data on the host, from one value, from a random stream.

use crate::Tensor;
use crate::check;
use taper_backend::{DType, Device, Distribution, Element, Error, HostData, RandomKey, Result, Shape};

impl Tensor {
    /// A tensor of `data` in row-major order.
    pub fn from_vec<T: Element>(data: Vec<T>, shape: impl Into<Shape>, device: &Device) -> Result<Self> {
        Self::from_host(T::wrap(data), shape, device)
    }

    /// A tensor of `data` in row-major order, whatever its dtype.
    pub fn from_host(data: HostData, shape: impl Into<Shape>, device: &Device) -> Result<Self> {
        let shape = shape.into();
        check::size("from_host", &shape, data.dtype())?;
        if data.len() != shape.count() {
            let detail = format!("shape {shape} takes {} elements, {} came", shape.count(), data.len());
            return Err(Error::shape("from_host", detail));
        }
        Ok(Self::constant(device.upload(data, &shape)?, device))
    }

    /// `value` everywhere.
    pub fn full(value: f64, shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Self> {
        let shape = shape.into();
        check::size("full", &shape, dtype)?;
        Ok(Self::constant(device.fill(&shape, dtype, value)?, device))
    }

    /// Zeros.
    pub fn zeros(shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Self> {
        Self::full(0.0, shape, dtype, device)
    }

    /// Ones.
    pub fn ones(shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Self> {
        Self::full(1.0, shape, dtype, device)
    }

    /// Random numbers of the stream `key`: the same for the same key, whatever was drawn before.
    pub fn random(
        distribution: Distribution,
        key: RandomKey,
        shape: impl Into<Shape>,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        if !dtype.is_float() {
            return Err(Error::dtype("random", format!("random numbers are floats, {dtype} was asked for")));
        }
        let shape = shape.into();
        check::size("random", &shape, dtype)?;
        Ok(Self::constant(device.random(&shape, dtype, distribution, key)?, device))
    }

    /// A copy on another device, cut off from the tape.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Self::from_host(self.to_host()?, self.shape(), device)
    }

    /// `value` with this tensor's dtype and device, as a scalar that broadcasts.
    pub(crate) fn scalar_like(&self, value: f64) -> Result<Self> {
        Self::full(value, Shape::scalar(), self.dtype(), self.device())
    }
}
