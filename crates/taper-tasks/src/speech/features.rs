//! What a network of sounds sees: the logarithm of a mel spectrogram, standardised.

use serde::{Deserialize, Serialize};
use taper_audio::{GriffinLim, Mel, MelConfig, MelSpectrogram, griffin_lim, loudest, placed, rms};
use taper_nn::{Params, Tensor};
use taper_train::{Error, Result};

/// The level to which sounds are brought: the root of the mean square of their samples.
const LEVEL: f64 = 0.1;
/// Silence is left silent.
const SILENT: f64 = 1e-6;

/// How sounds become log-mel frames: part of a run's `spec.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogMelSpec {
    /// Samples a second; files of another rate are converted.
    pub rate: u32,
    /// Filters from 20 Hz to half the rate, of HTK's scale.
    pub mels: usize,
    /// What values below are raised to before the logarithm. A sound's root of the mean square is 0.1.
    pub floor: f64,
    /// By filter, the mean over the training recordings.
    pub mean: Vec<f32>,
    /// By filter, their standard deviation.
    pub std: Vec<f32>,
}

/// A planned [`LogMelSpec`]: windows of 25 ms every 10 ms.
pub struct LogMel {
    spec: LogMelSpec,
    mel: MelSpectrogram,
}

impl LogMel {
    /// Plans the transform.
    ///
    /// # Errors
    /// A rate, filters or statistics that cannot be.
    pub fn new(spec: LogMelSpec) -> Result<Self> {
        let mel =
            MelSpectrogram::new(MelConfig { mels: spec.mels, ..MelConfig::speech(spec.rate) }).map_err(of_audio)?;
        if [&spec.mean, &spec.std].iter().any(|of| of.len() != spec.mels) {
            let (due, means, stds) = (spec.mels, spec.mean.len(), spec.std.len());
            let detail = format!("expected {due} means and deviations, found {means} and {stds}");
            return Err(Error::Usage(format!("log-mel frames: {detail}")));
        }
        Ok(Self { spec, mel })
    }

    /// With the mean and deviation of each filter over the sounds `all`, in a window of `length` samples each, or as they are for 0.
    ///
    /// # Errors
    /// A rate or filters that cannot be, windows shorter than a frame.
    pub fn learned<'a>(
        [rate, mels, length]: [usize; 3],
        floor: f64,
        all: impl Iterator<Item = &'a [f32]>,
    ) -> Result<Self> {
        let spec = LogMelSpec { rate: rate as u32, mels, floor, mean: vec![0.0; mels], std: vec![1.0; mels] };
        let mut plan = Self::new(spec)?;
        let (mut sums, mut squares, mut count) = (vec![0.0; mels], vec![0.0; mels], 0);
        for samples in all {
            let values = match length {
                0 => plan.frames_of(samples)?,
                _ => plan.frames_of(&window(samples, length))?,
            };
            let frames = values.len() / mels.max(1);
            for (i, row) in values.chunks_exact(frames.max(1)).enumerate().take(mels) {
                sums[i] += row.iter().map(|x| f64::from(*x)).sum::<f64>();
                squares[i] += row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            }
            count += frames;
        }
        let n = count.max(1) as f64;
        let mean: Vec<f64> = sums.iter().map(|sum| sum / n).collect();
        let std = squares.iter().zip(&mean).map(|(square, mean)| (square / n - mean * mean).max(1e-6).sqrt() as f32);
        (plan.spec.std, plan.spec.mean) = (std.collect(), mean.iter().map(|mean| *mean as f32).collect());
        Ok(plan)
    }

    /// How sounds become frames.
    pub fn spec(&self) -> &LogMelSpec {
        &self.spec
    }

    /// The frames of so many samples.
    pub fn frames(&self, samples: usize) -> usize {
        self.mel.stft().frames(samples)
    }

    /// The frames of `samples` as a batch of one, `[1, 1, mels, frames]`, on the device and in the dtype of `params`.
    pub(crate) fn batch_of(&self, samples: &[f32], params: &Params) -> Result<Tensor> {
        let frames = self.frames_of(samples)?;
        let shape = [1, 1, self.spec.mels, frames.len() / self.spec.mels.max(1)];
        Ok(Tensor::from_vec(frames, shape, params.device())?.cast(params.dtype())?)
    }

    /// The standardised frames of `samples`, `[mels, frames]`. Their level does not matter.
    ///
    /// # Errors
    /// Fewer samples than a frame needs.
    pub fn frames_of(&self, samples: &[f32]) -> Result<Vec<f32>> {
        let level = rms(samples);
        let scale = if level > SILENT { LEVEL / level } else { 1.0 };
        let levelled: Vec<f32> = samples.iter().map(|x| (f64::from(*x) * scale) as f32).collect();
        let mel = self.mel.forward(&levelled).map_err(of_audio)?.ln(self.spec.floor);
        let mut values = mel.values;
        for (i, row) in values.chunks_exact_mut(mel.frames.max(1)).enumerate() {
            if let (Some(mean), Some(std)) = (self.spec.mean.get(i), self.spec.std.get(i)) {
                row.iter_mut().for_each(|x| *x = (*x - mean) / std);
            }
        }
        Ok(values)
    }

    /// Samples whose standardised frames are near `frames: [mels, T]`, with phases by Griffin-Lim. A frame more than there are hops between
    /// the samples' ends.
    ///
    /// # Errors
    /// Values that are no rows of frames.
    pub fn sound(&self, frames: &[f32]) -> Result<Vec<f32>> {
        let LogMelSpec { mels, mean, std, .. } = &self.spec;
        let count = frames.len() / mels.max(&1);
        let stats: Vec<(f32, f32)> = mean.iter().copied().zip(std.iter().copied()).collect();
        let power = |(i, x): (usize, &f32)| {
            let (mean, std) = stats.get(i / count.max(1)).copied().unwrap_or((0.0, 1.0));
            (x * std + mean).exp()
        };
        let mel = Mel { mels: *mels, frames: count, values: frames.iter().enumerate().map(power).collect() };
        let magnitudes = self.mel.magnitudes(&mel).map_err(of_audio)?;
        let stft = self.mel.stft();
        let length = (count.saturating_sub(1) * stft.config().hop).max(stft.config().size);
        griffin_lim(stft, &magnitudes, length, GriffinLim::default()).map_err(of_audio)
    }
}

