//! What the batch loader asks of data: a fixed number of samples of one shape, each with a label.

use std::sync::Arc;
use taper_backend::Element;

/// Data that a [`BatchLoader`](crate::BatchLoader) can batch: pictures, rows of a table, or anything else whose samples
/// all have one shape.
pub trait Dataset {
    /// The number of samples.
    fn len(&self) -> usize;

    /// A sample's shape, without the batch: `[C, H, W]` for pictures, `[features]` for rows.
    fn sample_shape(&self) -> &[usize];

    /// Writes sample `index`, scaled as models expect it, into `sample` (as many values as the shape's product).
    /// `index` is below [`Dataset::len`].
    fn read_sample<T: Element>(&self, index: usize, sample: &mut [T]);

    /// The label of sample `index`, which is below [`Dataset::len`].
    fn label(&self, index: usize) -> i64;

    /// How many classes there are. One more than the largest label, unless the data know better.
    fn num_classes(&self) -> usize {
        (0..self.len()).map(|index| self.label(index)).max().map_or(0, |label| label.max(0) as usize + 1)
    }

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Lets a loader borrow or share its data.
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
