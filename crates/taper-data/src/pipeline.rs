//! The data pipeline: batches that worker threads prefetch and augment while the model trains.

use crate::augment::Augmenter;
use crate::loader::{Sampler, fill};
use crate::{Augment, Batch, Dataset, Error, LoaderOptions, Result};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};
use taper_backend::Element;

/// The settings of a [`Pipeline`].
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineOptions {
    /// The batch size and the order of samples.
    pub loader: LoaderOptions,
    /// The augmentations of each sample, applied in this order. If there is any, samples must be images `[C, H, W]`.
    pub augment: Vec<Augment>,
    /// The seed of the augmentations. The shuffle has its own seed in `loader`.
    pub seed: u64,
    /// The number of worker threads, at most 1024. With 0, [`Pipeline::next_into`] makes each batch in the calling
    /// thread.
    pub workers: usize,
    /// The largest number of batches that the workers prefetch (ready or being made), at least 1. Ignored without
    /// workers.
    pub ahead: usize,
}

/// Iterates over a dataset in batches, in the same order as [`BatchLoader`](crate::BatchLoader), while worker threads
/// prefetch the next batches. Every random number is keyed by seed, epoch and sample: the bits of a batch do not
/// depend on the number of workers, and a run can be resumed at any batch. Without augmentations the batches equal
/// those of
/// `BatchLoader`, in any dtype. With augmentations, samples are augmented in f32 and then converted to `T`.
///
/// The workers run in a [`std::thread::scope`], so that the dataset can be borrowed. Dropping the pipeline stops them.
/// A panic in the dataset's own code becomes an error of [`next_into`](Self::next_into) when that batch is due; the
/// workers continue.
///
/// ```
/// use taper_data::augment::{Fill, Translate};
/// use taper_data::{Augment, Batch, LoaderOptions, Pipeline, PipelineOptions, digits};
///
/// # fn main() -> taper_data::Result<()> {
/// let data = digits()?.train;
/// let options = PipelineOptions {
///     loader: LoaderOptions { batch_size: 64, shuffle: Some(0), drop_last: false },
///     augment: vec![Augment::Translate(Translate { pixels: 1, fill: Fill::Zero })],
///     seed: 0,
///     workers: 2,
///     ahead: 4,
/// };
/// std::thread::scope(|scope| {
///     let mut pipeline = Pipeline::start(scope, &data, options)?;
///     let mut batch = Batch::<f32>::default();
///     for epoch in 0..2 {
///         pipeline.start_epoch(epoch, 0)?;
///         while pipeline.next_into(&mut batch)? {
///             // batch.inputs: [B, 1, 8, 8], the digits shifted by up to a pixel each way
///         }
///     }
///     Ok(())
/// })
/// # }
/// ```
pub struct Pipeline<'scope, T> {
    sampler: Sampler,
    make_batch: Arc<BatchMaker<'scope, T>>,
    /// The state shared with the workers; `None` without workers.
    shared: Option<Arc<Shared<T>>>,
    epoch: Option<Arc<Epoch>>,
    position: usize,
    idle: Duration,
    scratch: Scratch,
}

/// Replaces the content of a batch by the samples of these indices, augmented for the epoch.
type BatchMaker<'scope, T> = dyn Fn(&Epoch, &[usize], &mut Batch<T>, &mut Scratch) -> Result<()> + Send + Sync + 'scope;

struct Epoch {
    number: u64,
    order: Vec<usize>,
}

/// A thread's scratch memory for an image that is being augmented.
#[derive(Default)]
struct Scratch {
    values: Vec<f32>,
    spare: Vec<f32>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Signalled when there may be a batch to make, or the workers have to stop.
    work: Condvar,
    /// Signalled when a batch has been made.
    made: Condvar,
}

