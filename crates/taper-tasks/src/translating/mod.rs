//! Translation: pairs of texts, a Transformer that reads one and writes the other, and what is measured of what it writes.

mod dates;
mod report;
mod search;

pub(crate) use dates::dates;
pub use search::Beam;
pub(crate) use search::{Hypothesis, searched};

use crate::metrics::Bleu;
use search::greedy;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use taper_config::{Named, table};
use taper_data::{Bpe, PairSamples, Tokenizer};
use taper_models::{Transformer, TransformerConfig};
use taper_nn::{Context, CrossEntropy, DType, Params, Tensor, no_grad};
use taper_report::html::Page;
use taper_report::tensorboard::EventWriter;
use taper_train::{Better, DeviceBatch, Error, Finished, Measured, Metric, Result, Rows, Split, Sums, Task};

table! {
    /// `[task]` of translation.
    #[derive(Copy)]
    pub struct TranslateConfig {
        /// Part of the target spread over all tokens.
        ///
        /// Label smoothing's ε. What is measured has none.
        label_smoothing: f64 = 0.1, number(0.0..=1.0);
        /// Beginnings that the report's translations go on with at a time.
        beam: usize = 4, integer(1..=1024);
        /// α of the length penalty by which a beam's texts are compared.
        length_penalty: f64 = 0.6, number(0.0..=10.0);
    }
}

table! {
    /// `[model]` of translation: a [`Transformer`] with as many layers in the encoder as in the decoder.
    #[derive(Copy)]
    pub struct TranslatorConfig {
        /// Features.
        d_model: usize = 128, integer(1..=65_536);
        /// Heads of attention, which divide the features.
        nhead: usize = 4, integer(1..=1024);
        /// Layers of the encoder, and of the decoder.
        layers: usize = 3, integer(1..=1024);
        /// Units of the feed-forward networks.
        dim_feedforward: usize = 512, integer(1..=65_536);
        /// The probability of dropout.
        dropout: f64 = 0.1, fraction();
        /// Whether layer norm comes before each part, instead of after it as in the paper.
        norm_first: bool = true, flag();
    }
}

/// The Transformer that `[model]` describes, for texts of so many tokens of the tokeniser and of up to `longest` tokens.
///
/// # Errors
/// Sizes that do not fit each other.
pub(crate) fn transformer(config: &Named, tokens: usize, longest: usize, params: &Params) -> Result<Transformer> {
    let sizes: TranslatorConfig = config.parse("model")?;
    let vocabulary = tokens + PairSamples::OWN as usize;
    let TranslatorConfig { d_model, nhead, layers, dim_feedforward, dropout, norm_first } = sizes;
    let config = TransformerConfig {
        source: vocabulary,
        target: vocabulary,
        // A text's own tokens, and one for its start or end.
        longest: longest + 1,
        d_model,
        nhead,
        encoder_layers: layers,
        decoder_layers: layers,
        dim_feedforward,
        dropout,
        norm_first,
    };
    Ok(Transformer::new(config, params)?)
}

/// A tokeniser that was trained, as `spec.json` holds it: its pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trained(pub Bpe);

impl Serialize for Trained {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.merges().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Trained {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let pairs = Vec::<[u32; 2]>::deserialize(from)?;
        Bpe::of_merges(&pairs).map(Self).map_err(de::Error::custom)
    }
}

/// The task of translating the field `source`, `[N, S]`, into `target`, `[N, T + 1]` ([`PairSamples`]), by a [`Transformer`].
///
/// Metrics: the loss (cross entropy, in nats a token), the accuracy of tokens after those of the reference; of the test split,
/// whose texts are translated by the likeliest token each time, the share that is exactly the reference, and BLEU.
pub struct Translating {
    model: Transformer,
    tokens: Bpe,
    config: TranslateConfig,
    longest: usize,
}

/// Numbers of each sample of the test split: those of BLEU.
const ROW: usize = 10;

impl Translating {
    /// With the tokeniser of the texts, and the most tokens that are written.
    pub fn new(model: Transformer, tokens: Bpe, config: TranslateConfig, longest: usize) -> Self {
        Self { model, tokens, config, longest }
    }

