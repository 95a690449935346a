//! A run of `speak` put to work: the sound of words.

use super::Saved;
use crate::speaking::{PLACES, Voice};
use crate::speech::{DIGITS, LogMel, LogMelSpec};
use serde::{Deserialize, Serialize};
use std::path::Path;
use taper_audio::Clip;
use taper_config::Named;
use taper_models::MelSpeaker;
use taper_nn::{Device, Params};
use taper_train::{Error, Result, unknown};

/// The value of `task` in such a run's `spec.json`.
const TASK: &str = "speak";
/// The silence between two words and at the ends, in seconds.
const PAUSE: f64 = 0.12;
/// The largest sample of what is spoken.
const LOUD: f32 = 0.7;

/// What speaking needs besides weights and configuration: the `spec.json` of a run of `speak`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SpeakSpec {
    task: String,
    frames: LogMelSpec,
    words: Vec<String>,
    voices: Vec<String>,
}

impl SpeakSpec {
    pub(crate) fn new(frames: LogMelSpec, [words, voices]: [Vec<String>; 2]) -> Self {
        Self { task: TASK.into(), frames, words, voices }
    }

    /// The model, with its parameters in `params`.
    pub(crate) fn model(&self, named: &Named, params: &Params) -> Result<MelSpeaker> {
        let sizes = [self.words.len(), self.voices.len(), PLACES, self.frames.mels];
        Ok(MelSpeaker::new(&named.parse("model")?, sizes, params)?)
    }
}

/// A trained run of `speak`.
///
/// ```no_run
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let run = taper_tasks::Speaker::load("runs/speak-20261129-101500", &device)?;
/// run.speak("three five", None)?.save("said.wav")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Speaker {
    spec: SpeakSpec,
    features: LogMel,
    model: MelSpeaker,
    params: Params,
}

impl Speaker {
    /// Loads the run in the folder `path` onto `device`.
    ///
    /// # Errors
    /// A folder that holds no run of `speak` or lacks a file, and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let saved = Saved::open(path, &[TASK])?;
        let spec: SpeakSpec = saved.spec()?;
        let params = saved.params(device)?;
        let model = spec.model(&saved.config.model, &params)?;
        let features = LogMel::new(spec.frames.clone())?;
        saved.weights(&params)?;
        Ok(Self { spec, features, model, params })
    }

    /// The words that it can say.
    pub fn words(&self) -> &[String] {
        &self.spec.words
    }

    /// The voices that it can speak with.
    pub fn voices(&self) -> &[String] {
        &self.spec.voices
    }

    /// The sound of `text`, words between spaces, by a voice, the first one if none is named. Digits may be written as such.
    ///
    /// # Errors
    /// A word or a voice that is not known, and a text without a word.
    pub fn speak(&self, text: &str, voice: Option<&str>) -> Result<Clip> {
        let named = |what: &str, name: &str, known: &[String]| {
            known.iter().position(|known| known.eq_ignore_ascii_case(name)).ok_or_else(|| {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                Error::Usage(unknown(what, name, &known))
            })
        };
        let voice = voice.map_or(Ok(0), |voice| named("voice", voice, &self.spec.voices))?;
        let words = text.split_whitespace().map(|word| {
            let digit = word.parse::<usize>().ok().filter(|_| word.len() == 1).and_then(|digit| DIGITS.get(digit));
            named("word", digit.copied().unwrap_or(word), &self.spec.words)
        });
        let words = words.collect::<Result<Vec<usize>>>()?;
        if words.is_empty() {
            let known = self.spec.words.join(", ");
            return Err(Error::Usage(format!("text: expected a word at least, of {known}, found none")));
        }
        let (device, dtype) = (self.params.device(), self.params.dtype());
        let of = Voice { model: &self.model, features: &self.features, device, dtype };
        let pause = (PAUSE * f64::from(self.spec.frames.rate)) as usize;
        let mut samples = vec![0.0; pause];
        for word in words {
            samples.extend(of.sound(word, voice)?);
            samples.resize(samples.len() + pause, 0.0);
        }
        let loudest = samples.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
        samples.iter_mut().for_each(|x| *x *= LOUD / loudest);
        Ok(Clip { samples, rate: self.spec.frames.rate })
    }
}
