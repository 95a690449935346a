//! Greedy layer-wise pretraining of a deep belief network (G. E. Hinton, S. Osindero and Y. W. Teh, "A fast learning
//! algorithm for deep belief nets", Neural Computation 18, 2006, section 4).

use crate::contrastive::{contrast, persist};
use taper_data::Batch;
use taper_models::Dbn;
use taper_nn::{Context, DType, Param, RandomKey, Tensor, no_grad};
use taper_report::Picture;
use taper_report::html::{Framed, Gallery, Page, Section};
use taper_report::tensorboard::EventWriter;
use taper_train::{DeviceBatch, Finished, Metric, Result, Split, Sums, Task};

/// Receptive fields of each layer that the report shows.
const FIELDS: usize = 100;
/// Samples of each class that the report shows.
const SAMPLES: usize = 12;
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
    /// Where the Gibbs sampling of the top layer stands, `[chains, visible + classes]`, if it goes on from step to step
    /// (persistent contrastive divergence): a buffer of the parameters, so that checkpoints hold it.
    pub chain: Option<Param>,
    /// The names of the classes, in the order of their labels.
    pub classes: Vec<String>,
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
            let labels = batch.tensor("labels")?.one_hot(self.classes.len())?.cast(v0.dtype())?;
            Ok(Tensor::concat(&[&v0, &labels], 1)?) // [N, visible + classes]
        })?;
        let (rbm, top) = (&self.dbn.layers()[layer], layer + 1 == self.dbn.layers().len());
        let (loss, gradients) = match &self.chain {
            Some(chain) if top => persist(rbm, &v0, chain, self.steps, key)?,
            _ => contrast(rbm, &v0, self.steps, key)?,
        };
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
        for layer in 0..self.dbn.layers().len() {
            let fields = no_grad(|| self.dbn.fields(layer))?;
            let (units, shown) = (fields.shape()[0], fields.shape()[0].min(FIELDS));
            let fields = fields.narrow(0, 0, shown)?;
            let fields = pictures(&fields, shape, |field| Picture::from_signed(shape, field))?;
            if let Some(events) = &mut events {
                events.image(
                    &format!("fields/layer{}", layer + 1),
                    found.outcome.steps,
                    &Picture::grid(&fields, 20)?,
                )?;
            }
            let note = format!(
                "The weights of hidden units to the inputs{}. Grey is 0, white or black the largest.",
                if layer > 0 { ", through the layers between as if these were linear" } else { "" }
            );
            let tiles = Gallery::tiles(note, fields).of(units, "hidden units");
            page.sections.push(Section::new(format!("Receptive fields of layer {}", layer + 1)).with(tiles));
        }
        let classes = self.classes.len().min(CLASSES);
        let labels = (0..classes * SAMPLES).map(|i| (i / SAMPLES) as i64).collect();
        let samples = no_grad(|| {
            let labels = Tensor::from_vec(labels, [classes * SAMPLES], found.params.device())?;
            let one_hot = labels.one_hot(self.classes.len())?.cast(found.params.dtype())?;
            self.dbn.sample(&one_hot, GIBBS, RandomKey::new(0).child("samples"))
        })?;
        let samples = pictures(&samples, shape, |values| Picture::from_unit(shape, values))?;
        if let Some(events) = &mut events {
            events.image("samples", found.outcome.steps, &Picture::grid(&samples, SAMPLES)?)?;
        }
        let class = |(name, samples): (&String, &[Picture])| -> Result<Framed> {
            Ok(Framed { picture: Some(Picture::grid(samples, 4)?), title: name.clone(), detail: String::new() })
        };
        let framed = self.classes.iter().zip(samples.chunks(SAMPLES)).map(class).collect::<Result<_>>()?;
        let note = format!(
            "What the network makes up for each class: {GIBBS} steps of Gibbs sampling in the top layer, from random units \
             and with the label held, then down."
        );
        let gallery = Gallery { note, ..Gallery::new(framed) }.of(self.classes.len(), "classes");
        page.sections.push(Section::new("Samples").with(gallery));
        Ok(())
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
        let task = |epochs| LayerwisePretraining {
            dbn: dbn.clone(),
            epochs,
            steps: 1,
            chain: None,
            classes: vec!["a".into(), "b".into()],
        };
        let learns = |epochs| (0..epochs).map(|epoch| task(epochs).learns(epoch)).collect::<Vec<_>>();
        assert_eq!(learns(6), [0, 0, 1, 1, 2, 2]);
        assert_eq!(learns(4), [0, 0, 1, 2]);
        assert_eq!(learns(1), [0]);
        assert_eq!((task(u64::MAX).learns(u64::MAX), task(3).learns(9)), (2, 2));
    }
}
