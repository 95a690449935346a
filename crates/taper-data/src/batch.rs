//! A batch in host memory: named fields, each with a shape.

use crate::{Error, Result};
use std::borrow::Cow;
use taper_backend::{DType, HostData};

/// A batch of N samples in host memory: named fields such as `inputs` and `labels`, each with data of one dtype and a
/// shape whose first dimension is N. A [`Dataset`](crate::Dataset) fills it.
///
/// One value can be reused for a whole run: a field that is written again reuses its memory.
///
/// ```
/// use taper_data::Batch;
///
/// let mut batch = Batch::default();
/// batch.clear(2); // of two samples
/// batch.f32("inputs", &[2, 3]).copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// batch.i64("labels", &[2]).copy_from_slice(&[0, 1]);
/// assert_eq!(batch.field("inputs").unwrap().shape, [2, 3]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Batch {
    len: usize,
    fields: Vec<Field>,
    /// Fields that are not part of the batch now, whose memory is reused.
    spare: Vec<Field>,
    /// Memory for a sample that is being changed.
    pub(crate) scratch: [Vec<f32>; 2],
}

/// A field of a [`Batch`].
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The field's name: `inputs`, `labels`, `mask`.
    pub name: Cow<'static, str>,
    /// The shape of the data; the first dimension is the number of samples.
    pub shape: Vec<usize>,
    /// The values, row-major.
    pub data: HostData,
    /// For whole numbers that stand for fractions, such as the bytes of a picture: the value that stands for 1. Models
    /// are given the values divided by it.
    pub max: Option<f64>,
}

/// The name, dtype and shape of a field of a dataset's batches.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldSpec {
    /// The field's name.
    pub name: Cow<'static, str>,
    /// The dtype of the values.
    pub dtype: DType,
    /// The shape of one sample, without the batch dimension; `None` for a dimension that differs between batches.
    pub shape: Vec<Option<usize>>,
}

impl FieldSpec {
    /// A field of which each sample has the shape `shape`.
    pub fn new(name: impl Into<Cow<'static, str>>, dtype: DType, shape: &[usize]) -> Self {
        Self { name: name.into(), dtype, shape: shape.iter().copied().map(Some).collect() }
    }

    /// The shape of one sample, if it is the same for all.
    pub fn fixed(&self) -> Option<Vec<usize>> {
        self.shape.iter().copied().collect()
    }
}

/// Batches are equal if their samples are, whatever memory they keep.
impl PartialEq for Batch {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.fields == other.fields
    }
}

/// Makes the methods that write a field of one dtype.
macro_rules! writers {
    ($($method:ident, $variant:ident, $type:ty, $zero:expr, $doc:literal;)*) => {$(
        #[doc = $doc]
        ///
        /// A field of that name is replaced. What the values are before they are written is unspecified.
        pub fn $method(&mut self, name: impl Into<Cow<'static, str>>, shape: &[usize]) -> &mut [$type] {
            let name = name.into();
            let mut field = self.room(name, DType::$variant, || HostData::$variant(Vec::new()));
            field.max = None;
            field.shape.clear();
            field.shape.extend_from_slice(shape);
            if let HostData::$variant(values) = &mut field.data {
                values.resize(shape.iter().product(), $zero);
            }
            self.fields.push(field);
            match self.fields.last_mut().map(|field| &mut field.data) {
                Some(HostData::$variant(values)) => values,
                _ => &mut [],
            }
        }
    )*};
}

impl Batch {
    writers! {
        f32, F32, f32, 0.0, "Makes the f32 field `name` of this shape part of the batch, and returns its values to be written.";
        f64, F64, f64, 0.0, "Makes the f64 field `name` of this shape part of the batch, and returns its values to be written.";
        i64, I64, i64, 0, "Makes the i64 field `name` of this shape part of the batch, and returns its values to be written.";
        u8, U8, u8, 0, "Makes the u8 field `name` of this shape part of the batch, and returns its values to be written.";
    }

    /// As [`u8`](Self::u8), of bytes that stand for fractions: `max` stands for 1.
    pub fn u8_of(&mut self, name: impl Into<Cow<'static, str>>, shape: &[usize], max: u8) -> &mut [u8] {
        let _ = self.u8(name, shape);
        match self.fields.last_mut() {
            Some(Field { data: HostData::U8(values), max: scale, .. }) => {
                *scale = Some(max.into());
                values
            }
            _ => &mut [],
        }
    }

    /// Removes all fields, for a batch of `len` samples to be filled. The memory is kept.
    pub fn clear(&mut self, len: usize) {
        self.len = len;
        self.spare.append(&mut self.fields);
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The fields, in the order in which they were written.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field called `name`.
    ///
    /// # Errors
    /// When there is none; the error lists the fields.
    pub fn field(&self, name: &str) -> Result<&Field> {
        self.fields.iter().find(|field| field.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.fields.iter().map(|field| &*field.name).collect();
            Error::Argument(format!("batch: expected a field `{name}`, found {}", known.join(", ")))
        })
    }

