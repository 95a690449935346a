//! Handles to data that a backend stores.

use crate::{DType, Shape};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A handle to data on a device: a logical shape, a dtype, and data of a type that only its backend knows.
///
/// Cloning shares the data. Views (reshaped, permuted, broadcast, sliced) are buffers too: descriptors over shared
/// data. A backend writes in place only through the only handle to the data ([`Buffer::data_mut`]).
#[derive(Clone)]
pub struct Buffer {
    shape: Shape,
    dtype: DType,
    data: Arc<dyn Any + Send + Sync>,
}

impl Buffer {
    /// Wraps a backend's own `data`.
    pub fn new<T: Any + Send + Sync>(shape: Shape, dtype: DType, data: T) -> Self {
        Self { shape, dtype, data: Arc::new(data) }
    }

    /// The logical shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The dtype of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of elements.
    pub fn count(&self) -> usize {
        self.shape.count()
    }

    /// The backend's data, or `None` when the buffer belongs to another backend.
    pub fn data<T: Any>(&self) -> Option<&T> {
        self.data.downcast_ref()
    }

    /// The backend's data for writing, or `None` when it is shared or belongs to another backend.
    pub fn data_mut<T: Any>(&mut self) -> Option<&mut T> {
        Arc::get_mut(&mut self.data)?.downcast_mut()
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} {})", self.dtype, self.shape)
    }
}

/// Values that a fused forward saves for its backward (argmax bytes, batch statistics). Only the backend that made them
/// reads them.
#[derive(Clone)]
pub struct Saved(Option<Arc<dyn Any + Send + Sync>>);

impl Saved {
    /// Wraps a value that the backward will need.
    pub fn new<T: Any + Send + Sync>(value: T) -> Self {
        Self(Some(Arc::new(value)))
    }

    /// No value.
    pub fn nothing() -> Self {
        Self(None)
    }

    /// The wrapped value, or `None` when there is none or it is of another type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.as_ref()?.downcast_ref()
    }
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Saved")
    }
}
