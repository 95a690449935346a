//! Dense labels: a class for each pixel of pictures of a square and a disc on noise.

use taper_data::{Batch, Dataset, FieldSpec};
use taper_nn::{Activation, Conv2d, Conv2dConfig, DType, Device, Params, RandomKey, Sequential};
use taper_tasks::DenseLabels;
use taper_train::{Config, Evaluation, Fit, Override, Result, Silent};

const SIZE: usize = 16;

/// Pictures `[1, 16, 16]` with a label for each pixel: 0 nothing, 1 square, 2 disc. Square and disc have the same
/// brightness.
struct Shapes {
    seed: u64,
    len: usize,
}

impl Shapes {
    /// The brightness and the label of a pixel.
    fn pixel(&self, index: usize, y: usize, x: usize) -> (f32, i64) {
        let key = RandomKey::new(self.seed).index(index as u64);
        let place = |i: u64| 2.0 + key.uniform(i) * (SIZE as f64 / 2.0 - 5.0);
        let (square, disc) = ([place(0), place(1)], [place(2) + 9.0, place(3) + 9.0]);
        let (y, x) = (y as f64, x as f64);
        let in_square = (y - square[0]).abs() <= 2.0 && (x - square[1]).abs() <= 2.0;
        let in_disc = (y - disc[0]).powi(2) + (x - disc[1]).powi(2) <= 6.5;
        let label = if in_square {
            1
        } else if in_disc {
            2
        } else {
            0
        };
        let noise = 0.15 * key.child("noise").normal((y * SIZE as f64 + x) as u64);
        ((f64::from(u8::from(label > 0)) + noise) as f32, label)
    }
}

impl Dataset for Shapes {
    fn len(&self) -> usize {
        self.len
    }

    fn fields(&self) -> Vec<FieldSpec> {
        let labels = FieldSpec::new("labels", DType::I64, &[SIZE, SIZE]);
        vec![FieldSpec::new("inputs", DType::F32, &[1, SIZE, SIZE]), labels]
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        let places = || indices.iter().flat_map(|&i| (0..SIZE * SIZE).map(move |at| (i, at / SIZE, at % SIZE)));
        let inputs = batch.f32("inputs", &[indices.len(), 1, SIZE, SIZE]);
        inputs.iter_mut().zip(places()).for_each(|(to, (i, y, x))| *to = self.pixel(i, y, x).0);
        let labels = batch.i64("labels", &[indices.len(), SIZE, SIZE]);
        labels.iter_mut().zip(places()).for_each(|(to, (i, y, x))| *to = self.pixel(i, y, x).1);
        Ok(())
    }
}

pub(crate) fn run() -> Result<Evaluation> {
    let (train, test) = (Shapes { seed: 0, len: 400 }, Shapes { seed: 1, len: 100 });
    let device = Device::new(taper_cpu::CpuBackend::new()?);
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let conv = |name: &str, from, to| Conv2d::new(Conv2dConfig::new(from, to, 5).padding(2), &params.sub(name));
    let model = Sequential::new()
        .then(conv("conv1", 1, 16)?)
        .then(Activation::Relu)
        .then(conv("conv2", 16, 16)?)
        .then(Activation::Relu)
        .then(conv("conv3", 16, 3)?);
    let task = DenseLabels::new(model, ["nothing", "square", "disc"]);
    let settings = "train.epochs = 8\ntrain.batch_size = 20\noptimizer.lr = 0.003";
    let config = Config::default().with(&Override::read(settings, "here")?)?;
    let outcome = Fit::new(&config, &task, &params, &train).test(&test).run(&mut Silent)?;
    Ok(outcome.test.unwrap_or_default())
}

#[allow(dead_code, reason = "a test runs what is above")]
fn main() -> Result<()> {
    for (name, value) in run()?.values() {
        println!("test {name}: {value:.4}");
    }
    Ok(())
}
