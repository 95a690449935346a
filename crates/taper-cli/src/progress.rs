//! The progress of a run: a bar on a terminal, plain lines otherwise.

use crate::output::Output;
use indicatif::style::TemplateError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, stderr, stdout};
use std::time::{Duration, Instant};
use taper::backend::{printable, printable_lines};
use taper::data::Event;
use taper::train::lr_finder::LrPoint;
use taper::train::{Config, DeviceConfig, EpochReport, Evaluation, Metric, Record, Reporter, Split, Start, StepReport};

/// Without a bar, a line about steps is printed at most ten times per epoch, and only if none was printed for this
/// long. A run of seconds prints a line per epoch only.
const QUIET_TIME: Duration = Duration::from_secs(2);

/// The last line of `train` and `eval`, such as `Test Accuracy = 70.55%`: the metric that selects the best epoch; with a
/// note if the data are a stand-in.
pub fn last_line(test: &Evaluation, record: &Record) -> String {
    let dataset = &record.dataset;
    let note = if dataset.is_stand_in() { format!(" ({})", dataset.description) } else { String::new() };
    let asked = record.monitor.as_deref().unwrap_or("accuracy");
    let name = if test.get(asked).is_some() { asked } else { "loss" };
    let percent = record.metrics.iter().any(|metric| metric.name == name && metric.unit == "%") || name == "accuracy";
    let metric = if percent { Metric::percent(name.to_string()) } else { Metric::loss("") };
    let words = name.replace('_', " ");
    let mut title = words.chars();
    let title: String = title.next().into_iter().flat_map(char::to_uppercase).chain(title).collect();
    format!("Test {title} = {}{note}", metric.shown_short(test.get(name).unwrap_or(f64::NAN)))
}

/// Prints the progress of a run.
pub struct Progress<'a> {
    output: &'a mut Output,
    about: String,
    quiet: bool,
    metrics: Vec<Metric>,
    bar: Bar,
    begun: Instant,
    /// Steps made before `begun`, if the run was resumed.
    resumed: u64,
    /// When a line was last printed.
    told: Instant,
    download: DownloadProgress,
    /// Called when the first step is about to begin.
    pub at_start: Option<Box<dyn FnOnce()>>,
}

/// The device and its options other than the defaults: `cpu, 2 threads, direct convolution`.
fn described(device: &DeviceConfig) -> String {
    let DeviceConfig { name, threads, isa, conv } = device;
    let mut text = name.clone();
    if name == "cpu" {
        text += &format!(", {threads} thread{}", if *threads == 1 { "" } else { "s" });
    }
    if isa != "auto" {
        text += &format!(", {isa}");
    }
    if conv != "auto" {
        text += &format!(", {conv} convolution");
    }
    text
}

impl<'a> Progress<'a> {
    /// Prints the progress of a run of `config`, nothing if `quiet`.
    pub fn new(output: &'a mut Output, config: &Config, quiet: bool) -> Self {
        let device = described(&config.device);
        let about = format!("{} on {device}, {}, seed {}", config.model.name, config.train.dtype, config.train.seed);
        let (bar, download) = (Bar::new(quiet, output), DownloadProgress::new(quiet, output));
        Self {
            output,
            about,
            quiet,
            metrics: Vec::new(),
            bar,
            begun: Instant::now(),
            resumed: 0,
            told: Instant::now(),
            download,
            at_start: None,
        }
    }

    /// Removes the bar.
    pub fn clear(&mut self) {
        self.download.clear();
        self.bar.clear();
    }

    /// The metrics of `found`, such as `loss 0.1234, accuracy 97.22%`.
    fn shown(&self, found: &Evaluation, between: &str) -> String {
        let value = |metric: &Metric| {
            let value = found.get(&metric.name)?;
            let text = if value.is_nan() { "-".into() } else { metric.shown_short(value) };
            Some(format!("{} {text}", metric.name))
        };
        self.metrics.iter().filter(|metric| !metric.aside).filter_map(value).collect::<Vec<_>>().join(between)
    }

