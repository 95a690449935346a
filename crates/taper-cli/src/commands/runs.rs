//! `taper runs`: lists the runs in a folder, or compares some of them side by side.

use crate::commands::Command;
use crate::environment::command;
use crate::failure::Failure;
use crate::output::Output;
use crate::screen::{beside, columns, table};
use crate::settings::wrapped;
use clap::{Args, ValueEnum};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use taper::backend::printable;
use taper::train::Metric;
use taper::train::runs::{Run, State, differences, list, named, to_json};

/// How many of the keys that differ a row of the list shows; `--format json` and `--compare` show them all.
const KEYS_IN_ROW: usize = 4;
const NONE: &str = "-";
/// What further lines of a problem begin with.
const INDENT: &str = "  ";

/// The folder in which runs are created and looked for, relative to the current one.
const ROOT: &str = "runs";

/// The arguments of `runs`.
#[derive(Args)]
pub struct Runs {
    /// The folder that holds the runs, or the folder of one run [default: runs]
    #[arg(value_name = "DIR")]
    root: Option<PathBuf>,
    /// Compare these runs side by side, with the keys that differ: names in DIR, or paths [default: none]
    #[arg(long, value_name = "RUN", num_args = 2..)]
    compare: Vec<String>,
    /// The column to sort by; the best, the newest and the longest come first [default: name, or as compared]
    #[arg(long, value_name = "KEY", value_enum)]
    sort: Option<Sort>,
    /// The output format
    #[arg(long, value_name = "NAME", value_enum, default_value = "table")]
    format: Format,
}

/// The column that runs are sorted by.
#[derive(Clone, Copy, ValueEnum)]
enum Sort {
    Name,
    Model,
    State,
    Started,
    Epochs,
    Validation,
    Test,
    Time,
}

/// The format in which runs are printed.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl Command for Runs {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let root = self.root.as_deref().unwrap_or(Path::new(ROOT));
        let mut runs = if !self.compare.is_empty() {
            named(root, &self.compare)
                .map_err(|error| Failure::from(error).usage_hint(format!("`{}` lists them", command("runs"))))?
        } else if self.root.is_none() && !root.exists() {
            // Nothing was trained here yet, which is no error.
            Vec::new()
        } else {
            list(root)?
        };
        runs.sort_by(|a, b| order(self.sort, a, b));
        let text = match self.format {
            Format::Json => to_json(&runs),
            Format::Table if runs.is_empty() => {
                format!("no runs in {}; `{}` makes one", printable(&root.to_string_lossy()), command("train digits"))
            }
            Format::Table if self.compare.is_empty() => listing(&runs),
            Format::Table => comparison(&runs),
        };
        output.line(&text);
        Ok(0)
    }
}

/// The order of two runs: the best first, unknown values last. The sort is stable: equal runs stay in the order of
/// their names, or of `--compare`.
fn order(sort: Option<Sort>, a: &Run, b: &Run) -> Ordering {
    let large = |value: fn(&Run) -> Option<f64>| {
        let key = |run| value(run).filter(|value| !value.is_nan()).unwrap_or(f64::NEG_INFINITY);
        key(b).total_cmp(&key(a))
    };
    match sort {
        None => Ordering::Equal,
        Some(Sort::Name) => a.name.cmp(&b.name),
        Some(Sort::Model) => a.model.is_none().cmp(&b.model.is_none()).then_with(|| a.model.cmp(&b.model)),
        Some(Sort::State) => a.state.cmp(&b.state),
        Some(Sort::Started) => b.started.cmp(&a.started),
        Some(Sort::Epochs) => b.epochs.cmp(&a.epochs),
        Some(Sort::Validation) => large(|run| monitored(run, "best_validation")),
        Some(Sort::Test) => large(|run| monitored(run, "test")),
        Some(Sort::Time) => large(|run| Some(run.seconds)),
    }
}

/// The list: one row per run.
fn listing(runs: &[Run]) -> String {
    let heads = ["run", "experiment", "model", "state", "epochs", "validation", "test", "time", "differs in"];
    let row = |run: &Run| {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| NONE.into());
        vec![
            run.name.clone(),
            known(&run.experiment),
            known(&run.model),
            run.state.to_string(),
            epochs(run),
            shown(run, "best_validation", &run.monitor),
            shown(run, "test", &run.monitor),
            time(run.seconds),
            if run.problem.is_some() { "(below)".into() } else { differs(run) },
        ]
    };
    let rows = [heads.map(String::from).to_vec()].into_iter().chain(runs.iter().map(row));
    table(&rows.collect::<Vec<_>>(), 4..8, columns()) + &problems(runs)
}

