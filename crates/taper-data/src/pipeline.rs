//! The data pipeline: batches that worker threads prefetch and augment while the model trains.

use crate::loader::{Epoch, Sampler, fill};
use crate::{Batch, Dataset, Error, LoaderOptions, Result};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

/// The settings of a [`Pipeline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipelineOptions {
    /// The batch size and the order of samples.
    pub loader: LoaderOptions,
    /// The number of batches that make an epoch; 0 for those of one pass over the samples.
    pub epoch_batches: usize,
    /// The number of worker threads, at most 1024. With 0, [`Pipeline::next_into`] makes each batch in the calling
    /// thread.
    pub workers: usize,
    /// The largest number of batches that the workers prefetch (ready or being made), at least 1. Ignored without
    /// workers.
    pub ahead: usize,
}

/// Iterates over a dataset in batches, with the samples in the same order as [`BatchLoader`](crate::BatchLoader), while
/// worker threads prefetch the next batches. What is random in a sample is keyed by the pass over the data and the
/// sample: the bits of a batch do not depend on the number of workers, and a run can be resumed at any batch.
///
/// The workers run in a [`std::thread::scope`], so that the dataset can be borrowed. Dropping the pipeline stops them.
/// A panic in the dataset's own code becomes an error of [`next_into`](Self::next_into) when that batch is due; the
/// workers continue.
///
/// ```
/// use taper_data::augment::{Augmented, Fill, Translate};
/// use taper_data::{Augment, Batch, LoaderOptions, Pipeline, PipelineOptions, digits};
///
/// # fn main() -> taper_data::Result<()> {
/// let changes = vec![Augment::Translate(Translate { pixels: 1, fill: Fill::Zero })];
/// let data = Augmented::new(digits()?.train, changes, 0)?;
/// let options = PipelineOptions {
///     loader: LoaderOptions { batch_size: 64, shuffle: Some(0), drop_last: false },
///     epoch_batches: 0,
///     workers: 2,
///     ahead: 4,
/// };
/// std::thread::scope(|scope| {
///     let mut pipeline = Pipeline::start(scope, &data, options)?;
///     let mut batch = Batch::default();
///     for epoch in 0..2 {
///         pipeline.start_epoch(epoch, 0)?;
///         while pipeline.next_into(&mut batch)? {
///             // inputs: [N, 1, 8, 8], the digits shifted by up to a pixel each way
///         }
///     }
///     Ok(())
/// })
/// # }
/// ```
pub struct Pipeline<'scope> {
    dataset: &'scope dyn Dataset,
    sampler: Sampler,
    /// The state shared with the workers; `None` without workers.
    shared: Option<Arc<Shared>>,
    epoch: Option<Arc<Epoch>>,
    position: usize,
    idle: Duration,
}

struct Shared {
    state: Mutex<State>,
    /// Signalled when there may be a batch to make, or the workers have to stop.
    work: Condvar,
    /// Signalled when a batch has been made.
    made: Condvar,
}

struct State {
    /// The epoch whose batches are made. Batches of another epoch are discarded.
    epoch: Option<Arc<Epoch>>,
    /// The index of the batch to be returned next.
    first: usize,
    /// `slots[i]` is for batch `first + i`: `None` while it is being made, then the batch or its error.
    slots: VecDeque<Option<Result<Batch>>>,
    /// Used batches, whose memory is reused. There are no more than were being made or ready at one time.
    free: Vec<Batch>,
    stop: bool,
}

impl<'scope> Pipeline<'scope> {
    /// Starts the workers, which then wait for [`start_epoch`](Self::start_epoch).
    ///
    /// # Errors
    /// When an option is out of range, the dataset is empty, or the system cannot start a thread.
    pub fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        dataset: &'env dyn Dataset,
        options: PipelineOptions,
    ) -> Result<Self> {
        let PipelineOptions { loader, epoch_batches, workers, ahead } = options;
        let sampler = Sampler::new(dataset.len(), loader, epoch_batches)?;
        if workers > 1024 {
            return Err(Error::Argument(format!("pipeline: workers: expected 0 to 1024, found {workers}")));
        }
        if workers > 0 && ahead == 0 {
            return Err(Error::Argument("pipeline: ahead: expected at least 1, found 0".into()));
        }
        let mut pipeline = Self { dataset, sampler, shared: None, epoch: None, position: 0, idle: Duration::ZERO };
        if workers > 0 {
            let state = State { epoch: None, first: 0, slots: VecDeque::new(), free: Vec::new(), stop: false };
            let shared = Arc::new(Shared { state: Mutex::new(state), work: Condvar::new(), made: Condvar::new() });
            // From here on, dropping `pipeline` stops the threads that were started.
            pipeline.shared = Some(shared.clone());
            for number in 0..workers {
                let shared = shared.clone();
                thread::Builder::new()
                    .name(format!("taper-data-{number}"))
                    .spawn_scoped(scope, move || shared.work(sampler, ahead, dataset))
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
        let epoch = Arc::new(self.sampler.epoch(epoch));
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
    /// The dataset's own, and [`Error::Sample`] when its code panics on a sample. The content of `batch` is then
    /// unspecified; the next call continues with the batch after the failed one.
    pub fn next_into(&mut self, batch: &mut Batch) -> Result<bool> {
        if self.epoch.is_none() {
            self.start_epoch(0, 0)?;
        }
        let Some(epoch) = self.epoch.as_ref().filter(|_| self.position < self.sampler.len()) else { return Ok(false) };
        let began = Instant::now();
        self.position += 1;
        match &self.shared {
            None => {
                let (pass, indices) = self.sampler.batch(epoch, self.position - 1);
                fill(self.dataset, pass, &indices, batch)?;
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

impl Shared {
    /// Locks the state. Poisoning is ignored: the state is consistent after each statement under the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop of a worker thread: makes the batches of the epoch in order, at most `ahead` of them before they are
    /// taken.
    fn work(&self, sampler: Sampler, ahead: usize, dataset: &dyn Dataset) {
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
            let (pass, indices) = sampler.batch(&epoch, number);
            let made = fill(dataset, pass, &indices, &mut batch);
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
    fn take(&self) -> Result<Batch> {
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

impl Drop for Pipeline<'_> {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.state.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
            shared.work.notify_all();
        }
    }
}

impl fmt::Debug for Pipeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = self.epoch.as_ref().map(|epoch| epoch.number);
        let mut fields = f.debug_struct("Pipeline");
        fields.field("epoch", &epoch).field("position", &self.position).finish_non_exhaustive()
    }
}
