//! Trains the digits' model and draws the validation accuracy of each epoch as text, through a custom `Reporter`:
//! `cargo run --release -p taper-tasks --example curve`.

use taper_data::digits;
use taper_models::{InputSpec, build};
use taper_nn::{DType, Device, Params, RandomKey};
use taper_tasks::{Classification, experiment};
use taper_train::{EpochReport, Fit, Reporter};

struct Bars;

impl Reporter for Bars {
    fn epoch(&mut self, epoch: &EpochReport) {
        let accuracy = epoch.validation.as_ref().and_then(|found| found.get("accuracy")).unwrap_or_default();
        println!("{:>3} {:6.2}% {}", epoch.epoch, 100.0 * accuracy, "#".repeat((60.0 * accuracy) as usize));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::new(taper_cpu::CpuBackend::new()?);
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let splits = digits()?;
    let model = build("mlp", &InputSpec { shape: splits.train.shape(), classes: 10 }, &params)?;
    let task = Classification::new(model, splits.train.classes().iter().cloned());
    let config = experiment("digits")?.config();
    let (train, validation) = splits.train.split_off(config.data.validation, config.train.seed)?;
    Fit::new(&config, &task, &params, &train).validation(&validation).run(&mut Bars)?;
    Ok(())
}