struct State<T> {
    /// The epoch whose batches are made. Batches of another epoch are discarded.
    epoch: Option<Arc<Epoch>>,
    /// The index of the batch to be returned next.
    first: usize,
    /// `slots[i]` is for batch `first + i`: `None` while it is being made, then the batch or its error.
    slots: VecDeque<Option<Result<Batch<T>>>>,
    /// Used batches, whose memory is reused. There are no more than were being made or ready at one time.
    free: Vec<Batch<T>>,
    stop: bool,
}

impl<'scope, T: Element> Pipeline<'scope, T> {
    /// Starts the workers, which then wait for [`start_epoch`](Self::start_epoch).
    ///
    /// # Errors
    /// When an option is out of range, the dataset is empty, there are augmentations but samples are not `[C, H, W]`,
    /// an augmentation does not apply to their shape, or the system cannot start a thread.
    pub fn start<'env, D: Dataset + Sync>(
        scope: &'scope Scope<'scope, 'env>,
        dataset: &'env D,
        options: PipelineOptions,
    ) -> Result<Self> {
        let PipelineOptions { loader, augment, seed, workers, ahead } = options;
        let sampler = Sampler::new(dataset.len(), loader)?;
        if workers > 1024 {
            return Err(Error::Argument(format!("pipeline: workers: expected 0 to 1024, found {workers}")));
        }
        if workers > 0 && ahead == 0 {
            return Err(Error::Argument("pipeline: ahead: expected at least 1, found 0".into()));
        }
        let augmenter = if augment.is_empty() {
            None
        } else {
            let shape = dataset.sample_shape();
            let shape = <[usize; 3]>::try_from(shape).map_err(|_| {
                Error::Argument(format!("augment: expected pictures [C, H, W], found samples of shape {shape:?}"))
            })?;
            Some(Augmenter::new(augment, shape, seed)?)
        };
        let make_batch: Arc<BatchMaker<'scope, T>> = Arc::new(move |epoch, indices, batch, scratch| match &augmenter {
            None => fill(dataset, indices, batch, |i, sample| dataset.read_sample(i, sample)),
            Some(augmenter) => fill(dataset, indices, batch, |i, sample| {
                scratch.values.resize(sample.len(), 0.0);
                dataset.read_sample(i, &mut scratch.values);
                let whole = augmenter.apply(&mut scratch.values, &mut scratch.spare, epoch.number, i);
                debug_assert!(whole.is_ok(), "samples are of the shape that was checked");
                for (out, &value) in sample.iter_mut().zip(&scratch.values) {
                    *out = T::from_f64(value.into());
                }
            }),
        });
        let mut pipeline = Self {
            sampler,
            make_batch,
            shared: None,
            epoch: None,
            position: 0,
            idle: Duration::ZERO,
            scratch: Scratch::default(),
        };
        if workers > 0 {
            let state = State { epoch: None, first: 0, slots: VecDeque::new(), free: Vec::new(), stop: false };
            let shared = Arc::new(Shared { state: Mutex::new(state), work: Condvar::new(), made: Condvar::new() });
            // From here on, dropping `pipeline` stops the threads that were started.
            pipeline.shared = Some(shared.clone());
            for number in 0..workers {
                let (shared, make_batch) = (shared.clone(), pipeline.make_batch.clone());
                thread::Builder::new()
                    .name(format!("taper-data-{number}"))
                    .spawn_scoped(scope, move || shared.work(sampler, ahead, &*make_batch))
                    .map_err(|e| Error::Argument(format!("pipeline: cannot start worker {number}: {e}")))?;
            }
        }
        Ok(pipeline)
    }

    /// Goes to batch `position` of `epoch`. Batches that the workers have prefetched before are discarded.
    ///
    /// # Errors
    /// When `position` is over [`len`](Self::len).
    pub fn start_epoch(&mut self, epoch: u64, position: usize) -> Result<()> {
        self.sampler.check_position(position)?;
        let epoch = Arc::new(Epoch { number: epoch, order: self.sampler.order(epoch) });
        if let Some(shared) = &self.shared {
            let mut state = shared.lock();
            while let Some(slot) = state.slots.pop_front() {
                state.free.extend(slot.and_then(Result::ok));
            }
            state.first = position;
            state.epoch = Some(epoch.clone());
            shared.work.notify_all();
        }
        self.epoch = Some(epoch);
        self.position = position;
        self.idle = Duration::ZERO;
        Ok(())
    }

    /// Replaces the content of `batch` by the next batch, waiting for it if necessary, and returns `true`. The old
    /// memory of `batch` is reused for a later batch. At the end of the epoch returns `false` and leaves `batch`
    /// unchanged. Starts epoch 0 if no epoch was started.
    ///
    /// # Errors
    /// [`Error::Sample`] when the dataset's own code panics on a sample. The content of `batch` is then unspecified;
    /// the next call continues with the batch after the failed one.
    pub fn next_into(&mut self, batch: &mut Batch<T>) -> Result<bool> {
        if self.epoch.is_none() {
            self.start_epoch(0, 0)?;
        }
        let Some(epoch) = self.epoch.as_ref().filter(|_| self.position < self.sampler.len()) else { return Ok(false) };
        let began = Instant::now();
        self.position += 1;
        match &self.shared {
            None => {
                let indices = self.sampler.batch(&epoch.order, self.position - 1);
                (self.make_batch)(epoch, indices, batch, &mut self.scratch)?;
            }
            Some(shared) => {
                let made = shared.take()?;
                shared.lock().free.push(std::mem::replace(batch, made));
            }
        }
        self.idle += began.elapsed();
        Ok(true)
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        self.sampler.len()
    }

    /// Whether an epoch has no batch, as with `drop_last` and fewer samples than a batch needs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index of the next batch of this epoch, from 0.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The total time that [`next_into`](Self::next_into) has taken since the epoch was started: the time that
    /// training has waited for data.
    pub fn idle(&self) -> Duration {
        self.idle
    }
}

