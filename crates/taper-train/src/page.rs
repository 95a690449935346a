//! The report of a finished run: what any task has, to which the task adds its own.

use crate::logs::test_events;
use crate::result::TestResult;
use crate::task::Finished;
use crate::{Config, Error, Metric, Outcome, Record, Result, RunFolder, Task};
use serde_json::Value;
use taper_data::Dataset;
use taper_nn::taper_tensor::files;
use taper_nn::{Params, no_grad};
use taper_report::Format;
use taper_report::html::{Bars, Block, Column, Page, Section, Table};
use taper_report::plot::{Axis, Chart, Series};

/// What the report is made from.
pub(crate) struct FinalOutputs<'a> {
    pub(crate) folder: &'a RunFolder,
    pub(crate) config: &'a Config,
    pub(crate) record: &'a Record,
    pub(crate) task: &'a dyn Task,
    pub(crate) params: &'a Params,
    pub(crate) test: &'a dyn Dataset,
    pub(crate) outcome: &'a Outcome,
}

impl FinalOutputs<'_> {
    /// Writes the report and the events of the test.
    pub(crate) fn write(&self) -> Result<()> {
        let (Some(found), Some(finished)) = (&self.outcome.test, TestResult::of(self.outcome)) else { return Ok(()) };
        let log = &self.config.log;
        let mut events = match log.tensorboard {
            true => Some(test_events(self.folder, self.outcome.steps, found)?),
            false => None,
        };
        if log.tensorboard || log.report {
            let lines = self.lines()?;
            let mut page = self.begun(&lines);
            let Self { outcome, test, params, .. } = *self;
            self.task.report(&Finished { outcome, test, params }, &mut page, events.as_mut())?;
            let page = self.ended(page, &lines)?;
            if log.report {
                taper_data::atomic_write(self.folder.report(), page.html().as_bytes())?;
            }
        }
        finished.write(self.folder)
    }

    /// The page up to what the task adds: facts, warnings, charts.
    fn begun(&self, lines: &[Value]) -> Page {
        let name = self.folder.path().file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let metrics = self.task.metrics();
        let page = Page::new(name).section(Section::new("Curves").with(curves(&metrics, lines)));
        let page = Page { facts: self.facts(&metrics), warnings: self.outcome.warnings.clone(), ..page };
        let page = self.record.dataset.citation.iter().fold(page, Page::note);
        self.record.command.iter().fold(page, Page::command)
    }

    /// The page with what follows that.
    fn ended(&self, page: Page, lines: &[Value]) -> Result<Page> {
        let configuration = self.folder.config();
        let configuration = files::read_to_string(&configuration).map_err(Error::io("read", &configuration))?;
        Ok(page
            .section(Section::new("Layers").with(self.layers(lines)?))
            .section(Section::new("Timing").with(self.timing()))
            .section(Section::new("Configuration").with(Block::Text(configuration))))
    }

    fn timing(&self) -> Bars {
        let times = &self.outcome.times;
        Bars::timing([
            ("Steps", times.training - times.waiting),
            ("Waiting for batches", times.waiting),
            ("Measuring", times.measuring),
            ("Saving", times.saving),
        ])
    }

    /// The results, the best metric first, and what they are of.
    fn facts(&self, metrics: &[Metric]) -> Vec<(String, String)> {
        let Self { config, record, outcome, .. } = *self;
        let mut facts = Vec::new();
        // The loss comes last: what it means depends on the others.
        for metric in metrics.iter().skip(1).chain(metrics.first()).filter(|metric| !metric.aside) {
            if let Some(value) = outcome.test.as_ref().and_then(|found| found.get(&metric.name)) {
                facts.push((format!("Test {}", metric.name), metric.shown(value)));
            }
        }
        let asked = &config.checkpoint.monitor;
        let monitor = if asked.is_empty() { self.task.monitor() } else { asked };
        if let (Some(best), Some(metric)) = (&outcome.best, metrics.iter().find(|metric| metric.name == monitor))
            && let Some(value) = best.validation.as_ref().and_then(|found| found.get(monitor))
        {
            facts.push((
                format!("Best validation {monitor}"),
                format!("{} (epoch {})", metric.shown(value), best.epoch),
            ));
        }
        facts.push(("Started".into(), record.started.clone()));
        let timing = self.timing();
        facts.push(("Time".into(), timing.format.text(timing.bars.iter().map(|(_, seconds)| seconds).sum())));
        facts.push(("Device".into(), format!("{}, {}", config.device.name, config.train.dtype)));
        facts.push(("Model".into(), format!("{}, {} parameters", config.model.name, record.parameters)));
        facts.push(("Data".into(), record.dataset.description.clone()));
        facts.push(("Steps".into(), outcome.steps.to_string()));
        facts.push(("Seed".into(), config.train.seed.to_string()));
        facts.extend(record.commit.iter().map(|commit| ("Commit".into(), commit.clone())));
        facts
    }

    fn lines(&self) -> Result<Vec<Value>> {
        let path = self.folder.metrics();
        let text = files::read_to_string(&path).map_err(Error::io("read", &path))?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    fn layers(&self, lines: &[Value]) -> Result<Table> {
        let last = lines.iter().rev().find_map(|line| line.get("gradient_norms"));
        let numbers = ["values", "norm", "gradient"].map(Column::number);
        let mut table = Table::new([vec![Column::text("parameter"), Column::text("shape")], numbers.to_vec()].concat());
        for param in self.params.all().iter().filter(|param| param.tensor().dtype().is_float()) {
            let value = param.tensor();
            let norm = no_grad(|| value.norm_all()?.item())?;
            let gradient = last.and_then(|norms| norms.get(param.name())?.as_f64());
            // Without breaks between the sizes.
            let shape = value.shape().iter().map(usize::to_string).collect::<Vec<_>>().join("\u{a0}×\u{a0}");
            table = table.row([
                param.name().to_string(),
                shape,
                value.count().to_string(),
                Format::Short.text(norm),
                gradient.map_or_else(|| "–".into(), |norm| Format::Short.text(norm)),
            ]);
        }
        Ok(table)
    }
}

