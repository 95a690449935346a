//! Writing down strings of words by connectionist temporal classification, and what is shown of it.

use super::strings::NO_WORD;
use super::task::spectrogram;
use crate::metrics::WordErrors;
use taper_data::Batch;
use taper_models::MelCrnn;
use taper_nn::{Context, Ctc, DType, Tensor};
use taper_report::Format;
use taper_report::html::{Column, Framed, Gallery, Page, Section, Table};
use taper_report::tensorboard::EventWriter;
use taper_train::{Better, DeviceBatch, Finished, Metric, Result, Sums, Task};

/// Strings that the report shows.
const SHOWN: usize = 24;
/// Words of a string that are kept for the report.
const KEPT: usize = 32;

/// The task of writing down the words in log-mel frames: the fields `inputs` `[N, 1, mels, T]`, `frames` `[N]` (how many frames are
/// a sample's own) and `words` `[N, L]` (classes, padded with −1).
///
/// Metrics: the loss (CTC, in nats a word) and on held-out strings the word error rate of the best path: of each step the likeliest
/// class, repetitions as one, blanks left out (A. Graves et al., ICML 2006, section 3.2).
pub struct SpokenStrings {
    model: MelCrnn,
    classes: Vec<String>,
    /// Who speaks each test string.
    voices: Vec<String>,
}

impl SpokenStrings {
    /// With the names of the words in the order of their classes, and the voice of each test string.
    pub fn new(model: MelCrnn, classes: Vec<String>, voices: Vec<String>) -> Self {
        Self { model, classes, voices }
    }

