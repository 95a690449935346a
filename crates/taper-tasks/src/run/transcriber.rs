//! A run of `speech` or `sounds` put to work: the words in recordings, the kinds of sounds.

use super::Saved;
use crate::speech::{LogMel, LogMelSpec, best_path, of_audio, window};
use serde::{Deserialize, Serialize};
use std::path::Path;
use taper_audio::{Clip, placed};
use taper_config::Named;
use taper_models::{InputSpec, MelCnn, MelCrnn, build};
use taper_nn::{Context, Ctc, Device, Module, Params, Reduction, no_grad};
use taper_train::{Error, Result};

/// The value of `task` in such a run's `spec.json`.
const TASK: &str = "speech";
/// The same of a run of `sounds`.
const KINDS: &str = "sounds";
/// Frames of the shortest string.
const SHORTEST: usize = 16;

/// What transcribing needs besides weights and configuration: the `spec.json` of a run of `speech`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SpeechSpec {
    task: String,
    /// How sounds become frames.
    frames: LogMelSpec,
    /// The samples that the network sees; 0 for any number, of strings of words.
    length: usize,
    /// The words, by class.
    classes: Vec<String>,
}

impl SpeechSpec {
    /// For single words in so many samples.
    pub(crate) fn words(frames: LogMelSpec, length: usize, classes: Vec<String>) -> Self {
        Self { task: TASK.into(), frames, length, classes }
    }

    /// For kinds of sounds in so many samples.
    pub(crate) fn kinds(frames: LogMelSpec, length: usize, classes: Vec<String>) -> Self {
        Self { task: KINDS.into(), ..Self::words(frames, length, classes) }
    }

    /// For strings of words.
    pub(crate) fn strings(frames: LogMelSpec, classes: Vec<String>) -> Self {
        Self::words(frames, 0, classes)
    }

    /// The model of strings, of which class 0 is the blank.
    pub(crate) fn recurrent(&self, named: &Named, params: &Params) -> Result<MelCrnn> {
        let shape = [1, self.frames.mels, SHORTEST];
        let input = InputSpec { shape, classes: self.classes.len() + 1 };
        Ok(MelCrnn::new(&named.parse("model")?, &input, params)?)
    }

    /// The model that `named` names, with its parameters in `params`.
    pub(crate) fn model(&self, named: &Named, input: &InputSpec, params: &Params) -> Result<Box<dyn Module>> {
        match named.name.as_str() {
            "mel-cnn" => Ok(Box::new(MelCnn::new(&named.parse("model")?, input, params)?)),
            _ => Ok(build(named, input, params)?),
        }
    }
}

/// A trained run of `speech`: what is said in a recording.
///
/// ```no_run
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let run = taper_tasks::Transcriber::load("runs/speech-20261129-101500", &device)?;
/// let heard = run.file("seven.wav")?;
/// println!("{} {:.0}%", heard.text, 100.0 * heard.probability); // seven 98%
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Transcriber {
    spec: SpeechSpec,
    features: LogMel,
    model: Heard,
    params: Params,
}

/// What hears: one word, or a string of them.
enum Heard {
    Word(Box<dyn Module>),
    String(Box<MelCrnn>),
}

/// What was heard in a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// The words.
    pub text: String,
    /// The probability that the network gives them.
    pub probability: f64,
    /// How long the recording is, in seconds.
    pub seconds: f64,
}

impl Transcriber {
    /// Loads the run in the folder `path` onto `device`.
    ///
    /// # Errors
    /// A folder that holds no run of `speech` or `sounds` or lacks a file, and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let saved = Saved::open(path, &[TASK, KINDS])?;
        let spec: SpeechSpec = saved.spec()?;
        let features = LogMel::new(spec.frames.clone())?;
        let params = saved.params(device)?;
        let model = match spec.length {
            0 => Heard::String(Box::new(spec.recurrent(&saved.config.model, &params)?)),
            length => {
                let shape = [1, spec.frames.mels, features.frames(length)];
                let input = InputSpec { shape, classes: spec.classes.len() };
                Heard::Word(spec.model(&saved.config.model, &input, &params)?)
            }
        };
        saved.weights(&params)?;
        Ok(Self { spec, features, model, params })
    }

    /// The words that can be heard.
    pub fn words(&self) -> &[String] {
        &self.spec.classes
    }

    /// What is said in the file `path`: WAV, FLAC or Ogg of any rate. A run of single words hears the loudest part, as long as those
    /// that it was trained on; one of strings hears all.
    ///
    /// # Errors
    /// A file that cannot be read or is no sound; the error names it.
    pub fn file(&self, path: impl AsRef<Path>) -> Result<Transcript> {
        self.clip(&Clip::open(path).map_err(of_audio)?)
    }

    /// As [`file`](Self::file), of a sound in memory.
    ///
    /// # Errors
    /// A rate that cannot be converted.
    pub fn clip(&self, clip: &Clip) -> Result<Transcript> {
        let seconds = clip.seconds();
        let clip = clip.at_rate(self.spec.frames.rate).map_err(of_audio)?;
        let (text, probability) = match &self.model {
            Heard::Word(model) => self.word(model, &clip.samples)?,
            Heard::String(model) => self.string(model, &clip.samples)?,
        };
        Ok(Transcript { text, probability, seconds })
    }

    fn word(&self, model: &dyn Module, samples: &[f32]) -> Result<(String, f64)> {
        let x = self.features.batch_of(&window(samples, self.spec.length), &self.params)?;
        let found = no_grad(|| model.forward(&x, &Context::eval())?.softmax(1))?.to_host()?.to_f64();
        let best = (0..found.len()).fold(0, |best, i| if found[i] > found[best] { i } else { best });
        let text = self.spec.classes.get(best).cloned().unwrap_or_default();
        Ok((text, found.get(best).copied().unwrap_or(0.0)))
    }

    /// The words of the best path, and the probability of these words on all paths.
    fn string(&self, model: &MelCrnn, samples: &[f32]) -> Result<(String, f64)> {
        let hop = self.spec.frames.rate as usize / 100;
        let sound = placed(samples, samples.len().max(SHORTEST * hop), 0.5);
        let x = self.features.batch_of(&sound, &self.params)?;
        let logits = no_grad(|| model.forward_with(&x, None, &Context::eval())?.log_softmax(2))?;
        let [steps, _, classes] = *logits.shape().dims() else {
            return Err(Error::Usage(format!("transcribe: expected logits [T, 1, classes], found {}", logits.shape())));
        };
        let path = best_path(&logits.to_host()?.to_f64(), [1, classes, 0], steps);
        let labels: Vec<i64> = path.iter().map(|word| word + 1).collect();
        let sum = Ctc { reduction: Reduction::Sum, ..Ctc::default() };
        let nats = no_grad(|| sum.forward(&logits, &[labels.as_slice()], None))?.item()?;
        let words = path.iter().filter_map(|word| self.spec.classes.get(*word as usize).map(String::as_str));
        Ok((words.collect::<Vec<_>>().join(" "), (-nats).exp()))
    }
}
