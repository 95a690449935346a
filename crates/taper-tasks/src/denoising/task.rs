//! The task of masking noise, and what is measured of it.

use super::{Masking, Mixtures, report, subtraction};
use crate::metrics::si_snr;
use std::sync::Arc;
use taper_data::Batch;
use taper_models::MaskTcn;
use taper_nn::{Context, HostData, Module, Tensor, no_grad};
use taper_report::html::Page;
use taper_report::tensorboard::EventWriter;
use taper_train::{Better, DeviceBatch, Error, Finished, Metric, Result, Sums, Task};

/// Added to the energy of a clean sound, by which is divided.
const SILENCE: f64 = 1e-3;
/// The ratio of noise and sound that is good enough, 30 dB.
const ENOUGH: f64 = 1e-3;

/// The task of masking frames: the fields `inputs`, `magnitudes` and `targets` `[N, bins, T]` of [`Masking`], and on held-out mixtures
/// `noisy` and `clean` `[N, length]`.
///
/// Metrics: the loss, which is how far in dB what is wrong in the masked frames is above a level 30 dB below the clean ones, and on held-out mixtures the gain in
/// scale-invariant signal-to-noise ratio of the sounds: that of what is left of the noisy one, minus that of the noisy one.
pub struct Denoising {
    pub(super) model: MaskTcn,
    pub(super) masking: Arc<Masking>,
    /// The kind of noise of each test sample.
    pub(super) kinds: Vec<String>,
    /// Kinds that no training mixture has.
    pub(super) unheard: Vec<String>,
}

/// The ratios of a mixture in dB, in the order of the numbers of a row.
pub(super) struct Ratios {
    pub(super) noisy: f64,
    pub(super) network: f64,
    pub(super) subtraction: f64,
    pub(super) best: f64,
}

impl Denoising {
    /// With the kind of noise of each mixture of the split `test`, and the kinds that were not learned from.
    pub(crate) fn new(model: MaskTcn, masking: Arc<Masking>, test: &Mixtures, unheard: Vec<String>) -> Self {
        let kinds = (0..taper_data::Dataset::len(test)).map(|i| test.kind(i).to_owned()).collect();
        Self { model, masking, kinds, unheard }
    }

    /// The mask `[N, bins, T]` of a batch.
    pub(super) fn mask(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Tensor> {
        Ok(self.model.forward(&batch.float("inputs")?, context)?.sigmoid()?)
    }

    fn loss(&self, batch: &DeviceBatch<'_>, mask: &Tensor) -> Result<Tensor> {
        let (magnitudes, targets) = (batch.float("magnitudes")?, batch.float("targets")?);
        let off = mask.mul(&magnitudes)?.sub(&targets)?;
        let noise = off.mul(&off)?.sum(&[1, 2], false)?;
        let sound = targets.mul(&targets)?.sum(&[1, 2], false)?.add_scalar(SILENCE)?;
        let above = noise.div(&sound)?.mul_scalar(1.0 / ENOUGH)?.add_scalar(1.0)?;
        let decibels = above.log()?.mul_scalar(10.0 / std::f64::consts::LN_10)?;
        Ok(decibels.mean_all()?)
    }

    /// The ratios of a mixture with the mask that the network gives.
    fn ratios(&self, [noisy, clean]: [&[f32]; 2], mask: &[f64]) -> Result<Ratios> {
        let [x, s] = [self.masking.spectrum(noisy)?, self.masking.spectrum(clean)?];
        let best = Masking::targets(&x, &s).into_iter().zip(Masking::magnitudes(&x));
        let best: Vec<f64> =
            best.map(|(due, size)| f64::from(due / size.max(f32::MIN_POSITIVE)).clamp(0.0, 1.0)).collect();
        let left = |mask: &[f64]| si_snr(&self.masking.masked(&x, mask, noisy.len())?, clean);
        Ok(Ratios {
            noisy: si_snr(noisy, clean)?,
            network: left(mask)?,
            subtraction: left(&subtraction::mask(&x))?,
            best: left(&best)?,
        })
    }
}

impl Ratios {
    pub(super) fn row(&self) -> [f64; 4] {
        [self.noisy, self.network, self.subtraction, self.best]
    }
}

/// The rows of the f32 field `name` of a batch.
pub(super) fn rows<'a>(batch: &'a Batch, name: &str) -> Result<Vec<&'a [f32]>> {
    match &batch.field(name)?.data {
        HostData::F32(values) => Ok(values.chunks_exact((values.len() / batch.len().max(1)).max(1)).collect()),
        other => {
            Err(Error::Usage(format!("mixtures: expected the field `{name}` in f32, found it in {}", other.dtype())))
        }
    }
}

impl Task for Denoising {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss("dB"), Metric::new("gain", "dB", Better::Higher)]
    }

    fn monitor(&self) -> &str {
        "gain"
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let mask = self.mask(batch, context)?;
        Ok(Sums::mean(self.loss(batch, &mask)?, batch.len()))
    }

    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let mask = self.mask(batch, context)?;
        let loss = self.loss(batch, &mask)?;
        let values = mask.to_host()?.to_f64();
        let masks = values.chunks_exact((values.len() / batch.len().max(1)).max(1));
        let (noisy, clean) = (rows(batch.host(), "noisy")?, rows(batch.host(), "clean")?);
        let pairs = noisy.into_iter().zip(clean).zip(masks);
        let found =
            pairs.map(|((noisy, clean), mask)| self.ratios([noisy, clean], mask)).collect::<Result<Vec<_>>>()?;
        let gain: f64 = found.iter().map(|of| of.network - of.noisy).sum();
        let all: Vec<f64> = found.iter().flat_map(Ratios::row).collect();
        let all = no_grad(|| Tensor::from_vec(all, [found.len(), 4], batch.device()))?;
        Ok(Sums::mean(loss, batch.len()).with("gain", gain, found.len()).with_rows(all))
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, _events: Option<&mut EventWriter>) -> Result<()> {
        report::report(self, found, page)
    }
}