/// Charts of each metric, the learning rate and the gradient norms over the run.
fn curves(metrics: &[Metric], lines: &[Value]) -> Vec<Chart> {
    let of = |x: &str, y: &str| -> Vec<(f64, f64)> {
        lines.iter().filter_map(|line| Some((line.get(x)?.as_f64()?, line.get(y)?.as_f64()?))).collect()
    };
    let chart = |title: &str, x: &str, y: Axis, series: Vec<Series>| {
        let series: Vec<Series> = series.into_iter().filter(|series| !series.points.is_empty()).collect();
        let (title, x) = (title.into(), Axis::linear(x));
        (!series.is_empty()).then_some(Chart { title, x, y, series, marks: Vec::new() })
    };
    let line = |name: &str, x: &str, y: &str| Series::line(name, of(x, y));
    let names = lines.iter().find_map(|line| line.get("gradient_norms")?.as_object());
    let norms = names.into_iter().flatten().map(|(name, _)| {
        let norm =
            |line: &Value| Some((line.get("epoch")?.as_f64()?, line.get("gradient_norms")?.get(name)?.as_f64()?));
        Series::line(name, lines.iter().filter_map(norm).collect())
    });
    let capital = |name: &str| {
        let mut chars = name.chars();
        chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
    };
    let of_metric = |metric: &Metric| {
        let name = &metric.name;
        let series = ["train", "validation"].map(|split| {
            let shown = if split == "train" { "training" } else { split };
            line(shown, "epoch", &format!("{split}_{name}"))
        });
        // Percent signs stand at the ticks.
        let unit = if metric.unit == "%" { "" } else { &metric.unit };
        chart(&capital(name), "epoch", Axis::linear(unit).format(metric.format()), series.into())
    };
    let loss = metrics.first().map_or_else(|| Axis::log(""), |loss| Axis::log(&*loss.unit).format(loss.format()));
    let rest = [
        chart("Loss of a step", "step", loss, vec![line("training", "step", "loss")]),
        chart("Learning rate", "step", Axis::linear(""), vec![line("learning rate", "step", "lr")]),
        chart("Gradient norm", "step", Axis::log("2-norm"), vec![line("all gradients", "step", "gradient_norm")]),
        chart("Gradient norm of each layer", "epoch", Axis::log("2-norm"), norms.collect()),
    ];
    metrics.iter().filter(|metric| !metric.aside).map(of_metric).chain(rest).flatten().collect()
}
