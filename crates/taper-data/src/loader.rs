//! The batch loader: batches of a dataset, in order or reshuffled at every epoch.

use crate::error::panic_text;
use crate::{Dataset, Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use taper_backend::{Element, RandomKey};

/// The batch size and the order of samples of a [`BatchLoader`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderOptions {
    /// The number of samples in a batch, at least 1.
    pub batch_size: usize,
    /// The seed that samples are shuffled with at every epoch, or `None` for the order of the dataset.
    pub shuffle: Option<u64>,
    /// Whether to leave out the last batch of an epoch when it is smaller than the others.
    pub drop_last: bool,
}

/// One batch of B samples in host memory. One value can be reused for a whole run, so that its vectors keep their
/// memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<T> {
    /// The samples, row-major, in the shape [`Batch::shape`].
    pub inputs: Vec<T>,
    /// The class labels, `[B]`.
    pub labels: Vec<i64>,
    /// The shape of `inputs`: `[B, C, H, W]` for images, `[B, F]` for rows of a table.
    pub shape: Vec<usize>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { inputs: Vec::new(), labels: Vec::new(), shape: Vec::new() }
    }
}

/// Iterates over a dataset in batches, made in the calling thread. The order of the n samples in epoch `e` with seed
/// `s` is `RandomKey::new(s).child("shuffle").index(e).permutation(n)`. It depends on nothing that happened before, so
/// that a run can be resumed at any batch.
///
/// ```
/// use taper_data::{Batch, BatchLoader, LoaderOptions, digits};
///
/// # fn main() -> taper_data::Result<()> {
/// let splits = digits()?;
/// let options = LoaderOptions { batch_size: 64, shuffle: Some(0), drop_last: false };
/// let mut loader = BatchLoader::new(&splits.train, options)?;
/// let mut batch = Batch::<f32>::default();
/// let mut images = 0;
/// for epoch in 0..2 {
///     loader.start_epoch(epoch);
///     while loader.next_into(&mut batch)? {
///         images += batch.labels.len(); // batch.inputs: [B, 1, 8, 8], values in [0, 1]
///     }
/// }
/// assert_eq!(images, 2 * 1437);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct BatchLoader<D> {
    dataset: D,
    sampler: Sampler,
    order: Vec<usize>,
    position: usize,
}

impl<D: Dataset> BatchLoader<D> {
    /// A loader at the start of epoch 0. `dataset` may be a reference or an `Arc`.
    ///
    /// # Errors
    /// When the batch size is 0 or the dataset is empty.
    pub fn new(dataset: D, options: LoaderOptions) -> Result<Self> {
        let sampler = Sampler::new(dataset.len(), options)?;
        Ok(Self { dataset, order: sampler.order(0), sampler, position: 0 })
    }

    /// Goes to the first batch of `epoch`.
    pub fn start_epoch(&mut self, epoch: u64) {
        self.order = self.sampler.order(epoch);
        self.position = 0;
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        self.sampler.len()
    }

    /// Whether an epoch has no batch, as with `drop_last` and fewer samples than a batch needs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The dataset.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// The number of batches of this epoch that have been returned, which is the index of the next one, from 0.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Goes to batch `position` of this epoch, for example to resume a run.
    ///
    /// # Errors
    /// When `position` is over [`BatchLoader::len`].
    pub fn set_position(&mut self, position: usize) -> Result<()> {
        self.sampler.check_position(position)?;
        self.position = position;
        Ok(())
    }

    /// Replaces the content of `batch` by the next batch and returns `true`. At the end of the epoch returns `false`
    /// and leaves `batch` unchanged.
    ///
    /// # Errors
    /// [`Error::Sample`] when the dataset's own code panics on a sample. The content of `batch` is then unspecified;
    /// the next call continues with the batch after the failed one.
    pub fn next_into<T: Element>(&mut self, batch: &mut Batch<T>) -> Result<bool> {
        if self.position >= self.len() {
            return Ok(false);
        }
        let indices = self.sampler.batch(&self.order, self.position);
        self.position += 1;
        fill(&self.dataset, indices, batch, |i, sample| self.dataset.read_sample(i, sample))?;
        Ok(true)
    }
}

