//! Tests of the pipeline: its batches equal the loader's for any number of workers, and it never hangs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use taper_backend::Element;
use taper_data::augment::{Fill, Flip, Translate};
use taper_data::{
    Augment, Batch, BatchLoader, Dataset, ImageDataset, LoaderOptions, Pipeline, PipelineOptions, digits,
};

fn options(workers: usize, augment: Vec<Augment>) -> PipelineOptions {
    let loader = LoaderOptions { batch_size: 32, shuffle: Some(3), drop_last: false };
    PipelineOptions { loader, augment, seed: 5, workers, ahead: 3 }
}

fn data() -> ImageDataset {
    let mut data = digits().unwrap().train;
    data.truncate(300);
    data
}

fn changes() -> Vec<Augment> {
    vec![Flip { alternating: false }.into(), Translate { pixels: 2, fill: Fill::Reflect }.into()]
}

/// The batches of an epoch from `position` on.
fn epoch<T: Element>(pipeline: &mut Pipeline<'_, T>, number: u64, position: usize) -> Vec<Batch<T>> {
    let (mut all, mut batch) = (Vec::new(), Batch::default());
    pipeline.start_epoch(number, position).unwrap();
    while pipeline.next_into(&mut batch).unwrap() {
        all.push(batch.clone());
        assert_eq!(pipeline.position(), position + all.len());
    }
    assert!(!pipeline.next_into(&mut batch).unwrap());
    all
}

fn same_as_the_loader<T: Element>() {
    let data = data();
    let mut loader = BatchLoader::new(&data, options(0, vec![]).loader).unwrap();
    for workers in [0, 1, 2, 5] {
        thread::scope(|scope| {
            let mut pipeline = Pipeline::<T>::start(scope, &data, options(workers, vec![])).unwrap();
            assert_eq!(pipeline.len(), loader.len());
            for number in [0, 1, 7] {
                let (mut expected, mut batch) = (Vec::new(), Batch::<T>::default());
                loader.start_epoch(number);
                while loader.next_into(&mut batch).unwrap() {
                    expected.push(batch.clone());
                }
                assert!(epoch(&mut pipeline, number, 0) == expected, "{workers} workers, epoch {number}");
            }
        });
    }
}

#[test]
fn without_augmentation_the_loaders_bits() {
    same_as_the_loader::<f32>();
    same_as_the_loader::<f64>(); // sixteenths are exact; see the next test for values that are not
}

#[test]
fn doubles_do_not_go_through_singles() {
    let data = ImageDataset::new(vec![1, 2, 3], vec![0; 3], [1, 1, 1], vec!["a".into()], 255).unwrap();
    thread::scope(|scope| {
        let mut pipeline = Pipeline::<f64>::start(scope, &data, options(1, vec![])).unwrap();
        let mut values = epoch(&mut pipeline, 0, 0).remove(0).inputs;
        values.sort_by(f64::total_cmp);
        assert_eq!(values, [1.0 / 255.0, 2.0 / 255.0, 3.0 / 255.0]);
    });
}

