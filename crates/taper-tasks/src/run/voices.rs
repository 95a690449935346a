//! Whether two recordings are of one voice: a run of the experiment `voices` put to work.

use super::Saved;
use crate::speech::{LogMel, LogMelSpec, of_audio, window};
use crate::verification::{cosine, unit};
use serde::{Deserialize, Serialize};
use std::path::Path;
use taper_audio::Clip;
use taper_config::Named;
use taper_models::{InputSpec, MelCnn};
use taper_nn::{ArcFace, ArcFaceConfig, Context, Device, Module, Params, no_grad};
use taper_train::Result;

/// The task of these runs, as in `spec.json`.
const TASK: &str = "voices";

/// What comparing needs besides weights and configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct VoicesSpec {
    task: String,
    /// How sounds become frames.
    frames: LogMelSpec,
    /// The samples that the network hears.
    length: usize,
    /// The length of an embedding.
    embedding: usize,
    /// The number of voices that were learned.
    voices: usize,
}

impl VoicesSpec {
    pub(crate) fn new(frames: LogMelSpec, length: usize, embedding: usize, voices: usize) -> Self {
        Self { task: TASK.into(), frames, length, embedding, voices }
    }

    /// The head that the voices are learned with.
    pub(crate) fn head(&self) -> ArcFaceConfig {
        ArcFaceConfig::new(self.embedding, self.voices)
    }

    /// The model that `named` names, with its parameters in `params`.
    pub(crate) fn model(&self, named: &Named, features: &LogMel, params: &Params) -> Result<MelCnn> {
        let shape = [1, self.frames.mels, features.frames(self.length)];
        let input = InputSpec { shape, classes: self.embedding };
        Ok(MelCnn::new(&named.parse("model")?, &input, params)?)
    }
}

/// A trained run that says how alike the voices of two recordings are.
///
/// ```no_run
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let run = taper_tasks::VoiceVerifier::load("runs/voices-20261129-101500", &device)?;
/// println!("{:.3}", run.cosine("a.wav".as_ref(), "b.wav".as_ref())?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct VoiceVerifier {
    spec: VoicesSpec,
    features: LogMel,
    params: Params,
    model: MelCnn,
    threshold: Option<f64>,
}

impl VoiceVerifier {
    /// Loads the run in the folder `path` onto `device`.
    ///
    /// # Errors
    /// A folder that holds no run of `voices` or lacks a file, and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let saved = Saved::open(path, &[TASK])?;
        let spec: VoicesSpec = saved.spec()?;
        let features = LogMel::new(spec.frames.clone())?;
        let params = saved.params(device)?;
        let model = spec.model(&saved.config.model, &features, &params)?;
        // Its weights are in the file too.
        ArcFace::new(spec.head(), &params.sub("head"))?;
        saved.weights(&params)?;
        Ok(Self { spec, features, params, model, threshold: saved.threshold()? })
    }

    /// The cosine from which on two recordings count as of one voice: that of the best accuracy on the run's test pairs. `None`
    /// for a run that is not finished.
    pub fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    /// The embedding, of length 1, of the loudest part of a sound, as long as those that the run was trained on.
    ///
    /// # Errors
    /// A rate that cannot be converted.
    pub fn embedding(&self, clip: &Clip) -> Result<Vec<f64>> {
        let clip = clip.at_rate(self.spec.frames.rate).map_err(of_audio)?;
        let x = self.features.batch_of(&window(&clip.samples, self.spec.length), &self.params)?;
        Ok(no_grad(|| unit(&self.model.forward(&x, &Context::eval())?))?.to_host()?.to_f64())
    }

    /// The cosine of the angle between the embeddings of the recordings in two files (WAV, FLAC or Ogg of any rate), from −1 to 1:
    /// higher for voices that are more alike.
    ///
    /// # Errors
    /// A file that cannot be read or is no sound; the error names it.
    pub fn cosine(&self, a: &Path, b: &Path) -> Result<f64> {
        let embedding = |path: &Path| self.embedding(&Clip::open(path).map_err(of_audio)?);
        Ok(cosine(&embedding(a)?, &embedding(b)?))
    }
}
