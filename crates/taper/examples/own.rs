//! A custom model, dataset and hook: a small network that tells two spirals apart.

use taper::data::Dataset;
use taper::nn::{Context, Linear, LinearConfig, Module, Params, Pass};
use taper::train::{Config, EpochReport, Fit, Flow, Hook, Override, RunView, Silent};
use taper::{DType, RandomKey, Result, Tensor};

/// 600 points on two spirals, half a turn apart.
struct Spirals(RandomKey);

impl Dataset for Spirals {
    fn len(&self) -> usize {
        600
    }
    fn sample_shape(&self) -> &[usize] {
        &[2]
    }
    fn read_sample<T: taper::tensor::Element>(&self, index: usize, sample: &mut [T]) {
        let t = 0.2 + self.0.uniform(index as u64);
        let angle = std::f64::consts::PI * (2.0 * t + self.label(index) as f64);
        (sample[0], sample[1]) = (T::from_f64(t * angle.cos()), T::from_f64(t * angle.sin()));
    }
    fn label(&self, index: usize) -> i64 {
        index as i64 % 2
    }
}

struct Net(Linear, Linear); // 2 → 128 → 2

impl Module for Net {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let x = x.pass(&self.0, context)?.relu()?; // [N, 128]
        x.pass(&self.1, context) // [N, 2]
    }
}

/// Prints the validation accuracy of each epoch, and stops the run when it is above 99 %.
struct Watch;

impl Hook for Watch {
    fn after_epoch(&mut self, run: &RunView<'_>, epoch: &EpochReport) -> taper::train::Result<Flow> {
        let right = epoch.validation.map_or(0.0, |found| found.accuracy());
        println!("epoch {}: {:.1} % right, rate {:.4}", epoch.epoch, 100.0 * right, run.lr);
        Ok(if right > 0.99 { Flow::Stop } else { Flow::Continue })
    }
}

pub(crate) fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let [train, validation, test] = [0, 1, 2].map(|seed| Spirals(RandomKey::new(seed)));
    let params = Params::new(&taper::device("cpu")?, DType::F32, RandomKey::new(0));
    let linear = |name: &str, from, to| Linear::new(LinearConfig::new(from, to), &params.sub(name));
    let net = Net(linear("first", 2, 128)?, linear("last", 128, 2)?);
    let settings = "train.epochs = 200\noptimizer = { name = \"adamw\", lr = 0.02 }\nschedule.name = \"linear\"";
    let config = Config::default().with(&Override::read(settings, "here")?)?;
    let fit = Fit::new(&config, &net, &params, &train).validation(&validation).test(&test);
    let outcome = fit.hook(&mut Watch).run(&mut Silent)?;
    println!("test: {:.1} % right", 100.0 * outcome.test.map_or(0.0, |found| found.accuracy()));
    Ok(())
}
