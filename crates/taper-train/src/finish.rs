//! What is written when a run is finished: `report.html`, the test results for TensorBoard, and `result.json`.

use crate::logs::test_events;
use crate::metrics;
use crate::{
    Config, EpochReport, Error, Evaluation, IGNORED_LABEL, Outcome, Predictions, Record, Result, RunFolder, Times,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use taper_data::ImageDataset;
use taper_nn::taper_tensor::files;
use taper_nn::{Params, no_grad};
use taper_report::html::{Confusion, Filters, Layer, Mistake, Page, Picture};
use taper_report::plot::{Axis, Chart, Series};

/// Misclassified samples that are shown with an image in the report; the others are only counted.
const MISTAKES: usize = 48;

/// The contents of `result.json`: the results of a finished run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TestResult {
    steps: u64,
    last: Option<EpochReport>,
    best: Option<EpochReport>,
    test: Evaluation,
    times: Times,
    warnings: Vec<String>,
}

impl TestResult {
    /// The results in `outcome`, if it has those of a test.
    pub(crate) fn of(outcome: &Outcome) -> Option<Self> {
        let Outcome { steps, last, best, times, warnings, .. } = outcome.clone();
        Some(Self { steps, last, best, test: outcome.test?, times, warnings })
    }

    /// Reads `result.json` in `folder`; `None` if the run is not finished.
    pub(crate) fn read(folder: &RunFolder) -> Result<Option<Outcome>> {
        let path = folder.result();
        if !path.exists() {
            return Ok(None);
        }
        let text = files::read_to_string(&path).map_err(Error::io("read", &path))?;
        let found: Self = serde_json::from_str(&text).map_err(|e| Error::RunFolder {
            path: folder.path().to_path_buf(),
            detail: format!("result.json is not a run's result: {e}"),
        })?;
        let Self { steps, last, best, test, times, warnings } = found;
        Ok(Some(Outcome { steps, last, best, test: Some(test), times, warnings, ..Outcome::default() }))
    }

    /// Writes `result.json`, the last file that a run writes.
    pub(crate) fn write(&self, folder: &RunFolder) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::Usage(format!("the result: {e}")))?;
        Ok(taper_data::atomic_write(folder.result(), text.as_bytes())?)
    }
}

/// What the report is made from.
pub(crate) struct FinalOutputs<'a> {
    pub(crate) folder: &'a RunFolder,
    pub(crate) config: &'a Config,
    pub(crate) record: &'a Record,
    pub(crate) params: &'a Params,
    pub(crate) test: &'a ImageDataset,
    pub(crate) outcome: &'a Outcome,
}