/// The sound in a window of `length` samples: in its middle, or where it is loudest.
pub(crate) fn window(samples: &[f32], length: usize) -> Vec<f32> {
    match samples.len() > length {
        true => {
            let at = loudest(samples, length);
            samples[at..at + length].to_vec()
        }
        false => placed(samples, length, 0.5),
    }
}

/// An error of reading sounds, as one of a run.
pub(crate) fn of_audio(error: taper_audio::Error) -> Error {
    Error::Data(taper_data::Error::Argument(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32, loud: f32) -> Vec<f32> {
        (0..4000).map(|i| (i as f32 / 8000.0 * hz * std::f32::consts::TAU).sin() * loud).collect()
    }

    #[test]
    fn what_was_learned_from_is_standard_at_any_level() {
        let all = [tone(300.0, 0.2), tone(1500.0, 0.01)];
        let plan = LogMel::learned([8000, 12, 4000], 1e-3, all.iter().map(Vec::as_slice)).unwrap();
        let frames = plan.frames(4000);
        let of: Vec<Vec<f32>> = all.iter().map(|x| plan.frames_of(x).unwrap()).collect();
        for mel in 0..12 {
            let values: Vec<f64> =
                of.iter().flat_map(|of| &of[mel * frames..(mel + 1) * frames]).map(|x| f64::from(*x)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            assert!(mean.abs() < 1e-4, "{mel}: {mean}");
        }
        let louder = plan.frames_of(&tone(300.0, 0.9)).unwrap();
        assert!(louder.iter().zip(&of[0]).all(|(a, b)| (a - b).abs() < 1e-3));
        let again = LogMel::new(plan.spec().clone()).unwrap();
        assert_eq!(again.frames_of(&all[1]).unwrap(), of[1]);
    }

    #[test]
    fn what_cannot_be_is_told() {
        let spec = LogMelSpec { rate: 8000, mels: 2, floor: 1e-3, mean: vec![0.0], std: vec![1.0; 2] };
        let text = LogMel::new(spec).err().unwrap().to_string();
        assert_eq!(text, "log-mel frames: expected 2 means and deviations, found 1 and 2");
    }
}
