//! The task of speaking words, and how far what is spoken is from recordings.

use super::voice::Voice;
use super::{Utterances, report};
use crate::Transcriber;
use crate::speech::LogMel;
use std::sync::Arc;
use taper_models::MelSpeaker;
use taper_nn::{Context, Tensor, no_grad};
use taper_report::html::Page;
use taper_report::tensorboard::EventWriter;
use taper_train::{Better, DeviceBatch, Finished, Metric, Result, Sums, Task};

/// The task of speaking: the fields `words`, `voices`, `frames` `[N]` (i64), `mel` `[N, mels, T]`, `places` `[N, places, T]` and `own` `[N, 1, T]`.
///
/// Metrics: the loss, which is the mean absolute difference of standardised log-mel frames and the squared one of the logarithm of the
/// length; and the mel distance, the first in dB of power, of frames as long as those of the recording.
pub struct Speaking {
    pub(super) model: MelSpeaker,
    pub(super) features: Arc<LogMel>,
    pub(super) words: Vec<String>,
    pub(super) voices: Vec<String>,
    pub(super) test: Arc<Utterances>,
    /// The mel distance of another recording of the same word by the same voice.
    pub(super) other_take: Option<f64>,
    /// Who reads what was spoken.
    pub(super) reader: Option<Transcriber>,
}

impl Speaking {
    /// With the names of words and voices, and the held-out recordings.
    pub(crate) fn new(
        model: MelSpeaker,
        features: Arc<LogMel>,
        [words, voices]: [Vec<String>; 2],
        test: Arc<Utterances>,
        other_take: Option<f64>,
    ) -> Self {
        Self { model, features, words, voices, test, other_take, reader: None }
    }

    /// With a run of `speech`, which reads what was spoken in the report.
    #[must_use]
    pub fn read_by(self, reader: Transcriber) -> Self {
        Self { reader: Some(reader), ..self }
    }

    pub(super) fn voice<'a>(&'a self, found: &'a Finished<'_>) -> Voice<'a> {
        let (device, dtype) = (found.params.device(), found.params.dtype());
        Voice { model: &self.model, features: &self.features, device, dtype }
    }
}

impl Task for Speaking {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss(""), Metric::new("distance", "dB", Better::Lower)]
    }

    fn monitor(&self) -> &str {
        "distance"
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let (words, voices) = (batch.tensor("words")?, batch.tensor("voices")?);
        let (mel, own) = (batch.float("mel")?, batch.float("own")?);
        let (found, length) = self.model.speak(&words, &voices, &batch.float("places")?, context)?;
        let frames: Vec<f64> = batch.host().i64s("frames")?.iter().map(|&frames| frames as f64).collect();
        let count = frames.iter().sum::<f64>() * self.features.spec().mels as f64;
        let logs = frames.iter().map(|frames| frames.ln()).collect::<Vec<f64>>();
        let logs = Tensor::from_vec(logs, [batch.len()], batch.device())?.cast(length.dtype())?;
        let off = found.sub(&mel)?.abs()?.mul(&own)?;
        let longer = length.sub(&logs)?;
        let loss = off.sum_all()?.div_scalar(count)?.add(&longer.mul(&longer)?.mean_all()?)?;
        let distance = no_grad(|| {
            let spec = self.features.spec();
            let std = Tensor::from_vec(spec.std.clone(), [1, spec.mels, 1], batch.device())?.cast(off.dtype())?;
            off.detach().mul(&std)?.sum_all()?.mul_scalar(10.0 / std::f64::consts::LN_10)
        })?;
        Ok(Sums::mean(loss, batch.len()).with("distance", distance, count))
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, _events: Option<&mut EventWriter>) -> Result<()> {
        report::report(self, found, page)
    }
}