    fn line(&mut self, text: &str) {
        if self.quiet {
            return;
        }
        self.told = Instant::now();
        self.bar.beside(|| self.output.line(text));
    }
}

impl Reporter for Progress<'_> {
    fn fetching(&mut self, event: Event<'_>) {
        self.download.event(event, self.output);
    }

    fn found(&mut self, notice: &str) {
        self.download.clear();
        self.line(&printable_lines(notice));
    }

    fn note(&mut self, text: &str) {
        self.line(text);
    }

    fn start(&mut self, start: &Start<'_>) {
        if let Some(listen) = self.at_start.take() {
            listen();
        }
        (self.begun, self.resumed) = (Instant::now(), start.resumed);
        self.metrics = start.metrics.to_vec();
        let validation = match start.validation {
            0 => String::new(),
            n => format!("{n} to validate on, "),
        };
        self.line(&format!("{}: {} parameters", self.about, start.parameters));
        self.line(&format!(
            "{} samples to learn from, {validation}{} to test on, {} steps",
            start.train, start.test, start.steps
        ));
        if let Some(path) = start.folder {
            self.line(&format!("run folder {}", printable(&path.to_string_lossy())));
        }
        if start.resumed > 0 {
            self.line(&format!("going on after step {} of {}", start.resumed, start.steps));
        }
    }

    fn step(&mut self, step: &StepReport<'_>) {
        let made = step.made.saturating_sub(self.resumed).max(1);
        let left = self.begun.elapsed().as_secs_f64() / made as f64 * (step.steps - step.made) as f64;
        let StepReport { epoch, epochs, step_in_epoch, steps_in_epoch, .. } = *step;
        let state = format!("{} {:.0} samples/s left {}", self.shown(step.train, " "), step.samples_per_s, clock(left));
        if self.bar.wanted {
            if step.step < step.made {
                return; // The bar drops updates that come too fast, and might then miss the last step.
            }
            self.bar.show(format!("epoch {epoch}/{epochs}"), step_in_epoch, steps_in_epoch, state);
        } else if is_tenth(step_in_epoch, steps_in_epoch) && self.told.elapsed() > QUIET_TIME {
            self.line(&format!("epoch {epoch}/{epochs} step {step_in_epoch}/{steps_in_epoch}: {state}"));
        }
    }

    fn rate(&mut self, point: &LrPoint, done: u64, total: u64) {
        let state = format!("rate {:.2e} loss {:.4}", point.lr, point.loss);
        if self.bar.wanted {
            self.bar.show("trying".into(), done, total, state);
        } else if is_tenth(done, total) && self.told.elapsed() > QUIET_TIME {
            self.line(&format!("step {done}/{total}: {state}"));
        }
    }

    fn evaluating(&mut self, split: Split, done: usize, total: usize) {
        self.bar.show("measuring".into(), done as u64, total as u64, format!("on the {} split", split.name()));
    }

    fn epoch(&mut self, epoch: &EpochReport) {
        let found = match &epoch.validation {
            Some(found) => {
                let loss = known(epoch.train.loss());
                format!("training loss {loss}, validation {}", self.shown(found, ", validation "))
            }
            None => format!("training {}", self.shown(&epoch.train, ", training ")),
        };
        let EpochReport { epoch, epochs, samples_per_s, seconds, idle, .. } = *epoch;
        // Time spent waiting for batches is mentioned if it is over 2 % of the epoch and over 0.1 s.
        let waited = if idle > (0.02 * seconds).max(0.1) {
            format!(", {idle:.1} s of them waiting for batches")
        } else {
            String::new()
        };
        self.line(&format!("epoch {epoch}/{epochs}: {found}, {samples_per_s:.0} samples/s, {seconds:.1} s{waited}"));
    }
}

