//! A trained classifier of texts put to work: the class of a text, and the words that decided.

use super::{ClassScore, Saved};
use crate::text_classes::{TextEncoding, TextModel};
use serde::{Deserialize, Serialize};
use std::path::Path;
use taper_data::{Batch, Dataset, WordSamples};
use taper_nn::{Context, Device, Module, Params, Tensor, no_grad};
use taper_train::{Result, Split};

/// The task of a run of the experiment `text-classes`, as in `spec.json`.
const TASK: &str = "text-classes";

/// Texts that are classified at a time.
const AT_A_TIME: usize = 64;

/// What classifying texts needs besides weights and configuration: the `spec.json` of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TextClassesSpec {
    task: String,
    /// The column of the texts in the table that was learned from; empty for generated texts.
    column: String,
    classes: Vec<String>,
    #[serde(flatten)]
    encoding: TextEncoding,
}

impl TextClassesSpec {
    pub(crate) fn new(column: String, classes: Vec<String>, encoding: TextEncoding) -> Self {
        Self { task: TASK.into(), column, classes, encoding }
    }
}

/// A trained classifier of texts.
///
/// ```no_run
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let run = taper_tasks::TextClassifier::load("runs/text-classes-20261129-101500", &device)?;
/// for found in run.classify(&["You have won a prize!"], 3)? {
///     println!("{} by {:?}", found.classes[0].class, found.words); // spam by [("prize", 2.1), …]
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TextClassifier {
    spec: TextClassesSpec,
    params: Params,
    model: TextModel,
}

/// What is found of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifiedText {
    /// The classes, the most probable first.
    pub classes: Vec<ClassScore>,
    /// The known words that decided for the first class, the first most. With a bag of words each with what it adds to the
    /// class's logit, over what it adds to the mean of all classes'; with other models with the share of the attention that
    /// it is paid.
    pub words: Vec<(String, f64)>,
}

impl TextClassifier {
    /// Loads the run in the folder `path` onto `device`: its best-known weights, `model.safetensors`.
    ///
    /// # Errors
    /// A folder that holds no run of the experiment `text-classes` or lacks a file, and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let saved = Saved::open(path, &[TASK])?;
        let spec: TextClassesSpec = saved.spec()?;
        let params = saved.params(device)?;
        let sizes = [spec.encoding.vocabulary.len(), spec.encoding.longest, spec.classes.len()];
        let model = TextModel::new(&saved.config.model, sizes, &params)?;
        saved.weights(&params)?;
        Ok(Self { spec, params, model })
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.spec.classes
    }

    /// The column of the texts in the table that was learned from; empty if there was none.
    pub fn column(&self) -> &str {
        &self.spec.column
    }

    /// The class of each of `texts`, with up to `words` of the words that decided.
    ///
    /// # Errors
    /// Those of the device.
    pub fn classify(&self, texts: &[impl AsRef<str>], words: usize) -> Result<Vec<ClassifiedText>> {
        let samples: Vec<Vec<i64>> = texts.iter().map(|text| self.spec.encoding.encode(text.as_ref())).collect();
        let data = WordSamples::new(samples.clone(), vec![crate::IGNORED_LABEL; samples.len()])?;
        let classes = &self.spec.classes;
        let mut all = Vec::with_capacity(samples.len());
        let mut batch = Batch::default();
        let indices: Vec<usize> = (0..samples.len()).collect();
        for indices in indices.chunks(AT_A_TIME) {
            batch.clear(indices.len());
            data.fill(0, indices, &mut batch)?;
            let x: Tensor =
                taper_train::DeviceBatch::new(&batch, &self.params, Split::Test, [0; 3]).tensor("inputs")?;
            let rows = no_grad(|| self.model.forward(&x, &Context::eval())?.softmax(1))?.to_host()?.to_f64();
            for (row, &index) in rows.chunks(classes.len().max(1)).zip(indices) {
                let mut order: Vec<usize> = (0..row.len().min(classes.len())).collect();
                // Stable, so that equal ones stay in the order of the classes.
                order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
                let first = order.first().copied().unwrap_or_default();
                let vocabulary = &self.spec.encoding.vocabulary;
                let words = self.model.decided(&samples[index], first, vocabulary, words, &self.params)?;
                let score = |class: usize| ClassScore { class: classes[class].clone(), probability: row[class] };
                all.push(ClassifiedText { classes: order.into_iter().map(score).collect(), words });
            }
        }
        Ok(all)
    }
}
