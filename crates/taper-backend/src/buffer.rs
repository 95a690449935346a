//! Handles to what a backend stores.

use crate::{DType, Shape};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A handle to data on a device: a logical shape, a dtype, and something that only its backend can read.
///
/// Cloning shares the data. Views (reshaped, permuted, broadcast, sliced) are buffers too: descriptors over shared
/// data. A backend writes in place only where a handle is the only one ([`Buffer::data_mut`]).
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

    /// The elements' type.
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

/// What a fused forward keeps for its backward (argmax bytes, batch statistics). Only the backend that made it reads it.
#[derive(Clone)]
pub struct Saved(Arc<dyn Any + Send + Sync>);

impl Saved {
    /// Wraps what the backward will need.
    pub fn new<T: Any + Send + Sync>(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// What was wrapped, or `None` when it is of another type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Saved")
    }
}
