//! A trained run put to work: predictions without the data set that it was trained on.

mod chat;
#[cfg(feature = "audio")]
mod denoiser;
mod detect;
mod forecaster;
#[cfg(feature = "images")]
mod pictures;
mod pixels;
mod recommender;
mod saved;
mod segment;
#[cfg(feature = "audio")]
mod speaker;
mod summary;
mod text;
mod text_classifier;
#[cfg(feature = "audio")]
mod transcriber;
#[cfg(feature = "bpe")]
mod translator;
mod verify;
#[cfg(feature = "audio")]
mod voices;

pub use chat::Chat;
pub(crate) use chat::DIALOGUE;
#[cfg(feature = "audio")]
pub(crate) use denoiser::DenoiseSpec;
#[cfg(feature = "audio")]
pub use denoiser::Denoiser;
pub use detect::{Found, ThingFinder};
pub(crate) use forecaster::FORECAST;
pub use forecaster::{Forecast, ForecastSpec, ForecastStep, Forecaster};
pub(crate) use recommender::RECOMMEND;
pub use recommender::{RecommendSpec, Recommendation, Recommender};
pub use saved::Saved;
pub use segment::{Segmented, Segmenter};
#[cfg(feature = "audio")]
pub(crate) use speaker::SpeakSpec;
#[cfg(feature = "audio")]
pub use speaker::Speaker;
pub use summary::run_summary;
pub use text::TextGenerator;
pub(crate) use text::{TEXT, TextSpec};
pub(crate) use text_classifier::TextClassesSpec;
pub use text_classifier::{ClassifiedText, TextClassifier};
#[cfg(feature = "audio")]
pub(crate) use transcriber::SpeechSpec;
#[cfg(feature = "audio")]
pub use transcriber::{Transcriber, Transcript};
#[cfg(feature = "bpe")]
pub(crate) use translator::TranslateSpec;
#[cfg(feature = "bpe")]
pub use translator::{Translation, Translator};
pub use verify::Verifier;
#[cfg(feature = "audio")]
pub use voices::VoiceVerifier;
#[cfg(feature = "audio")]
pub(crate) use voices::VoicesSpec;

use crate::TargetStats;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;
use taper_data::augment::Normalize;
use taper_data::{Augment, Augmented, Batch, Dataset, FieldSpec};
use taper_models::{InputSpec, build};
use taper_nn::{Context, Device, Module, Params, Tensor, no_grad};
use taper_train::{DeviceBatch, Error, Result, Split};

/// The tasks of a [`Spec`], as in `spec.json`.
const TASKS: [&str; 2] = ["classify", "regress"];

/// Samples that are predicted at a time.
const AT_A_TIME: usize = 64;

/// What predicting needs besides weights and configuration: the `spec.json` of a run's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "lowercase")]
pub enum Spec {
    /// Classes of these names, in the order of the logits.
    Classify {
        /// What a sample is.
        inputs: Inputs,
        /// The names of the classes.
        classes: Vec<String>,
    },
    /// A number, which the model gives standardised.
    Regress {
        /// What a sample is.
        inputs: Inputs,
        /// The name of what is predicted.
        name: String,
        /// By what it is standardised.
        target: TargetStats,
    },
}

/// What a sample is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Inputs {
    /// Pictures.
    Pictures {
        /// `[C, H, W]`.
        shape: [usize; 3],
        /// How channels are normalised.
        normalize: Option<Normalize>,
    },
    /// Rows of a table, encoded as a [`taper_data::TableSpec`] says.
    Table {
        /// The number of features of a row.
        width: usize,
        /// The spec.
        encoding: Value,
    },
}

impl Spec {
    /// What a sample is.
    pub fn inputs(&self) -> &Inputs {
        match self {
            Self::Classify { inputs, .. } | Self::Regress { inputs, .. } => inputs,
        }
    }

    fn input_spec(&self) -> InputSpec {
        let shape = match self.inputs() {
            Inputs::Pictures { shape, .. } => *shape,
            Inputs::Table { width, .. } => [1, 1, *width],
        };
        let classes = match self {
            Self::Classify { classes, .. } => classes.len(),
            Self::Regress { .. } => 1,
        };
        InputSpec { shape, classes }
    }
}

/// A run's spec, as `spec.json` is to hold it.
pub(crate) fn spec_json(spec: &impl Serialize) -> Result<Value> {
    serde_json::to_value(spec).map_err(|e| Error::Usage(format!("the run's spec: {e}")))
}

/// A trained run: its model with its weights, and what is needed to give it samples.
///
/// ```no_run
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let run = taper_tasks::Run::load("runs/pictures-20261129-101500", &device)?;
/// # #[cfg(feature = "images")]
/// for found in run.pictures(&["leaf.jpg"])? {
///     println!("{found}"); // oak 93.1%, beech 4.0%, …
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Run {
    spec: Spec,
    params: Params,
    model: Box<dyn Module>,
}

/// What a run predicts of a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Prediction {
    /// The classes, the most probable first.
    Classes(Vec<ClassScore>),
    /// A number, in the target's own unit.
    Number(f64),
}

