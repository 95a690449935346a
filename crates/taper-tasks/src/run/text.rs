//! A language model of characters put to work: it goes on with a text.

use super::Saved;
use crate::language::{CharModel, Sampling, continued};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::Path;
use taper_data::CharVocabulary;
use taper_nn::Device;
use taper_train::{Error, Result};

/// The task of a run of the experiment `text`, as in `spec.json`.
pub(crate) const TEXT: &str = "text";

/// What writing and talking need besides weights and configuration: the `spec.json` of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TextSpec {
    task: String,
    /// The characters, in the order of their numbers.
    pub(crate) vocabulary: CharVocabulary,
    /// The characters that the model was trained on at a time.
    pub(crate) block: usize,
}

impl TextSpec {
    /// Of a run of `task`.
    pub(crate) fn new(task: &str, vocabulary: CharVocabulary, block: usize) -> Self {
        Self { task: task.into(), vocabulary, block }
    }

    /// The spec and the model of the run of `task` in the folder `path`, with its weights on `device`.
    pub(super) fn load(path: impl AsRef<Path>, task: &str, device: &Device) -> Result<(Self, CharModel)> {
        let saved = Saved::open(path, &[task])?;
        let spec: Self = saved.spec()?;
        let params = saved.params(device)?;
        let model = CharModel::new(&saved.config.model, spec.vocabulary.len(), spec.block, &params)?;
        saved.weights(&params)?;
        Ok((spec, model))
    }
}

/// A trained language model of characters, which goes on with a text.
///
/// ```no_run
/// use taper_tasks::{Sampling, TextGenerator};
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let run = TextGenerator::load("runs/text-20261129-101500", &device)?;
/// let sampling = Sampling { temperature: 0.8, ..Sampling::default() };
/// println!("{}", run.generate("It is a truth", 200, true, &sampling, &mut |_| ())?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TextGenerator {
    spec: TextSpec,
    model: CharModel,
    device: Device,
}

impl TextGenerator {
    /// Loads the run in the folder `path` onto `device`: its best-known weights, `model.safetensors`.
    ///
    /// # Errors
    /// A folder that holds no run of the experiment `text` or lacks a file, and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let (spec, model) = TextSpec::load(path, TEXT, device)?;
        Ok(Self { spec, model, device: device.clone() })
    }

    /// The characters that the model knows: those of the text that it learned from.
    pub fn vocabulary(&self) -> &CharVocabulary {
        &self.spec.vocabulary
    }

    /// Errs unless the model can go on with `prompt`.
    ///
    /// # Errors
    /// An empty prompt, one with characters that the model does not know; the error names them.
    pub fn check(&self, prompt: &str) -> Result<()> {
        let vocabulary = &self.spec.vocabulary;
        if prompt.is_empty() {
            return Err(Error::Usage("prompt: expected one character or more, found none".into()));
        }
        let lacking = vocabulary.lacking(prompt);
        if lacking.is_empty() {
            return Ok(());
        }
        let listed = lacking.iter().map(|char| format!("{char:?}")).collect::<Vec<_>>().join(", ");
        let all = vocabulary.decode(&(0..vocabulary.len() as i64).collect::<Vec<_>>());
        Err(Error::Usage(format!(
            "prompt: the text that this run learned from has no {listed}; its {} characters are {all:?}",
            vocabulary.len()
        )))
    }

    /// The `length` characters that the model draws after `prompt`, one after the other, each given to `each` as soon as it
    /// is drawn. A GPT sees the last `data.block` characters, an LSTM all. With `cached`, what was computed for earlier
    /// characters is kept, which is faster and gives the same text.
    ///
    /// # Errors
    /// An empty prompt, one with characters that the model does not know (the error names them), a setting out of range.
    pub fn generate(
        &self,
        prompt: &str,
        length: usize,
        cached: bool,
        sampling: &Sampling,
        each: &mut dyn FnMut(char),
    ) -> Result<String> {
        let vocabulary = &self.spec.vocabulary;
        self.check(prompt)?;
        let prompt = vec![vocabulary.encode(prompt)?];
        let mut tell = |tokens: &[i64]| {
            vocabulary.decode(tokens).chars().for_each(&mut *each);
            ControlFlow::Continue(())
        };
        let drawn = continued(&self.model, &prompt, length, cached, sampling, &self.device, &mut tell)?;
        Ok(vocabulary.decode(&drawn.concat()))
    }
}
