//! Mel spectrograms: the power (or magnitude) of a short-time Fourier transform, summed by triangular filters that are evenly
//! spaced in mel (S. S. Stevens, J. Volkmann and E. B. Newman, 1937). Two formulas are in use: HTK's, m = 2595 log₁₀(1 + f/700),
//! torchaudio's default; and Slaney's (Auditory Toolbox, 1998), linear below 1 kHz and logarithmic above, librosa's default.

use crate::{Error, Padding, Result, Stft, StftConfig};

/// The formula by which Hz become mel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MelScale {
    /// 2595 log₁₀(1 + f/700).
    #[default]
    Htk,
    /// 3 f/200 up to 1 kHz, 15 + 27 ln(f/1000) / ln 6.4 above.
    Slaney,
}

/// Slaney's scale is logarithmic from here, in Hz and in mel.
const KNEE: (f64, f64) = (1000.0, 15.0);

/// The mel of a frequency in Hz.
pub fn hz_to_mel(hz: f64, scale: MelScale) -> f64 {
    match scale {
        MelScale::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
        MelScale::Slaney if hz < KNEE.0 => hz * 3.0 / 200.0,
        MelScale::Slaney => KNEE.1 + (hz / KNEE.0).ln() * 27.0 / 6.4_f64.ln(),
    }
}

/// The frequency in Hz of a mel.
pub fn mel_to_hz(mel: f64, scale: MelScale) -> f64 {
    match scale {
        MelScale::Htk => 700.0 * (10.0_f64.powf(mel / 2595.0) - 1.0),
        MelScale::Slaney if mel < KNEE.1 => mel * 200.0 / 3.0,
        MelScale::Slaney => KNEE.0 * ((mel - KNEE.1) * 6.4_f64.ln() / 27.0).exp(),
    }
}

/// How a mel spectrogram is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MelConfig {
    /// Samples a second.
    pub rate: u32,
    /// The transform.
    pub stft: StftConfig,
    /// The number of filters.
    pub mels: usize,
    /// Where the lowest filter begins, in Hz.
    pub low: f64,
    /// Where the highest ends, in Hz; at most half the rate.
    pub high: f64,
    /// The formula of mel.
    pub scale: MelScale,
    /// Whether a filter's area is 1 in Hz (`norm="slaney"`) instead of its height.
    pub area: bool,
    /// The exponent of the magnitudes: 2 for power, 1 for magnitudes.
    pub power: f64,
}

impl MelConfig {
    /// For speech: windows of 25 ms every 10 ms, 40 filters from 20 Hz to half the rate, of HTK's scale and height 1, power.
    pub fn speech(rate: u32) -> Self {
        let of = |ms: usize| (rate as usize * ms / 1000).max(1);
        let window = of(25);
        let size = window.next_power_of_two().max(2);
        let stft = StftConfig { size, window, hop: of(10), padding: Padding::Reflect };
        let high = f64::from(rate) / 2.0;
        Self { rate, stft, mels: 40, low: 20.0, high, scale: MelScale::Htk, area: false, power: 2.0 }
    }
}

/// A planned mel spectrogram.
#[derive(Clone)]
pub struct MelSpectrogram {
    config: MelConfig,
    stft: Stft,
    /// Of each filter the first bin that it weighs, and its weights from there.
    filters: Vec<(usize, Vec<f64>)>,
}

/// A mel spectrogram: a row of all frames for each filter, the lowest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Mel {
    /// The number of filters.
    pub mels: usize,
    /// The number of frames.
    pub frames: usize,
    /// `[mels, frames]`.
    pub values: Vec<f32>,
}

impl MelSpectrogram {
    /// Plans the transform and makes the filters.
    ///
    /// # Errors
    /// Sizes and frequencies that cannot be.
    pub fn new(config: MelConfig) -> Result<Self> {
        let MelConfig { rate, mels, low, high, scale, area, power, .. } = config;
        let half = f64::from(rate) / 2.0;
        if rate == 0 || mels == 0 || !(0.0 <= low && low < high && high <= half) {
            let detail = format!("a filter at least, from 0 Hz or more up to half the rate, {half} Hz");
            return Err(Error::Argument(format!("mel: expected {detail}, found {mels} from {low} to {high} Hz")));
        }
        if !(power > 0.0 && power.is_finite()) {
            return Err(Error::Argument(format!("mel: expected a positive power of the magnitudes, found {power}")));
        }
        let stft = Stft::new(config.stft)?;
        let [from, to] = [low, high].map(|hz| hz_to_mel(hz, scale));
        let edge = |i: usize| mel_to_hz(from + (to - from) * i as f64 / (mels + 1) as f64, scale);
        let hz = |bin: usize| bin as f64 * f64::from(rate) / config.stft.size as f64;
        let filter = |i: usize| {
            let [left, middle, right] = [edge(i), edge(i + 1), edge(i + 2)];
            let height = if area { 2.0 / (right - left) } else { 1.0 };
            let weight = |bin: usize| {
                let (up, down) = ((hz(bin) - left) / (middle - left), (right - hz(bin)) / (right - middle));
                up.min(down).max(0.0) * height
            };
            let first = (0..stft.bins()).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
            (first, (first..stft.bins()).map(weight).take_while(|weight| *weight > 0.0).collect())
        };
        let filters = (0..mels).map(filter).collect();
        Ok(Self { config, stft, filters })
    }