/// A class with its probability.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassScore {
    /// The class's name.
    pub class: String,
    /// The softmax probability.
    pub probability: f64,
}

impl std::fmt::Display for Prediction {
    /// The three most probable classes, `oak 93.1%, beech 4.0%, elm 1.2%`; or the number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(value) => value.fmt(f),
            Self::Classes(classes) => {
                let one = |found: &ClassScore| format!("{} {:.1}%", found.class, 100.0 * found.probability);
                f.write_str(&classes.iter().take(3).map(one).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl Run {
    /// Loads the run in the folder `path` onto `device`: its best-known weights, `model.safetensors`.
    ///
    /// # Errors
    /// A folder that holds no run or lacks a file, one of a version before `spec.json` was written, and weights that do not
    /// fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let saved = Saved::open(path, &TASKS)?;
        let spec: Spec = saved.spec()?;
        let params = saved.params(device)?;
        let model = build(&saved.config.model, &spec.input_spec(), &params)?;
        saved.weights(&params)?;
        Ok(Self { spec, params, model })
    }

    /// What predicting needs besides weights and configuration.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The names of the classes; none if a number is predicted.
    pub fn classes(&self) -> &[String] {
        match &self.spec {
            Spec::Classify { classes, .. } => classes,
            Spec::Regress { .. } => &[],
        }
    }

    /// Predictions for all samples of `data`, whose field `inputs` has the shape that the run was trained on: bytes of
    /// pictures before normalisation, or encoded rows.
    ///
    /// # Errors
    /// Samples of another shape; the errors of the data.
    pub fn predict(&self, data: &dyn Dataset) -> Result<Vec<Prediction>> {
        self.check(&data.fields())?;
        match self.spec.inputs() {
            Inputs::Pictures { normalize: Some(normalize), .. } => {
                let list = vec![Augment::from(normalize.clone())];
                self.predict_as_they_are(&Augmented::new(data, list, 0)?)
            }
            _ => self.predict_as_they_are(data),
        }
    }

    fn check(&self, fields: &[FieldSpec]) -> Result<()> {
        let due = match self.spec.inputs() {
            Inputs::Pictures { shape, .. } => shape.to_vec(),
            Inputs::Table { width, .. } => vec![*width],
        };
        let found = fields.iter().find(|field| field.name == "inputs").and_then(FieldSpec::fixed);
        match found {
            Some(found) if found == due => Ok(()),
            Some(found) => Err(Error::Usage(format!("predict: expected samples of shape {due:?}, found {found:?}"))),
            None => Err(Error::Usage("predict: expected data with a field `inputs` of one shape, found none".into())),
        }
    }

    fn predict_as_they_are(&self, data: &dyn Dataset) -> Result<Vec<Prediction>> {
        let mut all = Vec::with_capacity(data.len());
        let mut batch = Batch::default();
        let indices: Vec<usize> = (0..data.len()).collect();
        for indices in indices.chunks(AT_A_TIME) {
            batch.clear(indices.len());
            data.fill(0, indices, &mut batch)?;
            let x = DeviceBatch::new(&batch, &self.params, Split::Test, [0; 3]).float("inputs")?;
            let y = no_grad(|| self.model.forward(&x, &Context::eval()))?;
            all.extend(self.read(&y, indices.len())?);
        }
        Ok(all)
    }

    /// The model's outputs as predictions.
    fn read(&self, y: &Tensor, n: usize) -> Result<Vec<Prediction>> {
        match &self.spec {
            Spec::Regress { target, .. } => {
                let values = y.to_host()?.to_f64();
                Ok(values.into_iter().map(|y| Prediction::Number(y * target.std + target.mean)).collect())
            }
            Spec::Classify { classes, .. } => {
                let rows = no_grad(|| y.softmax(1))?.to_host()?.to_f64();
                let of = |row: &[f64]| {
                    let mut scores: Vec<ClassScore> = classes
                        .iter()
                        .zip(row)
                        .map(|(class, &probability)| ClassScore { class: class.clone(), probability })
                        .collect();
                    // Stable, so that equal ones stay in the order of the classes.
                    scores.sort_by(|a, b| b.probability.total_cmp(&a.probability));
                    Prediction::Classes(scores)
                };
                Ok(rows.chunks(classes.len().max(1)).take(n).map(of).collect())
            }
        }
    }
}

#[cfg(any(feature = "csv", feature = "parquet"))]
impl Run {
    /// Predictions for the rows of a table, which needs the columns that the run was trained on; others are ignored.
    ///
    /// # Errors
    /// A missing column, a cell that cannot be encoded; the error names it. A run that takes no rows.
    pub fn rows(&self, source: taper_data::TableSource) -> Result<Vec<Prediction>> {
        let Inputs::Table { encoding, .. } = self.spec.inputs() else {
            return Err(Error::Usage("predict: this run takes pictures, not rows of a table".into()));
        };
        let encoding: taper_data::TableSpec = serde_json::from_value(encoding.clone())
            .map_err(|e| Error::Usage(format!("predict: the run's spec.json holds no encoding of a table: {e}")))?;
        self.predict(&taper_data::Table::new(source, encoding)?)
    }
}
