//! Operands of cases: values on the host, and the forms in which a device can hold them, such as views.

use crate::toy::ToyBackend;
use taper_backend::{Backend, Buffer, DType, Device, HostData, PadAmount, Result, Shape, SliceRange};

/// How an operand is held by the device: uploaded as it is, or a view of another buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Uploaded as it is.
    Plain,
    /// Uploaded with its dimensions reversed, and permuted back.
    Permuted,
    /// Uploaded with the channels (dimension 1) last, and permuted back: the layout that some kernels produce.
    ChannelsLast,
    /// A slice of a larger buffer that is NaN (99 for integers) outside of it.
    Sliced,
    /// Every second element of a larger buffer.
    Stepped,
    /// Uploaded with one dimension, and reshaped.
    Reshaped,
    /// Constant along its last dimension of more than one element, and broadcast along it.
    Broadcast,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 7] =
        [Self::Plain, Self::Permuted, Self::ChannelsLast, Self::Sliced, Self::Stepped, Self::Reshaped, Self::Broadcast];

    /// Form number `i`, modulo their number.
    pub fn nth(i: usize) -> Self {
        Self::ALL[i % Self::ALL.len()]
    }
}

/// An operand of a case.
#[derive(Debug, Clone)]
pub struct Value {
    /// The logical shape.
    pub shape: Shape,
    /// The elements, row-major.
    pub data: HostData,
    /// How the device holds them.
    pub form: Form,
}

impl Value {
    /// An operand of `values` rounded to `dtype`.
    pub fn new(shape: impl Into<Shape>, values: &[f64], dtype: DType) -> Self {
        Self { shape: shape.into(), data: HostData::from_f64(values, dtype), form: Form::Plain }
    }

    /// An operand of i64 values.
    pub fn integers(shape: impl Into<Shape>, values: Vec<i64>) -> Self {
        Self { shape: shape.into(), data: HostData::I64(values), form: Form::Plain }
    }

    /// The elements as f64.
    pub fn f64(&self) -> Vec<f64> {
        self.data.to_f64()
    }

    /// The operand in another form. [`Form::Broadcast`] makes the values constant along a dimension.
    pub fn form(mut self, form: Form) -> Self {
        self.form = form;
        if let (Form::Broadcast, Some(narrow)) = (form, self.narrow()) {
            let host = || -> Result<HostData> {
                let x = ToyBackend.upload(&self.data, &self.shape)?;
                let ranges: Vec<_> = narrow.iter().map(|&size| SliceRange::new(0, size)).collect();
                ToyBackend.download(&ToyBackend.broadcast(&ToyBackend.slice(&x, &ranges)?, &self.shape)?)
            };
            self.data = host().expect("views of the toy's own buffers");
        }
        self
    }

    /// The shape with its last dimension of more than one element reduced to 1; `None` if there is no such dimension.
    fn narrow(&self) -> Option<Shape> {
        let axis = self.shape.dims().iter().rposition(|&size| size > 1)?;
        Some(self.shape.reduced(&[axis]))
    }

    /// Uploads the operand to `device` in its form.
    pub fn place(&self, device: &Device) -> Result<Buffer> {
        let x = ToyBackend.upload(&self.data, &self.shape)?;
        let upload = |x: &Buffer| device.upload(&ToyBackend.download(x)?, x.shape());
        let around = if self.data.dtype().is_float() { f64::NAN } else { 99.0 };
        match self.form {
            Form::Plain => upload(&x),
            Form::Permuted => {
                let reversed: Vec<usize> = (0..self.shape.rank()).rev().collect();
                device.permute(&upload(&ToyBackend.permute(&x, &reversed)?)?, &reversed)
            }
            Form::ChannelsLast => {
                let rank = self.shape.rank();
                // [N, C, H, W] lies as [N, H, W, C]; fewer than two dimensions have no channels.
                let last: Vec<usize> = (0..rank).filter(|&i| i != 1).chain((rank > 1).then_some(1)).collect();
                let back: Vec<usize> = (0..rank).map(|i| last.iter().take_while(|&&axis| axis != i).count()).collect();
                device.permute(&upload(&ToyBackend.permute(&x, &last)?)?, &back)
            }
            Form::Sliced => {
                let amounts = vec![PadAmount { low: 1, high: 2, interior: 0 }; self.shape.rank()];
                let ranges: Vec<_> = self.shape.dims().iter().map(|&size| SliceRange::new(1, 1 + size)).collect();
                device.slice(&upload(&ToyBackend.pad(&x, &amounts, around)?)?, &ranges)
            }
            Form::Stepped => {
                let amounts = vec![PadAmount { low: 2, high: 1, interior: 1 }; self.shape.rank()];
                let range = |&size: &usize| SliceRange { start: 2, end: 2 + 2 * size, step: 2 };
                // An end past the last element would be out of range where the dimension is empty.
                let ranges: Vec<_> = self.shape.dims().iter().map(range).collect();
                device.slice(&upload(&ToyBackend.pad(&x, &amounts, around)?)?, &ranges)
            }
            Form::Reshaped => {
                let flat = Shape::from([self.shape.count()]);
                device.reshape(&upload(&ToyBackend.reshape(&x, &flat)?)?, &self.shape)
            }
            Form::Broadcast => match self.narrow() {
                Some(narrow) => {
                    let ranges: Vec<_> = narrow.iter().map(|&size| SliceRange::new(0, size)).collect();
                    device.broadcast(&upload(&ToyBackend.slice(&x, &ranges)?)?, &self.shape)
                }
                None => upload(&x),
            },
        }
    }

    /// The operand on the reference device: in f64 if it is a float and not `own_dtype`, else in its own dtype.
    pub fn reference(&self, toy: &Device, own_dtype: bool) -> Result<Buffer> {
        let x = toy.upload(&self.data, &self.shape)?;
        if own_dtype || !x.dtype().is_float() { Ok(x) } else { toy.cast(&x, DType::F64) }
    }
}