    /// How it is computed.
    pub fn config(&self) -> &MelConfig {
        &self.config
    }

    /// The transform.
    pub fn stft(&self) -> &Stft {
        &self.stft
    }

    /// The filters as a matrix `[mels, bins]`.
    pub fn filters(&self) -> Vec<f64> {
        let bins = self.stft.bins();
        let mut all = vec![0.0; self.filters.len() * bins];
        for (row, (first, weights)) in all.chunks_exact_mut(bins).zip(&self.filters) {
            row.iter_mut().skip(*first).zip(weights).for_each(|(to, weight)| *to = *weight);
        }
        all
    }

    /// The mel spectrogram of `samples`, of the rate of the configuration.
    ///
    /// # Errors
    /// Too few samples for a frame.
    pub fn forward(&self, samples: &[f32]) -> Result<Mel> {
        let spectrum = self.stft.forward(samples)?;
        let (frames, bins) = (spectrum.frames, spectrum.bins);
        let power = spectrum.power(self.config.power);
        let mut values = vec![0.0; self.filters.len() * frames];
        for (row, (first, weights)) in values.chunks_exact_mut(frames.max(1)).zip(&self.filters) {
            for (value, frame) in row.iter_mut().zip(power.chunks_exact(bins)) {
                let sum: f64 = frame.iter().skip(*first).zip(weights).map(|(power, weight)| power * weight).sum();
                *value = sum as f32;
            }
        }
        Ok(Mel { mels: self.filters.len(), frames, values })
    }
}

impl Mel {
    /// The natural logarithm of each value, of `floor` where it is less.
    #[must_use]
    pub fn ln(mut self, floor: f64) -> Self {
        self.values.iter_mut().for_each(|value| *value = f64::from(*value).max(floor).ln() as f32);
        self
    }

    /// Decibels of power, 10 log₁₀ of each value, of `floor` where it is less; and with `range` none further below the
    /// loudest. As librosa's `power_to_db` (ref 1) and torchaudio's `AmplitudeToDB`, with 1e-10 and 80.
    #[must_use]
    pub fn decibels(mut self, floor: f64, range: Option<f64>) -> Self {
        self.values.iter_mut().for_each(|value| *value = (10.0 * f64::from(*value).max(floor).log10()) as f32);
        if let Some(range) = range {
            let least = self.values.iter().copied().fold(f32::NEG_INFINITY, f32::max) - range as f32;
            self.values.iter_mut().for_each(|value| *value = value.max(least));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mel_and_back() {
        for scale in [MelScale::Htk, MelScale::Slaney] {
            for hz in [0.0, 60.0, 999.9, 1000.0, 3500.0, 20_000.0] {
                let back = mel_to_hz(hz_to_mel(hz, scale), scale);
                assert!((back - hz).abs() <= 1e-9 * hz.max(1.0), "{scale:?} {hz} {back}");
            }
        }
        // Both give about 1000 mel or 15 at 1 kHz, by definition.
        assert!((hz_to_mel(1000.0, MelScale::Htk) - 1000.0).abs() < 0.02);
        assert_eq!(hz_to_mel(1000.0, MelScale::Slaney), 15.0);
    }

    #[test]
    fn a_tone_is_in_the_filter_around_it() {
        let config = MelConfig::speech(8000);
        let mel = MelSpectrogram::new(config).unwrap();
        let tone: Vec<f32> = (0..8000).map(|i| (i as f32 / 8000.0 * 1000.0 * std::f32::consts::TAU).sin()).collect();
        let found = mel.forward(&tone).unwrap();
        assert_eq!((found.mels, found.frames), (40, 101));
        let loudest = (0..40).max_by(|a, b| {
            let at = |row: usize| found.values[row * 101 + 50];
            at(*a).total_cmp(&at(*b))
        });
        let [from, to] = [config.low, config.high].map(|hz| hz_to_mel(hz, MelScale::Htk));
        let due = ((hz_to_mel(1000.0, MelScale::Htk) - from) / (to - from) * 41.0).round() as usize - 1;
        assert_eq!(loudest, Some(due));
    }

    #[test]
    fn floors_are_kept() {
        let mel = Mel { mels: 1, frames: 3, values: vec![0.0, 1.0, 1e-3] };
        assert_eq!(mel.clone().ln(1e-6).values, [1e-6_f64.ln() as f32, 0.0, 1e-3_f64.ln() as f32]);
        assert_eq!(mel.clone().decibels(1e-10, Some(20.0)).values, [-20.0, 0.0, -20.0]);
        assert_eq!(mel.decibels(1e-10, None).values[0], -100.0);
    }

    #[test]
    fn what_cannot_be_is_told() {
        let config = MelConfig::speech(8000);
        let told = |config| MelSpectrogram::new(config).err().unwrap().to_string();
        let text = told(MelConfig { high: 5000.0, ..config });
        let due = "mel: expected a filter at least, from 0 Hz or more up to half the rate, 4000 Hz, found 40 from 20 to 5000 Hz";
        assert_eq!(text, due);
        let text = told(MelConfig { power: 0.0, ..config });
        assert_eq!(text, "mel: expected a positive power of the magnitudes, found 0");
        let text = MelSpectrogram::new(config).unwrap().forward(&[0.0; 100]).unwrap_err().to_string();
        assert_eq!(text, "stft: expected 129 samples at least, for frames of 256, found 100");
    }
}
