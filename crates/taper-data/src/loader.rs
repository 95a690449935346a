//! Batches of a dataset, in order or shuffled anew in each epoch.

use crate::error::panic_text;
use crate::{Dataset, Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use taper_backend::{Element, RandomKey};

/// How a [`BatchLoader`] makes batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Samples in a batch, at least 1.
    pub batch_size: usize,
    /// The seed of the shuffle, or `None` to go through the data in order.
    pub shuffle: Option<u64>,
    /// Leave out the last batch of an epoch when it is smaller than the others.
    pub drop_last: bool,
}

/// One batch of `B` samples, as plain host data. Reuse one value over a whole run: its vectors keep their memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<T> {
    /// The samples, row-major, of [`Batch::shape`].
    pub inputs: Vec<T>,
    /// The labels, `[B]`.
    pub labels: Vec<i64>,
    /// The shape of `inputs`: `[B, C, H, W]` for pictures.
    pub shape: Vec<usize>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { inputs: Vec::new(), labels: Vec::new(), shape: Vec::new() }
    }
}

/// Goes through a dataset batch by batch. Epoch `e` of seed `s` has the order
/// `RandomKey::new(s).child("shuffle").index(e).permutation(n)`: it depends on nothing that happened before, so a run can
/// be resumed at any batch.
///
/// ```
/// use taper_data::{Batch, BatchLoader, LoaderOptions, digits};
///
/// # fn main() -> taper_data::Result<()> {
/// let splits = digits()?;
/// let options = LoaderOptions { batch_size: 64, shuffle: Some(0), drop_last: false };
/// let mut loader = BatchLoader::new(&splits.train, options)?;
/// let mut batch = Batch::<f32>::default();
/// let mut pictures = 0;
/// for epoch in 0..2 {
///     loader.start_epoch(epoch);
///     while loader.next_into(&mut batch)? {
///         pictures += batch.labels.len(); // batch.inputs: [B, 1, 8, 8], values in [0, 1]
///     }
/// }
/// assert_eq!(pictures, 2 * 1437);
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
    /// When `batch_size` is 0 or the dataset is empty.
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

    /// Whether an epoch has no batch: fewer samples than a batch, and `drop_last`.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The dataset.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// How many batches of this epoch have been handed out: the number of the next one, from 0.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Goes to batch `position` of this epoch, to resume a run.
    ///
    /// # Errors
    /// When `position` is over [`BatchLoader::len`].
    pub fn set_position(&mut self, position: usize) -> Result<()> {
        self.sampler.check_position(position)?;
        self.position = position;
        Ok(())
    }

    /// Writes the next batch into `batch`, whatever it held before. Returns `false`, and leaves it alone, at the end of
    /// the epoch.
    ///
    /// # Errors
    /// [`Error::Sample`] when the dataset's own code panics on a sample. What `batch` holds then is not defined; the
    /// next call goes on with the batch after it.
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

/// Which samples make a batch: what [`BatchLoader`] and [`Pipeline`](crate::Pipeline) share.
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

    /// The samples of batch `position`, which is below [`Sampler::len`], in an epoch of this `order`.
    pub fn batch<'o>(&self, order: &'o [usize], position: usize) -> &'o [usize] {
        // position < len, so no product here is over the number of samples, but for the end of the last batch.
        let start = position * self.options.batch_size;
        let end = start.saturating_add(self.options.batch_size).min(order.len());
        &order[start..end]
    }
}

/// Writes the samples `indices` of `dataset` into `batch`, each as `read` gives it. A panic in the dataset's code is an
/// error that names the sample: a damaged file among a million must not end the process, nor leave a worker's caller
/// waiting.
pub(crate) fn fill<D: Dataset, T: Element>(
    dataset: &D,
    indices: &[usize],
    batch: &mut Batch<T>,
    mut read: impl FnMut(usize, &mut [T]),
) -> Result<()> {
    let mut index = 0;
    // What the dataset has left half done is its own; `batch` is written anew before it is read.
    let filled = catch_unwind(AssertUnwindSafe(|| fill_or_panic(dataset, indices, batch, &mut index, &mut read)));
    filled.map_err(|panic| Error::Sample { index, detail: panic_text(&*panic) })
}

/// As [`fill`], with the sample that is being read in `index`.
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
    // A size of 0 makes no chunks of 0: a shape with no values has nothing to write.
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

    /// `n` pictures of one pixel, picture `i` with value and label `i`.
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