/// Prints the progress of a download.
pub struct DownloadProgress {
    quiet: bool,
    bar: Bar,
    /// Without a bar: how many tenths of the download have been printed.
    tenths: u64,
}

impl DownloadProgress {
    pub fn new(quiet: bool, output: &Output) -> Self {
        Self { quiet, bar: Bar::new(quiet, output), tenths: 0 }
    }

    pub fn event(&mut self, event: Event<'_>, output: &mut Output) {
        let text = match event {
            Event::Bytes { done, total } => {
                let of = format!("{} of {} MB", done / 1_000_000, total / 1_000_000);
                self.bar.show("downloading".into(), done, total, of.clone());
                let tenths = done.saturating_mul(10) / total.max(1);
                if self.bar.wanted || tenths <= self.tenths {
                    return;
                }
                self.tenths = tenths;
                format!("downloading: {of}")
            }
            Event::Connecting { url } => format!("asking {}", printable(url)),
            Event::Note(text) => printable(text).into_owned(),
            Event::Verifying => "verifying the checksum".into(),
            Event::Unpacking => "unpacking".into(),
            _ => return,
        };
        if !self.quiet {
            self.bar.beside(|| output.line(&text));
        }
    }

    pub fn clear(&mut self) {
        self.bar.clear();
    }
}

/// A progress bar on standard error. It is drawn from the first update on, and only on a terminal.
struct Bar {
    wanted: bool,
    drawn: Option<ProgressBar>,
}

impl Bar {
    fn new(quiet: bool, output: &Output) -> Self {
        let alone = !quiet && !output.has_logs_beside();
        Self { wanted: alone && stdout().is_terminal() && stderr().is_terminal(), drawn: None }
    }

    fn show(&mut self, prefix: String, done: u64, total: u64, message: String) {
        if !self.wanted {
            return;
        }
        let bar = self.drawn.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            if let Ok(style) = style() {
                bar.set_style(style);
            }
            bar
        });
        bar.set_length(total);
        bar.set_prefix(prefix);
        bar.set_message(message);
        bar.set_position(done);
        if bar.is_hidden() {
            // Made visible only now, so that it is never drawn empty.
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
    }

    /// Calls `write`, which prints lines, with the bar hidden.
    fn beside(&self, write: impl FnOnce()) {
        match &self.drawn {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.drawn.take() {
            bar.finish_and_clear();
        }
    }
}

/// The bar's template: within 80 columns if an epoch has fewer than a thousand steps.
fn style() -> Result<ProgressStyle, TemplateError> {
    let style = ProgressStyle::with_template("{prefix} {bar:8} {pos}/{len} {wide_msg}")?;
    Ok(style.progress_chars("█▉▊▋▌▍▎▏ "))
}

/// Whether `step` of `steps` is the first to complete another tenth.
fn is_tenth(step: u64, steps: u64) -> bool {
    let tenth = |step: u64| u128::from(step) * 10 / u128::from(steps.max(1));
    tenth(step) > tenth(step.saturating_sub(1))
}

/// A loss as `0.1234`; `-` if no sample counted.
fn known(loss: f64) -> String {
    if loss.is_nan() { "-".into() } else { format!("{loss:.4}") }
}

/// A duration in seconds as `2:03` or `1:02:03`.
fn clock(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_sound() {
        assert!(style().is_ok());
    }

    #[test]
    fn ten_lines_an_epoch_at_most() {
        for steps in [1, 3, 10, 23, 782] {
            let lines = (1..=steps).filter(|&step| is_tenth(step, steps)).count() as u64;
            assert_eq!(lines, steps.min(10), "{steps}");
            assert!(is_tenth(steps, steps));
        }
    }

    #[test]
    fn clocks() {
        assert_eq!((known(0.5), known(f64::NAN)), ("0.5000".into(), "-".into()));
        assert_eq!([clock(0.4), clock(123.0), clock(3723.0), clock(f64::NAN)], ["0:00", "2:03", "1:02:03", "0:00"]);
    }
}
