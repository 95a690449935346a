//! The dataset trait: a fixed number of samples of one shape, each with a class label.

use std::sync::Arc;
use taper_backend::Element;

/// A map-style dataset that a [`BatchLoader`](crate::BatchLoader) or a [`Pipeline`](crate::Pipeline) can batch:
/// images, rows of a table, or anything else whose samples all have one shape.
pub trait Dataset {
    /// The number of samples.
    fn len(&self) -> usize;

    /// The shape of one sample, without the batch dimension: `[C, H, W]` for images, `[F]` for rows of F features.
    fn sample_shape(&self) -> &[usize];

    /// Writes sample `index`, scaled as models expect it, into `sample`, row-major. `sample` has as many values as the
    /// product of [`Dataset::sample_shape`], and `index` is below [`Dataset::len`].
    fn read_sample<T: Element>(&self, index: usize, sample: &mut [T]);

    /// The class label of sample `index`, which is below [`Dataset::len`].
    fn label(&self, index: usize) -> i64;

    /// The number of classes. The default is one more than the largest label, found by reading all labels.
    fn num_classes(&self) -> usize {
        (0..self.len()).map(|index| self.label(index)).max().map_or(0, |label| label.max(0) as usize + 1)
    }

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Implements [`Dataset`] for pointers to datasets, so that a loader can borrow or share its data.
macro_rules! through_pointer {
    ($($pointer:ty),*) => {$(
        impl<D: Dataset> Dataset for $pointer {
            fn len(&self) -> usize {
                D::len(self)
            }
            fn sample_shape(&self) -> &[usize] {
                D::sample_shape(self)
            }
            fn read_sample<T: Element>(&self, index: usize, sample: &mut [T]) {
                D::read_sample(self, index, sample);
            }
            fn label(&self, index: usize) -> i64 {
                D::label(self, index)
            }
            fn num_classes(&self) -> usize {
                D::num_classes(self)
            }
        }
    )*};
}
through_pointer!(&D, Arc<D>);