/// The samples of each batch, for [`BatchLoader`] and [`Pipeline`](crate::Pipeline).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampler {
    /// The number of samples, at least 1.
    n: usize,
    options: LoaderOptions,
}

impl Sampler {
    pub fn new(n: usize, options: LoaderOptions) -> Result<Self> {
        if options.batch_size == 0 {
            return Err(Error::Argument("batch size: expected at least 1, found 0".into()));
        }
        if n == 0 {
            return Err(Error::Argument("loader: expected at least one sample, found an empty dataset".into()));
        }
        Ok(Self { n, options })
    }

    /// The order of the samples in `epoch`.
    pub fn order(&self, epoch: u64) -> Vec<usize> {
        match self.options.shuffle {
            Some(seed) => RandomKey::new(seed).child("shuffle").index(epoch).permutation(self.n),
            None => (0..self.n).collect(),
        }
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        let (n, size) = (self.n, self.options.batch_size);
        if self.options.drop_last { n / size } else { n.div_ceil(size) }
    }

    pub fn check_position(&self, position: usize) -> Result<()> {
        if position > self.len() {
            return Err(Error::Argument(format!(
                "loader: position {position} is past the end of an epoch of {} batches",
                self.len()
            )));
        }
        Ok(())
    }

    /// The indices of the samples of batch `position`, which is below [`Sampler::len`], in an epoch with this `order`.
    pub fn batch<'o>(&self, order: &'o [usize], position: usize) -> &'o [usize] {
        // position < len, so `start` is below the number of samples. The end of the last batch is clamped to it.
        let start = position * self.options.batch_size;
        let end = start.saturating_add(self.options.batch_size).min(order.len());
        &order[start..end]
    }
}

/// Replaces the content of `batch` by the samples `indices` of `dataset`, each written by `read`. A panic in the
/// dataset's code becomes an error that names the sample: one damaged file must not end the process, and a panicking
/// worker thread must not leave its caller waiting.
pub(crate) fn fill<D: Dataset, T: Element>(
    dataset: &D,
    indices: &[usize],
    batch: &mut Batch<T>,
    mut read: impl FnMut(usize, &mut [T]),
) -> Result<()> {
    let mut index = 0;
    // Unwind safety: the dataset's own state is its own matter, and `batch` is overwritten before it is read again.
    let filled = catch_unwind(AssertUnwindSafe(|| fill_or_panic(dataset, indices, batch, &mut index, &mut read)));
    filled.map_err(|panic| Error::Sample { index, detail: panic_text(&*panic) })
}

