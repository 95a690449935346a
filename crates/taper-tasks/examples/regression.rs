//! Regression of a table: the noisy surface of M. J. D. Friedman ("Multivariate adaptive regression splines", Annals of
//! Statistics 19, 1991, section 4.3): 10 sin(π x₁ x₂) + 20 (x₃ − ½)² + 10 x₄ + 5 x₅ + noise, with five columns that mean
//! nothing beside them.

use taper_data::{Batch, Dataset, FieldSpec};
use taper_models::{InputSpec, Mlp};
use taper_nn::{DType, Device, Params, RandomKey};
use taper_tasks::{Regression, TargetStats};
use taper_train::{Config, Evaluation, Fit, Override, Result, Silent};

/// Rows of ten numbers in [0, 1], and what is to be predicted.
struct Friedman {
    seed: u64,
    rows: usize,
    /// By what the targets are standardised.
    stats: TargetStats,
}

impl Friedman {
    fn row(&self, index: usize) -> ([f32; 10], f32) {
        let key = RandomKey::new(self.seed).index(index as u64);
        let x: [f64; 10] = std::array::from_fn(|i| key.uniform(i as u64));
        let y =
            10.0 * (std::f64::consts::PI * x[0] * x[1]).sin() + 20.0 * (x[2] - 0.5).powi(2) + 10.0 * x[3] + 5.0 * x[4];
        (x.map(|x| x as f32), (y + key.child("noise").normal(0)) as f32)
    }
}

impl Dataset for Friedman {
    fn len(&self) -> usize {
        self.rows
    }

    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("inputs", DType::F32, &[10]), FieldSpec::new("targets", DType::F32, &[])]
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        for (row, &i) in batch.f32("inputs", &[indices.len(), 10]).chunks_exact_mut(10).zip(indices) {
            row.copy_from_slice(&self.row(i).0);
        }
        for (target, &i) in batch.f32("targets", &[indices.len()]).iter_mut().zip(indices) {
            *target = ((f64::from(self.row(i).1) - self.stats.mean) / self.stats.std) as f32;
        }
        Ok(())
    }
}

pub(crate) fn run() -> Result<Evaluation> {
    let mut train = Friedman { seed: 0, rows: 2000, stats: TargetStats::default() };
    let targets: Vec<f64> = (0..train.len()).map(|i| train.row(i).1.into()).collect();
    let mean = targets.iter().sum::<f64>() / targets.len() as f64;
    let variance = targets.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / targets.len() as f64;
    train.stats = TargetStats { mean, std: variance.sqrt() };
    let test = Friedman { seed: 1, rows: 500, ..train };

    let device = Device::new(taper_cpu::CpuBackend::new()?);
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let model = Mlp::with_hidden(&InputSpec { shape: [1, 1, 10], classes: 1 }, &[64, 64], &params)?;
    let task = Regression::new(model).standardized(train.stats);
    let settings = "train.epochs = 30\ntrain.batch_size = 50\noptimizer = { name = \"adamw\", lr = 0.003 }";
    let config = Config::default().with(&Override::read(settings, "here")?)?;
    let outcome = Fit::new(&config, &task, &params, &train).test(&test).run(&mut Silent)?;
    Ok(outcome.test.unwrap_or_default())
}

#[allow(dead_code, reason = "a test runs what is above")]
fn main() -> Result<()> {
    let found = run()?;
    // The noise alone has an error of 1, the mean of all targets one of about 5.
    for (name, value) in found.values() {
        println!("test {name}: {value:.3}");
    }
    Ok(())
}