    /// The logits' loss beside the targets, and how many of them are right.
    fn sums(&self, batch: &DeviceBatch<'_>, context: &Context, label_smoothing: f64) -> Result<Sums> {
        let (source, target) = (batch.tensor("source")?, batch.tensor("target")?);
        let [n, length] = *target.shape().dims() else {
            let found = target.shape();
            return Err(Error::Usage(format!("translation: expected targets [N, T + 1], found {found}")));
        };
        let steps = length.saturating_sub(1);
        let padding = source.eq_scalar(PairSamples::PADDING as f64)?;
        let logits = self.model.forward(&source, &target.narrow(1, 0, steps)?, Some(&padding), context)?; // [N, T, V]
        let due = target.narrow(1, 1, steps)?.reshape([n * steps])?;
        let logits = logits.reshape([n * steps, logits.shape()[2]])?;
        let loss = CrossEntropy { label_smoothing, ignore_index: PairSamples::PADDING, ..CrossEntropy::default() };
        let loss = loss.forward(&logits, &due)?;
        let count = batch.host().i64s("target")?.iter().filter(|token| **token > PairSamples::START).count();
        // No logit of padding is right, since no target is padding: those are masked.
        let right = no_grad(|| {
            let real = due.ne_scalar(PairSamples::PADDING as f64)?.cast(DType::I64)?;
            logits.detach().argmax(1, false)?.eq(&due)?.cast(DType::I64)?.mul(&real)?.sum_all()
        })?;
        Ok(Sums::mean(loss, count).with("accuracy", right, count))
    }

    /// What the model writes for each text of a batch, and what it should be.
    fn translated(&self, batch: &DeviceBatch<'_>) -> Result<Vec<[String; 2]>> {
        let source = batch.tensor("source")?;
        let padding = source.eq_scalar(PairSamples::PADDING as f64)?;
        let written = greedy(&self.model, &source, &padding, self.longest + 1)?;
        let targets = batch.host().i64s("target")?;
        let length = (targets.len() / batch.len().max(1)).max(1);
        let pair = |(written, target): (&Vec<i64>, &[i64])| Ok([self.text(written)?, self.text(target)?]);
        written.iter().zip(targets.chunks(length)).map(pair).collect()
    }

    /// The text of what was written.
    fn text(&self, written: &[i64]) -> Result<String> {
        Ok(self.tokens.text(&PairSamples::written(written))?.trim().to_string())
    }
}

/// The BLEU of all rows.
fn bleu(rows: &Rows) -> Bleu {
    rows.iter().filter_map(Bleu::of_row).fold(Bleu::default(), Bleu::with)
}

impl Task for Translating {
    fn metrics(&self) -> Vec<Metric> {
        vec![
            Metric::loss("nats/token"),
            Metric::percent("accuracy"),
            Metric::percent("exact"),
            Metric::new("bleu", "", Better::Higher),
        ]
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        self.sums(batch, context, self.config.label_smoothing)
    }

    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let sums = self.sums(batch, context, 0.0)?;
        if batch.split() != Split::Test {
            return Ok(sums);
        }
        let pairs = self.translated(batch)?;
        let exact = pairs.iter().filter(|[written, due]| written == due).count();
        let rows: Vec<f64> = pairs.iter().flat_map(|[written, due]| Bleu::of_sentence(written, due).row()).collect();
        let rows = Tensor::from_vec(rows, [pairs.len(), ROW], batch.device())?;
        Ok(sums.with("exact", exact as f64, pairs.len()).with_rows(rows))
    }

    fn conclude(&self, measured: &Measured<'_>) -> Result<Vec<(String, f64)>> {
        Ok(match measured.split {
            Split::Test => vec![("bleu".into(), bleu(measured.rows).score())],
            _ => Vec::new(),
        })
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, _events: Option<&mut EventWriter>) -> Result<()> {
        page.sections.extend(report::sections(self, found)?);
        Ok(())
    }
}
