//! The CPU's memory in a training run: after two steps nothing more is asked of the system.

use std::sync::Mutex;
use taper::data::ImageDataset;
use taper::tasks::{Classification, experiment};
use taper::train::{Fit, Silent};
use taper_cpu::{Convolution, CpuBackend, CpuOptions, Pool};
use taper_models::{InputSpec, SeedCnn};
use taper_nn::{Context, DType, Device, Module, Params, RandomKey, Result, Tensor};
use taper_tests::hash;

fn pictures(count: usize) -> ImageDataset {
    let labels = hash::labels(count);
    let classes = (0..10).map(|class| class.to_string()).collect();
    ImageDataset::new(hash::pictures(count), labels, [3, 32, 32], classes, 255).expect("pictures and as many labels")
}

/// The seed CNN, and the pool's misses before each of its forward passes in training.
struct Watched {
    model: SeedCnn,
    pool: Pool,
    before: Mutex<Vec<u64>>,
}

impl Module for Watched {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        if context.is_training() {
            self.before.lock().unwrap().push(self.pool.misses());
        }
        self.model.forward(x, context)
    }
}

/// Two epochs of 24 batches of 8 and one of `last`: how often the system was asked for memory before each step, and at
/// the end; not before the pass over one sample that a run begins with if `last` is 1. One thread: how many blocks are in use at once does not depend on timing.
fn misses(convolution: Convolution, last: usize) -> (Vec<u64>, u64) {
    let (train, test) = (pictures(24 * 8 + last), pictures(20));
    let mut config = experiment("cifar").unwrap().config();
    (config.train.epochs, config.train.batch_size, config.train.eval_batch_size) = (2, 8, 12);
    let backend = CpuBackend::with_options(CpuOptions { threads: 1, convolution, ..CpuOptions::default() }).unwrap();
    let pool = backend.pool().clone();
    let params = Params::new(&Device::new(backend), DType::F32, RandomKey::new(0));
    let model = SeedCnn::new(&InputSpec { shape: [3, 32, 32], classes: 10 }, &params).unwrap();
    let model = Watched { model, pool: pool.clone(), before: Mutex::default() };
    let task = Classification::new(&model, train.classes().iter().cloned());
    Fit::new(&config, &task, &params, &train).validation(&test).run(&mut Silent).unwrap();
    let before = model.before.into_inner().unwrap();
    (before[usize::from(last == 1)..].to_vec(), pool.misses())
}

/// Beyond twenty steps, where weights are put aside; beyond ten, where losses wait to be read; the last, smaller batch;
/// and the whole second epoch, measuring included.
#[test]
fn from_the_third_step_on_the_pool_never_misses() {
    for last in [1, 3, 5] {
        let (before, end) = misses(Convolution::Direct, last);
        assert_eq!(before.len(), 50);
        assert!(before[0] > 0, "the first step's memory comes from somewhere");
        let first = &before[2..25];
        assert!(first.iter().all(|&misses| misses == before[2]), "a last batch of {last}: {first:?}");
        let second = &before[25..];
        assert!(second.iter().all(|&misses| misses == end), "a last batch of {last}: {second:?}, {end} at the end");
    }
}

/// The tiles that Winograd's error bound does not cover depend on values, and take a few blocks when they come: the packed
/// weight, the tiles and their sums in each of two convolutions and their gradients.
#[test]
fn tiles_evaluated_directly_take_a_few_blocks() {
    for last in [1, 3, 5] {
        let (before, end) = misses(Convolution::Auto, last);
        assert!(end - before[2] <= 12, "a last batch of {last}: {before:?}, {end} at the end");
    }
}
