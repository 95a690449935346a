//! Tests of the pipeline: its batches equal the loader's for any number of workers, and it never hangs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use taper_data::augment::{Fill, Flip, Translate};
use taper_data::{
    Augment, Augmented, Batch, BatchLoader, DType, Dataset, Error, FieldSpec, HostData, ImageDataset, LoaderOptions,
    Pipeline, PipelineOptions, Result, digits,
};

fn options(workers: usize) -> PipelineOptions {
    let loader = LoaderOptions { batch_size: 32, shuffle: Some(3), drop_last: false };
    PipelineOptions { loader, epoch_batches: 0, workers, ahead: 3 }
}

fn data() -> ImageDataset {
    let mut data = digits().unwrap().train;
    data.truncate(300);
    data
}

fn changed() -> Augmented<ImageDataset> {
    let changes = vec![Flip { alternating: false }.into(), Translate { pixels: 2, fill: Fill::Reflect }.into()];
    Augmented::new(data(), changes, 5).unwrap()
}

/// The batches of an epoch from `position` on.
fn epoch(pipeline: &mut Pipeline<'_>, number: u64, position: usize) -> Vec<Batch> {
    let (mut all, mut batch) = (Vec::new(), Batch::default());
    pipeline.start_epoch(number, position).unwrap();
    while pipeline.next_into(&mut batch).unwrap() {
        all.push(batch.clone());
        assert_eq!(pipeline.position(), position + all.len());
    }
    assert!(!pipeline.next_into(&mut batch).unwrap());
    all
}

/// The batches of an epoch, from the loader.
fn loaded(data: &dyn Dataset, number: u64) -> Vec<Batch> {
    let (mut all, mut batch) = (Vec::new(), Batch::default());
    let mut loader = BatchLoader::new(data, options(0).loader).unwrap();
    loader.start_epoch(number);
    while loader.next_into(&mut batch).unwrap() {
        all.push(batch.clone());
    }
    all
}

#[test]
fn the_loaders_bits() {
    let (plain, changed) = (data(), changed());
    for data in [&plain as &dyn Dataset, &changed] {
        for workers in [0, 1, 2, 5] {
            thread::scope(|scope| {
                let mut pipeline = Pipeline::start(scope, data, options(workers)).unwrap();
                assert_eq!(pipeline.len(), 10);
                for number in [0, 1, 7] {
                    let expected = loaded(data, number);
                    assert!(epoch(&mut pipeline, number, 0) == expected, "{workers} workers, epoch {number}");
                }
            });
        }
    }
}

#[test]
fn the_same_bits_whatever_the_workers_and_wherever_it_starts() {
    let (data, plain) = (changed(), data());
    thread::scope(|scope| {
        let start = |workers| Pipeline::start(scope, &data, options(workers)).unwrap();
        let (mut none, mut three) = (start(0), start(3));
        let expected = epoch(&mut none, 4, 0);
        assert_eq!(expected.len(), 10);
        assert_ne!(expected, epoch(&mut none, 5, 0));
        assert_ne!(expected[0].field("inputs").unwrap().data, {
            let unchanged = Augmented::new(&plain, Vec::new(), 5).unwrap();
            loaded(&unchanged, 4).remove(0).field("inputs").unwrap().data.clone()
        });
        for position in [0, 1, 9, 10] {
            assert_eq!(epoch(&mut three, 4, position), expected[position..]);
        }
        // Left in the middle of an epoch, while the workers are at it.
        let mut batch = Batch::default();
        three.start_epoch(1, 2).unwrap();
        assert!(three.next_into(&mut batch).unwrap());
        assert_eq!(epoch(&mut three, 4, 0), expected);
    });
}

#[test]
fn it_starts_at_epoch_0_by_itself() {
    let data = data();
    thread::scope(|scope| {
        let mut pipeline = Pipeline::start(scope, &data, options(2)).unwrap();
        let mut batch = Batch::default();
        assert!(pipeline.next_into(&mut batch).unwrap());
        assert_eq!(batch, epoch(&mut pipeline, 0, 0)[0]);
    });
}