    /// The logits `[T/8, N, classes + 1]` of a batch, the frames of each sample, and its words.
    fn forward(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<(Tensor, Vec<usize>, Vec<Vec<i64>>)> {
        let frames: Vec<usize> = batch.host().i64s("frames")?.iter().map(|&frames| frames as usize).collect();
        let logits = self.model.forward_with(&batch.float("inputs")?, Some(&frames), context)?;
        Ok((logits, frames, words(batch.host())?))
    }

    fn loss(&self, logits: &Tensor, frames: &[usize], words: &[Vec<i64>]) -> Result<Tensor> {
        let labels: Vec<Vec<i64>> = words.iter().map(|words| words.iter().map(|word| word + 1).collect()).collect();
        let labels: Vec<&[i64]> = labels.iter().map(Vec::as_slice).collect();
        let steps: Vec<usize> = frames.iter().map(|frames| MelCrnn::steps(*frames)).collect();
        let ctc = Ctc { zero_infinity: true, ..Ctc::default() };
        Ok(ctc.forward(&logits.log_softmax(2)?, &labels, Some(&steps))?)
    }
}

/// The words of each sample of a batch.
fn words(batch: &Batch) -> Result<Vec<Vec<i64>>> {
    let all = batch.i64s("words")?;
    let width = all.len() / batch.len().max(1);
    let own = |row: &[i64]| row.iter().copied().filter(|word| *word != NO_WORD).collect();
    Ok((0..batch.len()).map(|i| own(&all[i * width..(i + 1) * width])).collect())
}

/// The words of the best path through `logits: [steps, N, classes]` of sample `n` of `samples`, in its first `steps`.
pub(crate) fn best_path(logits: &[f64], [samples, classes, n]: [usize; 3], steps: usize) -> Vec<i64> {
    let (mut path, mut before) = (Vec::new(), 0);
    for step in logits.chunks_exact((samples * classes).max(1)).take(steps) {
        let step = &step[n * classes..(n + 1) * classes];
        let best = (0..classes).fold(0, |best, i| if step[i] > step[best] { i } else { best });
        if best != 0 && best != before {
            path.push(best as i64 - 1);
        }
        before = best;
    }
    path
}

impl Task for SpokenStrings {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss("nats/word"), Metric::new("wer", "%", Better::Lower)]
    }

    fn monitor(&self) -> &str {
        "wer"
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let (logits, frames, words) = self.forward(batch, context)?;
        Ok(Sums::mean(self.loss(&logits, &frames, &words)?, batch.len()))
    }

    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let (logits, frames, words) = self.forward(batch, context)?;
        let loss = self.loss(&logits, &frames, &words)?;
        let [_, samples, classes] = *logits.shape().dims() else {
            let shape = logits.shape();
            return Err(taper_train::Error::Usage(format!("strings: expected logits [T, N, classes], found {shape}")));
        };
        let values = logits.to_host()?.to_f64();
        let heard: Vec<Vec<i64>> =
            (0..samples).map(|n| best_path(&values, [samples, classes, n], MelCrnn::steps(frames[n]))).collect();
        let found: WordErrors = words.iter().zip(&heard).map(|(words, heard)| WordErrors::between(words, heard)).sum();
        // What was heard, and behind it what was said, for the report.
        let row = |list: &Vec<i64>| -> Vec<f64> {
            let all = list.iter().map(|word| *word as f64).chain(std::iter::repeat(NO_WORD as f64));
            all.take(KEPT).collect()
        };
        let rows: Vec<f64> =
            heard.iter().zip(&words).flat_map(|(heard, said)| [row(heard), row(said)].concat()).collect();
        let rows = Tensor::from_vec(rows, [samples, 2 * KEPT], batch.device())?;
        let sums = Sums::mean(loss.cast(DType::F64)?, batch.len());
        Ok(sums.with("wer", found.errors, found.words).with_rows(rows))
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, _events: Option<&mut EventWriter>) -> Result<()> {
        let text = |row: &[f64]| {
            let words = row.iter().filter(|word| **word >= 0.0).filter_map(|word| self.classes.get(*word as usize));
            words.cloned().collect::<Vec<_>>().join(" ")
        };
        let pairs: Vec<[String; 2]> = found
            .outcome
            .rows
            .iter()
            .filter(|row| row.len() == 2 * KEPT)
            .map(|row| [text(&row[..KEPT]), text(&row[KEPT..])])
            .collect();
        if pairs.is_empty() {
            return Ok(());
        }
        let step = pairs.len().div_ceil(SHOWN).max(1);
        let framed = pairs.iter().enumerate().step_by(step).map(|(i, [heard, said])| {
            let voice = self.voices.get(i).cloned().unwrap_or_default();
            let detail = if heard == said { voice } else { format!("was: {said} ({voice})") };
            let title = if heard.is_empty() { "(nothing)".into() } else { heard.clone() };
            Ok(Framed { picture: Some(spectrogram(found.test, i)?), title, detail })
        });
        let gallery = Gallery {
            note: "Log-mel spectrograms of test strings, time from left to right, frequency upwards, with the words that were \
                   heard, and below what was said where that differs."
                .into(),
            ..Gallery::new(framed.collect::<Result<Vec<_>>>()?)
        };
        page.sections.push(Section::new("Heard").with(gallery.of(pairs.len(), "strings").wide()));
        let mut voices: Vec<(&str, WordErrors)> = Vec::new();
        for ([heard, said], voice) in pairs.iter().zip(&self.voices) {
            let errors = WordErrors::of(said, heard);
            match voices.iter_mut().find(|of| of.0 == voice) {
                Some(of) => of.1 = of.1 + errors,
                None => voices.push((voice.as_str(), errors)),
            }
        }
        voices.sort_by(|a, b| b.1.rate().total_cmp(&a.1.rate()));
        let columns = vec![Column::text("voice"), Column::number("word error rate"), Column::number("words")];
        let table = voices.iter().fold(Table::new(columns), |table, (voice, errors)| {
            table.row([(*voice).to_owned(), Format::Percent(1).text(errors.rate()), errors.words.to_string()])
        });
        page.sections.push(Section::new("By voice").with(table));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_path_joins_what_repeats_and_leaves_blanks_out() {
        // Steps of two samples: 0 is the blank.
        let of = |class: usize| (0..4).map(|i| if i == class { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
        let path = |first: &[usize]| {
            let logits: Vec<f64> = first.iter().flat_map(|&class| [of(class), of(0)].concat()).collect();
            (best_path(&logits, [2, 4, 0], first.len()), best_path(&logits, [2, 4, 1], first.len()))
        };
        assert_eq!(path(&[0, 2, 2, 0, 2, 3, 3, 0]).0, [1, 1, 2]);
        assert_eq!(path(&[1, 0, 1]).1, [0_i64; 0]);
        let logits: Vec<f64> = [1, 2, 3].into_iter().flat_map(of).collect();
        assert_eq!(best_path(&logits, [1, 4, 0], 2), [0, 1]);
    }
}
