//! The metrics that a run writes while it trains: `metrics.jsonl` and TensorBoard's events.

use crate::histograms::{gradient_histograms, weight_histograms};
use crate::monitor::Monitor;
use crate::{Config, EpochReport, Error, Evaluation, Metrics, Result, RunFolder};
use std::collections::BTreeMap;
use taper_nn::{Gradients, Params};
use taper_report::tensorboard::{EventWriter, FILE_NAME, wall_clock};

/// The names of the files in a checkpoint.
const METRICS: &str = "metrics";
const EVENTS: &str = "events";

/// The files that a run appends to, if it has a folder.
pub(crate) struct Logs {
    metrics: Option<Metrics>,
    events: Option<EventWriter>,
    /// The last step that was written.
    step: u64,
}

impl Logs {
    /// Opens the files, new or after the `lengths` in a checkpoint of `step` steps. A run goes on without its earlier
    /// TensorBoard events: if their file is missing or damaged, a new one begins, and `told` is called with a note.
    pub(crate) fn open(
        folder: Option<&RunFolder>,
        config: &Config,
        lengths: &BTreeMap<String, u64>,
        step: u64,
        told: &mut dyn FnMut(&str),
    ) -> Result<Self> {
        let Some(folder) = folder else { return Ok(Self { metrics: None, events: None, step: 0 }) };
        let length = |name: &str| lengths.get(name).copied();
        let metrics = Metrics::open(folder.metrics(), length(METRICS).unwrap_or(0))?;
        let events = match length(EVENTS) {
            _ if !config.log.tensorboard => None,
            Some(length) => match EventWriter::open_at(folder.events(), length, wall_clock()) {
                Ok(events) => Some(events),
                Err(error) => {
                    told(&format!("{error}: TensorBoard's events begin anew after step {step}"));
                    Some(new_events(folder, config)?)
                }
            },
            None => Some(new_events(folder, config)?),
        };
        Ok(Self { metrics: Some(metrics), events, step: 0 })
    }

    /// The length of each file; everything is on the disk when this returns.
    pub(crate) fn lengths(&self) -> Result<BTreeMap<String, u64>> {
        let mut lengths = BTreeMap::new();
        if let Some(metrics) = &self.metrics {
            metrics.sync()?;
            lengths.insert(METRICS.into(), metrics.length());
        }
        if let Some(events) = &self.events {
            events.sync()?;
            lengths.insert(EVENTS.into(), events.position());
        }
        Ok(lengths)
    }

    /// Writes a step, with the gradient norms of the parameters `names` if they were computed.
    pub(crate) fn step(&mut self, step: u64, loss: f64, lr: f64, names: &[String], norms: &[f64]) -> Result<()> {
        self.step = step;
        let all = norms.iter().filter(|norm| !norm.is_nan()).map(|norm| norm * norm).sum::<f64>().sqrt();
        let all = (!norms.is_empty() && all.is_finite()).then_some(all);
        if let Some(metrics) = &mut self.metrics {
            metrics.step(step, loss, lr, all)?;
        }
        let Some(events) = &mut self.events else { return Ok(()) };
        events.scalar("loss/step", step, loss)?;
        events.scalar("lr", step, lr)?;
        let norms = names.iter().zip(norms).filter(|(_, norm)| !norm.is_nan());
        for (name, &norm) in norms {
            events.scalar(&format!("gradient_norm/{name}"), step, norm)?;
        }
        Ok(())
    }

    /// Whether histograms of gradients and images are wanted.
    pub(crate) fn draws(&self) -> bool {
        self.events.is_some()
    }

    /// Writes histograms of the gradients of an epoch's last step. Call it before saving a checkpoint, which does not
    /// hold them.
    pub(crate) fn gradients(&mut self, step: u64, params: &Params, gradients: &Gradients) -> Result<()> {
        let Some(events) = &mut self.events else { return Ok(()) };
        gradient_histograms(events, step, &params.trainable(), gradients)
    }

    /// Writes an epoch, with the gradient norms that were computed last.
    pub(crate) fn epoch(&mut self, report: &EpochReport, params: &Params, monitor: &Monitor) -> Result<()> {
        if let Some(metrics) = &mut self.metrics {
            metrics.epoch(report, monitor.last())?;
        }
        let Some(events) = &mut self.events else { return Ok(()) };
        let step = report.steps;
        scalars(events, step, "train", &report.train)?;
        events.scalar("time/samples_per_s", step, report.samples_per_s)?;
        events.scalar("time/loader_idle_s", step, report.idle)?;
        report.validation.as_ref().map_or(Ok(()), |found| scalars(events, step, "validation", found))?;
        weight_histograms(events, step, &params.trainable())
    }

    /// TensorBoard's event file, if it is written.
    pub(crate) fn events(&mut self) -> Option<&mut EventWriter> {
        self.events.as_mut()
    }

    /// Writes a measurement on the validation split within an epoch.
    pub(crate) fn measured(&mut self, step: u64, found: &Evaluation) -> Result<()> {
        self.metrics.as_mut().map_or(Ok(()), |metrics| metrics.measured(step, found))?;
        self.events.as_mut().map_or(Ok(()), |events| scalars(events, step, "validation", found))
    }

    /// Writes the evaluation on the test split.
    pub(crate) fn test(&mut self, found: &Evaluation, seconds: f64) -> Result<()> {
        self.metrics.as_mut().map_or(Ok(()), |metrics| metrics.test(found, seconds))
    }

    /// Writes that the run was stopped, and can be resumed.
    pub(crate) fn stopped(&mut self) -> Result<()> {
        self.metrics.as_mut().map_or(Ok(()), Metrics::stopped)
    }
}

/// A new event file, which begins with the configuration.
fn new_events(folder: &RunFolder, config: &Config) -> Result<EventWriter> {
    let mut events = EventWriter::create(folder.events(), wall_clock())?;
    let toml = toml::to_string_pretty(config)
        .map_err(|error| Error::Usage(format!("the configuration cannot be written as TOML: {error}")))?;
    // The Markdown fence must be longer than any in the text.
    let longest = toml.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    events.text("configuration", 0, &format!("{fence}toml\n{toml}{fence}"))?;
    Ok(events)
}

/// The metrics of a split as scalars `NAME/SPLIT`. One that is NaN, because nothing counted, is left out.
fn scalars(events: &mut EventWriter, step: u64, split: &str, found: &Evaluation) -> Result<()> {
    let known = found.values().filter(|(_, value)| !value.is_nan());
    known.into_iter().try_for_each(|(name, value)| Ok(events.scalar(&format!("{name}/{split}"), step, value)?))
}

/// Adds the test results to the events of a run that has ended, and returns them for what else the task adds.
///
/// # Errors
/// When the file cannot be written.
pub fn test_events(folder: &RunFolder, step: u64, found: &Evaluation) -> Result<EventWriter> {
    let path = folder.events().join(FILE_NAME);
    let length = std::fs::metadata(&path).map_or(0, |found| found.len());
    // If the events were removed meanwhile, the run does not fail at its end.
    let events = EventWriter::open_at(folder.events(), length, wall_clock());
    let mut events = events.or_else(|_| EventWriter::create(folder.events(), wall_clock()))?;
    scalars(&mut events, step, "test", found)?;
    Ok(events)
}
