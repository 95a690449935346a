//! Classifying texts by their words: the models, the task of [`Classification`] with the words that decided in its report.

mod attentive_encoder;
mod attentive_gru;
mod pool;
mod report;
mod reviews;
mod word_bag;

pub use attentive_encoder::{AttentiveEncoder, AttentiveEncoderConfig};
pub use attentive_gru::{AttentiveGru, AttentiveGruConfig};
pub(crate) use reviews::reviews;
pub use word_bag::{WordBag, WordBagConfig};

use crate::classification::{Classification, ClassifyConfig, Predictions};
use crate::metrics::{Average, Confusion};
use serde::{Deserialize, Serialize};
use taper_config::{Named, Schema};
use taper_data::{Batch, WordVocabulary};
use taper_nn::{Context, Module, Params, Tensor, no_grad};
use taper_report::html::Page;
use taper_report::tensorboard::EventWriter;
use taper_train::{DeviceBatch, Error, Finished, Measured, Metric, Result, Sums, Task};

/// A classifier of texts, by its name in `[model]`: words `[N, L]` to logits `[N, classes]`.
#[derive(Debug, Clone)]
pub enum TextModel {
    /// `bag`.
    Bag(WordBag),
    /// `gru`.
    Gru(AttentiveGru),
    /// `transformer`.
    Transformer(AttentiveEncoder),
}

/// How a text becomes numbers: its first words and, for a bag, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TextEncoding {
    /// The words and runs of words.
    pub vocabulary: WordVocabulary,
    /// The words of a text that are read, its first.
    pub longest: usize,
    /// Whether a word that a text has many times counts once.
    pub once: bool,
}

impl TextEncoding {
    /// The numbers of the words of `text`.
    pub fn encode(&self, text: &str) -> Vec<i64> {
        let mut words = self.vocabulary.encode(text, self.longest);
        if self.once {
            let mut seen = std::collections::HashSet::new();
            words.retain(|word| seen.insert(*word));
        }
        words
    }
}

/// The names of the models, with their keys.
pub(crate) fn models() -> Vec<(&'static str, Schema)> {
    vec![
        ("bag", Schema::of::<WordBagConfig>()),
        ("gru", Schema::of::<AttentiveGruConfig>()),
        ("transformer", Schema::of::<AttentiveEncoderConfig>()),
    ]
}

impl TextModel {
    /// The model that `config` names, of so many numbers of words, for texts of up to `longest` words and for so many classes,
    /// in `params`.
    ///
    /// # Errors
    /// An unknown name, sizes that do not fit each other.
    pub fn new(config: &Named, [vocabulary, longest, classes]: [usize; 3], params: &Params) -> Result<Self> {
        match config.name.as_str() {
            "bag" => Ok(Self::Bag(WordBag::new(config.parse("model")?, vocabulary, classes, params)?)),
            "gru" => Ok(Self::Gru(AttentiveGru::new(config.parse("model")?, vocabulary, classes, params)?)),
            "transformer" => {
                let sizes = [vocabulary, longest, classes];
                Ok(Self::Transformer(AttentiveEncoder::new(config.parse("model")?, sizes, params)?))
            }
            other => Err(Error::Usage(format!("model.name: expected bag, gru or transformer, found {other}"))),
        }
    }

    /// How much each of `words: [1, L]` said for the class `class`: of a bag what it adds to the class's logit over the mean of
    /// all classes', of the others the attention that it was paid.
    fn said(&self, words: &Tensor, class: usize) -> Result<Vec<f64>> {
        no_grad(|| {
            let paid = match self {
                Self::Gru(gru) => gru.with_attention(words, &Context::eval())?.1,
                Self::Transformer(encoder) => encoder.with_attention(words, &Context::eval())?.1,
                Self::Bag(bag) => {
                    let shares = bag.shares(words)?; // [1, L, classes]
                    let classes = shares.shape().dims().last().copied().unwrap_or(1).max(1);
                    let all = shares.to_host()?.to_f64();
                    let over = |row: &[f64]| {
                        row.get(class).copied().unwrap_or_default() - row.iter().sum::<f64>() / classes as f64
                    };
                    return Ok(all.chunks(classes).map(over).collect());
                }
            };
            Ok(paid.to_host()?.to_f64())
        })
    }