/// As [`fill`], but panics of the dataset pass through. `index` is always the sample that is being read.
fn fill_or_panic<D: Dataset, T: Element>(
    dataset: &D,
    indices: &[usize],
    batch: &mut Batch<T>,
    index: &mut usize,
    read: &mut impl FnMut(usize, &mut [T]),
) {
    *index = indices.first().copied().unwrap_or_default();
    let sample_shape = dataset.sample_shape();
    let size: usize = sample_shape.iter().product();
    batch.shape.clear();
    batch.shape.push(indices.len());
    batch.shape.extend_from_slice(sample_shape);
    batch.labels.clear();
    for &i in indices {
        *index = i;
        batch.labels.push(dataset.label(i));
    }
    if batch.inputs.len() != indices.len() * size {
        batch.inputs = vec![T::from_f64(0.0); indices.len() * size];
    }
    // Chunks of size 0 would panic. A sample shape without values has nothing to write.
    for (sample, &i) in batch.inputs.chunks_exact_mut(size.max(1)).zip(indices) {
        *index = i;
        read(i, sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageDataset;
    use proptest::prelude::*;

    /// `n` images of one pixel, image `i` with value and label `i`.
    fn count(n: u8) -> ImageDataset {
        let classes = (0..n).map(|i| i.to_string()).collect();
        ImageDataset::new((0..n).collect(), (0..n).collect(), [1, 1, 1], classes, 100).unwrap()
    }

    fn options(batch_size: usize, shuffle: Option<u64>, drop_last: bool) -> LoaderOptions {
        LoaderOptions { batch_size, shuffle, drop_last }
    }

    fn labels<D: Dataset>(loader: &mut BatchLoader<D>) -> Vec<i64> {
        let (mut all, mut batch) = (Vec::new(), Batch::<f64>::default());
        while loader.next_into(&mut batch).unwrap() {
            assert_eq!(batch.shape, [batch.labels.len(), 1, 1, 1]);
            let expected: Vec<f64> = batch.labels.iter().map(|&l| l as f64 / 100.0).collect();
            assert_eq!(batch.inputs, expected);
            all.extend(&batch.labels);
        }
        all
    }

    #[test]
    fn in_order_with_a_smaller_last_batch() {
        let data = count(10);
        let mut loader = BatchLoader::new(&data, options(4, None, false)).unwrap();
        assert_eq!(loader.len(), 3);
        assert_eq!(labels(&mut loader), (0..10).collect::<Vec<_>>());
        loader.start_epoch(1);
        assert_eq!(labels(&mut loader), (0..10).collect::<Vec<_>>());
        let mut loader = BatchLoader::new(&data, options(4, None, true)).unwrap();
        assert_eq!((loader.len(), labels(&mut loader)), (2, (0..8).collect()));
    }

    #[test]
    fn the_shuffle_follows_seed_and_epoch() {
        let data = count(50);
        let mut loader = BatchLoader::new(&data, options(7, Some(3), false)).unwrap();
        let first = labels(&mut loader);
        let expected = RandomKey::new(3).child("shuffle").index(0).permutation(50);
        assert_eq!(first, expected.iter().map(|&i| i as i64).collect::<Vec<_>>());
        loader.start_epoch(1);
        assert_ne!(labels(&mut loader), first);
        loader.start_epoch(0);
        assert_eq!(labels(&mut loader), first);
    }

    #[test]
    fn a_position_can_be_set() {
        let data = count(10);
        let mut loader = BatchLoader::new(&data, options(4, Some(1), false)).unwrap();
        let all = labels(&mut loader);
        loader.start_epoch(0);
        loader.set_position(2).unwrap();
        assert_eq!(labels(&mut loader), all[8..]);
        assert_eq!(loader.position(), 3);
        let text = loader.set_position(4).unwrap_err().to_string();
        assert_eq!(text, "loader: position 4 is past the end of an epoch of 3 batches");
    }

    #[test]
    fn bad_sizes_are_said() {
        let data = count(3);
        let text = BatchLoader::new(&data, options(0, None, false)).unwrap_err().to_string();
        assert_eq!(text, "batch size: expected at least 1, found 0");
        let mut none = data.clone();
        none.truncate(0);
        let text = BatchLoader::new(none, options(1, None, false)).unwrap_err().to_string();
        assert!(text.contains("empty dataset"), "{text}");
        let mut huge = BatchLoader::new(&data, options(usize::MAX, None, false)).unwrap();
        assert_eq!(labels(&mut huge), [0, 1, 2]);
    }

    proptest! {
        #[test]
        fn each_sample_comes_once(n in 1_u8..90, size in 1_usize..40, seed in any::<u64>(), epoch in any::<u64>()) {
            let mut loader = BatchLoader::new(count(n), options(size, Some(seed), false)).unwrap();
            loader.start_epoch(epoch);
            let mut all = labels(&mut loader);
            all.sort_unstable();
            prop_assert_eq!(all, (0..i64::from(n)).collect::<Vec<_>>());
        }
    }
}
