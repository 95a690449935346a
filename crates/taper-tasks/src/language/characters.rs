//! A language model of the characters of a text, and what is shown of it.

use super::{Continues, LanguageModel, Sampling, continued};
use std::ops::ControlFlow;
use taper_config::{Named, table};
use taper_data::{Batch, CharVocabulary, NGrams, TextBlocks};
use taper_models::{Gpt2, Gpt2Config, RecurrentLm, RecurrentLmConfig};
use taper_nn::{Context, Module, Params, RandomKey, Tensor};
use taper_report::Format;
use taper_report::html::{Block, Column, Page, Section, Table};
use taper_report::tensorboard::EventWriter;
use taper_train::{DeviceBatch, Error, Finished, Metric, Result, Sums, Task};

table! {
    /// `[model]` of a small GPT over characters: a [`Gpt2`] whose longest context is `data.block`.
    #[derive(Copy)]
    pub struct GptConfig {
        /// Blocks of attention and perceptron.
        n_layer: usize = 4, integer(1..=1024);
        /// Heads of attention, which divide the features.
        n_head: usize = 4, integer(1..=1024);
        /// Features.
        n_embd: usize = 128, integer(1..=65_536);
        /// The probability of dropout.
        dropout: f64 = 0.0, fraction();
    }
}

table! {
    /// `[model]` of an LSTM over characters: a [`RecurrentLm`].
    #[derive(Copy)]
    pub struct LstmConfig {
        /// The length of a character's embedding.
        embedding: usize = 64, integer(1..=65_536);
        /// Units of each layer.
        hidden: usize = 256, integer(1..=65_536);
        /// Layers.
        layers: usize = 1, integer(1..=1024);
        /// The probability of dropout.
        dropout: f64 = 0.0, fraction();
    }
}

/// A model of characters, by its name in `[model]`.
#[derive(Debug, Clone)]
pub enum CharModel {
    /// `gpt`.
    Gpt(Box<Gpt2>),
    /// `lstm`.
    Lstm(Box<RecurrentLm>),
}

impl CharModel {
    /// The model that `config` names, of a vocabulary of so many characters and blocks of so many, in `params`.
    ///
    /// # Errors
    /// An unknown name, sizes that do not fit each other.
    pub fn new(config: &Named, vocabulary: usize, block: usize, params: &Params) -> Result<Self> {
        match config.name.as_str() {
            "gpt" => {
                let GptConfig { n_layer, n_head, n_embd, dropout } = config.parse("model")?;
                let sizes = Gpt2Config { vocab_size: vocabulary, n_positions: block, ..Gpt2Config::small() };
                let gpt = Gpt2::new(Gpt2Config { n_layer, n_head, n_embd, dropout, ..sizes }, params)?;
                Ok(Self::Gpt(Box::new(gpt)))
            }
            "lstm" => {
                let LstmConfig { embedding, hidden, layers, dropout } = config.parse("model")?;
                let sizes = RecurrentLmConfig { vocabulary, embedding, hidden, layers, ..RecurrentLmConfig::default() };
                Ok(Self::Lstm(Box::new(RecurrentLm::new(&RecurrentLmConfig { dropout, ..sizes }, params)?)))
            }
            other => Err(Error::Usage(format!("model.name: expected gpt or lstm, found {other}"))),
        }
    }
}

/// Tokens `[N, T]` to logits `[N, V, T]` of the character after each.
impl Module for CharModel {
    fn forward(&self, tokens: &Tensor, context: &Context) -> taper_nn::Result<Tensor> {
        match self {
            Self::Gpt(gpt) => gpt.forward(tokens, context)?.transpose(1, 2),
            Self::Lstm(lstm) => lstm.forward(tokens, context),
        }
    }
}

impl Continues for CharModel {
    fn continues(
        &self,
        prompt: &Tensor,
        count: usize,
        cached: bool,
        choose: &mut super::generate::Choose<'_>,
    ) -> taper_nn::Result<Tensor> {
        match self {
            Self::Gpt(gpt) => gpt.continues(prompt, count, cached, choose),
            Self::Lstm(lstm) => lstm.continues(prompt, count, cached, choose),
        }
    }
}