/// Epochs of so many batches are the passes, cut elsewhere: the same batches in the same order, with what is random
/// keyed by the pass.
#[test]
fn epochs_of_any_number_of_batches() {
    let data = changed();
    let passes: Vec<Batch> = (0..4).flat_map(|pass| loaded(&data, pass)).collect();
    for (epoch_batches, workers) in [(1, 0), (7, 0), (7, 3), (10, 2), (13, 2), (33, 1)] {
        thread::scope(|scope| {
            let options = PipelineOptions { epoch_batches, ..options(workers) };
            let mut pipeline = Pipeline::start(scope, &data, options).unwrap();
            assert_eq!(pipeline.len(), epoch_batches);
            for (number, expected) in passes.chunks_exact(epoch_batches).enumerate() {
                let found = epoch(&mut pipeline, number as u64, 0);
                assert!(found == expected, "epoch {number} of {epoch_batches} batches");
                // And from its middle on, as a resumed run does.
                let middle = epoch_batches / 2;
                assert!(epoch(&mut pipeline, number as u64, middle) == expected[middle..]);
            }
        });
    }
    // Smaller batches that are left out are in no pass.
    thread::scope(|scope| {
        let loader = LoaderOptions { drop_last: true, ..options(0).loader };
        let options = PipelineOptions { loader, epoch_batches: 20, ..options(2) };
        let mut pipeline = Pipeline::start(scope, &data, options).unwrap();
        let found = epoch(&mut pipeline, 0, 0);
        let whole: Vec<Batch> = passes.iter().filter(|batch| batch.len() == 32).take(20).cloned().collect();
        assert!(found == whole);
    });
}

/// A dataset with one value for each sample. Reading a sample counts, waits, and panics for one of them.
struct Awkward {
    reads: AtomicUsize,
    wait: Duration,
    /// The sample to wait at, or all.
    slow: Option<usize>,
    panics_at: Option<usize>,
    fails_at: Option<usize>,
}

impl Awkward {
    fn new(wait: u64, panics_at: Option<usize>) -> Self {
        Self { reads: AtomicUsize::new(0), wait: Duration::from_millis(wait), slow: None, panics_at, fails_at: None }
    }
}

impl Dataset for Awkward {
    fn len(&self) -> usize {
        20
    }
    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("inputs", DType::F64, &[1]), FieldSpec::new("labels", DType::I64, &[])]
    }
    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        for (x, &index) in batch.f64("inputs", &[indices.len(), 1]).iter_mut().zip(indices) {
            assert_ne!(Some(index), self.panics_at, "no such sample");
            if Some(index) == self.fails_at {
                return Err(Error::Argument(format!("row {index}: expected a number, found `x`")));
            }
            self.reads.fetch_add(1, Ordering::SeqCst);
            if self.slow.is_none_or(|slow| slow == index) {
                thread::sleep(self.wait);
            }
            *x = index as f64;
        }
        for (label, &index) in batch.i64("labels", &[indices.len()]).iter_mut().zip(indices) {
            *label = index as i64;
        }
        Ok(())
    }
}

/// The labels of a batch.
fn labels(batch: &Batch) -> &[i64] {
    batch.i64s("labels").unwrap()
}

fn one_by_one(workers: usize, ahead: usize) -> PipelineOptions {
    let loader = LoaderOptions { batch_size: 1, shuffle: None, drop_last: false };
    PipelineOptions { loader, epoch_batches: 0, workers, ahead }
}

