//! A restricted Boltzmann machine learns the handwritten digits by contrastive divergence.

use taper_data::{Batch, BatchLoader, LoaderOptions, Splits, digits};
use taper_models::Rbm;
use taper_nn::{DType, Device, Params, RandomKey, no_grad};
use taper_tasks::ContrastiveDivergence;
use taper_train::{Config, DeviceBatch, Evaluation, Fit, Override, Result, Silent, Split};

/// The result on the test split, and the mean free energy of its digits, less that of digits with their pixels in another
/// order.
pub(crate) fn run() -> Result<(Evaluation, f64)> {
    let Splits { train, test } = digits()?;
    let device = Device::new(taper_cpu::CpuBackend::new()?);
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let task = ContrastiveDivergence { rbm: Rbm::new(64, 64, &params)?, steps: 1 };
    let settings = "train.epochs = 30\ntrain.batch_size = 20\noptimizer = { name = \"sgd\", lr = 0.1, momentum = 0.5 }";
    let config = Config::default().with(&Override::read(settings, "here")?)?;
    let outcome = Fit::new(&config, &task, &params, &train).test(&test).run(&mut Silent)?;

    let options = LoaderOptions { batch_size: test.len(), shuffle: None, drop_last: false };
    let mut batch = Batch::default();
    BatchLoader::new(&test, options)?.next_into(&mut batch)?;
    let v = DeviceBatch::new(&batch, &params, Split::Test, [0; 3]).float("inputs")?.flatten(1)?; // [360, 64]
    let order = RandomKey::new(1).permutation(64).into_iter().map(|i| i as i64).collect();
    let mixed = v.index_select(1, &taper_nn::Tensor::from_vec(order, [64], &device)?)?;
    let mean = |v| no_grad(|| task.rbm.free_energy(v)?.mean_all()?.item());
    Ok((outcome.test.unwrap_or_default(), mean(&v)? - mean(&mixed)?))
}

#[allow(dead_code, reason = "a test runs what is above")]
fn main() -> Result<()> {
    let (found, energy) = run()?;
    println!("test reconstruction error {:.4}; free energy {energy:.1} against digits with mixed pixels", found.loss());
    Ok(())
}
