//! A step in steady state takes no memory of the host for its inputs: neither the batch, nor what goes to the device.

mod common;

use common::Net;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use taper_data::augment::{Fill, Flip, Normalize, Translate};
use taper_data::{Augmented, Batch, Dataset, ImageDataset, LoaderOptions, Pipeline, PipelineOptions, TableDataset};
use taper_nn::DType;
use taper_train::{DeviceBatch, Split};

/// The system's allocator, which counts.
struct Counting;

/// Allocations of [`LARGE`] or more, in any thread.
static BIG: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// All allocations of this thread.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// Bytes that no handle of a tensor takes, and any input of these tests does.
const LARGE: usize = 4096;

fn count(size: usize) {
    BIG.fetch_add(usize::from(size >= LARGE), Ordering::Relaxed);
    // A thread that ends counts no more.
    let _ = HERE.try_with(|here| here.set(here.get() + 1));
}

// SAFETY: every method hands its arguments, under the caller's own promises, to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The allocations, all of this thread and the large ones of any, of so many steps that `step` makes.
fn of(steps: usize, mut step: impl FnMut()) -> [usize; 2] {
    let counts = || [HERE.get(), BIG.load(Ordering::Relaxed)];
    let before = counts();
    (0..steps).for_each(|_| step());
    let after = counts();
    [after[0] - before[0], after[1] - before[1]]
}

/// Other tests would be counted too: all is one test.
#[test]
fn a_step_takes_no_memory_for_its_inputs() {
    let pictures = ImageDataset::new(vec![3; 4096 * 256], vec![0; 4096], [1, 16, 16], vec!["a".into()], 255).unwrap();
    let table = TableDataset::new(
        vec![0.5; 4096 * 64],
        (0..64).map(|i| i.to_string()).collect(),
        vec![0; 4096],
        vec!["a".into()],
    );
    let list = vec![
        Flip { alternating: true }.into(),
        Translate { pixels: 2, fill: Fill::Reflect }.into(),
        Normalize { mean: vec![0.5], std: vec![0.25] }.into(),
    ];
    let changed = Augmented::new(&pictures, list, 0).unwrap();
    let table = table.unwrap();
    let params = Net::plain(DType::F32, 0).params;
    let upload = |batch: &Batch| {
        let batch = DeviceBatch::new(batch, &params, Split::Train, [0; 3]);
        assert_eq!(batch.float("inputs").unwrap().shape()[0], 32);
        assert_eq!(batch.tensor("labels").unwrap().shape()[0], 32);
    };
    let options = |workers| {
        let loader = LoaderOptions { batch_size: 32, shuffle: Some(0), drop_last: true };
        PipelineOptions { loader, epoch_batches: 0, workers, ahead: 4 }
    };
    for data in [&pictures as &dyn Dataset, &changed, &table] {
        std::thread::scope(|scope| {
            let mut pipeline = Pipeline::start(scope, data, options(0)).unwrap();
            let mut batch = Batch::default();
            let mut next = |batch: &mut Batch| assert!(pipeline.next_into(batch).unwrap());
            // The first steps allocate: the batch, and the device's buffers.
            (0..8).for_each(|_| {
                next(&mut batch);
                upload(&batch);
            });
            assert_eq!(of(50, || next(&mut batch)), [0, 0], "50 batches");
            let [handles, blocks] = of(50, || {
                next(&mut batch);
                upload(&batch);
            });
            assert_eq!(blocks, 0, "50 steps take {blocks} blocks of {LARGE} bytes or more");
            assert!(handles < 50 * 64, "50 steps take {handles} blocks for the handles of their tensors");
        });
        // Workers are at their own pace. However that is, six batches go round: four ahead, one in use, one given back.
        std::thread::scope(|scope| {
            let mut pipeline = Pipeline::start(scope, data, options(2)).unwrap();
            let mut batch = Batch::default();
            let [_, blocks] = of(120, || assert!(pipeline.next_into(&mut batch).unwrap()));
            // Each with two fields that are large, and the order of the samples.
            assert!(blocks <= 6 * 2 + 2, "120 batches of two workers take {blocks} blocks of {LARGE} bytes or more");
        });
    }
    // The count counts: a batch of one's own is seen.
    let fresh = of(1, || {
        let mut batch = Batch::default();
        batch.clear(32);
        pictures.fill(0, &[0; 32], &mut batch).unwrap();
    });
    assert!(fresh[0] > 2 && fresh[1] == 1, "{fresh:?}");
}