#[test]
fn no_more_than_ahead_are_made() {
    let data = Awkward::new(0, None);
    thread::scope(|scope| {
        let mut pipeline = Pipeline::start(scope, &data, one_by_one(4, 3)).unwrap();
        assert_eq!(data.reads.load(Ordering::SeqCst), 0); // they wait for an epoch
        let mut batch = Batch::default();
        for taken in 1..=10 {
            assert!(pipeline.next_into(&mut batch).unwrap());
            assert_eq!(labels(&batch), [taken as i64 - 1]);
            let reads = data.reads.load(Ordering::SeqCst);
            assert!((taken..=taken + 3).contains(&reads), "{reads} read, {taken} taken");
        }
    });
}

#[test]
fn what_was_in_the_making_is_thrown_away_with_its_epoch() {
    let mut data = Awkward::new(50, None);
    let mut options = one_by_one(2, 3);
    options.loader.shuffle = Some(1);
    let mut loader = BatchLoader::new(&data, options.loader).unwrap();
    let (mut batch, mut expected) = (Batch::default(), Batch::default());
    assert!(loader.next_into(&mut expected).unwrap());
    let first = labels(&expected)[0] as usize;
    drop(loader);
    data.slow = Some(first);
    thread::scope(|scope| {
        let mut pipeline = Pipeline::start(scope, &data, options).unwrap();
        pipeline.start_epoch(0, 0).unwrap();
        thread::sleep(Duration::from_millis(10)); // a worker is now at the first batch of epoch 0
        pipeline.start_epoch(1, 0).unwrap();
        thread::sleep(Duration::from_millis(80)); // and now done, when the first one of epoch 1 has long been made
        let mut loader = BatchLoader::new(&data, options.loader).unwrap();
        loader.start_epoch(1);
        while loader.next_into(&mut expected).unwrap() {
            assert!(pipeline.next_into(&mut batch).unwrap());
            assert_eq!(batch, expected);
        }
    });
}

#[test]
fn memory_goes_round() {
    let data = Awkward::new(0, None);
    thread::scope(|scope| {
        let mut pipeline = Pipeline::start(scope, &data, one_by_one(2, 3)).unwrap();
        let (mut batch, mut places) = (Batch::default(), std::collections::BTreeSet::new());
        for number in 0..5 {
            pipeline.start_epoch(number, 0).unwrap();
            while pipeline.next_into(&mut batch).unwrap() {
                let HostData::F64(values) = &batch.field("inputs").unwrap().data else { panic!("expected f64") };
                places.insert(values.as_ptr());
            }
        }
        assert!(places.len() <= 5, "{} blocks for 100 batches", places.len());
    });
}

#[test]
fn dropped_at_any_time_it_ends() {
    let data = Awkward::new(2, None);
    for taken in 0..4 {
        thread::scope(|scope| {
            let mut pipeline = Pipeline::start(scope, &data, one_by_one(3, 4)).unwrap();
            let mut batch = Batch::default();
            for _ in 0..taken {
                assert!(pipeline.next_into(&mut batch).unwrap());
            }
        });
    }
    // The scope's own thread panics while the workers are at it: it must still come back.
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        thread::scope(|scope| {
            let mut pipeline = Pipeline::start(scope, &data, one_by_one(3, 4)).unwrap();
            pipeline.start_epoch(0, 0).unwrap();
            panic!("the step failed");
        })
    }));
    assert!(panic.is_err());
}

#[test]
fn a_panic_is_the_error_of_that_batch_at_its_turn() {
    for workers in [0, 1, 3] {
        let data = Awkward::new(0, Some(5));
        thread::scope(|scope| {
            let mut pipeline = Pipeline::start(scope, &data, one_by_one(workers, 2)).unwrap();
            let mut batch = Batch::default();
            for label in 0..5 {
                assert!(pipeline.next_into(&mut batch).unwrap());
                assert_eq!(labels(&batch), [label]);
            }
            let text = pipeline.next_into(&mut Batch::default()).unwrap_err().to_string();
            assert!(text.starts_with("sample 5: the dataset panicked while it was read: "), "{text}");
            assert!(text.contains("no such sample"), "{text}");
            // And the next one comes after it.
            assert!(pipeline.next_into(&mut batch).unwrap());
            assert_eq!(labels(&batch), [6]);
        });
    }
}

