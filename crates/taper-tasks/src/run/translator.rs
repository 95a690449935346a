//! A trained translator put to work.

use super::Saved;
use crate::translating::{Beam, Hypothesis, Trained, searched, transformer};
use serde::{Deserialize, Serialize};
use std::path::Path;
use taper_data::{Bpe, PairSamples, Tokenizer};
use taper_models::Transformer;
use taper_nn::{Device, Tensor};
use taper_train::{Error, Result};

/// The task of a run of the experiment `translate`, as in `spec.json`.
const TASK: &str = "translate";

/// What translating needs besides weights and configuration: the `spec.json` of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TranslateSpec {
    task: String,
    /// The most tokens of a text.
    longest: usize,
    /// The tokeniser of both sides.
    merges: Trained,
}

impl TranslateSpec {
    pub(crate) fn new(longest: usize, tokens: Bpe) -> Self {
        Self { task: TASK.into(), longest, merges: Trained(tokens) }
    }
}

/// A trained translator.
///
/// ```no_run
/// use taper_tasks::{Beam, Translator};
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let run = Translator::load("runs/translate-20261129-101500", &device)?;
/// println!("{}", run.translate("the third of march nineteen eighty-four", &Beam::default())?.text); // 1984-03-03
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Translator {
    spec: TranslateSpec,
    model: Transformer,
    device: Device,
}

/// What a translator wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// The text.
    pub text: String,
    /// Its score: log p / ((5 + length) / 6)^α, in nats.
    pub score: f64,
}

impl Translator {
    /// Loads the run in the folder `path` onto `device`: its best-known weights, `model.safetensors`.
    ///
    /// # Errors
    /// A folder that holds no run of the experiment `translate` or lacks a file, and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let saved = Saved::open(path, &[TASK])?;
        let spec: TranslateSpec = saved.spec()?;
        let params = saved.params(device)?;
        let model = transformer(&saved.config.model, spec.merges.0.size(), spec.longest, &params)?;
        saved.weights(&params)?;
        Ok(Self { spec, model, device: device.clone() })
    }

    /// The translation of `text` that `beam` finds.
    ///
    /// # Errors
    /// An empty text, one of more tokens than the run reads, settings of the beam out of range.
    pub fn translate(&self, text: &str, beam: &Beam) -> Result<Translation> {
        beam.check()?;
        let tokens = self.spec.merges.0.tokens(text.trim())?;
        let (found, longest) = (tokens.len(), self.spec.longest);
        if found == 0 {
            return Err(Error::Usage("text: expected a character or more, found none".into()));
        }
        if found > longest {
            let detail = format!("expected {longest} tokens at most, found {found}; translate it part by part");
            return Err(Error::Usage(format!("text: {detail}")));
        }
        let source = PairSamples::source(&tokens);
        let source = Tensor::from_vec(source.clone(), [1, source.len()], &self.device)?;
        let Hypothesis { tokens, score } = searched(&self.model, &source, beam, longest + 1)?;
        let text = self.spec.merges.0.text(&PairSamples::written(&tokens))?.trim().to_string();
        Ok(Translation { text, score })
    }
}
