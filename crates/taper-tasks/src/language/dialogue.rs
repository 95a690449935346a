//! A model of conversations, which is measured by their replies, and what is shown of it.

use super::{CharModel, LanguageModel, Sampling, continued};
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use taper_data::{Batch, CharVocabulary, Dataset, NGrams, ReplySamples};
use taper_nn::{Context, Device, RandomKey};
use taper_report::Format;
use taper_report::html::{Block, Column, Page, Section, Table};
use taper_report::tensorboard::EventWriter;
use taper_train::{
    DeviceBatch, EvaluateOptions, Evaluation, Finished, Metric, Result, Silent, Split, Sums, Task, evaluate,
};

/// Replies in the report.
const SHOWN: usize = 6;
/// The temperature at which they are drawn.
const TEMPERATURE: f64 = 0.6;
/// The longest runs of characters that are counted, less one.
const COUNTED: usize = 5;

/// The task of [`LanguageModel`] on replies, each after what was said before it: the report shows what the model answers in
/// held-out conversations, and its perplexity beside that of the same model without what was said, and that of counting.
pub struct Dialogue {
    model: LanguageModel<CharModel>,
    vocabulary: CharVocabulary,
    /// What is learned from, to be counted.
    train: ReplySamples,
    /// The replies that are measured.
    test: ReplySamples,
}

/// The reply that `model` draws after the tokens `said`, which end with a line break, and at most `longest` tokens: without
/// the line break that ends it, unless it found no end.
pub(crate) fn reply(
    model: &CharModel,
    vocabulary: &CharVocabulary,
    said: &[i64],
    longest: usize,
    sampling: &Sampling,
    device: &Device,
) -> Result<String> {
    let mut ended = false;
    let mut each = |tokens: &[i64]| match vocabulary.decode(tokens) == "\n" {
        true => {
            ended = true;
            ControlFlow::Break(())
        }
        false => ControlFlow::Continue(()),
    };
    let drawn = continued(model, &[said.to_vec()], longest, true, sampling, device, &mut each)?.concat();
    Ok(vocabulary.decode(&drawn[..drawn.len() - usize::from(ended)]))
}

impl Dialogue {
    /// With the vocabulary of the tokens of both.
    pub fn new(model: CharModel, vocabulary: CharVocabulary, train: ReplySamples, test: ReplySamples) -> Self {
        Self { model: LanguageModel(model), vocabulary, train, test }
    }

    /// What the model answers in held-out conversations.
    fn conversation(&self, found: &Finished<'_>) -> Result<Section> {
        let text = |tokens: &[u32]| {
            let tokens: Vec<i64> = tokens.iter().map(|&token| i64::from(token)).collect();
            self.vocabulary.decode(&tokens)
        };
        let note = format!(
            "Held-out conversations, the lines before a reply as the model saw them. What follows ▸ is the model's reply, drawn at \
             the temperature {TEMPERATURE}; what follows = is the one that was given."
        );
        let mut section = Section::new("A conversation").with(Block::Note(note));
        let all = self.test.len();
        for index in (0..SHOWN.min(all)).map(|i| i * all / SHOWN.min(all)) {
            let Some([said, told]) = self.test.sample(0, index) else { continue };
            let key = RandomKey::new(0).child("replies").index(index as u64);
            let sampling = Sampling { temperature: TEMPERATURE, key, ..Sampling::default() };
            let before: Vec<i64> = said.iter().map(|&token| i64::from(token)).collect();
            let device = found.params.device();
            let own = reply(&self.model.0, &self.vocabulary, &before, told.len().max(120), &sampling, device)?;
            section = section.with(Block::Text(format!("{}▸ {own}\n= {}", text(said), text(told).trim_end())));
        }
        Ok(section)
    }

    /// The perplexity beside those of less.
    fn beside(&self, found: &Finished<'_>) -> Result<Section> {
        let options = EvaluateOptions { batch_size: 32, workers: 0, split: Split::Test };
        let alone = evaluate(self, found.params, &self.test.alone(), &options, &AtomicBool::new(false), &mut Silent)?;
        let alone = alone.map_or(f64::NAN, |(found, _)| found.loss());
        let with = found.outcome.test.as_ref().map_or(f64::NAN, Evaluation::loss);
        let replies = || (0..self.test.len()).filter_map(|index| self.test.sample(0, index));
        let (characters, words) = replies().fold((0, 0), |(characters, words), [_, told]| {
            let tokens: Vec<i64> = told.iter().map(|&token| i64::from(token)).collect();
            (characters + told.len(), words + self.vocabulary.decode(&tokens).split_whitespace().count())
        });
        let counted = |before: usize| {
            let counts = NGrams::of(self.train.tokens(), self.vocabulary.len(), before);
            // The mean is over all but the first; what was said is taken off again.
            let sum = |tokens: &[u32]| match tokens.len() {
                0 | 1 => 0.0,
                n => counts.nats(tokens) * (n - 1) as f64,
            };
            let of = |[said, told]: [&[u32]; 2]| {
                let said = &said[said.len().saturating_sub(before.max(1))..];
                sum(&[said, told].concat()) - sum(said)
            };
            replies().map(of).sum::<f64>() / characters.max(1) as f64
        };
        let numbers = ["nats a character", "perplexity a character", "perplexity a word"].map(Column::number);
        let mut table = Table::new([vec![Column::text("of the held-out replies")], numbers.to_vec()].concat());
        let longest = NGrams::longest(self.vocabulary.len()).min(COUNTED);
        for (name, nats) in [
            ("this model".to_string(), with),
            ("this model, without what was said before".into(), alone),
            (format!("counting runs of up to {} characters", longest + 1), counted(longest)),
            ("how often each character occurs".into(), counted(0)),
        ] {
            let values = [nats, nats.exp(), (nats * characters as f64 / words.max(1) as f64).exp()];
            let [nats, character, word] = values.map(|value| Format::Metric.text(value));
            table = table.row([name, nats, character, word]);
        }
        let note = format!(
            "{} replies of {characters} characters in {words} words, the line break at a reply's end with them.",
            self.test.len()
        );
        Ok(Section::new("Perplexity").with(table).with(Block::Note(note)))
    }
}

impl Task for Dialogue {
    fn metrics(&self) -> Vec<Metric> {
        self.model.metrics_of_characters()
    }

    fn counted(&self, batch: &Batch) -> usize {
        self.model.counted(batch)
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        self.model.train(batch, context)
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, _events: Option<&mut EventWriter>) -> Result<()> {
        page.sections.extend([self.conversation(found)?, self.beside(found)?]);
        Ok(())
    }
}
