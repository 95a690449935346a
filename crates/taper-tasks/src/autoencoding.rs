//! Autoencoding: the input itself is the target.

use taper_data::Batch;
use taper_nn::{Context, DType, Module, no_grad};
use taper_report::Picture;
use taper_report::html::{Framed, Gallery, Page, Section};
use taper_report::tensorboard::EventWriter;
use taper_train::{Better, DeviceBatch, Finished, Metric, Result, Split, Sums, Task};

/// Test samples that the report shows beside their reconstructions.
const SHOWN: usize = 24;

/// The task of reconstructing the field `inputs`, with a model that gives a tensor of their shape.
///
/// Metrics: the loss (mean squared error of a value) and the peak signal-to-noise ratio for values in [0, 1],
/// −10 log₁₀ of that, in dB. Of pictures, `[C, H, W]` with one or three channels, the report shows some of the test split
/// beside their reconstructions.
pub struct Autoencoding<M>(pub M);

impl<M: Module> Task for Autoencoding<M> {
    fn metrics(&self) -> Vec<Metric> {
        let psnr = Metric { of: |square| -10.0 * square.log10(), ..Metric::new("psnr", "dB", Better::Higher) };
        vec![Metric::loss("squared error"), psnr]
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let x = batch.float("inputs")?;
        let error = self.0.forward(&x, context)?.sub(&x)?;
        let square = error.mul(&error)?;
        let squares = no_grad(|| square.detach().cast(DType::F64)?.sum_all())?;
        let count = x.count();
        Ok(Sums::mean(square.mean_all()?, count).with("psnr", squares, count))
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, events: Option<&mut EventWriter>) -> Result<()> {
        let pairs = self.pairs(found)?;
        if pairs.is_empty() {
            return Ok(());
        }
        if let Some(events) = events {
            let pictures: Vec<Picture> = pairs.iter().filter_map(|pair| pair.picture.clone()).collect();
            events.image("reconstructions/test", found.outcome.steps, &Picture::grid(&pictures, 4)?)?;
        }
        let gallery = Gallery {
            note: "Test samples, on the left, and their reconstructions.".into(),
            of: found.test.len(),
            what: "test samples".into(),
            ..Gallery::new(pairs)
        };
        page.sections.push(Section::new("Reconstructions").with(gallery));
        Ok(())
    }
}

impl<M: Module> Autoencoding<M> {
    /// The first test samples, each beside its reconstruction; none if they are no pictures.
    fn pairs(&self, found: &Finished<'_>) -> Result<Vec<Framed>> {
        let indices: Vec<usize> = (0..found.test.len().min(SHOWN)).collect();
        let mut batch = Batch::default();
        batch.clear(indices.len());
        found.test.fill(0, &indices, &mut batch)?;
        let x = DeviceBatch::new(&batch, found.params, Split::Test, [0; 3]).float("inputs")?;
        let [_, channels @ (1 | 3), height, width] = *x.shape().dims() else { return Ok(Vec::new()) };
        let y = no_grad(|| self.0.forward(&x, &Context::eval()))?;
        let [inputs, outputs] = [x.to_host()?.to_f64(), y.to_host()?.to_f64()];
        let (shape, size) = ([channels, height, width], channels * height * width);
        let picture = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            Picture::from_unit(shape, &values)
        };
        let pair = |(i, (x, y)): (usize, (&[f64], &[f64]))| -> Result<Framed> {
            let square = x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>() / size as f64;
            Ok(Framed {
                picture: Some(Picture::grid(&[picture(x)?, picture(y)?], 2)?),
                title: format!("sample {i}"),
                detail: format!("squared error {square:.4}"),
            })
        };
        inputs.chunks_exact(size).zip(outputs.chunks_exact(size)).enumerate().map(pair).collect()
    }
}
