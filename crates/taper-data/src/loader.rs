//! The batch loader: batches of a dataset, in order or reshuffled at every epoch.

use crate::error::panic_text;
use crate::{Batch, Dataset, Error, Result};
use std::collections::VecDeque;
use std::ops::{Deref, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use taper_backend::RandomKey;

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
/// let mut batch = Batch::default();
/// let mut images = 0;
/// for epoch in 0..2 {
///     loader.start_epoch(epoch);
///     while loader.next_into(&mut batch)? {
///         images += batch.len(); // inputs: [N, 1, 8, 8] in u8, labels: [N] in i64
///     }
/// }
/// assert_eq!(images, 2 * 1437);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct BatchLoader<D> {
    dataset: D,
    sampler: Sampler,
    epoch: Epoch,
    position: usize,
}

impl<D: Dataset> BatchLoader<D> {
    /// A loader at the start of epoch 0. `dataset` may be a reference or an `Arc`.
    ///
    /// # Errors
    /// When the batch size is 0 or the dataset is empty.
    pub fn new(dataset: D, options: LoaderOptions) -> Result<Self> {
        let sampler = Sampler::new(dataset.len(), options, 0)?;
        Ok(Self { dataset, epoch: sampler.epoch(0), sampler, position: 0 })
    }

    /// Goes to the first batch of `epoch`.
    pub fn start_epoch(&mut self, epoch: u64) {
        self.epoch = self.sampler.epoch(epoch);
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
    /// The dataset's own, and [`Error::Sample`] when its code panics on a sample. The content of `batch` is then
    /// unspecified; the next call continues with the batch after the failed one.
    pub fn next_into(&mut self, batch: &mut Batch) -> Result<bool> {
        if self.position >= self.len() {
            return Ok(false);
        }
        self.position += 1;
        let (pass, indices) = self.sampler.batch(&self.epoch, self.position - 1);
        fill(&self.dataset, pass, &indices, batch)?;
        Ok(true)
    }
}

/// The samples of each batch, for [`BatchLoader`] and [`Pipeline`](crate::Pipeline).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampler {
    /// The number of samples, at least 1.
    n: usize,
    options: LoaderOptions,
    /// The number of batches in an epoch.
    batches: usize,
}

/// The order of the samples in an epoch. It is a pass over the dataset, or, if an epoch has another number of batches,
/// what that many batches take of one pass after the other.
#[derive(Debug, Clone)]
pub(crate) struct Epoch {
    pub(crate) number: u64,
    /// The batches of all epochs before this one: a product of two u64, which u128 holds.
    before: u128,
    /// The order of the samples in the passes that were last asked for.
    orders: Arc<Mutex<Orders>>,
}

/// Passes, with the order of the samples in each.
type Orders = VecDeque<(u128, Arc<Vec<usize>>)>;

/// Orders that an epoch keeps: threads that make its batches ahead are seldom at more passes at a time, and an order that
/// is gone is drawn again.
const KEPT: usize = 4;

/// The samples of a batch: a part of an order.
pub(crate) struct Indices {
    order: Arc<Vec<usize>>,
    part: Range<usize>,
}

impl Deref for Indices {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.order[self.part.clone()]
    }
}

impl Sampler {
    /// Batches of `n` samples; an epoch has `batches` of them, or with 0 those of one pass over the samples.
    pub fn new(n: usize, options: LoaderOptions, batches: usize) -> Result<Self> {
        if options.batch_size == 0 {
            return Err(Error::Argument("batch size: expected at least 1, found 0".into()));
        }
        if n == 0 {
            return Err(Error::Argument("loader: expected at least one sample, found an empty dataset".into()));
        }
        let mut sampler = Self { n, options, batches };
        if batches == 0 {
            sampler.batches = sampler.per_pass();
        }
        if sampler.per_pass() == 0 {
            sampler.batches = 0;
        }
        Ok(sampler)
    }

    /// The number of batches in one pass over the samples.
    fn per_pass(&self) -> usize {
        let (n, size) = (self.n, self.options.batch_size);
        if self.options.drop_last { n / size } else { n.div_ceil(size) }
    }

    /// The order of the samples in a pass.
    fn order(&self, pass: u64) -> Vec<usize> {
        match self.options.shuffle {
            Some(seed) => RandomKey::new(seed).child("shuffle").index(pass).permutation(self.n),
            None => (0..self.n).collect(),
        }
    }

