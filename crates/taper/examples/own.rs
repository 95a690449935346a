//! A model, data and a hook of one's own: two spirals, told apart by a small network.

use taper::data::Dataset;
use taper::nn::{Context, Linear, LinearConfig, Module, Params};
use taper::tensor::Element;
use taper::train::{Config, EpochReport, Fit, Flow, Hook, Override, RunView, Silent};
use taper::{DType, RandomKey, Result, Tensor};

/// Points of two spirals, half a turn apart, with a little noise.
struct Spirals(usize, RandomKey);

impl Dataset for Spirals {
    fn len(&self) -> usize {
        self.0
    }
    fn sample_shape(&self) -> &[usize] {
        &[2]
    }
    fn read_sample<T: Element>(&self, index: usize, sample: &mut [T]) {
        let (t, noise) = (index as f64 / self.0 as f64, 0.05 * self.1.uniform(index as u64));
        let angle = std::f64::consts::PI * (3.0 * t + self.label(index) as f64);
        sample[0] = T::from_f64((t + 0.2) * angle.cos() + noise);
        sample[1] = T::from_f64((t + 0.2) * angle.sin() - noise);
    }
    fn label(&self, index: usize) -> i64 {
        index as i64 % 2
    }
}

/// 2 → 64 → 64 → 2.
struct Net([Linear; 3]);

impl Module for Net {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let [first, second, last] = &self.0;
        let x = first.forward(x, context)?.tanh()?; // [N, 64]
        last.forward(&second.forward(&x, context)?.tanh()?, context) // [N, 2]
    }
}

/// Prints every tenth epoch, and ends the run when everything is right.
struct Watch;

impl Hook for Watch {
    fn after_epoch(&mut self, run: &RunView<'_>, epoch: &EpochReport) -> taper::train::Result<Flow> {
        let accuracy = epoch.validation.map_or(0.0, |found| found.accuracy());
        if epoch.epoch % 10 == 0 {
            println!("epoch {}: {:.1} % right, rate {:.4}", epoch.epoch, 100.0 * accuracy, run.lr);
        }
        Ok(if accuracy == 1.0 { Flow::Stop } else { Flow::Continue })
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let [train, validation, test] = [0, 1, 2].map(|seed| Spirals(600, RandomKey::new(seed)));
    let params = Params::new(&taper::device("cpu")?, DType::F32, RandomKey::new(0));
    let linear = |name: &str, from, to| Linear::new(LinearConfig::new(from, to), &params.sub(name));
    let net = Net([linear("first", 2, 64)?, linear("second", 64, 64)?, linear("last", 64, 2)?]);
    // Any key of the configuration; the same lines may stand in a TOML file.
    let settings = "train.epochs=100 optimizer.name=adamw optimizer.lr=0.01 schedule.name=one-cycle";
    let settings = settings.split(' ').map(Override::parse).collect::<taper::train::Result<Vec<_>>>()?;
    let config = Config::default().with(&settings)?;
    let fit = Fit::new(&config, &net, &params, &train).validation(&validation).test(&test);
    let outcome = fit.hook(&mut Watch).run(&mut Silent)?;
    let found = outcome.test.ok_or("not finished")?;
    println!("{} steps, {} of {} right", outcome.steps, found.correct, found.samples);
    Ok(())
}