    /// The field called `name`, to be changed; `None` where there is none.
    pub(crate) fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.fields.iter_mut().find(|field| field.name == name)
    }

    /// The values of the i64 field `name`, such as class labels `[N]`.
    ///
    /// # Errors
    /// When there is no such field, or it has another dtype.
    pub fn i64s(&self, name: &str) -> Result<&[i64]> {
        match &self.field(name)?.data {
            HostData::I64(values) => Ok(values),
            other => {
                let dtype = other.dtype();
                Err(Error::Argument(format!("batch: expected the field `{name}` in i64, found it in {dtype}")))
            }
        }
    }

    /// The batch of the samples at the places `rows`, in that order.
    ///
    /// # Errors
    /// When a place is not below [`len`](Self::len).
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        if let Some(row) = rows.iter().find(|row| **row >= self.len) {
            return Err(Error::Argument(format!("batch: select: sample {row} of {}", self.len)));
        }
        let select = |field: &Field| {
            let width = field.data.len() / self.len.max(1);
            let mut shape = field.shape.clone();
            if let Some(first) = shape.first_mut() {
                *first = rows.len();
            }
            Field { data: rows_of(&field.data, rows, width), shape, ..field.clone() }
        };
        Ok(Self { len: rows.len(), fields: self.fields.iter().map(select).collect(), ..Self::default() })
    }

    /// Takes the field `name` out of the batch. [`put_aside`](Self::put_aside) gives its memory back.
    pub(crate) fn take(&mut self, name: &str) -> Option<Field> {
        let place = self.fields.iter().position(|field| field.name == name)?;
        Some(self.fields.remove(place))
    }

    /// Keeps the memory of a field that is not part of the batch.
    pub(crate) fn put_aside(&mut self, field: Field) {
        self.spare.push(field);
    }

    /// A field to be written, with the memory of an earlier one of this name and dtype if there is one.
    fn room(&mut self, name: Cow<'static, str>, dtype: DType, new: impl Fn() -> HostData) -> Field {
        if let Some(old) = self.take(&name) {
            self.spare.push(old);
        }
        let fits = |field: &Field| field.name == name && field.data.dtype() == dtype;
        match self.spare.iter().position(fits) {
            Some(place) => self.spare.swap_remove(place),
            None => Field { name, shape: Vec::new(), data: new(), max: None },
        }
    }
}

fn rows_of(data: &HostData, rows: &[usize], width: usize) -> HostData {
    fn of<T: Copy>(values: &[T], rows: &[usize], width: usize) -> Vec<T> {
        rows.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect()
    }
    match data {
        HostData::F32(values) => HostData::F32(of(values, rows, width)),
        HostData::F64(values) => HostData::F64(of(values, rows, width)),
        HostData::F16(values) => HostData::F16(of(values, rows, width)),
        HostData::BF16(values) => HostData::BF16(of(values, rows, width)),
        HostData::U8(values) => HostData::U8(of(values, rows, width)),
        HostData::I64(values) => HostData::I64(of(values, rows, width)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_reused_and_fields_do_not_stay() {
        let mut batch = Batch::default();
        batch.clear(2);
        let place = batch.f32("x", &[2, 2]).as_ptr();
        batch.i64("y", &[2]).copy_from_slice(&[3, 4]);
        batch.clear(1);
        assert_eq!(batch.f32("x", &[1, 2]).as_ptr(), place);
        assert_eq!(batch.fields().len(), 1);
        assert_eq!(batch.i64s("y").unwrap_err().to_string(), "batch: expected a field `y`, found x");
        assert_eq!(batch.i64s("x").unwrap_err().to_string(), "batch: expected the field `x` in i64, found it in f32");
        // Written twice, it is there once.
        batch.u8_of("x", &[1, 1], 16)[0] = 8;
        assert_eq!((batch.fields().len(), batch.field("x").unwrap().max), (1, Some(16.0)));
        assert_eq!(batch.u8("x", &[1]).len(), 1);
        assert_eq!(batch.field("x").unwrap().max, None);
    }

    #[test]
    fn rows_are_selected() {
        let mut batch = Batch::default();
        batch.clear(3);
        batch.f32("x", &[3, 2]).copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        batch.i64("y", &[3]).copy_from_slice(&[7, 8, 9]);
        let some = batch.select(&[2, 0]).unwrap();
        assert_eq!(some.field("x").unwrap().data, HostData::F32(vec![5.0, 6.0, 1.0, 2.0]));
        assert_eq!((some.i64s("y").unwrap(), some.field("x").unwrap().shape.as_slice()), (&[9, 7][..], &[2, 2][..]));
        assert_eq!(batch.select(&[3]).unwrap_err().to_string(), "batch: select: sample 3 of 3");
    }
}
