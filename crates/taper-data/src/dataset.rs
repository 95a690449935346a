//! The dataset trait: samples that fill batches.

use crate::{Batch, FieldSpec, Result};
use std::sync::Arc;

/// Samples that a [`Pipeline`](crate::Pipeline) or a [`BatchLoader`](crate::BatchLoader) batches: pictures, rows of a
/// table, windows of a text, pairs of views. A dataset says which fields its batches have and fills them, so that
/// padding and ragged targets are its own affair.
///
/// ```
/// use taper_data::{Batch, DType, Dataset, FieldSpec, Result};
///
/// /// The numbers 0 to 99, to be told whether they are even.
/// struct Numbers;
///
/// impl Dataset for Numbers {
///     fn len(&self) -> usize {
///         100
///     }
///
///     fn fields(&self) -> Vec<FieldSpec> {
///         vec![FieldSpec::new("inputs", DType::F32, &[1]), FieldSpec::new("labels", DType::I64, &[])]
///     }
///
///     fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
///         for (x, &i) in batch.f32("inputs", &[indices.len(), 1]).iter_mut().zip(indices) {
///             *x = i as f32;
///         }
///         for (label, &i) in batch.i64("labels", &[indices.len()]).iter_mut().zip(indices) {
///             *label = (i % 2) as i64;
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Dataset: Send + Sync {
    /// The number of samples.
    fn len(&self) -> usize;

    /// The fields of the batches.
    fn fields(&self) -> Vec<FieldSpec>;

    /// Fills `batch`, which has no field yet, with the samples `indices`, each below [`Dataset::len`]. What is random in
    /// a sample must depend on `epoch` (the pass over the data, from 0) and the sample's index alone, so that it does
    /// not matter which thread makes a batch, and a run can be resumed anywhere.
    ///
    /// # Errors
    /// A sample that cannot be read; the error names it.
    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()>;

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Implements [`Dataset`] for pointers to datasets, so that one can be borrowed, boxed or shared.
macro_rules! through_pointer {
    ($($pointer:ty),*) => {$(
        impl<D: Dataset + ?Sized> Dataset for $pointer {
            fn len(&self) -> usize {
                D::len(self)
            }
            fn fields(&self) -> Vec<FieldSpec> {
                D::fields(self)
            }
            fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
                D::fill(self, epoch, indices, batch)
            }
        }
    )*};
}
through_pointer!(&D, Box<D>, Arc<D>);