/// Samples in the report.
const SAMPLES: usize = 4;
/// Characters of the held-out text before each sample.
const BEFORE: usize = 32;
/// Characters that are drawn for each.
const DRAWN: usize = 240;
/// The temperature at which they are.
const TEMPERATURE: f64 = 0.8;

/// The task of [`LanguageModel`] on characters, with their names: the report shows texts that the model writes, and what
/// counting runs of characters gives on the same text.
pub struct Characters {
    model: LanguageModel<CharModel>,
    vocabulary: CharVocabulary,
    /// What is learned from, to be counted.
    train: TextBlocks,
}

impl Characters {
    /// With the vocabulary of the tokens in `train`, the text that is learned from.
    pub fn new(model: CharModel, vocabulary: CharVocabulary, train: TextBlocks) -> Self {
        Self { model: LanguageModel(model), vocabulary, train }
    }

    /// Texts that begin with characters of the held-out text, and go on as the model draws.
    fn samples(&self, found: &Finished<'_>) -> Result<Section> {
        let blocks = found.test.len();
        let mut places: Vec<usize> = (0..SAMPLES).map(|i| i * blocks / SAMPLES).collect();
        places.dedup();
        let mut batch = Batch::default();
        batch.clear(places.len());
        found.test.fill(0, &places, &mut batch)?;
        let tokens = batch.i64s("tokens")?;
        let rows = tokens.chunks((tokens.len() / places.len().max(1)).max(1));
        let prompts: Vec<Vec<i64>> = rows.map(|row| row.iter().take(BEFORE).copied().collect()).collect();
        let sampling =
            Sampling { temperature: TEMPERATURE, key: RandomKey::new(0).child("samples"), ..Sampling::default() };
        let device = found.params.device();
        let written =
            continued(&self.model.0, &prompts, DRAWN, true, &sampling, device, &mut |_| ControlFlow::Continue(()))?;
        let before = prompts.first().map_or(0, Vec::len);
        let note = format!(
            "Each begins with {before} characters of the held-out text. What follows ▸ is the model's, drawn at the \
             temperature {TEMPERATURE}."
        );
        let section = Section::new("Samples").with(Block::Note(note));
        Ok(prompts.iter().zip(&written).fold(section, |section, (prompt, written)| {
            let [prompt, written] = [prompt, written].map(|tokens| self.vocabulary.decode(tokens));
            section.with(Block::Text(format!("{}▸{written}", prompt.trim_start())))
        }))
    }

    /// The loss beside that of counting.
    fn beside(&self, found: &Finished<'_>) -> Result<Section> {
        let mut held_out = Vec::new();
        let mut batch = Batch::default();
        for index in 0..found.test.len() {
            batch.clear(1);
            found.test.fill(0, &[index], &mut batch)?;
            let (tokens, targets) = (batch.i64s("tokens")?, batch.i64s("targets")?);
            if index == 0 {
                held_out.extend(tokens.first().map(|&token| token as u32));
            }
            held_out.extend(targets.iter().filter_map(|&target| u32::try_from(target).ok()));
        }
        let numbers = ["nats a character", "bits a character"].map(Column::number);
        let table = Table::new([vec![Column::text("on the held-out text")], numbers.to_vec()].concat());
        let row = |table: Table, name: String, nats: f64| {
            let [nats, bits] = [nats, nats / std::f64::consts::LN_2].map(|value| Format::Metric.text(value));
            table.row([name, nats, bits])
        };
        let loss = found.outcome.test.as_ref().map_or(f64::NAN, taper_train::Evaluation::loss);
        let mut table = row(table, "this model".into(), loss);
        let size = self.vocabulary.len();
        for before in [0, 1, 2, NGrams::longest(size).min(5)] {
            let nats = NGrams::of(self.train.tokens(), size, before).nats(&held_out);
            let name = match before {
                0 => "how often each character occurs".into(),
                1 => "counting pairs of characters".into(),
                n => format!("counting runs of up to {} characters", n + 1),
            };
            table = row(table, name, nats);
        }
        let note =
            "Counts of the training text, those of longer runs interpolated with shorter ones (Witten and Bell).";
        Ok(Section::new("Beside counting").with(table).with(Block::Note(note.into())))
    }
}

impl Task for Characters {
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
        page.sections.extend([self.samples(found)?, self.beside(found)?]);
        Ok(())
    }
}
