//! The pixels of pictures by class: a run of the experiment `segment` put to work.

use super::Saved;
use super::pixels::values;
use crate::dense::logits;
use serde::Deserialize;
use std::path::Path;
use taper_models::{UNet, UNetConfig};
use taper_nn::{Context, Device, Params, no_grad};
use taper_train::{Error, Result};

/// The task of these runs, as in `spec.json`.
const TASK: &str = "segment";

/// What finding needs besides weights and configuration.
#[derive(Deserialize)]
struct Spec {
    /// The height and width that the model was trained on.
    size: usize,
    /// The names of the classes; the first is the background.
    classes: Vec<String>,
}

/// The keys of the run's model that are settings; the data decide the others.
#[derive(Deserialize)]
struct Shape {
    width: usize,
    depth: usize,
    stride: usize,
    norm: String,
}

/// A trained run that finds the class of each pixel.
///
/// ```no_run
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let run = taper_tasks::Segmenter::load("runs/segment-20261129-101500", &device)?;
/// # #[cfg(feature = "images")]
/// for found in run.pictures(&["garden.jpg"])? {
///     println!("{found}"); // background 81.2%, flower 18.8%
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Segmenter {
    spec: Spec,
    params: Params,
    model: UNet,
    /// Whether pictures are seen mirrored too.
    mirror: bool,
}

/// The class of each pixel of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segmented {
    /// The picture's height and width.
    pub size: [usize; 2],
    /// The class of each pixel, `[H, W]`, row by row; 0 is the background.
    pub labels: Vec<usize>,
    /// The names of the classes.
    pub classes: Vec<String>,
}

impl Segmented {
    /// The classes that were found with their shares of the pixels, the largest first.
    pub fn shares(&self) -> Vec<(&str, f64)> {
        let mut counts = vec![0_usize; self.classes.len()];
        for &label in &self.labels {
            if let Some(count) = counts.get_mut(label) {
                *count += 1;
            }
        }
        let all = self.labels.len().max(1) as f64;
        let named = self.classes.iter().map(String::as_str).zip(counts);
        let mut shares: Vec<(&str, f64)> =
            named.filter(|(_, count)| *count > 0).map(|(name, count)| (name, count as f64 / all)).collect();
        // Stable, so that equal ones stay in the order of the classes.
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares
    }
}

impl std::fmt::Display for Segmented {
    /// The classes that were found with their shares: `background 81.2%, flower 18.8%`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let one = |(name, share): &(&str, f64)| format!("{name} {:.1}%", 100.0 * share);
        f.write_str(&self.shares().iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

impl Segmenter {
    /// Loads the run in the folder `path` onto `device`.
    ///
    /// # Errors
    /// As [`Saved::open`], and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let saved = Saved::open(path, &[TASK])?;
        let spec: Spec = saved.spec()?;
        let params = saved.params(device)?;
        let Shape { width, depth, stride, norm } = shape_of(&saved)?;
        let config =
            UNetConfig { channels: 3, classes: spec.classes.len(), width, depth, norm, stride, size: spec.size };
        let model = UNet::new(&config, &params)?;
        saved.weights(&params)?;
        let mirror = saved.config.task.rest.get("mirror").and_then(|mirror| mirror.as_bool()).unwrap_or(false);
        Ok(Self { spec, params, model, mirror })
    }

    /// The names of the classes, in the order of their labels; the first is the background.
    pub fn classes(&self) -> &[String] {
        &self.spec.classes
    }

    /// The height and width of the pictures that the model was trained on.
    pub fn size(&self) -> usize {
        self.spec.size
    }

    /// The class of each pixel of pictures `[N, 3, size, size]`, in bytes; each picture's labels are `[size, size]`, row by row.
    ///
    /// # Errors
    /// Bytes that are no whole pictures.
    pub fn labels(&self, pictures: &[u8]) -> Result<Vec<Vec<usize>>> {
        let size = self.spec.size;
        let mut all = Vec::new();
        for x in values(pictures, [3, size, size], "segment", &self.params)? {
            let x = x?;
            let found = no_grad(|| logits(&self.model, &x, self.mirror, &Context::eval())?.argmax(1, false))?;
            let found = found.to_vec::<i64>()?;
            let label = |&label: &i64| usize::try_from(label).unwrap_or(0);
            all.extend(found.chunks(size * size).map(|labels| labels.iter().map(label).collect::<Vec<_>>()));
        }
        Ok(all)
    }
}

/// The keys of the run's model.
fn shape_of(saved: &Saved) -> Result<Shape> {
    serde_json::to_value(&saved.config.model.rest)
        .and_then(serde_json::from_value)
        .map_err(|e| Error::Usage(format!("the run's [model] is none of a U-Net's: {e}")))
}

#[cfg(feature = "images")]
impl Segmenter {
    /// The class of each pixel of the pictures in these files (PNG, JPEG, WebP). Each is stretched to the size that the model was
    /// trained on, and what is found is stretched back, pixel by pixel.
    ///
    /// # Errors
    /// A file that cannot be read or is no picture; the error names it.
    pub fn pictures<P: AsRef<Path>>(&self, paths: &[P]) -> Result<Vec<Segmented>> {
        paths.iter().map(|path| self.picture(path.as_ref())).collect()
    }

    /// The class of each pixel of the picture in the file at `path`.
    ///
    /// # Errors
    /// As [`pictures`](Self::pictures).
    pub fn picture(&self, path: &Path) -> Result<Segmented> {
        let bytes = super::pixels::file(path)?;
        let side = self.spec.size;
        let (planes, size) = taper_data::stretch_picture(&bytes, path, [side, side])?;
        let small = self.labels(&planes)?.pop().unwrap_or_default();
        // The pixel whose centre is nearest.
        let from = |at: usize, of: usize| ((2 * at + 1) * side / (2 * of)).min(side - 1);
        let [height, width] = size;
        let label =
            |at: usize| small.get(from(at / width, height) * side + from(at % width, width)).copied().unwrap_or(0);
        Ok(Segmented { size, labels: (0..height * width).map(label).collect(), classes: self.spec.classes.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_pixels_and_the_largest_comes_first() {
        let found = Segmented {
            size: [1, 8],
            labels: vec![0, 2, 2, 2, 2, 0, 0, 0],
            classes: ["background", "a", "b"].map(String::from).to_vec(),
        };
        assert_eq!(found.to_string(), "background 50.0%, b 50.0%");
        assert_eq!(found.shares(), [("background", 0.5), ("b", 0.5)]);
    }
}
