//! Telling spoken words apart, and what is shown of it.

use crate::metrics::Confusion;
use crate::{Classification, ClassifyConfig};
use taper_data::{Batch, Dataset};
use taper_nn::{Context, HostData, Module};
use taper_report::html::{Column, Framed, Gallery, Page, Section, Table};
use taper_report::tensorboard::EventWriter;
use taper_report::{Format, Picture};
use taper_train::{DeviceBatch, Finished, Metric, Result, Sums, Task};

/// Spectrograms that the report shows, of those heard rightly, and of mistakes.
const SHOWN: [usize; 2] = [16, 24];

/// The task of classifying log-mel frames, the field `inputs` `[N, 1, mels, frames]`, by the field `labels` (`[N]`, i64), with a
/// model that gives logits `[N, classes]`.
///
/// Metrics: the loss (cross entropy, in nats) and the accuracy. The report shows spectrograms with the words that were heard
/// beneath, and the accuracy by voice.
pub struct SpokenWords {
    inner: Classification<Box<dyn Module>>,
    /// Who speaks each test sample, or the name of its file.
    voices: Vec<String>,
    /// Of kinds of sounds, what simpler ways learn from.
    beside: Option<Box<dyn Dataset>>,
}

impl SpokenWords {
    /// With the names of the classes in the order of their labels, and the voice of each test sample.
    pub fn new(model: Box<dyn Module>, classes: Vec<String>, config: ClassifyConfig, voices: Vec<String>) -> Self {
        Self { inner: Classification::new(model, classes).with(config), voices, beside: None }
    }

    /// Of kinds of sounds instead of words by voices: the report shows what simpler ways reach that learn from `train`, instead of the
    /// accuracy by voice.
    #[must_use]
    pub fn beside(self, train: Box<dyn Dataset>) -> Self {
        Self { beside: Some(train), ..self }
    }
}

impl Task for SpokenWords {
    fn metrics(&self) -> Vec<Metric> {
        self.inner.metrics()
    }

    fn monitor(&self) -> &str {
        self.inner.monitor()
    }

    fn counted(&self, batch: &Batch) -> usize {
        self.inner.counted(batch)
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        self.inner.train(batch, context)
    }

    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        self.inner.measure(batch, context)
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, events: Option<&mut EventWriter>) -> Result<()> {
        let predictions = self.inner.predictions(found.outcome, found.test)?;
        let (heard, truth) = (&predictions.predicted, &predictions.truth);
        if heard.is_empty() {
            return Ok(());
        }
        let classes = self.inner.classes();
        let matrix = Confusion::new(truth, heard, classes.len())?.named(classes);
        if let Some(events) = events {
            events.image("confusion/test", found.outcome.steps, &matrix.picture())?;
        }
        let name = |class: i64| classes.get(class as usize).cloned().unwrap_or_default();
        let framed = |i: usize| -> Result<Framed> {
            let sure = Format::Percent(1).text(predictions.probability[i]);
            let voice = self.voices.get(i).map(|voice| format!(", {voice}")).unwrap_or_default();
            let detail = match truth[i] == heard[i] {
                true => format!("{sure}{voice}"),
                false => format!("{sure}, is {}{voice}", name(truth[i])),
            };
            Ok(Framed { picture: Some(spectrogram(found.test, i)?), title: name(heard[i]), detail })
        };
        let right: Vec<usize> = (0..heard.len()).filter(|&i| truth[i] == heard[i]).collect();
        let mut wrong: Vec<usize> = (0..heard.len()).filter(|&i| truth[i] != heard[i]).collect();
        wrong.sort_by(|&a, &b| predictions.probability[b].total_cmp(&predictions.probability[a]));
        let step = right.len().div_ceil(SHOWN[0]).max(1);
        let shown = right.iter().step_by(step).map(|&i| framed(i)).collect::<Result<Vec<_>>>()?;
        let what = if self.beside.is_some() { "kind" } else { "word" };
        let gallery = Gallery {
            note: format!(
                "Log-mel spectrograms of test recordings, time from left to right, frequency upwards, with the {what} that was \
                 heard and how sure of it the network is."
            ),
            ..Gallery::new(shown)
        };
        page.sections.push(Section::new("Heard").with(gallery.wide()));
        if !wrong.is_empty() {
            let mistakes = wrong.iter().take(SHOWN[1]).map(|&i| framed(i)).collect::<Result<Vec<_>>>()?;
            let mistakes = Gallery::new(mistakes).of(wrong.len(), "mistakes").wide();
            page.sections.push(Section::new("Misheard").with(mistakes));
        }
        page.sections.push(Section::new("Confusion matrix").with(matrix));
        page.sections.push(match &self.beside {
            None => Section::new("By voice").with(self.by_voice(truth, heard)),
            Some(train) => {
                let right = truth.iter().zip(heard).filter(|(truth, heard)| truth == heard).count();
                let network = right as f64 / heard.len() as f64;
                Section::new("Beside simpler ways").with(beside(network, train.as_ref(), found.test, classes)?)
            }
        });
        Ok(())
    }
}

