//! What a run shows: a bar on a terminal, plain lines elsewhere.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, stderr, stdout};
use std::time::{Duration, Instant};
use taper::data::{Event, Located};
use taper::train::{Config, DatasetRecord, EpochReport, Evaluation, Reporter, Start, StepReport};

/// Where there is no bar, steps are told no more often than this, and ten times an epoch: a run of seconds tells its
/// epochs only.
const QUIET_TIME: Duration = Duration::from_secs(2);

/// `Test Accuracy = 70.55%`, and for a stand-in that it is one.
pub fn last_line(test: &Evaluation, dataset: &DatasetRecord) -> String {
    let note = if dataset.is_stand_in() { format!(" ({})", dataset.description) } else { String::new() };
    format!("Test Accuracy = {:.2}%{note}", 100.0 * test.accuracy())
}

/// Shows how a run goes.
pub struct Progress<'a> {
    output: &'a mut Output,
    about: String,
    quiet: bool,
    bar: Option<ProgressBar>,
    begun: Instant,
    /// When a line was last printed.
    told: Instant,
    download: Download,
    /// Called when the first step is about to begin.
    pub at_start: Option<Box<dyn FnOnce()>>,
}

impl<'a> Progress<'a> {
    /// Shows a run of `config`. Where `logs` are written there is no bar.
    pub fn new(output: &'a mut Output, config: &Config, quiet: bool, logs: bool) -> Self {
        let device = match config.device.threads {
            1 => format!("{}, 1 thread", config.device.name),
            threads => format!("{}, {threads} threads", config.device.name),
        };
        let about = format!("{} on {device}, {}, seed {}", config.model, config.train.dtype, config.train.seed);
        let bar = bar_wanted(quiet, logs).then(new_bar);
        let download = Download::new(quiet, logs);
        Self { output, about, quiet, bar, begun: Instant::now(), told: Instant::now(), download, at_start: None }
    }

    /// Takes the bar away.
    pub fn clear(&mut self) {
        self.download.clear();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&mut self, text: &str) {
        if self.quiet {
            return;
        }
        self.told = Instant::now();
        match &self.bar {
            Some(bar) => bar.suspend(|| self.output.line(text)),
            None => self.output.line(text),
        }
    }
}

impl Reporter for Progress<'_> {
    fn fetching(&mut self, event: Event<'_>) {
        self.download.event(event, self.output);
    }

    fn found(&mut self, located: &Located) {
        self.download.clear();
        self.line(located.notice());
    }

    fn note(&mut self, text: &str) {
        self.line(text);
    }

    fn start(&mut self, start: &Start<'_>) {
        if let Some(listen) = self.at_start.take() {
            listen();
        }
        self.begun = Instant::now();
        let folder = start.folder.map(|path| format!("; run folder {}", path.display())).unwrap_or_default();
        self.line(&format!(
            "{}: {} parameters, {} pictures to learn from, {} to measure on, {} steps{folder}",
            self.about, start.parameters, start.train, start.test, start.steps
        ));
    }

    fn step(&mut self, step: &StepReport) {
        let left = self.begun.elapsed().as_secs_f64() / step.step as f64 * (step.steps - step.step) as f64;
        let state = format!(
            "loss {:.4}  accuracy {:.1}%  {:.0} pictures/s  left {}",
            step.mean_loss,
            100.0 * step.accuracy,
            step.images_per_s,
            clock(left)
        );
        if let Some(bar) = &self.bar {
            bar.set_length(step.steps_in_epoch);
            bar.set_position(step.step_in_epoch);
            bar.set_prefix(format!("epoch {}/{}", step.epoch, step.epochs));
            bar.set_message(state);
        } else if is_tenth(step.step_in_epoch, step.steps_in_epoch) && self.told.elapsed() > QUIET_TIME {
            let StepReport { epoch, epochs, .. } = *step;
            self.line(&format!("epoch {epoch}/{epochs}  step {}/{}  {state}", step.step_in_epoch, step.steps_in_epoch));
        }
    }

    fn evaluating(&mut self, done: usize, total: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            bar.set_message("measuring on the test split");
        }
    }

    fn epoch(&mut self, epoch: &EpochReport) {
        self.line(&format!(
            "epoch {}/{}: training loss {:.4}, test loss {:.4}, test accuracy {:.2}%, {:.0} pictures/s, {:.1} s",
            epoch.epoch,
            epoch.epochs,
            epoch.train_loss,
            epoch.test.loss,
            100.0 * epoch.test.accuracy(),
            epoch.images_per_s,
            epoch.seconds
        ));
    }
}

/// Shows how a download goes.
pub struct Download {
    quiet: bool,
    bar: Option<ProgressBar>,
    /// The tenths told so far, where there is no bar.
    tenths: u64,
}

impl Download {
    pub fn new(quiet: bool, logs: bool) -> Self {
        Self { quiet, bar: bar_wanted(quiet, logs).then(new_bar), tenths: 0 }
    }

    pub fn event(&mut self, event: Event<'_>, output: &mut Output) {
        let (tenths, text) = match event {
            Event::Bytes { done, total } => {
                let (tenths, total_mb) = (done.saturating_mul(10) / total.max(1), total / 1_000_000);
                if let Some(bar) = &self.bar {
                    bar.set_length(total);
                    bar.set_position(done);
                    bar.set_prefix("download");
                    bar.set_message(format!("{} of {total_mb} MB", done / 1_000_000));
                    return;
                }
                if tenths <= self.tenths {
                    return;
                }
                (tenths, format!("downloading: {} of {total_mb} MB", done / 1_000_000))
            }
            Event::Connecting { url } => (0, format!("asking {url}")),
            Event::Note(text) => (0, text.to_string()),
            Event::Verifying => (0, "verifying the checksum".into()),
            Event::Unpacking => (0, "unpacking".into()),
            _ => return,
        };
        self.tenths = tenths;
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(|| output.line(&text)),
            None => output.line(&text),
        }
    }

    pub fn clear(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar_wanted(quiet: bool, logs: bool) -> bool {
    !quiet && !logs && stdout().is_terminal() && stderr().is_terminal()
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    match ProgressStyle::with_template("{prefix} {bar:25} {pos}/{len}  {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar, // not reached: the template is a constant, and a test reads it
    }
}

/// Whether `step` of `steps` is the first to complete another tenth.
fn is_tenth(step: u64, steps: u64) -> bool {
    let tenth = |step: u64| u128::from(step) * 10 / u128::from(steps.max(1));
    tenth(step) > tenth(step.saturating_sub(1))
}

/// `2:03`, `1:02:03`.
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
        ProgressStyle::with_template("{prefix} {bar:25} {pos}/{len}  {msg}").unwrap();
        assert_eq!(new_bar().position(), 0);
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
        assert_eq!([clock(0.4), clock(123.0), clock(3723.0), clock(f64::NAN)], ["0:00", "2:03", "1:02:03", "0:00"]);
    }
}
