//! The things in pictures: a run of the experiment `detect` put to work.

use super::Saved;
use super::pixels::values;
use serde::Deserialize;
use std::path::Path;
use taper_models::{Detection, DetectionOptions, Detector, DetectorConfig};
use taper_nn::{Context, Device, Params, no_grad};
use taper_train::{Error, Result};

/// The task of these runs, as in `spec.json`.
const TASK: &str = "detect";

/// What finding needs besides weights and configuration.
#[derive(Deserialize)]
struct Spec {
    /// The height and width that the model was trained on.
    size: usize,
    /// The names of the classes.
    classes: Vec<String>,
}

/// The keys of the run's model that are settings; the data decide the others.
#[derive(Deserialize)]
struct Shape {
    width: usize,
    blocks: usize,
    convs: usize,
}

/// A trained run that finds things in pictures.
///
/// ```no_run
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let run = taper_tasks::ThingFinder::load("runs/detect-20261129-101500", &device)?;
/// # #[cfg(feature = "images")]
/// for found in run.picture("garden.jpg".as_ref(), &taper_models::DetectionOptions::default())?.things {
///     println!("{} in {:?}", run.classes()[found.class], found.bounds);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ThingFinder {
    spec: Spec,
    params: Params,
    model: Detector,
}

/// What was found in a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The picture's height and width.
    pub size: [usize; 2],
    /// The things, the surest first; boxes are in the picture's own pixels.
    pub things: Vec<Detection>,
}

impl ThingFinder {
    /// Loads the run in the folder `path` onto `device`.
    ///
    /// # Errors
    /// As [`Saved::open`], and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let saved = Saved::open(path, &[TASK])?;
        let spec: Spec = saved.spec()?;
        let params = saved.params(device)?;
        let shape = serde_json::to_value(&saved.config.model.rest).and_then(serde_json::from_value);
        let Shape { width, blocks, convs } =
            shape.map_err(|e| Error::Usage(format!("the run's [model] is none of a detector's: {e}")))?;
        let config = DetectorConfig { channels: 3, classes: spec.classes.len(), width, blocks, convs, size: spec.size };
        let model = Detector::new(&config, &params)?;
        saved.weights(&params)?;
        Ok(Self { spec, params, model })
    }

    /// The names of the classes, in the order of their numbers.
    pub fn classes(&self) -> &[String] {
        &self.spec.classes
    }

    /// The height and width of the pictures that the model was trained on.
    pub fn size(&self) -> usize {
        self.spec.size
    }

    /// What is in each of the pictures `[N, 3, size, size]`, in bytes, the surest first; boxes are in these pixels.
    ///
    /// # Errors
    /// Bytes that are no whole pictures.
    pub fn things(&self, pictures: &[u8], options: &DetectionOptions) -> Result<Vec<Vec<Detection>>> {
        let size = self.spec.size;
        let mut all = Vec::new();
        for x in values(pictures, [3, size, size], "detect", &self.params)? {
            let x = x?;
            let output = no_grad(|| self.model.forward(&x, &Context::eval()))?;
            all.extend(self.model.head().detections(&output, [size, size], options)?);
        }
        Ok(all)
    }
}

#[cfg(feature = "images")]
impl ThingFinder {
    /// What is in the picture in the file at `path` (PNG, JPEG, WebP). It is stretched to the size that
    /// the model was trained on, and boxes are stretched back.
    ///
    /// # Errors
    /// A file that cannot be read or is no picture; the error names it.
    pub fn picture(&self, path: &Path, options: &DetectionOptions) -> Result<Found> {
        let bytes = super::pixels::file(path)?;
        let side = self.spec.size;
        let (planes, size) = taper_data::stretch_picture(&bytes, path, [side, side])?;
        let [y, x] = size.map(|own| own as f64 / side as f64);
        let own = |found: Detection| {
            let [x1, y1, x2, y2] = found.bounds;
            Detection { bounds: [x1 * x, y1 * y, x2 * x, y2 * y], ..found }
        };
        let things = self.things(&planes, options)?.pop().unwrap_or_default();
        Ok(Found { size, things: things.into_iter().map(own).collect() })
    }
}
