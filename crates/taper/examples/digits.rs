//! Trains a custom network on the embedded digits dataset, and prints its test accuracy.

use taper::data::digits;
use taper::nn::{Context, Linear, LinearConfig, Module, Params, Pass};
use taper::tasks::{Classification, experiment};
use taper::train::{Fit, Silent};
use taper::{DType, RandomKey, Result, Tensor};

/// 64 → 32 → 10.
struct Digits {
    fc1: Linear,
    fc2: Linear,
}

impl Module for Digits {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let x = x.flatten(1)?; // [N, 1, 8, 8] → [N, 64]
        let x = x.pass(&self.fc1, context)?.relu()?; // [N, 32]
        x.pass(&self.fc2, context) // [N, 10]
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let splits = digits()?;
    let params = Params::new(&taper::device("cpu")?, DType::F32, RandomKey::new(0));
    let model = Digits {
        fc1: Linear::new(LinearConfig::new(64, 32), &params.sub("fc1"))?,
        fc2: Linear::new(LinearConfig::new(32, 10), &params.sub("fc2"))?,
    };
    let task = Classification::new(model, splits.train.classes().iter().cloned());
    let config = experiment("digits")?.config();
    let outcome = Fit::new(&config, &task, &params, &splits.train).test(&splits.test).run(&mut Silent)?;
    if let Some(test) = outcome.test {
        let right = test.get("accuracy").unwrap_or_default();
        println!("{} steps, {:.1} % of {} right", outcome.steps, 100.0 * right, test.samples);
    }
    Ok(())
}
