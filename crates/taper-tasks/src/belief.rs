//! Greedy layer-wise pretraining of a deep belief network (G. E. Hinton, S. Osindero and Y. W. Teh, "A fast learning
//! algorithm for deep belief nets", Neural Computation 18, 2006, section 4).

use crate::contrastive::contrast;
use taper_data::Batch;
use taper_models::Dbn;
use taper_nn::{Context, DType, RandomKey, Tensor, no_grad};
use taper_report::Picture;
use taper_report::html::{Gallery, Page, Section};
use taper_report::tensorboard::EventWriter;
use taper_train::{DeviceBatch, Finished, Metric, Result, Split, Sums, Task};

/// Receptive fields of each layer that the report shows.
const FIELDS: usize = 100;
/// Samples of each class that the report shows.
const SAMPLES: usize = 10;
/// Classes of which the report shows samples.
const CLASSES: usize = 20;
/// Steps of Gibbs sampling before a sample is shown.
const GIBBS: u64 = 200;

/// The task of making the fields `inputs`, values in [0, 1], and `labels`, i64 classes, likely to a deep belief network, one
/// layer after the other: a run's epochs are divided among the layers, from the bottom.
///
/// Metrics: in training the loss is the squared error of the reconstruction by the layer that learns; in evaluation that of the
/// inputs through all layers, up and down. `accuracy` is that of the class by the top layer's free energy, before any
/// fine-tuning.
pub struct LayerwisePretraining {
    /// The network.
    pub dbn: Dbn,
    /// The epochs of the run.
    pub epochs: u64,
    /// The steps of Gibbs sampling of a gradient (CD-k), 1 or more.
    pub steps: u64,
    /// The number of classes.
    pub classes: usize,
}

impl LayerwisePretraining {
    /// The layer that learns in `epoch` (from 0).
    fn learns(&self, epoch: u64) -> usize {
        let layers = self.dbn.layers().len();
        let layer = u128::from(epoch) * layers as u128 / u128::from(self.epochs.max(1));
        (layer as usize).min(layers - 1)
    }
}

impl Task for LayerwisePretraining {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss("squared error"), Metric::percent("accuracy")]
    }

    fn train(&self, batch: &DeviceBatch<'_>, _context: &Context) -> Result<Sums> {
        let (layer, key) = (self.learns(batch.epoch()), batch.key("gibbs"));
        let v0 = no_grad(|| -> Result<Tensor> {
            let v0 = self.dbn.up(&batch.float("inputs")?.flatten(1)?, layer)?; // [N, visible]
            if layer + 1 < self.dbn.layers().len() {
                return Ok(v0);
            }
            let labels = batch.tensor("labels")?.one_hot(self.classes)?.cast(v0.dtype())?;
            Ok(Tensor::concat(&[&v0, &labels], 1)?) // [N, visible + classes]
        })?;
        let (loss, gradients) = contrast(&self.dbn.layers()[layer], &v0, self.steps, key)?;
        Ok(Sums::mean(loss, v0.count()).with_gradients(gradients))
    }

    fn measure(&self, batch: &DeviceBatch<'_>, _context: &Context) -> Result<Sums> {
        let top = self.dbn.layers().len() - 1;
        let x = batch.float("inputs")?.flatten(1)?; // [N, visible]
        let error = self.dbn.down(&self.dbn.up(&x, top)?, top)?.sub(&x)?;
        let loss = error.mul(&error)?.cast(DType::F64)?.mean_all()?;
        let found = self.dbn.classify(&x)?.argmax(1, false)?; // [N]
        let right = found.eq(&batch.tensor("labels")?)?.cast(DType::I64)?.sum_all()?;
        Ok(Sums::mean(loss, x.count()).with("accuracy", right, batch.len()))
    }

    fn monitor(&self) -> &str {
        "accuracy"
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, mut events: Option<&mut EventWriter>) -> Result<()> {
        let Some(shape) = shape(found)? else { return Ok(()) };
        let mut show = |title: &str, tag: &str, note: String, grid: Picture| -> Result<()> {
            if let Some(events) = &mut events {
                events.image(tag, found.outcome.steps, &grid)?;
            }
            page.sections.push(Section::new(title).with(Gallery::tiles(note, [grid])));
            Ok(())
        };
        for layer in 0..self.dbn.layers().len() {
            let fields = no_grad(|| self.dbn.fields(layer))?;
            let (units, shown) = (fields.shape()[0], fields.shape()[0].min(FIELDS));
            let picture = |field: &[f32]| Picture::from_signed(shape, field);
            let grid = pictures(&fields.narrow(0, 0, shown)?, shape, picture)?;
            let note = format!(
                "The weights of {shown} of {units} hidden units to the inputs{}. Grey is 0, white the largest.",
                if layer > 0 { ", through the layers between as if these were linear" } else { "" }
            );
            let title = format!("Receptive fields of layer {}", layer + 1);
            show(&title, &format!("fields/layer{}", layer + 1), note, Picture::grid(&grid, 20)?)?;
        }
        let classes = self.classes.min(CLASSES);
        let labels = (0..classes * SAMPLES).map(|i| (i / SAMPLES) as i64).collect();
        let samples = no_grad(|| {
            let labels = Tensor::from_vec(labels, [classes * SAMPLES], found.params.device())?;
            let one_hot = labels.one_hot(self.classes)?.cast(found.params.dtype())?;
            self.dbn.sample(&one_hot, GIBBS, RandomKey::new(0).child("samples"))
        })?;
        let grid = pictures(&samples, shape, |values| Picture::from_unit(shape, values))?;
        let note = format!(
            "A row for each class: what the network makes up for it, in {GIBBS} steps of Gibbs sampling in the top layer \
             from random units, and down."
        );
        show("Samples", "samples", note, Picture::grid(&grid, SAMPLES)?)
    }
}

/// The shape of the test split's pictures, `[C, H, W]` with one or three channels; `None` if they are none.
fn shape(found: &Finished<'_>) -> Result<Option<[usize; 3]>> {
    let mut batch = Batch::default();
    batch.clear(1);
    found.test.fill(0, &[0], &mut batch)?;
    let x = DeviceBatch::new(&batch, found.params, Split::Test, [0; 3]).float("inputs")?;
    Ok(match *x.shape().dims() {
        [_, channels @ (1 | 3), height, width] => Some([channels, height, width]),
        _ => None,
    })
}

/// A picture of each row.
fn pictures<E>(
    rows: &Tensor,
    shape: [usize; 3],
    picture: impl Fn(&[f32]) -> std::result::Result<Picture, E>,
) -> Result<Vec<Picture>>
where
    taper_train::Error: From<E>,
{
    let values: Vec<f32> = rows.to_host()?.to_f64().into_iter().map(|value| value as f32).collect();
    Ok(values.chunks_exact(shape.iter().product()).map(picture).collect::<std::result::Result<_, E>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::{Device, Params};

    #[test]
    fn the_epochs_are_divided_among_the_layers() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let dbn = Dbn::new(4, &[3, 3, 3], 2, &params).unwrap();
        let task = |epochs| LayerwisePretraining { dbn: dbn.clone(), epochs, steps: 1, classes: 2 };
        let learns = |epochs| (0..epochs).map(|epoch| task(epochs).learns(epoch)).collect::<Vec<_>>();
        assert_eq!(learns(6), [0, 0, 1, 1, 2, 2]);
        assert_eq!(learns(4), [0, 0, 1, 2]);
        assert_eq!(learns(1), [0]);
        assert_eq!((task(u64::MAX).learns(u64::MAX), task(3).learns(9)), (2, 2));
    }
}
