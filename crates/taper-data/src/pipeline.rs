//! Batches made ahead of the step that wants them, by worker threads, with augmentation.

use crate::augment::Augmenter;
use crate::loader::{Sampler, fill};
use crate::{Augment, Batch, Dataset, Error, LoaderOptions, Result};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};
use taper_backend::Element;

/// How a [`Pipeline`] makes batches.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineOptions {
    /// Size and order of the batches.
    pub loader: LoaderOptions,
    /// What is done to each picture, in this order.
    pub augment: Vec<Augment>,
    /// The seed of the augmentations. The order has its own, in `loader`.
    pub seed: u64,
    /// Worker threads, at most 1024; 0 makes each batch in the calling thread, when it is asked for.
    pub workers: usize,
    /// Batches that may be ready or in the making before they are asked for, at least 1. Without workers it plays no part.
    pub ahead: usize,
}

/// Goes through a dataset batch by batch as [`BatchLoader`](crate::BatchLoader) does, in the same order, while worker
/// threads make the batches that come next. Everything random is keyed by seed, epoch and sample: the bits do not depend
/// on the number of workers, and a run can be resumed at any batch. Without augmentations they are `BatchLoader`'s, in
/// any dtype; with them, pictures are augmented in f32 and converted after.
///
/// The workers live in a [`std::thread::scope`], so the dataset can be borrowed. Dropping the pipeline ends them. A panic
/// in a dataset's own code is an error of [`next_into`](Self::next_into), at that batch's turn; the workers go on.
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
    make: Arc<Make<'scope, T>>,
    /// What is shared with the workers, if there are any.
    shared: Option<Arc<Shared<T>>>,
    epoch: Option<Arc<Epoch>>,
    position: usize,
    idle: Duration,
    scratch: Scratch,
}

/// Writes the batch of these samples in an epoch.
type Make<'scope, T> = dyn Fn(&Epoch, &[usize], &mut Batch<T>, &mut Scratch) -> Result<()> + Send + Sync + 'scope;

struct Epoch {
    number: u64,
    order: Vec<usize>,
}

/// A thread's memory for a picture that is being augmented.
#[derive(Default)]
struct Scratch {
    values: Vec<f32>,
    spare: Vec<f32>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// There may be a batch to make, or the end has come.
    work: Condvar,
    /// A batch has been made.
    made: Condvar,
}

struct State<T> {
    /// The epoch whose batches are made; what belongs to another one is thrown away.
    epoch: Option<Arc<Epoch>>,
    /// The batch to be handed out next.
    first: usize,
    /// `slots[i]`: batch `first + i`, once made, or why it could not be.
    slots: VecDeque<Option<Result<Batch<T>>>>,
    /// Batches whose memory is used again. No more than were in the making or ready at one time.
    free: Vec<Batch<T>>,
    stop: bool,
}

impl<'scope, T: Element> Pipeline<'scope, T> {
    /// Starts the workers, which wait for an epoch.
    ///
    /// # Errors
    /// When an option is out of range, the dataset is empty, an augmentation does not fit its samples (which must be
    /// `[C, H, W]` then), or the system refuses a thread.
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
        let make: Arc<Make<'scope, T>> = Arc::new(move |epoch, indices, batch, scratch| match &augmenter {
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
            make,
            shared: None,
            epoch: None,
            position: 0,
            idle: Duration::ZERO,
            scratch: Scratch::default(),
        };
        if workers > 0 {
            let state = State { epoch: None, first: 0, slots: VecDeque::new(), free: Vec::new(), stop: false };
            let shared = Arc::new(Shared { state: Mutex::new(state), work: Condvar::new(), made: Condvar::new() });
            // From here on dropping `pipeline` ends whatever threads there are.
            pipeline.shared = Some(shared.clone());
            for number in 0..workers {
                let (shared, make) = (shared.clone(), pipeline.make.clone());
                thread::Builder::new()
                    .name(format!("taper-data-{number}"))
                    .spawn_scoped(scope, move || shared.work(sampler, ahead, &*make))
                    .map_err(|e| Error::Argument(format!("pipeline: cannot start worker {number}: {e}")))?;
            }
        }
        Ok(pipeline)
    }

    /// Goes to batch `position` of `epoch`. What the workers have made of another epoch is thrown away.
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

    /// Writes the next batch into `batch`, whatever it held before, and keeps its memory for another. Returns `false`, and
    /// leaves it alone, at the end of the epoch. Before any [`start_epoch`](Self::start_epoch), it starts epoch 0.
    ///
    /// # Errors
    /// [`Error::Sample`] when the dataset's own code panics on a sample. What `batch` holds then is not defined; the
    /// next call goes on with the batch after it.
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
                (self.make)(epoch, indices, batch, &mut self.scratch)?;
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

    /// Whether an epoch has no batch: fewer samples than a batch, and `drop_last`.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the next batch of this epoch, from 0.
    pub fn position(&self) -> usize {
        self.position
    }

    /// How long [`next_into`](Self::next_into) has kept its caller since the epoch was started.
    pub fn idle(&self) -> Duration {
        self.idle
    }
}

impl<T: Element> Shared<T> {
    /// The state. Nothing panics while it is held, and it is whole after each statement, so poison means nothing here.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker's life: make batches of the epoch in order, at most `ahead` of the one to be handed out next.
    fn work(&self, sampler: Sampler, ahead: usize, make: &Make<'_, T>) {
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
            let made = make(&epoch, indices, &mut batch, &mut scratch);
            state = self.lock();
            let first = state.first;
            if state.epoch.as_ref().is_some_and(|current| Arc::ptr_eq(current, &epoch)) {
                // Its slot is still there: a batch is handed out only once it is made.
                if let Some(slot) = state.slots.get_mut(number - first) {
                    *slot = Some(made.map(|()| batch));
                }
                self.made.notify_one();
            } else {
                state.free.push(batch);
            }
        }
    }

    /// Waits for the batch to be handed out next.
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