    /// What `said` is, in a sentence.
    fn said_by(&self) -> &'static str {
        match self {
            Self::Bag(_) => "The words that add most to the logit of the class.",
            Self::Gru(_) => {
                "The words to which most attention is paid, in their places; the GRU has read those before them."
            }
            Self::Transformer(_) => {
                "The words to which most attention is paid in the end; the layers have mixed others into them."
            }
        }
    }

    /// The `count` known words of a text that decided for the class `class`, with how much each did, the first most: what all
    /// its occurrences add to the logit of a bag, or the share of the attention that they are paid.
    ///
    /// # Errors
    /// Numbers outside the vocabulary.
    pub(crate) fn decided(
        &self,
        words: &[i64],
        class: usize,
        vocabulary: &WordVocabulary,
        count: usize,
        params: &Params,
    ) -> Result<Vec<(String, f64)>> {
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let tensor = Tensor::from_vec(words.to_vec(), [1, words.len()], params.device())?;
        let mut all: std::collections::BTreeMap<&str, f64> = std::collections::BTreeMap::new();
        for (&number, share) in words.iter().zip(self.said(&tensor, class)?) {
            if let Some(word) = vocabulary.word(number) {
                *all.entry(word).or_default() += share;
            }
        }
        let mut all: Vec<(String, f64)> =
            all.into_iter().filter(|(_, share)| *share > 0.0).map(|(word, share)| (word.into(), share)).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.truncate(count);
        Ok(all)
    }
}

impl Module for TextModel {
    fn forward(&self, words: &Tensor, context: &Context) -> taper_nn::Result<Tensor> {
        match self {
            Self::Bag(bag) => bag.forward(words, context),
            Self::Gru(gru) => gru.forward(words, context),
            Self::Transformer(encoder) => encoder.forward(words, context),
        }
    }
}

/// The task of classifying texts: [`Classification`] of the field `inputs`, the numbers of words (`[N, L]`, i64, 0 for padding).
pub struct TextClassification {
    model: TextModel,
    task: Classification<TextModel>,
    vocabulary: WordVocabulary,
}

impl TextClassification {
    /// With the names of the classes, in the order of their labels.
    pub fn new(model: TextModel, classes: Vec<String>, vocabulary: WordVocabulary, config: ClassifyConfig) -> Self {
        Self { model: model.clone(), task: Classification::new(model, classes).with(config), vocabulary }
    }
}

impl Task for TextClassification {
    fn metrics(&self) -> Vec<Metric> {
        let mut metrics = self.task.metrics();
        metrics.push(Metric::percent("f1"));
        metrics
    }

    fn monitor(&self) -> &str {
        self.task.monitor()
    }

    fn counted(&self, batch: &Batch) -> usize {
        self.task.counted(batch)
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        self.task.train(batch, context)
    }

    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        self.task.measure(batch, context)
    }

    /// The macro F1: the mean of the classes'.
    fn conclude(&self, measured: &Measured<'_>) -> Result<Vec<(String, f64)>> {
        let Predictions { predicted, truth, .. } = Predictions::of(measured.rows, measured.data)?;
        let scored = Confusion::new(&truth, &predicted, self.task.classes().len())?;
        Ok(vec![("f1".into(), scored.average(Average::Macro).f1)])
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, events: Option<&mut EventWriter>) -> Result<()> {
        report::report(self, found, page, events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bag_has_each_word_once() {
        let vocabulary = WordVocabulary::of(["a b a b c"], 1, 9, 1);
        let mut encoding = TextEncoding { vocabulary, longest: 4, once: false };
        assert_eq!(encoding.encode("b a b x y a"), [3, 2, 3, 1]);
        encoding.once = true;
        assert_eq!(encoding.encode("b a b x y a"), [3, 2, 1]);
    }
}
