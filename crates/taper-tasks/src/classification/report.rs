//! What is shown of a classifier: the confusion matrix, the worst mistakes, the first layer's filters, and pictures of
//! the training data.

use super::IGNORED_LABEL;
use crate::metrics;
use taper_data::augment::Normalize;
use taper_data::{Batch, BatchLoader, Dataset, Field, LoaderOptions};
use taper_nn::HostData;
use taper_report::html::{Column, Framed, Gallery, Page, Section, Table};
use taper_report::tensorboard::EventWriter;
use taper_report::{Format, Picture};
use taper_train::{Finished, Result, Rows};

/// Misclassified samples that are shown with an image in the report; the others are only counted.
const MISTAKES: usize = 48;
/// Filters that are shown.
const FILTERS: usize = 256;

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
    pub(crate) fn of(rows: &Rows, data: &dyn Dataset) -> Result<Self> {
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
        let scored = metrics::Confusion::new(truth, predicted, classes.len())?;
        let matrix = scored.named(classes);
        if let Some(events) = events {
            events.image("confusion/test", found.outcome.steps, &matrix.picture())?;
        }
        let mistakes = mistakes(classes, normalize, &predictions, found.test)?;
        page.sections.extend([
            Section::new("Confusion matrix").with(matrix).with(scores(&scored, classes)),
            Section::new("Samples gone wrong").with(mistakes),
        ]);
    }
    if let Some(filters) = filters(found)? {
        page.sections.push(Section::new("First-layer filters").with(filters));
    }
    Ok(())
}

/// Precision, recall and F1 of each class.
pub(crate) fn scores(matrix: &metrics::Confusion, classes: &[String]) -> Table {
    let numbers = ["precision", "recall", "F1", "samples"].map(Column::number);
    let table = Table::new([vec![Column::text("class")], numbers.to_vec()].concat());
    classes.iter().zip(matrix.per_class()).fold(table, |table, (class, scores)| {
        let [precision, recall, f1] =
            [scores.precision, scores.recall, scores.f1].map(|score| Format::Percent(1).text(score));
        table.row([class.clone(), precision, recall, f1, scores.support.to_string()])
    })
}

/// Writes the pictures of a batch, without normalisation, under `pictures/train`.
pub(super) fn draw(first: &Batch, normalize: Option<&Normalize>, events: &mut EventWriter) -> Result<()> {
    let Some((shape, values)) = pictures(first, normalize) else { return Ok(()) };
    let pictures = values.chunks_exact(shape.iter().product::<usize>().max(1));
    let pictures = pictures.map(|picture| Picture::from_unit(shape, picture)).collect::<Result<Vec<_>, _>>()?;
    match pictures.is_empty() {
        true => Ok(()),
        false => Ok(events.image("pictures/train", 0, &Picture::grid(&pictures, 8)?)?),
    }
}

/// The shape `[C, H, W]` and the values, in [0, 1], of the pictures of a batch; `None` if its inputs are none.
pub(crate) fn pictures(batch: &Batch, normalize: Option<&Normalize>) -> Option<([usize; 3], Vec<f32>)> {
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
) -> Result<Gallery> {
    let Predictions { predicted, probability, truth } = predictions;
    let wrong = |&i: &usize| truth[i] != predicted[i] && truth[i] != IGNORED_LABEL;
    let mut wrong: Vec<usize> = (0..truth.len()).filter(wrong).collect();
    wrong.sort_by(|&a, &b| probability[b].total_cmp(&probability[a]));
    let name = |class: i64| classes.get(class as usize).cloned().unwrap_or_default();
    let mut batch = Batch::default();
    let framed = wrong.iter().take(MISTAKES).map(|&i| {
        batch.clear(1);
        test.fill(0, &[i], &mut batch)?;
        let picture = pictures(&batch, normalize).map(|(shape, values)| Picture::from_unit(shape, &values));
        Ok(Framed {
            picture: picture.transpose()?,
            title: name(predicted[i]),
            detail: format!("{}, is {}", Format::Percent(1).text(probability[i]), name(truth[i])),
        })
    });
    Ok(Gallery::new(framed.collect::<Result<_>>()?).of(wrong.len(), "samples"))
}

/// The first weights that can be shown as images: those of a convolution, or of a linear layer on whole pictures.
fn filters(found: &Finished<'_>) -> Result<Option<Gallery>> {
    let fields = found.test.fields();
    let shape = fields.iter().find(|field| field.name == "inputs").and_then(|field| field.fixed());
    let Some(&[channels, height, width]) = shape.as_deref() else { return Ok(None) };
    for param in found.params.all() {
        let value = param.tensor();
        let [out, channels, height, width] = match *value.shape().dims() {
            [out, inputs, kernel_height, kernel_width] => [out, inputs, kernel_height, kernel_width],
            [out, features] if features == channels * height * width => [out, channels, height, width],
            _ => continue,
        };
        let weights: Vec<f32> = value.to_host()?.to_f64().into_iter().map(|weight| weight as f32).collect();
        let filters = weights.chunks((channels * height * width).max(1)).take(FILTERS);
        let filters = filters.map(|weights| Picture::from_signed([channels, height, width], weights));
        let shows = match channels {
            1 => "",
            3 => "; the channels are red, green and blue",
            _ => "; the first channel of each",
        };
        let about = format!(
            "{out} filters of {channels} × {height} × {width}: grey is 0, white and black the largest weight of \
             each{shows}."
        );
        return Ok(Some(Gallery::tiles(about, filters.collect::<Result<Vec<_>, _>>()?).of(out, "filters")));
    }
    Ok(None)
}
