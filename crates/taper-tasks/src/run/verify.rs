//! How alike two pictures are: a run of the experiment `verify` put to work.

use super::Saved;
use super::pixels::values;
use crate::verification::unit;
use serde::Deserialize;
use std::path::Path;
use taper_models::{InputSpec, build};
use taper_nn::{ArcFace, ArcFaceConfig, Context, Device, Module, Params, no_grad};
#[cfg(feature = "images")]
use taper_train::Error;
use taper_train::Result;

/// The task of these runs, as in `spec.json`.
const TASK: &str = "verify";

/// What comparing needs besides weights and configuration.
#[derive(Deserialize)]
struct Spec {
    /// `[C, H, W]` of every picture.
    shape: [usize; 3],
    /// The length of an embedding.
    embedding: usize,
    /// The names of the classes that were learned.
    seen: Vec<String>,
}

/// A trained run that says how alike two pictures are.
///
/// ```no_run
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let run = taper_tasks::Verifier::load("runs/verify-20261129-101500", &device)?;
/// # #[cfg(feature = "images")]
/// println!("{:.3}", run.cosine("a.png".as_ref(), "b.png".as_ref())?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Verifier {
    spec: Spec,
    params: Params,
    model: Box<dyn Module>,
    threshold: Option<f64>,
}

impl Verifier {
    /// Loads the run in the folder `path` onto `device`.
    ///
    /// # Errors
    /// As [`Saved::open`], and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let saved = Saved::open(path, &[TASK])?;
        let spec: Spec = saved.spec()?;
        let params = saved.params(device)?;
        let input = InputSpec { shape: spec.shape, classes: spec.embedding };
        let model = build(&saved.config.model, &input, &params)?;
        if saved.config.task.name == "arcface" {
            // Its weights are in the file too.
            ArcFace::new(ArcFaceConfig::new(spec.embedding, spec.seen.len()), &params.sub("head"))?;
        }
        saved.weights(&params)?;
        let threshold =
            saved.test()?.and_then(|found| found.get("threshold")).filter(|threshold| threshold.is_finite());
        Ok(Self { spec, params, model, threshold })
    }

    /// The cosine from which on two pictures count as of one class: that of the best accuracy on the run's test pairs. `None`
    /// for a run that is not finished.
    pub fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    /// Embeddings of length 1 of pictures `[N, C, H, W]`, in bytes, one after the other.
    ///
    /// # Errors
    /// Bytes that are no whole pictures.
    pub fn embeddings(&self, pictures: &[u8]) -> Result<Vec<Vec<f64>>> {
        let mut all = Vec::new();
        for x in values(pictures, self.spec.shape, "verify", &self.params)? {
            let x = x?;
            let found = no_grad(|| unit(&self.model.forward(&x, &Context::eval())?))?.to_host()?.to_f64();
            all.extend(found.chunks(self.spec.embedding.max(1)).map(<[f64]>::to_vec));
        }
        Ok(all)
    }
}

#[cfg(feature = "images")]
impl Verifier {
    /// The cosine of the angle between the embeddings of the pictures in two files (PNG, JPEG, WebP), from −1 to 1: higher for
    /// those that are more alike. Pictures are resized and cropped to the size that the run was trained on.
    ///
    /// # Errors
    /// A file that cannot be read or is no picture; the error names it.
    pub fn cosine(&self, a: &Path, b: &Path) -> Result<f64> {
        let mut both = Vec::new();
        for path in [a, b] {
            let bytes = super::pixels::file(path)?;
            both.extend(taper_data::decode_picture(&bytes, path, self.spec.shape)?);
        }
        match self.embeddings(&both)?.as_slice() {
            [a, b] => Ok(a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>().clamp(-1.0, 1.0)),
            _ => Err(Error::Usage("verify: the model gave no output".into())),
        }
    }
}
