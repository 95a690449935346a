//! A run of `denoise` put to work: sounds without their noise.

use super::Saved;
use crate::denoising::{Masking, MaskingSpec, levelling};
use crate::speech::of_audio;
use serde::{Deserialize, Serialize};
use std::path::Path;
use taper_audio::Clip;
use taper_config::Named;
use taper_models::MaskTcn;
use taper_nn::{Context, Device, Module, Params, Tensor, no_grad};
use taper_train::Result;

/// The value of `task` in such a run's `spec.json`.
const TASK: &str = "denoise";
/// Frames that are masked at a time.
const CHUNK: usize = 2048;

/// What masking needs besides weights and configuration: the `spec.json` of a run of `denoise`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DenoiseSpec {
    task: String,
    frames: MaskingSpec,
}

impl DenoiseSpec {
    pub(crate) fn new(frames: MaskingSpec) -> Self {
        Self { task: TASK.into(), frames }
    }

    /// The model, with its parameters in `params`.
    pub(crate) fn model(&self, named: &Named, params: &Params) -> Result<MaskTcn> {
        Ok(MaskTcn::new(&named.parse("model")?, self.frames.window / 2 + 1, params)?)
    }
}

/// A trained run of `denoise`.
///
/// ```no_run
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let run = taper_tasks::Denoiser::load("runs/denoise-20261129-101500", &device)?;
/// run.file("street.wav")?.save("clear.wav")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Denoiser {
    masking: Masking,
    model: MaskTcn,
    params: Params,
}

impl Denoiser {
    /// Loads the run in the folder `path` onto `device`.
    ///
    /// # Errors
    /// A folder that holds no run of `denoise` or lacks a file, and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let saved = Saved::open(path, &[TASK])?;
        let spec: DenoiseSpec = saved.spec()?;
        let params = saved.params(device)?;
        let model = spec.model(&saved.config.model, &params)?;
        let masking = Masking::new(spec.frames)?;
        saved.weights(&params)?;
        Ok(Self { masking, model, params })
    }

    /// Samples a second of what is left.
    pub fn rate(&self) -> u32 {
        self.masking.spec().rate
    }

    /// What is left of the file `path`: WAV, FLAC or Ogg of any rate.
    ///
    /// # Errors
    /// A file that cannot be read or is no sound; the error names it.
    pub fn file(&self, path: impl AsRef<Path>) -> Result<Clip> {
        self.clip(&Clip::open(path).map_err(of_audio)?)
    }

    /// What is left of a sound, at its level, with the [`rate`](Self::rate) of the run.
    ///
    /// # Errors
    /// No sample, a rate that cannot be converted.
    pub fn clip(&self, clip: &Clip) -> Result<Clip> {
        let clip = clip.at_rate(self.rate()).map_err(of_audio)?;
        let level = levelling(&clip.samples);
        let levelled: Vec<f32> = clip.samples.iter().map(|x| (f64::from(*x) * level) as f32).collect();
        let spectrum = self.masking.spectrum(&levelled)?;
        let mask = self.mask(&self.masking.features(&spectrum), spectrum.frames, CHUNK)?;
        let left = self.masking.masked(&spectrum, &mask, levelled.len())?;
        Ok(Clip { samples: left.into_iter().map(|x| (f64::from(x) / level) as f32).collect(), rate: clip.rate })
    }

    /// The mask of frames `[bins, frames]`, so many frames at a time: each with the neighbours that it depends on, so that
    /// parts make no difference.
    fn mask(&self, features: &[f32], frames: usize, chunk: usize) -> Result<Vec<f64>> {
        let (bins, reach) = (self.masking.bins(), self.model.reach());
        let mut mask = vec![0.0; bins * frames];
        for from in (0..frames).step_by(chunk.max(1)) {
            let to = (from + chunk).min(frames);
            let (first, last) = (from.saturating_sub(reach), (to + reach).min(frames));
            let rows = features.chunks_exact(frames.max(1));
            let part: Vec<f32> = rows.flat_map(|row| row[first..last].iter().copied()).collect();
            let x = Tensor::from_vec(part, [1, bins, last - first], self.params.device())?.cast(self.params.dtype())?;
            let found = no_grad(|| self.model.forward(&x, &Context::eval())?.sigmoid())?.to_host()?.to_f64();
            for (row, found) in mask.chunks_exact_mut(frames).zip(found.chunks_exact(last - first)) {
                row[from..to].copy_from_slice(&found[from - first..to - first]);
            }
        }
        Ok(mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_models::MaskTcnConfig;
    use taper_nn::{DType, RandomKey};

    fn denoiser() -> Denoiser {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let sound = (0..8000).map(|i| RandomKey::new(2).normal(i) as f32 * 0.1).collect();
        let masking = Masking::learned(8000, std::iter::once(sound)).unwrap();
        let config = MaskTcnConfig { channels: 8, ..MaskTcnConfig::default() };
        let model = MaskTcn::new(&config, masking.bins(), &params).unwrap();
        Denoiser { masking, model, params }
    }

    #[test]
    fn parts_of_a_long_sound_are_masked_as_the_whole() {
        let of = denoiser();
        let samples: Vec<f32> = (0..16_000).map(|i| RandomKey::new(3).normal(i) as f32 * 0.1).collect();
        let spectrum = of.masking.spectrum(&samples).unwrap();
        let features = of.masking.features(&spectrum);
        let whole = of.mask(&features, spectrum.frames, 10_000).unwrap();
        let parts = of.mask(&features, spectrum.frames, 40).unwrap();
        assert!(whole.iter().zip(&parts).all(|(a, b)| (a - b).abs() < 1e-6));
        assert!(whole.iter().all(|weight| *weight > 0.0 && *weight < 1.0));
    }

    #[test]
    fn level_and_length_stay() {
        let of = denoiser();
        for length in [1, 100, 12_345] {
            let samples: Vec<f32> = (0..length).map(|i| RandomKey::new(4).normal(i) as f32 * 0.01).collect();
            let loud = samples.iter().map(|x| x * 50.0).collect();
            let [soft, loud] = [samples, loud].map(|samples| of.clip(&Clip { samples, rate: 8000 }).unwrap().samples);
            assert_eq!((soft.len(), loud.len()), (length as usize, length as usize));
            assert!(soft.iter().zip(&loud).all(|(a, b)| (a * 50.0 - b).abs() < 1e-4));
        }
        let silence = of.clip(&Clip { samples: vec![0.0; 500], rate: 8000 }).unwrap();
        assert!(silence.samples.iter().all(|x| *x == 0.0));
    }
}