impl SpokenWords {
    /// The accuracy of each voice of the test, the worst first.
    fn by_voice(&self, truth: &[i64], heard: &[i64]) -> Table {
        let mut voices: Vec<(&str, usize, usize)> = Vec::new();
        for ((voice, truth), heard) in self.voices.iter().zip(truth).zip(heard) {
            let at = voices.iter().position(|of| of.0 == voice).unwrap_or_else(|| {
                voices.push((voice.as_str(), 0, 0));
                voices.len() - 1
            });
            voices[at].1 += usize::from(truth == heard);
            voices[at].2 += 1;
        }
        let part = |of: &(&str, usize, usize)| of.1 as f64 / of.2.max(1) as f64;
        voices.sort_by(|a, b| part(a).total_cmp(&part(b)));
        let columns = vec![Column::text("voice"), Column::number("accuracy"), Column::number("recordings")];
        voices.iter().fold(Table::new(columns), |table, of| {
            table.row([of.0.to_owned(), Format::Percent(1).text(part(of)), of.2.to_string()])
        })
    }
}

/// The accuracy of the network beside that of a linear model of each filter's mean, and of naming the most frequent class always: on
/// `test`, learned from `train`.
fn beside(network: f64, train: &dyn Dataset, test: &dyn Dataset, classes: &[String]) -> Result<Table> {
    let (train, test) = (means(train)?, means(test)?);
    let text = |part: f64| Format::Percent(1).text(part);
    let mut table =
        Table::new(vec![Column::text("way"), Column::number("accuracy")]).row(["this network".into(), text(network)]);
    if let Some(part) = crate::sounds::linear(&train, &test, classes.len()) {
        table = table.row(["a linear model of each filter's mean (ridge regression)".into(), text(part)]);
    }
    let count = |class: usize, of: &[(Vec<f64>, usize)]| of.iter().filter(|(_, label)| *label == class).count();
    let most = (0..classes.len()).max_by_key(|&class| (count(class, &train), std::cmp::Reverse(class))).unwrap_or(0);
    let name = classes.get(most).map_or("", String::as_str);
    let part = count(most, &test) as f64 / test.len().max(1) as f64;
    Ok(table.row([format!("always `{name}`, the most frequent in training"), text(part)]))
}

/// Of each sample the mean over time of each filter, and its class.
fn means(data: &dyn Dataset) -> Result<Vec<(Vec<f64>, usize)>> {
    let mean = |row: &[f32]| row.iter().map(|x| f64::from(*x)).sum::<f64>() / row.len().max(1) as f64;
    let one = |index: usize| {
        let batch = sample(data, index)?;
        let (values, [_, length]) = frames(&batch)?;
        let class = batch.i64s("labels")?.first().map_or(0, |&label| label as usize);
        Ok((values.chunks_exact(length.max(1)).map(mean).collect(), class))
    };
    (0..data.len()).map(one).collect()
}

/// A batch of the sample `index` alone.
fn sample(data: &dyn Dataset, index: usize) -> Result<Batch> {
    let mut batch = Batch::default();
    batch.clear(1);
    data.fill(0, &[index], &mut batch)?;
    Ok(batch)
}

/// The log-mel frames of a sample `[mels, frames]`, row by row, and these two numbers.
fn frames(sample: &Batch) -> Result<(&[f32], [usize; 2])> {
    let field = sample.field("inputs")?;
    match (&field.data, field.shape.as_slice()) {
        (HostData::F32(values), [.., mels, frames]) => Ok((values, [*mels, *frames])),
        (_, shape) => {
            let detail = format!("frames: expected f32 [1, mels, frames], found {shape:?}");
            Err(taper_train::Error::Usage(detail))
        }
    }
}

/// The frames of a sample as a picture, the highest filter on top.
pub(crate) fn spectrogram(data: &dyn Dataset, index: usize) -> Result<Picture> {
    let batch = sample(data, index)?;
    let (values, [mels, length]) = frames(&batch)?;
    let upwards: Vec<f32> = values.chunks_exact(length.max(1)).rev().flatten().copied().collect();
    Ok(Picture::coloured([mels, length], &upwards)?)
}
