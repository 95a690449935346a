//! The storage behind a [`Buffer`] of this backend, and views of it for kernels.

use crate::CpuBackend;
use crate::layout::{is_channels_last, is_dense, is_row_major};
use crate::memory::{Block, Plain};
use half::{bf16, f16};
use std::sync::Arc;
use taper_backend::{Buffer, Error, Result, Shape};

/// A block of some dtype.
#[derive(Debug)]
pub(crate) enum Storage {
    F32(Block<f32>),
    F64(Block<f64>),
    F16(Block<f16>),
    BF16(Block<bf16>),
    U8(Block<u8>),
    I64(Block<i64>),
}

/// An element type of [`Storage`].
pub(crate) trait Stored: Plain + PartialOrd {
    fn store(block: Block<Self>) -> Storage;
    fn block(storage: &Storage) -> Option<&Block<Self>>;
    fn block_mut(storage: &mut Storage) -> Option<&mut Block<Self>>;
}

macro_rules! stored {
    ($($t:ty => $variant:ident),*) => {$(
        impl Stored for $t {
            fn store(block: Block<Self>) -> Storage {
                Storage::$variant(block)
            }
            fn block(storage: &Storage) -> Option<&Block<Self>> {
                if let Storage::$variant(block) = storage { Some(block) } else { None }
            }
            fn block_mut(storage: &mut Storage) -> Option<&mut Block<Self>> {
                if let Storage::$variant(block) = storage { Some(block) } else { None }
            }
        }
    )*};
}
stored!(f32 => F32, f64 => F64, f16 => F16, bf16 => BF16, u8 => U8, i64 => I64);

/// Runs `$body` with `$T` standing for the type of `$dtype`.
macro_rules! for_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            taper_backend::DType::F32 => {
                type $T = f32;
                $body
            }
            taper_backend::DType::F64 => {
                type $T = f64;
                $body
            }
            taper_backend::DType::F16 => {
                type $T = half::f16;
                $body
            }
            taper_backend::DType::BF16 => {
                type $T = half::bf16;
                $body
            }
            taper_backend::DType::U8 => {
                type $T = u8;
                $body
            }
            taper_backend::DType::I64 => {
                type $T = i64;
                $body
            }
        }
    };
}
pub(crate) use for_dtype;

/// Runs `$body` with `$T` standing for f32 or f64, `$other` for any other dtype.
macro_rules! for_float {
    ($dtype:expr, $T:ident => $body:expr, else $other:expr) => {
        match $dtype {
            taper_backend::DType::F32 => {
                type $T = f32;
                $body
            }
            taper_backend::DType::F64 => {
                type $T = f64;
                $body
            }
            _ => $other,
        }
    };
}
pub(crate) use for_float;

/// The contents of a [`Buffer`] of this backend: a strided view of a shared block.
#[derive(Debug, Clone)]
pub(crate) struct Strided {
    pub(crate) storage: Arc<Storage>,
    /// The index of the first element in the block.
    pub(crate) offset: usize,
    /// The stride of each dimension, in elements; 0 where one element repeats (broadcast).
    pub(crate) strides: Vec<usize>,
}

/// A read-only view of a buffer's elements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a, T> {
    /// The whole block.
    pub(crate) data: &'a [T],
    pub(crate) offset: usize,
    pub(crate) shape: &'a [usize],
    pub(crate) strides: &'a [usize],
}

impl<'a, T> View<'a, T> {
    /// The number of elements.
    pub(crate) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// The elements as one slice, where they lie in row-major order.
    pub(crate) fn contiguous(&self) -> Option<&'a [T]> {
        is_row_major(self.shape, self.strides).then(|| self.run())
    }

    /// The elements of `[N, C, H, W]` as one slice in the order N, H, W, C, where they lie so.
    pub(crate) fn dense_nhwc(&self) -> Option<&'a [T]> {
        is_channels_last(self.shape, self.strides).then(|| self.run())
    }

    /// The elements as one slice in memory order, if there are no gaps and no element repeats.
    pub(crate) fn dense(&self) -> Option<&'a [T]> {
        is_dense(self.shape, self.strides).then(|| self.run())
    }

    fn run(&self) -> &'a [T] {
        &self.data[self.offset..self.offset + self.count()]
    }
}

impl CpuBackend {
    /// The contents of `x`, which must be a buffer of this backend.
    pub(crate) fn strided<'a>(&self, x: &'a Buffer) -> Result<&'a Strided> {
        x.data().ok_or_else(|| {
            Error::Device(format!("{x:?} belongs to another backend than cpu; move it here through the host first"))
        })
    }

    /// A read-only view of `x`, whose dtype must be `T`'s.
    pub(crate) fn view<'a, T: Stored>(&self, x: &'a Buffer) -> Result<View<'a, T>> {
        let strided = self.strided(x)?;
        let block = T::block(&strided.storage)
            .ok_or_else(|| Error::dtype("cpu", format!("expected a buffer of {}, found {x:?}", T::DTYPE)))?;
        Ok(View { data: block, offset: strided.offset, shape: x.shape(), strides: &strided.strides })
    }

    /// `block` as a buffer of `shape`, in row-major order.
    pub(crate) fn wrap<T: Stored>(&self, shape: Shape, block: Block<T>) -> Buffer {
        let strides = shape.strides();
        self.wrap_strided(shape, strides, block)
    }

    /// `block` as a buffer of `shape` with these strides.
    pub(crate) fn wrap_strided<T: Stored>(&self, shape: Shape, strides: Vec<usize>, block: Block<T>) -> Buffer {
        debug_assert_eq!(shape.rank(), strides.len());
        debug_assert!(
            shape.contains(&0)
                || shape.iter().zip(&strides).map(|(size, stride)| (size - 1) * stride).sum::<usize>() < block.len()
        );
        Buffer::new(shape, T::DTYPE, Strided { storage: Arc::new(T::store(block)), offset: 0, strides })
    }

    /// A view of `x`'s block with another shape, offset and strides.
    pub(crate) fn view_of(&self, x: &Buffer, shape: Shape, offset: usize, strides: Vec<usize>) -> Result<Buffer> {
        let storage = self.strided(x)?.storage.clone();
        Ok(Buffer::new(shape, x.dtype(), Strided { storage, offset, strides }))
    }

    /// The elements of `x` in memory order, for writing in place, if nothing else shares its block and they lie
    /// densely.
    pub(crate) fn unique_mut<'a, T: Stored>(&self, x: &'a mut Buffer) -> Option<&'a mut [T]> {
        let count = x.count();
        let shape = x.shape().clone();
        let Strided { storage, offset, strides } = x.data_mut::<Strided>()?;
        if !is_dense(&shape, strides) {
            return None;
        }
        let block = T::block_mut(Arc::get_mut(storage)?)?;
        Some(&mut block[*offset..*offset + count])
    }
}
