//! `taper forecast`: the values that follow a series, by a saved run.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::Failure;
use crate::json::{number, text};
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::path::{Path, PathBuf};
use taper::DeviceOptions;
use taper::backend::printable;
use taper::data::atomic_write;
use taper::tasks::{Forecast as Found, Forecaster};
use taper::train::RunFolder;

/// The arguments of `forecast`.
#[derive(Args)]
pub struct Forecast {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// A table with the run's columns, whose end is gone on from [default: the series that the run was trained on]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write the forecast to this CSV file [default: it is printed]
    #[arg(long, value_name = "CSV")]
    output: Option<PathBuf>,
    /// Print JSON: an object with a list of steps
    #[arg(long)]
    json: bool,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

impl Command for Forecast {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let device = named_device(&self.device, DeviceOptions::default())?;
        let forecaster = Forecaster::load(&self.run, &device)?;
        let found = match &self.file {
            None => forecaster.forecast()?,
            Some(file) => after(&forecaster, file)?,
        };
        if let Some(path) = &self.output {
            atomic_write(path, csv(&found).as_bytes())?;
            let count = found.steps.len();
            output.line(&format!(
                "{count} steps of {}: in {}",
                printable(&found.name),
                printable(&path.to_string_lossy())
            ));
            return Ok(0);
        }
        output.line(&if self.json { json(&found) } else { table(&found) });
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.device(&self.device);
        RunFolder::open(&self.run)?.read_spec()?;
        match &self.file {
            Some(file) if file.extension().is_some_and(|extension| extension == "parquet") => needs.feature("parquet"),
            Some(_) => needs.feature("csv"),
            None => {}
        }
        Ok(())
    }
}

#[cfg(any(feature = "csv", feature = "parquet"))]
fn after(forecaster: &Forecaster, file: &Path) -> Result<Found, Failure> {
    use taper::data::{CsvOptions, TableSource};
    Ok(forecaster.forecast_table(&TableSource::open(file, CsvOptions::default())?)?)
}

#[cfg(not(any(feature = "csv", feature = "parquet")))]
fn after(_: &Forecaster, _: &Path) -> Result<Found, Failure> {
    Err(Failure::failed("this build reads no tables: it lacks the feature `csv`"))
}

/// The heads of the columns: `time`, and each quantile as `demand 10%`.
fn heads(found: &Found) -> Vec<String> {
    let quantile = |quantile: &f64| format!("{} {}%", found.name, (1e6 * quantile).round() / 1e4);
    std::iter::once("time".to_string()).chain(found.quantiles.iter().map(quantile)).collect()
}

/// A line for each step, in columns.
fn table(found: &Found) -> String {
    let cells = |step: &taper::tasks::ForecastStep| {
        std::iter::once(step.time.clone()).chain(step.values.iter().map(|value| format!("{value:.6}"))).collect()
    };
    let heads: Vec<String> = heads(found).iter().map(|head| printable(head).into_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(found.steps.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..=found.quantiles.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cell = |(i, cell): (usize, &String)| match i {
            0 => format!("{cell:<width$}", width = widths[0]),
            i => format!("  {cell:>width$}", width = widths.get(i).copied().unwrap_or(0)),
        };
        row.iter().enumerate().map(cell).collect::<String>()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The same as CSV.
fn csv(found: &Found) -> String {
    let quoted = |cell: &String| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.clone(),
    };
    let mut lines = heads(found).iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
    for step in &found.steps {
        let values: Vec<String> = step.values.iter().map(f64::to_string).collect();
        lines += &format!("{},{}\n", quoted(&step.time), values.join(","));
    }
    lines
}

/// `{"target": "demand", "quantiles": [0.1, 0.5], "steps": [{"time": "2015-01-01", "values": [3.5, 4.25]}]}`.
fn json(found: &Found) -> String {
    let list = |values: &[f64]| values.iter().map(|value| number(*value)).collect::<Vec<_>>().join(", ");
    let step = |step: &taper::tasks::ForecastStep| {
        format!("  {{\"time\": {}, \"values\": [{}]}}", text(&step.time), list(&step.values))
    };
    let steps: Vec<String> = found.steps.iter().map(step).collect();
    let (name, quantiles) = (text(&found.name), list(&found.quantiles));
    format!("{{\"target\": {name}, \"quantiles\": [{quantiles}], \"steps\": [\n{}\n]}}", steps.join(",\n"))
}
