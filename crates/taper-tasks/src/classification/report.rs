//! What is shown of a classifier: the confusion matrix, the worst mistakes, the first layer's filters, and pictures of
//! the training data.

use super::IGNORED_LABEL;
use crate::metrics;
use taper_data::augment::Normalize;
use taper_data::{Batch, BatchLoader, Dataset, Field, LoaderOptions};
use taper_nn::HostData;
use taper_report::html::{Confusion, Filters, Mistake, Page, Picture};
use taper_report::tensorboard::EventWriter;
use taper_report::{Matrix, Picture as Image};
use taper_train::{Error, Finished, Result, Rows};

/// Misclassified samples that are shown with an image in the report; the others are only counted.
const MISTAKES: usize = 48;

/// The prediction for each sample, in the order of the data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predictions {
    /// The predicted class: that of the largest logit.
    pub predicted: Vec<i64>,
    /// The softmax probability of the predicted class.
    pub probability: Vec<f64>,
    /// The true class, or [`IGNORED_LABEL`].
    pub truth: Vec<i64>,
}

impl Predictions {
    /// The predictions in `rows`, of the samples of `data`.
    pub(super) fn of(rows: &Rows, data: &dyn Dataset) -> Result<Self> {
        let mut all = Self::default();
        for row in rows.iter() {
            if let [predicted, probability] = row {
                all.predicted.push(*predicted as i64);
                all.probability.push(*probability);
            }
        }
        if all.predicted.is_empty() {
            return Ok(all);
        }
        let options = LoaderOptions { batch_size: 256, shuffle: None, drop_last: false };
        let (mut loader, mut batch) = (BatchLoader::new(data, options)?, Batch::default());
        while loader.next_into(&mut batch)? {
            all.truth.extend(batch.i64s("labels")?);
        }
        Ok(all)
    }
}

pub(super) fn report(
    classes: &[String],
    normalize: Option<&Normalize>,
    found: &Finished<'_>,
    page: &mut Page,
    events: Option<&mut EventWriter>,
) -> Result<()> {
    let predictions = Predictions::of(&found.outcome.rows, found.test)?;
    let Predictions { predicted, truth, .. } = &predictions;
    if !predicted.is_empty() {
        let matrix = metrics::Confusion::new(truth, predicted, classes.len())?;
        if let Some(events) = events {
            let matrix = Matrix::confusion(classes, matrix.counts().to_vec())?;
            events.image("confusion/test", found.outcome.steps, &matrix.picture())?;
        }
        page.confusion = Some(Confusion { classes: classes.to_vec(), counts: matrix.counts().to_vec() });
        page.mistakes = mistakes(classes, normalize, &predictions, found.test)?;
    }
    page.filters = filters(found)?;
    Ok(())
}

/// Writes the pictures of a batch, without normalisation, under `pictures/train`.
pub(super) fn draw(first: &Batch, normalize: Option<&Normalize>, events: &mut EventWriter) -> Result<()> {
    let Some((shape, values)) = pictures(first, normalize) else { return Ok(()) };
    let pictures = values.chunks_exact(shape.iter().product::<usize>().max(1));
    let pictures = pictures.map(|picture| Image::from_unit(shape, picture)).collect::<Result<Vec<_>, _>>()?;
    match pictures.is_empty() {
        true => Ok(()),
        false => Ok(events.image("pictures/train", 0, &Image::grid(&pictures, 8)?)?),
    }
}

/// The shape `[C, H, W]` and the values, in [0, 1], of the pictures of a batch; `None` if its inputs are none.
fn pictures(batch: &Batch, normalize: Option<&Normalize>) -> Option<([usize; 3], Vec<f32>)> {
    let Field { shape, data, max, .. } = batch.field("inputs").ok()?;
    let [_, channels @ (1 | 3), height, width] = *shape.as_slice() else { return None };
    let scale = max.unwrap_or(1.0);
    let mut values: Vec<f32> = match data {
        HostData::U8(bytes) => bytes.iter().map(|&byte| (f64::from(byte) / scale) as f32).collect(),
        HostData::F32(values) => values.clone(),
        _ => return None,
    };
    if let (Some(Normalize { mean, std }), HostData::F32(_)) = (normalize, data) {
        for (at, value) in values.iter_mut().enumerate() {
            let channel = at / (height * width) % channels;
            *value = (f64::from(*value) * std.get(channel)? + mean.get(channel)?) as f32;
        }
    }
    Some(([channels, height, width], values))
}

/// The misclassified samples with the highest confidence, the most confident first.
fn mistakes(
    classes: &[String],
    normalize: Option<&Normalize>,
    predictions: &Predictions,
    test: &dyn Dataset,
) -> Result<Vec<Mistake>> {
    let Predictions { predicted, probability, truth } = predictions;
    let wrong = |&i: &usize| truth[i] != predicted[i] && truth[i] != IGNORED_LABEL;
    let mut wrong: Vec<usize> = (0..truth.len()).filter(wrong).collect();
    wrong.sort_by(|&a, &b| probability[b].total_cmp(&probability[a]));
    let name = |class: i64| classes.get(class as usize).cloned().unwrap_or_default();
    let mut batch = Batch::default();
    let all = wrong.into_iter().enumerate().map(|(rank, i)| {
        let mut picture = Picture::default();
        if rank < MISTAKES {
            batch.clear(1);
            test.fill(0, &[i], &mut batch)?;
            if let Some((shape, values)) = pictures(&batch, normalize) {
                let bytes = values.iter().map(|value| (value * 255.0).round() as u8).collect();
                picture = Picture { shape, bytes };
            }
        }
        let (truth, predicted, probability) = (name(truth[i]), name(predicted[i]), probability[i]);
        Ok::<_, Error>(Mistake { picture, truth, predicted, probability })
    });
    all.collect()
}

/// The first weights that can be shown as images: those of a convolution, or of a linear layer on whole pictures.
fn filters(found: &Finished<'_>) -> Result<Option<Filters>> {
    let fields = found.test.fields();
    let shape = fields.iter().find(|field| field.name == "inputs").and_then(|field| field.fixed());
    let Some(&[channels, height, width]) = shape.as_deref() else { return Ok(None) };
    for param in found.params.all() {
        let value = param.tensor();
        let shape = match *value.shape().dims() {
            [out, inputs, kernel_height, kernel_width] => [out, inputs, kernel_height, kernel_width],
            [out, features] if features == channels * height * width => [out, channels, height, width],
            _ => continue,
        };
        let weights = value.to_host()?.to_f64().into_iter().map(|weight| weight as f32).collect();
        return Ok(Some(Filters { shape, weights }));
    }
    Ok(None)
}