/// The comparison: one column per run, with rows for the results, then for the settings that differ.
fn comparison(runs: &[Run]) -> String {
    let row = |what: &str, value: &dyn Fn(&Run) -> String| {
        std::iter::once(what.to_string()).chain(runs.iter().map(value)).collect::<Vec<_>>()
    };
    let mut metrics: Vec<&str> = Vec::new();
    for metric in runs.iter().flat_map(|run| &run.metrics) {
        if !metrics.contains(&metric.name.as_str()) {
            metrics.push(&metric.name);
        }
    }
    let mut rows = vec![
        row("", &|run| run.name.clone()),
        row("experiment", &|run| run.experiment.clone().unwrap_or_else(|| NONE.into())),
        row("state", &|run| run.state.to_string()),
        row("epochs", &epochs),
    ];
    for (title, split) in [("best validation", "best_validation"), ("test", "test"), ("last training", "train")] {
        rows.extend(metrics.iter().map(|name| row(&format!("{title} {name}"), &|run| shown(run, split, name))));
    }
    let rate = |run: &Run| run.samples_per_s.map_or_else(|| NONE.into(), |rate| format!("{rate:.0}"));
    rows.extend([row("samples a second", &rate), row("time", &|run| time(run.seconds))]);
    for difference in differences(runs) {
        let value = |value: Option<String>| match value {
            Some(text) if text.is_empty() => "\"\"".to_string(),
            value => value.unwrap_or_else(|| NONE.into()),
        };
        rows.push(std::iter::once(difference.key).chain(difference.values.into_iter().map(value)).collect());
    }
    // As many runs beside each other as fit, the others below.
    let first = rows.iter().map(|row| row[0].chars().count()).max().unwrap_or(0);
    let (columns, side) = (columns(), beside(first, columns()));
    let part = |from: usize| {
        let row = |row: &Vec<String>| row[..1].iter().chain(row[from..].iter().take(side)).cloned().collect();
        table(&rows.iter().map(row).collect::<Vec<_>>(), 0..0, columns)
    };
    (1..=runs.len()).step_by(side).map(part).collect::<Vec<_>>().join("\n\n") + &problems(runs)
}

fn epochs(run: &Run) -> String {
    match run.epochs_set {
        _ if run.state == State::Broken && run.epochs == 0 => NONE.into(),
        Some(all) => format!("{}/{all}", run.epochs),
        None => run.epochs.to_string(),
    }
}

/// The value of a metric, with a percent sign if that is its unit.
fn shown(run: &Run, split: &str, name: &str) -> String {
    let percent = run.metrics.iter().any(|metric| metric.name == name && metric.unit == "%");
    let metric = if percent { Metric::percent(name.to_string()) } else { Metric::loss("") };
    run.value(split, name).map_or_else(|| NONE.into(), |value| metric.shown_short(value))
}

/// The value of the metric that selects the best epoch, larger for better.
fn monitored(run: &Run, split: &str) -> Option<f64> {
    let higher = run.metrics.iter().any(|metric| metric.name == run.monitor && metric.higher);
    run.value(split, &run.monitor).map(|value| if higher { value } else { -value })
}

/// A duration in seconds as `1h02m`, `3m07s` or `12.5s`.
fn time(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds <= 0.0 => NONE.into(),
        0..60 => format!("{seconds:.1}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
    }
}

/// The first [`KEYS_IN_ROW`] keys that differ, as in `optimizer.lr=0.1 train.seed=2`, and how many more there are.
fn differs(run: &Run) -> String {
    let mut words: Vec<String> =
        run.differs.iter().take(KEYS_IN_ROW).map(|(key, value)| format!("{key}={value}")).collect();
    if run.differs.len() > KEYS_IN_ROW {
        words.push(format!("and {} more", run.differs.len() - KEYS_IN_ROW));
    }
    words.join(" ")
}

/// What is wrong with runs, for below a table: a line each, or as many as it takes.
fn problems(runs: &[Run]) -> String {
    let problem = |run: &Run| {
        let text = format!("{}: {}", run.name, run.problem.as_ref()?.lines().next().unwrap_or_default());
        Some(format!("\n{}", wrapped(&printable(&text), columns() - INDENT.len()).join(&format!("\n{INDENT}"))))
    };
    runs.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!([0.0, 12.46, 59.6, 187.2, 3725.0].map(time), [NONE, "12.5s", "1m00s", "3m07s", "1h02m"]);
    }

    #[test]
    fn a_row_names_a_few_differences() {
        let keys = ["a", "b", "c", "d", "e", "f"].map(|key| (key.to_string(), "1".to_string()));
        let run = Run { differs: keys.into_iter().collect(), ..Run::default() };
        assert_eq!(differs(&run), "a=1 b=1 c=1 d=1 and 2 more");
    }
}
