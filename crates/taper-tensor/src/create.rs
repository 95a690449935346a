//! Creating tensors: from host data, from one value, from random numbers.

use crate::Tensor;
use crate::check;
use std::borrow::Borrow;
use taper_backend::{DType, Device, Distribution, Element, Error, HostData, RandomKey, Result, Shape};

impl Tensor {
    /// A tensor of `data` in row-major order. An error unless `shape` has as many elements.
    pub fn from_vec<T: Element>(data: Vec<T>, shape: impl Into<Shape>, device: &Device) -> Result<Self> {
        Self::from_host(T::wrap(data), shape, device)
    }

    /// A tensor of `data` in row-major order, with the data's dtype: `HostData`, or `&HostData`, which can be filled again for
    /// the next tensor, since the device has a copy. An error unless `shape` has as many elements.
    pub fn from_host(data: impl Borrow<HostData>, shape: impl Into<Shape>, device: &Device) -> Result<Self> {
        let (data, shape) = (data.borrow(), shape.into());
        check::size("from_host", &shape, data.dtype())?;
        if data.len() != shape.count() {
            let detail = format!("shape {shape} takes {} elements, {} came", shape.count(), data.len());
            return Err(Error::shape("from_host", detail));
        }
        Ok(Self::constant(device.upload(data, &shape)?, device))
    }

    /// A tensor whose elements are all `value`. An error when the dtype does not hold it: an integer dtype takes
    /// integers in its range, up to ±(2⁵³ − 1); a float dtype takes every number except a finite one that would become
    /// infinite.
    pub fn full(value: f64, shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Self> {
        let shape = shape.into();
        dtype.check_element("full", value)?;
        check::size("full", &shape, dtype)?;
        Ok(Self::constant(device.fill(&shape, dtype, value)?, device))
    }

    /// A tensor of zeros.
    pub fn zeros(shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Self> {
        Self::full(0.0, shape, dtype, device)
    }

    /// A tensor of ones.
    pub fn ones(shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Self> {
        Self::full(1.0, shape, dtype, device)
    }

    /// A tensor of zeros, with this tensor's shape and dtype, on its device.
    pub fn zeros_like(&self) -> Result<Self> {
        Self::zeros(self.shape(), self.dtype(), self.device())
    }

    /// A tensor of ones, with this tensor's shape and dtype, on its device.
    pub fn ones_like(&self) -> Result<Self> {
        Self::ones(self.shape(), self.dtype(), self.device())
    }

    /// A tensor whose elements are all `value`, as [`Tensor::full`], with this tensor's shape and dtype, on its device.
    pub fn full_like(&self, value: f64) -> Result<Self> {
        Self::full(value, self.shape(), self.dtype(), self.device())
    }

    /// A tensor of random numbers from the stream `key`, for float dtypes. The same key gives the same numbers,
    /// whatever was drawn before.
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

    /// A copy on another device. No gradient flows through it.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Self::from_host(self.to_host()?, self.shape(), device)
    }

    /// `value`, rounded to this tensor's dtype, on its device: a scalar that broadcasts.
    pub(crate) fn scalar_like(&self, value: f64) -> Result<Self> {
        self.dtype().check_operand("full", value)?;
        Ok(Self::constant(self.device().fill(&Shape::scalar(), self.dtype(), value)?, self.device()))
    }
}