impl FinalOutputs<'_> {
    /// Writes the report and the events of the test.
    pub(crate) fn write(&self) -> Result<()> {
        let (Some(found), Some(finished)) = (&self.outcome.test, TestResult::of(self.outcome)) else { return Ok(()) };
        let Predictions { predicted, truth, .. } = &self.outcome.predictions;
        let classes = self.test.classes();
        let matrix = metrics::Confusion::new(truth, predicted, classes.len())?;
        if self.config.log.tensorboard {
            test_events(self.folder, self.outcome.steps, found, &matrix, classes)?;
        }
        if self.config.log.report {
            let page = self.page(found, &matrix)?;
            taper_data::atomic_write(self.folder.report(), page.html().as_bytes())?;
        }
        finished.write(self.folder)
    }

    fn page(&self, found: &Evaluation, matrix: &metrics::Confusion) -> Result<Page> {
        let Self { config, record, outcome, .. } = *self;
        let classes = self.test.classes();
        let lines = self.lines()?;
        let configuration = self.folder.config();
        let configuration = files::read_to_string(&configuration).map_err(Error::io("read", &configuration))?;
        let percent = |part: f64| format!("{:.2} %", 100.0 * part);
        let mut facts = vec![("Test accuracy".to_string(), percent(found.accuracy()))];
        facts.push(("Test loss".into(), format!("{:.4}", found.loss)));
        if let Some(best) = &outcome.best
            && let Some(validation) = &best.validation
        {
            facts
                .push(("Best validation".into(), format!("{} (epoch {})", percent(validation.accuracy()), best.epoch)));
        }
        facts.push(("Model".into(), format!("{}, {} parameters", config.model, record.parameters)));
        facts.push(("Data".into(), record.dataset.description.clone()));
        facts.push(("Steps".into(), outcome.steps.to_string()));
        facts.push(("Device".into(), format!("{}, {}", config.device.name, config.train.dtype)));
        facts.push(("Seed".into(), config.train.seed.to_string()));
        let times = &outcome.times;
        Ok(Page {
            title: self.folder.path().file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            facts,
            warnings: outcome.warnings.clone(),
            curves: curves(&lines),
            confusion: Some(Confusion { classes: classes.to_vec(), counts: matrix.counts().to_vec() }),
            mistakes: self.mistakes(),
            filters: self.filters()?,
            layers: self.layers(&lines)?,
            timing: vec![
                ("Steps".into(), times.training - times.waiting),
                ("Waiting for batches".into(), times.waiting),
                ("Measuring".into(), times.measuring),
                ("Saving".into(), times.saving),
            ],
            configuration,
        })
    }

    fn lines(&self) -> Result<Vec<Value>> {
        let path = self.folder.metrics();
        let text = files::read_to_string(&path).map_err(Error::io("read", &path))?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// The misclassified samples with the highest confidence, the most confident first.
    fn mistakes(&self) -> Vec<Mistake> {
        let Predictions { predicted, probability, truth } = &self.outcome.predictions;
        let wrong = |&i: &usize| truth[i] != predicted[i] && truth[i] != IGNORED_LABEL;
        let mut wrong: Vec<usize> = (0..truth.len()).filter(wrong).collect();
        wrong.sort_by(|&a, &b| probability[b].total_cmp(&probability[a]));
        let name = |class: i64| self.test.classes().get(class as usize).cloned().unwrap_or_default();
        let scale = 255.0 / f64::from(self.test.max_value());
        let all = wrong.into_iter().enumerate().map(|(rank, i)| {
            let bytes = self.test.image(i).filter(|_| rank < MISTAKES).unwrap_or_default();
            let bytes = bytes.iter().map(|&value| (f64::from(value) * scale).round() as u8).collect();
            Mistake {
                picture: Picture { shape: self.test.shape(), bytes },
                truth: name(truth[i]),
                predicted: name(predicted[i]),
                probability: probability[i],
            }
        });
        all.collect()
    }

    /// The first weights that can be shown as images: those of a convolution, or of a linear layer on whole images.
    fn filters(&self) -> Result<Option<Filters>> {
        let [channels, height, width] = self.test.shape();
        for param in self.params.all() {
            let value = param.tensor();
            let shape = match *value.shape().dims() {
                [out, inputs, kernel_height, kernel_width] => [out, inputs, kernel_height, kernel_width],
                [out, features] if features == channels * height * width => [out, channels, height, width],
                _ => continue,
            };
            let weights = value.to_host()?.to_f64().into_iter().map(|weight| weight as f32).collect();
            return Ok(Some(Filters { shape, weights }));
        }
        Ok(None)
    }

    fn layers(&self, lines: &[Value]) -> Result<Vec<Layer>> {
        let last = lines.iter().rev().find_map(|line| line.get("gradient_norms"));
        let layer = |param: &taper_nn::Param| {
            let value = param.tensor();
            let norm = no_grad(|| value.norm_all()?.item())?;
            let gradient_norm = last.and_then(|norms| norms.get(param.name())?.as_f64());
            Ok(Layer { name: param.name().into(), shape: value.shape().to_vec(), norm: Some(norm), gradient_norm })
        };
        self.params.all().iter().filter(|param| param.tensor().dtype().is_float()).map(layer).collect()
    }
}

/// Charts of loss, accuracy, learning rate and gradient norms over the run.
fn curves(lines: &[Value]) -> Vec<Chart> {
    let of = |x: &str, y: &str, scale: f64| -> Vec<(f64, f64)> {
        lines.iter().filter_map(|line| Some((line.get(x)?.as_f64()?, scale * line.get(y)?.as_f64()?))).collect()
    };
    let chart = |title: &str, x: &str, y: Axis, series: Vec<Series>| {
        let series: Vec<Series> = series.into_iter().filter(|series| !series.points.is_empty()).collect();
        let (title, x) = (title.into(), Axis::linear(x));
        (!series.is_empty()).then_some(Chart { title, x, y, series, marks: Vec::new() })
    };
    let line = |name: &str, x: &str, y: &str, scale: f64| Series::line(name, of(x, y, scale));
    let names = lines.iter().find_map(|line| line.get("gradient_norms")?.as_object());
    let norms = names.into_iter().flatten().map(|(name, _)| {
        let norm =
            |line: &Value| Some((line.get("epoch")?.as_f64()?, line.get("gradient_norms")?.get(name)?.as_f64()?));
        Series::line(name, lines.iter().filter_map(norm).collect())
    });
    [
        chart(
            "Loss",
            "epoch",
            Axis::linear("cross entropy"),
            vec![line("training", "epoch", "train_loss", 1.0), line("validation", "epoch", "validation_loss", 1.0)],
        ),
        chart(
            "Accuracy",
            "epoch",
            Axis::linear("%"),
            vec![
                line("training", "epoch", "train_accuracy", 100.0),
                line("validation", "epoch", "validation_accuracy", 100.0),
            ],
        ),
        chart("Loss of a step", "step", Axis::log("cross entropy"), vec![line("training", "step", "loss", 1.0)]),
        chart("Learning rate", "step", Axis::linear(""), vec![line("learning rate", "step", "lr", 1.0)]),
        chart("Gradient norm", "step", Axis::log("2-norm"), vec![line("all gradients", "step", "gradient_norm", 1.0)]),
        chart("Gradient norm of each layer", "epoch", Axis::log("2-norm"), norms.collect()),
    ]
    .into_iter()
    .flatten()
    .collect()
}