#[test]
fn a_panic_names_the_sample_wherever_it_is_in_its_batch() {
    for workers in [0, 2] {
        let data = Awkward::new(0, Some(6));
        thread::scope(|scope| {
            let loader = LoaderOptions { batch_size: 4, shuffle: None, drop_last: false };
            let options = PipelineOptions { loader, ..one_by_one(workers, 2) };
            let mut pipeline = Pipeline::start(scope, &data, options).unwrap();
            let mut batch = Batch::default();
            assert!(pipeline.next_into(&mut batch).unwrap());
            let error = pipeline.next_into(&mut batch).unwrap_err();
            assert!(matches!(error, Error::Sample { index: 6, .. }), "{error}");
            assert!(pipeline.next_into(&mut batch).unwrap());
            assert_eq!(labels(&batch), [8, 9, 10, 11]);
        });
    }
}

#[test]
fn an_error_of_the_dataset_is_that_of_its_batch_at_its_turn() {
    for workers in [0, 1, 3] {
        let data = Awkward { fails_at: Some(2), ..Awkward::new(0, None) };
        thread::scope(|scope| {
            let mut pipeline = Pipeline::start(scope, &data, one_by_one(workers, 2)).unwrap();
            let mut batch = Batch::default();
            assert!(pipeline.next_into(&mut batch).unwrap() && pipeline.next_into(&mut batch).unwrap());
            let text = pipeline.next_into(&mut batch).unwrap_err().to_string();
            assert_eq!(text, "row 2: expected a number, found `x`");
            assert!(pipeline.next_into(&mut batch).unwrap());
            assert_eq!(labels(&batch), [3]);
        });
    }
}

#[test]
fn idle_is_the_time_waited_for() {
    let data = Awkward::new(20, None);
    thread::scope(|scope| {
        let mut pipeline = Pipeline::start(scope, &data, one_by_one(1, 1)).unwrap();
        let mut batch = Batch::default();
        assert_eq!(pipeline.idle(), Duration::ZERO);
        assert!(pipeline.next_into(&mut batch).unwrap() && pipeline.next_into(&mut batch).unwrap());
        assert!(pipeline.idle() >= Duration::from_millis(5), "{:?}", pipeline.idle());
        pipeline.start_epoch(1, 0).unwrap();
        assert_eq!(pipeline.idle(), Duration::ZERO);
    });
}

#[test]
fn bad_options_are_said() {
    let data = data();
    thread::scope(|scope| {
        let say = |change: fn(&mut PipelineOptions)| {
            let mut options = options(2);
            change(&mut options);
            Pipeline::start(scope, &data, options).unwrap_err().to_string()
        };
        assert_eq!(say(|o| o.ahead = 0), "pipeline: ahead: expected at least 1, found 0");
        assert_eq!(say(|o| o.workers = 1025), "pipeline: workers: expected 0 to 1024, found 1025");
        assert_eq!(say(|o| o.loader.batch_size = 0), "batch size: expected at least 1, found 0");
        let mut pipeline = Pipeline::start(scope, &data, options(1)).unwrap();
        let text = pipeline.start_epoch(0, 11).unwrap_err().to_string();
        assert_eq!(text, "loader: position 11 is past the end of an epoch of 10 batches");
    });
}

#[test]
fn what_cannot_be_augmented_is_said() {
    let say = |data: &dyn Dataset, list: Vec<Augment>| Augmented::new(data, list, 0).err().unwrap().to_string();
    let far = Translate { pixels: 8, fill: Fill::Reflect };
    assert_eq!(
        say(&data(), vec![far.into()]),
        "augment.translate: pixels: expected at most 7 for pictures of 8×8, found 8"
    );
    let text = say(&Awkward::new(0, None), vec![Flip { alternating: false }.into()]);
    assert_eq!(text, "augment: expected pictures [C, H, W], found samples of shape [1]");
}