    /// Epoch `number`. The orders of its passes are drawn when they are first asked for.
    pub fn epoch(&self, number: u64) -> Epoch {
        Epoch { number, before: u128::from(number) * self.batches as u128, orders: Arc::default() }
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        self.batches
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

    /// The pass and the indices of the samples of batch `position`, which is below [`Sampler::len`], in `epoch`.
    pub fn batch(&self, epoch: &Epoch, position: usize) -> (u64, Indices) {
        let (per_pass, at) = (self.per_pass() as u128, epoch.before + position as u128);
        let place = at / per_pass;
        let pass = place as u64; // keys repeat after 2⁶⁴ passes
        let mut orders = epoch.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let known = orders.iter().find(|(pass, _)| *pass == place).map(|(_, order)| order.clone());
        let order = known.unwrap_or_else(|| {
            let drawn = Arc::new(self.order(pass));
            if orders.len() == KEPT {
                orders.pop_front();
            }
            orders.push_back((place, drawn.clone()));
            drawn
        });
        // The place is below the number of batches in a pass, so `start` is below the number of samples. The end of the
        // last batch is clamped to it.
        let start = (at % per_pass) as usize * self.options.batch_size;
        let end = start.saturating_add(self.options.batch_size).min(order.len());
        (pass, Indices { order, part: start..end })
    }
}

/// Replaces the content of `batch` by the samples `indices` of `dataset`. A panic in the dataset's code becomes an error
/// that names the sample: one damaged file must not end the process, and a panicking worker thread must not leave its
/// caller waiting.
pub(crate) fn fill(dataset: &dyn Dataset, pass: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
    // Unwind safety: the dataset's own state is its own matter, and `batch` is overwritten before it is read again.
    let mut attempt = |indices: &[usize]| {
        batch.clear(indices.len());
        catch_unwind(AssertUnwindSafe(|| dataset.fill(pass, indices, batch)))
    };
    let panic = match attempt(indices) {
        Ok(filled) => return filled,
        Err(panic) => panic,
    };
    // Which sample it was is found by reading each alone.
    let index = indices.iter().copied().find(|&index| attempt(&[index]).is_err());
    Err(Error::Sample { index: index.or(indices.first().copied()).unwrap_or_default(), detail: panic_text(&*panic) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageDataset;
    use proptest::prelude::*;
    use taper_backend::HostData;

    /// `n` images of one pixel, image `i` with value and label `i`.
    fn count(n: u8) -> ImageDataset {
        let classes = (0..n).map(|i| i.to_string()).collect();
        ImageDataset::new((0..n).collect(), (0..n.into()).collect(), [1, 1, 1], classes, 100).unwrap()
    }

    fn options(batch_size: usize, shuffle: Option<u64>, drop_last: bool) -> LoaderOptions {
        LoaderOptions { batch_size, shuffle, drop_last }
    }

    fn labels<D: Dataset>(loader: &mut BatchLoader<D>) -> Vec<i64> {
        let (mut all, mut batch) = (Vec::new(), Batch::default());
        while loader.next_into(&mut batch).unwrap() {
            let (inputs, labels) = (batch.field("inputs").unwrap(), batch.i64s("labels").unwrap());
            assert_eq!((inputs.shape.as_slice(), inputs.max), (&[batch.len(), 1, 1, 1][..], Some(100.0)));
            assert_eq!(inputs.data, HostData::U8(labels.iter().map(|&label| label as u8).collect()));
            all.extend(labels);
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
    fn an_epoch_of_any_number_of_batches_goes_on_where_the_last_ended() {
        let options = options(4, Some(3), false);
        let passes = Sampler::new(10, options, 0).unwrap();
        let all: Vec<(u64, Vec<usize>)> = (0..4)
            .flat_map(|pass| {
                let epoch = passes.epoch(pass);
                (0..3).map(|at| passes.batch(&epoch, at)).map(|(pass, of)| (pass, of.to_vec())).collect::<Vec<_>>()
            })
            .collect();
        for batches in [1, 2, 5, 6] {
            let steps = Sampler::new(10, options, batches).unwrap();
            for (number, expected) in all.chunks_exact(batches).enumerate() {
                let epoch = steps.epoch(number as u64);
                let found = (0..batches).map(|at| steps.batch(&epoch, at)).map(|(pass, of)| (pass, of.to_vec()));
                assert_eq!(found.collect::<Vec<_>>(), expected, "epoch {number} of {batches} batches");
            }
        }
    }

    /// Nothing is kept of passes that nobody has asked for: an epoch may be of any number of batches.
    #[test]
    fn an_epoch_may_be_without_end() {
        let sampler = Sampler::new(10, options(4, Some(3), false), usize::MAX).unwrap();
        for number in [0, 1, u64::MAX] {
            let epoch = sampler.epoch(number);
            let (far, near) = (sampler.batch(&epoch, usize::MAX - 1), sampler.batch(&epoch, 0));
            assert!((1..=4).contains(&far.1.len()) && (1..=4).contains(&near.1.len()));
            // Drawn again once it is forgotten.
            (0..40).for_each(|at| drop(sampler.batch(&epoch, at)));
            let again = sampler.batch(&epoch, usize::MAX - 1);
            assert_eq!((again.0, again.1.to_vec()), (far.0, far.1.to_vec()));
        }
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
