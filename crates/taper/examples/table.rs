//! Trains on a custom table: a CSV file, its columns standardised. In a project: `taper` with the feature `csv`.

use std::fmt::Write;
use taper::data::{Table, TableOptions};
use taper::nn::{Context, Linear, LinearConfig, Module, Params, Pass};
use taper::tasks::Classification;
use taper::train::{Config, Fit, Override, Silent};
use taper::{DType, RandomKey, Result, Tensor};

/// 600 fishes of three kinds, as a CSV file: lengths in millimetres, weights in kilograms.
fn fishes() -> String {
    let random = RandomKey::new(0);
    let mut text = "length_mm,weight_kg,kind\n".to_string();
    for i in 0..600 {
        let (kind, density) = [("perch", 0.8), ("pike", 0.4), ("bream", 1.4)][i as usize % 3];
        let length = 150.0 + 450.0 * random.uniform(2 * i);
        let weight = density * (0.9 + 0.2 * random.uniform(2 * i + 1)) * (length / 450.0).powi(3);
        // Writing into a text cannot fail.
        let _ = writeln!(text, "{length:.0},{weight:.3},{kind}");
    }
    text
}

struct Net(Linear, Linear); // 2 → 32 → 3

impl Module for Net {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let x = x.pass(&self.0, context)?.relu()?; // [N, 32]
        x.pass(&self.1, context) // [N, 3]
    }
}

pub(crate) fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("fishes-{}.csv", std::process::id()));
    std::fs::write(&path, fishes())?;
    // Numbers are standardised by the training rows alone: the test split stays unseen.
    let (train, test) = Table::open_split(&path, &TableOptions::new("kind"), 0.25, 0)?;
    let (features, classes) = (train.spec().features(), train.spec().target.classes().to_vec());
    println!("{train:?}: {features:?} of {classes:?}");

    let params = Params::new(&taper::device("cpu")?, DType::F32, RandomKey::new(0));
    let linear = |name: &str, from, to| Linear::new(LinearConfig::new(from, to), &params.sub(name));
    let net = Net(linear("first", train.spec().width(), 32)?, linear("last", 32, classes.len())?);
    let settings = "train.epochs = 60\noptimizer = { name = \"adamw\", lr = 0.02 }\nschedule.name = \"linear\"";
    let config = Config::default().with(&Override::read(settings, "here")?)?;
    let task = Classification::new(net, classes);
    let outcome = Fit::new(&config, &task, &params, &train).test(&test).run(&mut Silent)?;
    std::fs::remove_file(&path)?; // rows are read from the file when a batch asks for them
    println!("test: {:.1} % right", 100.0 * outcome.test.and_then(|found| found.get("accuracy")).unwrap_or_default());
    Ok(())
}
