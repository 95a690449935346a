//! An autoencoder of the handwritten digits: 64 pixels through a code of 8 numbers.

use taper_data::{Splits, digits};
use taper_models::Autoencoder;
use taper_nn::{DType, Device, Params, RandomKey};
use taper_tasks::Autoencoding;
use taper_train::{Config, Evaluation, Fit, Override, Result, Silent};

pub(crate) fn run() -> Result<Evaluation> {
    let Splits { train, test } = digits()?;
    let device = Device::new(taper_cpu::CpuBackend::new()?);
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let task = Autoencoding(Autoencoder::new(64, &[48], 8, &params)?);
    let settings = "train.epochs = 40\ntrain.batch_size = 32\noptimizer.lr = 0.003\nschedule.name = \"cosine\"";
    let config = Config::default().with(&Override::read(settings, "here")?)?;
    let outcome = Fit::new(&config, &task, &params, &train).test(&test).run(&mut Silent)?;
    Ok(outcome.test.unwrap_or_default())
}

#[allow(dead_code, reason = "a test runs what is above")]
fn main() -> Result<()> {
    let found = run()?;
    println!("test squared error {:.4}, {:.1} dB", found.loss(), found.get("psnr").unwrap_or(f64::NAN));
    Ok(())
}