#[test]
fn the_same_bits_whatever_the_workers_and_wherever_it_starts() {
    let data = data();
    thread::scope(|scope| {
        let start = |workers| Pipeline::<f32>::start(scope, &data, options(workers, changes())).unwrap();
        let (mut none, mut three) = (start(0), start(3));
        let expected = epoch(&mut none, 4, 0);
        assert_eq!(expected.len(), 10);
        assert_ne!(expected, epoch(&mut none, 5, 0));
        assert_ne!(expected[0].inputs, {
            let mut plain = Pipeline::<f32>::start(scope, &data, options(0, vec![])).unwrap();
            epoch(&mut plain, 4, 0).remove(0).inputs
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
        let mut pipeline = Pipeline::<f32>::start(scope, &data, options(2, vec![])).unwrap();
        let mut batch = Batch::default();
        assert!(pipeline.next_into(&mut batch).unwrap());
        assert_eq!(batch, epoch(&mut pipeline, 0, 0)[0]);
    });
}

/// A dataset with one value for each sample. Reading a sample counts, waits, and panics for one of them.
struct Awkward {
    reads: AtomicUsize,
    wait: Duration,
    /// The sample to wait at, or all.
    slow: Option<usize>,
    panics_at: Option<usize>,
}

impl Awkward {
    fn new(wait: u64, panics_at: Option<usize>) -> Self {
        Self { reads: AtomicUsize::new(0), wait: Duration::from_millis(wait), slow: None, panics_at }
    }
}

impl Dataset for Awkward {
    fn len(&self) -> usize {
        20
    }
    fn sample_shape(&self) -> &[usize] {
        &[1]
    }
    fn read_sample<T: Element>(&self, index: usize, sample: &mut [T]) {
        assert_ne!(Some(index), self.panics_at, "no such sample");
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.slow.is_none_or(|slow| slow == index) {
            thread::sleep(self.wait);
        }
        sample[0] = T::from_f64(index as f64);
    }
    fn label(&self, index: usize) -> i64 {
        index as i64
    }
}

fn one_by_one(workers: usize, ahead: usize) -> PipelineOptions {
    let loader = LoaderOptions { batch_size: 1, shuffle: None, drop_last: false };
    PipelineOptions { loader, augment: vec![], seed: 0, workers, ahead }
}

#[test]
fn no_more_than_ahead_are_made() {
    let data = Awkward::new(0, None);
    thread::scope(|scope| {
        let mut pipeline = Pipeline::<f32>::start(scope, &data, one_by_one(4, 3)).unwrap();
        assert_eq!(data.reads.load(Ordering::SeqCst), 0); // they wait for an epoch
        let mut batch = Batch::default();
        for taken in 1..=10 {
            assert!(pipeline.next_into(&mut batch).unwrap());
            assert_eq!(batch.labels, [taken as i64 - 1]);
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
    let first = expected.labels[0] as usize;
    drop(loader);
    data.slow = Some(first);
    thread::scope(|scope| {
        let mut pipeline = Pipeline::<f32>::start(scope, &data, options.clone()).unwrap();
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
        let mut pipeline = Pipeline::<f32>::start(scope, &data, one_by_one(2, 3)).unwrap();
        let (mut batch, mut places) = (Batch::default(), std::collections::BTreeSet::new());
        for number in 0..5 {
            pipeline.start_epoch(number, 0).unwrap();
            while pipeline.next_into(&mut batch).unwrap() {
                places.insert(batch.inputs.as_ptr());
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
            let mut pipeline = Pipeline::<f32>::start(scope, &data, one_by_one(3, 4)).unwrap();
            let mut batch = Batch::default();
            for _ in 0..taken {
                assert!(pipeline.next_into(&mut batch).unwrap());
            }
        });
    }
    // The scope's own thread panics while the workers are at it: it must still come back.
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        thread::scope(|scope| {
            let mut pipeline = Pipeline::<f32>::start(scope, &data, one_by_one(3, 4)).unwrap();
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
            let mut pipeline = Pipeline::<f32>::start(scope, &data, one_by_one(workers, 2)).unwrap();
            let mut batch = Batch::default();
            for label in 0..5 {
                assert!(pipeline.next_into(&mut batch).unwrap());
                assert_eq!(batch.labels, [label]);
            }
            let text = pipeline.next_into(&mut Batch::default()).unwrap_err().to_string();
            assert!(text.starts_with("sample 5: the dataset panicked while it was read: "), "{text}");
            assert!(text.contains("no such sample"), "{text}");
            // And the next one comes after it.
            assert!(pipeline.next_into(&mut batch).unwrap());
            assert_eq!(batch.labels, [6]);
        });
    }
}

#[test]
fn idle_is_the_time_waited_for() {
    let data = Awkward::new(20, None);
    thread::scope(|scope| {
        let mut pipeline = Pipeline::<f32>::start(scope, &data, one_by_one(1, 1)).unwrap();
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
    let rows = Awkward::new(0, None);
    thread::scope(|scope| {
        let say = |change: fn(&mut PipelineOptions)| {
            let mut options = options(2, vec![]);
            change(&mut options);
            Pipeline::<f32>::start(scope, &data, options).unwrap_err().to_string()
        };
        assert_eq!(say(|o| o.ahead = 0), "pipeline: ahead: expected at least 1, found 0");
        assert_eq!(say(|o| o.workers = 1025), "pipeline: workers: expected 0 to 1024, found 1025");
        assert_eq!(say(|o| o.loader.batch_size = 0), "batch size: expected at least 1, found 0");
        assert_eq!(
            say(|o| o.augment = vec![Translate { pixels: 8, fill: Fill::Reflect }.into()]),
            "augment.translate: pixels: expected at most 7 for pictures of 8×8, found 8"
        );
        let text = Pipeline::<f32>::start(scope, &rows, options(1, changes())).unwrap_err().to_string();
        assert_eq!(text, "augment: expected pictures [C, H, W], found samples of shape [1]");
        let mut pipeline = Pipeline::<f32>::start(scope, &data, options(1, vec![])).unwrap();
        let text = pipeline.start_epoch(0, 11).unwrap_err().to_string();
        assert_eq!(text, "loader: position 11 is past the end of an epoch of 10 batches");
    });
}
