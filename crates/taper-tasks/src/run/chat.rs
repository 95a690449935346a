//! A model of conversations put to work: it answers.

use super::TextSpec;
use crate::language::{CharModel, Sampling, reply};
use std::path::Path;
use taper_data::CharVocabulary;
use taper_nn::Device;
use taper_train::{Error, Result};

/// The task of a run of the experiment `dialogue`, as in `spec.json`.
pub(crate) const DIALOGUE: &str = "dialogue";

/// A conversation with a trained model, which remembers what was said last.
///
/// ```no_run
/// use taper_tasks::{Chat, Sampling};
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let mut chat = Chat::load("runs/dialogue-20261129-101500", &device)?;
/// let sampling = Sampling { temperature: 0.6, ..Sampling::default() };
/// println!("{}", chat.reply("Shall we walk to Meryton?", &sampling)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Chat {
    spec: TextSpec,
    model: CharModel,
    device: Device,
    /// The turns that are remembered, each with a line break at its end.
    history: Vec<Vec<i64>>,
    /// Replies so far.
    replies: u64,
}

impl Chat {
    /// Loads the run in the folder `path` onto `device`: its best-known weights, `model.safetensors`.
    ///
    /// # Errors
    /// A folder that holds no run of the experiment `dialogue` or lacks a file, and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let (spec, model) = TextSpec::load(path, DIALOGUE, device)?;
        Ok(Self { spec, model, device: device.clone(), history: Vec::new(), replies: 0 })
    }

    /// The characters that the model knows.
    pub fn vocabulary(&self) -> &CharVocabulary {
        &self.spec.vocabulary
    }

    /// The most tokens that it remembers: half of what the model sees at a time, so that a reply has the other half.
    pub fn remembered(&self) -> usize {
        (self.spec.block / 2).max(1)
    }

    /// What the model answers to `said`, after what was said before. Line breaks in it count as blanks, and characters that
    /// the model does not know are left out. Of the conversation the last turns are kept, of
    /// [`remembered`](Self::remembered) characters together. The random numbers of each reply are a stream of their own.
    ///
    /// # Errors
    /// When no character is left of `said`; a setting out of range.
    pub fn reply(&mut self, said: &str, sampling: &Sampling) -> Result<String> {
        sampling.check()?;
        let vocabulary = &self.spec.vocabulary;
        let known: String = said.chars().filter(|char| vocabulary.has(*char)).collect();
        let turn = known.split_whitespace().collect::<Vec<_>>().join(" ");
        if turn.is_empty() {
            let found = format!("{said:?}, of which the model knows no character");
            return Err(Error::Usage(format!("expected something said, found {found}")));
        }
        let mut history = self.kept(&self.history, vocabulary.encode(&format!("{turn}\n"))?);
        let seen = history.concat();
        let sampling = Sampling { key: sampling.key.index(self.replies), ..*sampling };
        let longest = self.spec.block + 1 - seen.len().min(self.spec.block);
        let told = reply(&self.model, vocabulary, &seen, longest, &sampling, &self.device)?;
        history = self.kept(&history, vocabulary.encode(&format!("{told}\n"))?);
        self.history = history;
        self.replies += 1;
        Ok(told)
    }

    /// `turns` and `turn`, the first left out as long as they are more than is remembered; of a longer turn its end.
    fn kept(&self, turns: &[Vec<i64>], turn: Vec<i64>) -> Vec<Vec<i64>> {
        let most = self.remembered();
        let last = turn[turn.len().saturating_sub(most)..].to_vec();
        let mut room = most - last.len();
        let mut kept: Vec<Vec<i64>> = turns
            .iter()
            .rev()
            .map_while(|turn| {
                room = room.checked_sub(turn.len())?;
                Some(turn.clone())
            })
            .collect();
        kept.reverse();
        kept.push(last);
        kept
    }
}
