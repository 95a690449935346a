//! `taper find-lr`: the learning-rate range test. Suggests a learning rate and draws the curve of losses.

use crate::commands::Command;
use crate::device::device;
use crate::experiment::{ExperimentArgs, OfExperiment};
use crate::failure::Failure;
use crate::logging::LogArgs;
use crate::needs::Needs;
use crate::output::Output;
use crate::profile;
use crate::progress::Progress;
use crate::stop;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use taper::backend::printable;
use taper::data::{Event, atomic_write};
use taper::train::lr_finder::{LrCurve, LrPoint, LrRange};
use taper::train::{Reporter, find_lr};

/// How many rates the table shows, besides the suggested one.
const LINES: usize = 12;

/// The arguments of `find-lr` other than the flags that set a configuration key. The description in `--help` is the
/// experiment's.
#[derive(Args)]
pub struct FindLrArgs {
    /// The first learning rate; each following one is larger by the same factor
    #[arg(long, value_name = "RATE", default_value = "1e-7", allow_negative_numbers = true)]
    from: f64,
    /// The last learning rate; the test ends earlier if the loss has risen to four times its minimum
    #[arg(long, value_name = "RATE", default_value = "10", allow_negative_numbers = true)]
    to: f64,
    /// How many learning rates are tried, one training step each
    #[arg(long, value_name = "N", default_value_t = 100, allow_negative_numbers = true)]
    steps: u64,
    /// The file that the curve is drawn to
    #[arg(long, value_name = "FILE.svg", default_value = "lr.svg")]
    output: PathBuf,
    /// Print only the last line [default: progress and a table too]
    #[arg(long)]
    quiet: bool,
}

impl ExperimentArgs for FindLrArgs {
    const NAME: &'static str = "find-lr";

    /// The test sets steps and learning rates itself.
    fn takes(flag: &str) -> bool {
        !["lr", "epochs", "max-steps"].contains(&flag)
    }
}

/// The command `find-lr`.
pub type FindLr = OfExperiment<FindLrArgs>;

impl Command for FindLr {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let args = &self.args;
        let wrong = |failure: Failure| self.explained(failure);
        let config = self.change(self.experiment.config()).map_err(wrong)?;
        let range = LrRange { from: args.from, to: args.to, steps: args.steps };
        // Only flags set the range, so that an error names a flag.
        range.check().map_err(|error| wrong(Failure::usage(format!("--{error}"))))?;
        check_output(args).map_err(wrong)?;
        let device = device(&config).map_err(wrong)?;
        let raised = Arc::new(AtomicBool::new(false));
        let mut reporter =
            RangeTestReporter { progress: Progress::new(output, &config, args.quiet), stop: raised.clone() };
        let found = find_lr(self.experiment, &config, &device, &self.locate(), range, &raised, &mut reporter);
        reporter.progress.clear();
        drop(reporter);
        let smaller = "smaller batches need less: --batch-size";
        let curve = found.map_err(|error| wrong(Failure::of_run(error, smaller)))?;
        if raised.load(Ordering::Relaxed) {
            let tried = curve.points.len();
            let text = format!("stopped after {tried} of {} rates; nothing was written", args.steps);
            return Err(Failure::failed(text).code(stop::code()));
        }
        atomic_write(&args.output, curve.chart().file().as_bytes())?;
        if !args.quiet {
            output.line(&table(&curve));
            if curve.points.len() < usize::try_from(args.steps).unwrap_or(usize::MAX) {
                output.line("There the loss had risen to four times its least, or was infinite, and the test ended.");
            }
            output.line(&format!("The curve is in {}.", printable(&args.output.to_string_lossy())));
            if config.groups.iter().any(|group| group.optimizer.number("lr").is_some()) {
                output.line("Groups with a rate of their own were tried in proportion to it: change theirs alike.");
            }
        }
        let Some(lr) = curve.suggestion else {
            return Err(Failure::failed(format!(
                "the loss falls at none of these rates: see {}",
                printable(&args.output.to_string_lossy())
            ))
            .hint("try other rates by --from and --to, or more --steps"));
        };
        if !args.quiet {
            output.line("The loss falls fastest, so that training can begin with:");
        }
        output.line(&format!("--lr {lr:.2e}"));
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        self.needs_of(&self.change(self.experiment.config())?, needs)
    }

    fn logs(&self) -> LogArgs {
        self.logs.clone()
    }
}

/// Checks before the first step that the curve can be written, rather than failing after the last.
fn check_output(args: &FindLrArgs) -> Result<(), Failure> {
    let path = &args.output;
    if path.extension().is_none_or(|extension| extension != "svg") {
        return Err(Failure::usage(format!(
            "--output: expected a name that ends in .svg, found {}",
            printable(&path.to_string_lossy())
        )));
    }
    profile::check(path).map_err(|why| {
        Failure::failed(format!("cannot write the curve to {}: {why}", printable(&path.to_string_lossy())))
            .hint("--output FILE.svg takes the name of a file in a folder that is there and can be written to")
    })
}

/// The table of at most [`LINES`] evenly spaced rates, the last among them, and the suggested one.
fn table(curve: &LrCurve) -> String {
    let points = &curve.points;
    let every = points.len().div_ceil(LINES).max(1);
    let suggested = |point: &LrPoint| curve.suggestion == Some(point.lr);
    let shown =
        |(place, point): &(usize, &LrPoint)| (points.len() - 1 - place).is_multiple_of(every) || suggested(point);
    let line = |point: &LrPoint| {
        let mark = if suggested(point) { "  falls fastest" } else { "" };
        format!("\n{:>10} {:>10.4} {:>10.4}{mark}", format!("{:.2e}", point.lr), point.loss, point.smoothed)
    };
    let lines = points.iter().enumerate().filter(shown).map(|(_, point)| line(point));
    format!("{:>10} {:>10} {:>10}{}", "rate", "loss", "smoothed", lines.collect::<String>())
}

/// Shows the progress of the range test. From the moment the data are found, Ctrl-C raises `stop`; before, it ends the
/// process.
struct RangeTestReporter<'a> {
    progress: Progress<'a>,
    stop: Arc<AtomicBool>,
}

impl Reporter for RangeTestReporter<'_> {
    fn fetching(&mut self, event: Event<'_>) {
        self.progress.fetching(event);
    }

    fn found(&mut self, notice: &str) {
        stop::listen(&self.stop);
        self.progress.found(notice);
    }

    fn rate(&mut self, point: &LrPoint, done: u64, total: u64) {
        self.progress.rate(point, done, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_the_last_rate_and_the_one_suggested() {
        let points: Vec<LrPoint> =
            (0..100).map(|i| LrPoint { lr: f64::from(i + 1), loss: 2.0, smoothed: 1.0 }).collect();
        let table = table(&LrCurve { points, suggestion: Some(50.0) });
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 1 + 12 + 1);
        assert_eq!(lines[0], "      rate       loss   smoothed");
        assert_eq!(lines[13], "    1.00e2     2.0000     1.0000");
        assert_eq!(table.matches("5.00e1     2.0000     1.0000  falls fastest").count(), 1, "{table}");
    }
}