impl<T: Element> Shared<T> {
    /// Locks the state. Poisoning is ignored: the state is consistent after each statement under the lock.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop of a worker thread: makes the batches of the epoch in order, at most `ahead` of them before they are
    /// taken.
    fn work(&self, sampler: Sampler, ahead: usize, make_batch: &BatchMaker<'_, T>) {
        let mut scratch = Scratch::default();
        let mut state = self.lock();
        while !state.stop {
            let number = state.first + state.slots.len();
            let open = state.slots.len() < ahead && number < sampler.len();
            let Some(epoch) = state.epoch.clone().filter(|_| open) else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.slots.push_back(None);
            let mut batch = state.free.pop().unwrap_or_default();
            drop(state);
            let indices = sampler.batch(&epoch.order, number);
            let made = make_batch(&epoch, indices, &mut batch, &mut scratch);
            state = self.lock();
            let first = state.first;
            if state.epoch.as_ref().is_some_and(|current| Arc::ptr_eq(current, &epoch)) {
                // The slot still exists: a batch is taken only after it was made.
                if let Some(slot) = state.slots.get_mut(number - first) {
                    *slot = Some(made.map(|()| batch));
                }
                self.made.notify_one();
            } else {
                state.free.push(batch);
            }
        }
    }

    /// Waits for the next batch and takes it.
    fn take(&self) -> Result<Batch<T>> {
        let mut state = self.lock();
        loop {
            if state.slots.front().is_some_and(Option::is_some)
                && let Some(made) = state.slots.pop_front().flatten()
            {
                state.first += 1;
                self.work.notify_one();
                return made;
            }
            state = self.made.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Drop for Pipeline<'_, T> {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.state.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
            shared.work.notify_all();
        }
    }
}

impl<T> fmt::Debug for Pipeline<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = self.epoch.as_ref().map(|epoch| epoch.number);
        let mut fields = f.debug_struct("Pipeline");
        fields.field("epoch", &epoch).field("position", &self.position).finish_non_exhaustive()
    }
}
