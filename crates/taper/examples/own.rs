//! A custom model, dataset and hook: a small network that tells two spirals apart.

use taper::data::{Batch, Dataset, FieldSpec};
use taper::nn::{Context, Linear, LinearConfig, Module, Params, Pass};
use taper::tasks::Classification;
use taper::train::{Config, EpochReport, Fit, Flow, Hook, Override, RunView, Silent};
use taper::{DType, RandomKey, Result, Tensor};

/// 600 points on two spirals, half a turn apart.
struct Spirals(RandomKey);

impl Dataset for Spirals {
    fn len(&self) -> usize {
        600
    }
    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("inputs", DType::F32, &[2]), FieldSpec::new("labels", DType::I64, &[])]
    }
    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> taper::data::Result<()> {
        for (point, &i) in batch.f32("inputs", &[indices.len(), 2]).chunks_mut(2).zip(indices) {
            let t = 0.2 + self.0.uniform(i as u64) as f32;
            let (sin, cos) = (std::f32::consts::PI * (2.0 * t + (i % 2) as f32)).sin_cos();
            point.copy_from_slice(&[t * cos, t * sin]);
        }
        batch.i64("labels", &[indices.len()]).iter_mut().zip(indices).for_each(|(to, i)| *to = (i % 2) as i64);
        Ok(())
    }
}

struct Net(Linear, Linear); // 2 → 128 → 2
impl Module for Net {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        x.pass(&self.0, context)?.relu()?.pass(&self.1, context) // [N, 2]
    }
}

/// Prints the validation accuracy of each epoch, and stops the run when it is above 99 %.
struct Watch;

impl Hook for Watch {
    fn after_epoch(&mut self, run: &RunView<'_>, epoch: &EpochReport) -> taper::train::Result<Flow> {
        let right = epoch.validation.as_ref().and_then(|found| found.get("accuracy")).unwrap_or_default();
        println!("epoch {}: {:.1} % right, rate {:.4}", epoch.epoch, 100.0 * right, run.lr);
        Ok(if right > 0.99 { Flow::Stop } else { Flow::Continue })
    }
}

pub(crate) fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let [train, validation, test] = [0, 1, 2].map(|seed| Spirals(RandomKey::new(seed)));
    let params = Params::new(&taper::device("cpu")?, DType::F32, RandomKey::new(0));
    let linear = |name: &str, from, to| Linear::new(LinearConfig::new(from, to), &params.sub(name));
    let task = Classification::new(Net(linear("first", 2, 128)?, linear("last", 128, 2)?), ["inner", "outer"]);
    let settings = "train.epochs = 200\noptimizer = { name = \"adamw\", lr = 0.02 }\nschedule.name = \"linear\"";
    let config = Config::default().with(&Override::read(settings, "here")?)?;
    let fit = Fit::new(&config, &task, &params, &train).validation(&validation).test(&test);
    let right = fit.hook(&mut Watch).run(&mut Silent)?.test.and_then(|found| found.get("accuracy")).unwrap_or_default();
    println!("test: {:.1} % right", 100.0 * right);
    Ok(())
}
