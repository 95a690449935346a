//! The ranking as text: a table for reading, and CSV for processing.

use super::{Search, Standing};
use toml::Value;

impl Search {
    /// The ranking in aligned columns, one trial per line, numbers in four significant digits.
    pub fn table(&self) -> String {
        let metrics = self.metrics();
        let head = ["rank", "trial", "epochs", "loss"].into_iter().chain(metrics.iter().copied()).chain(self.keys());
        let mut rows = vec![head.map(str::to_string).collect::<Vec<_>>()];
        for (i, standing) in self.standings().iter().enumerate() {
            let Standing { trial, epochs, loss, metrics: found, failed, values } = standing;
            let loss = match failed {
                Some(_) => "failed".into(),
                None => loss.map_or_else(String::new, short),
            };
            let metrics = metrics.iter().map(|name| found.get(*name).map_or_else(String::new, |&value| short(value)));
            let row = [(i + 1).to_string(), trial.to_string(), epochs.to_string(), loss].into_iter().chain(metrics);
            rows.push(row.chain(values.iter().map(shown)).collect());
        }
        let widths: Vec<usize> =
            (0..rows[0].len()).map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}"));
            cells.collect::<Vec<_>>().join("  ")
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The ranking as comma-separated values (RFC 4180), with all digits of numbers:
    /// `rank,trial,epochs,loss,METRIC…,failed,KEY…`.
    pub fn csv(&self) -> String {
        let metrics = self.metrics();
        let head = ["rank", "trial", "epochs", "loss"].into_iter().chain(metrics.iter().copied()).chain(["failed"]);
        let head = head.chain(self.keys());
        let mut text = head.map(cell).collect::<Vec<_>>().join(",") + "\r\n";
        for (i, standing) in self.standings().iter().enumerate() {
            let Standing { trial, epochs, loss, metrics: found, failed, values } = standing;
            let full = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
            let row = [(i + 1).to_string(), trial.to_string(), epochs.to_string(), full(*loss)];
            let row = row.into_iter().chain(metrics.iter().map(|name| full(found.get(*name).copied())));
            let row = row.chain([failed.clone().unwrap_or_default()]).chain(values.iter().map(plain));
            text += &(row.map(|value| cell(&value)).collect::<Vec<_>>().join(",") + "\r\n");
        }
        text
    }
}

/// Four significant digits: `0.003162`, `3.162e-6`.
fn short(x: f64) -> String {
    let rounded = format!("{x:.3e}").parse().unwrap_or(x);
    format!("{rounded:?}")
}

fn shown(value: &Value) -> String {
    value.as_float().map_or_else(|| plain(value), short)
}

/// The value as after `--set`.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn cell(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}
