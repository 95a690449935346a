//! A profile as Markdown tables, aligned so that they read as plain text too.

use super::{LayerRow, Phase, Profile, Row, WARM_UP};
use std::fmt::Write as _;
use std::time::Duration;

const HEAD: [&str; 9] = ["op", "phase", "shapes", "calls", "ms", "share", "ms a call", "GFLOP/s", "GB/s"];
const LAYERS_HEAD: [&str; 6] = ["layer", "calls", "ms", "share", "ms a step", "GFLOP/s"];

impl Profile {
    /// The profile as a Markdown table: the rows by decreasing time, then the time between the ops. Where layers said
    /// that they ran, a second table has the forward pass by layer, in the order of their first calls.
    pub fn table(&self) -> String {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.time));
        let mut cells: Vec<[String; 9]> = rows.into_iter().map(|row| self.cells(row)).collect();
        let between = self.between();
        let per_step = if self.steps == 0 { 0.0 } else { ms(between) / self.steps as f64 };
        cells.push([
            "between the ops".into(),
            "all".into(),
            "the host and the loader; a call is a step".into(),
            self.steps.to_string(),
            format!("{:.3}", ms(between)),
            self.share(between),
            format!("{per_step:.4}"),
            "-".into(),
            "-".into(),
        ]);
        self.head() + "\n" + &aligned(HEAD, 3, &cells) + &self.layers_table()
    }

    fn layers_table(&self) -> String {
        if self.layers.iter().all(|layer| layer.path.is_none()) {
            return String::new();
        }
        let per_step = |time: Duration| ms(time) / self.steps.max(1) as f64;
        let cells = |layer: &LayerRow| {
            [
                layer.path.as_deref().unwrap_or("outside the layers").to_owned(),
                layer.calls.to_string(),
                format!("{:.3}", ms(layer.time)),
                self.share(layer.time),
                format!("{:.4}", per_step(layer.time)),
                rate(layer.flop as f64, layer.time),
            ]
        };
        let cells: Vec<[String; 6]> = self.layers.iter().map(cells).collect();
        format!("\n## The forward pass by layer\n\n{}", aligned(LAYERS_HEAD, 1, &cells))
    }

    /// The time within the measured steps in which no op ran.
    pub fn between(&self) -> Duration {
        self.time.saturating_sub(self.rows.iter().map(|row| row.time).sum())
    }

    fn head(&self) -> String {
        let mut head = format!("# Where a training step's time goes, on `{}`\n\n", self.device);
        if self.steps == 0 {
            let _ = writeln!(
                head,
                "No step was measured: the first {WARM_UP}, which warm up, are left out. Train for more."
            );
        } else {
            let parts = Phase::ALL.map(|phase| {
                let time = self.rows.iter().filter(|row| row.phase == phase).map(|row| row.time).sum();
                format!("{phase} {}", self.share(time))
            });
            let _ = writeln!(
                head,
                "{} steps were measured, {:.3} ms each; the first {WARM_UP} are left out. {}, between the ops {}.",
                self.steps,
                ms(self.time) / self.steps as f64,
                parts.join(", "),
                self.share(self.between()),
            );
        }
        if self.device != "cpu" {
            head += "Times are those of the calls: a device that computes on its own does the work later, and a call that \
                     has to wait for it takes the blame.\n";
        }
        head += "FLOP: two for each multiply-add of a product, else one an element. Bytes: operands and results, none for \
                 views.\n";
        head
    }

    fn cells(&self, row: &Row) -> [String; 9] {
        let rate = |of: u64| rate(of as f64 * row.calls as f64, row.time);
        [
            row.op.clone(),
            row.phase.to_string(),
            row.shapes.clone(),
            row.calls.to_string(),
            format!("{:.3}", ms(row.time)),
            self.share(row.time),
            format!("{:.4}", ms(row.time) / row.calls.max(1) as f64),
            rate(row.flop),
            rate(row.bytes),
        ]
    }

    fn share(&self, time: Duration) -> String {
        let whole = self.time.as_secs_f64();
        format!("{:.1} %", if whole == 0.0 { 0.0 } else { 100.0 * time.as_secs_f64() / whole })
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// 10⁹ a second, of `count` in `time`.
fn rate(count: f64, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if count == 0.0 || seconds == 0.0 { "-".into() } else { format!("{:.2}", count / seconds / 1e9) }
}

/// A table whose first `texts` columns hold text, aligned left; the columns behind them hold numbers, aligned right.
fn aligned<const N: usize>(head: [&str; N], texts: usize, cells: &[[String; N]]) -> String {
    let head = head.map(String::from);
    let width = |i: usize| cells.iter().chain([&head]).map(|row| row[i].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let padded = row.iter().zip(widths).enumerate().map(|(i, (cell, width))| match i < texts {
            true => format!(" {cell:<width$} "),
            false => format!(" {cell:>width$} "),
        });
        format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.iter().enumerate().map(|(i, width)| match i < texts {
        true => "-".repeat(width + 2),
        false => "-".repeat(width + 1) + ":",
    });
    let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    line(&head) + &rule + &cells.iter().map(line).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let row = |op: &str, phase, flop, bytes, calls, ms| Row {
            op: op.into(),
            shapes: "f32[2] → f32[2]".into(),
            phase,
            flop,
            bytes,
            calls,
            time: Duration::from_millis(ms),
        };
        Profile {
            device: "cpu".into(),
            steps: 4,
            time: Duration::from_millis(20),
            rows: vec![
                row("unary Neg", Phase::Forward, 0, 8_000_000, 8, 5),
                row("linear_grad", Phase::Backward, 50_000_000, 0, 4, 10),
            ],
            ..Profile::default()
        }
    }

    #[test]
    fn rows_stand_by_time_with_shares_and_rates() {
        let table = profile().table();
        let due = "\
| op              | phase    | shapes                                    | calls |     ms |  share | ms a call | GFLOP/s |  GB/s |
|-----------------|----------|-------------------------------------------|------:|-------:|-------:|----------:|--------:|------:|
| linear_grad     | backward | f32[2] → f32[2]                           |     4 | 10.000 | 50.0 % |    2.5000 |   20.00 |     - |
| unary Neg       | forward  | f32[2] → f32[2]                           |     8 |  5.000 | 25.0 % |    0.6250 |       - | 12.80 |
| between the ops | all      | the host and the loader; a call is a step |     4 |  5.000 | 25.0 % |    1.2500 |       - |     - |
";
        assert!(table.ends_with(&due), "{table}");
        let shares = "forward 25.0 %, backward 50.0 %, update 0.0 %, between the ops 25.0 %.";
        assert!(table.contains(&format!("4 steps were measured, 5.000 ms each; the first 3 are left out. {shares}")));
        assert!(!table.contains("Times are those of the calls"), "{table}");
    }

    #[test]
    fn a_second_table_has_the_layers() {
        let layer = |path: Option<&str>, flop, ms| LayerRow {
            path: path.map(Into::into),
            flop,
            calls: 4,
            time: Duration::from_millis(ms),
        };
        let with = |layers| Profile { layers, ..profile() }.table();
        let due = "
## The forward pass by layer

| layer              | calls |    ms |  share | ms a step | GFLOP/s |
|--------------------|------:|------:|-------:|----------:|--------:|
| outside the layers |     4 | 1.000 |  5.0 % |    0.2500 |       - |
| layer1.0.conv1     |     4 | 4.000 | 20.0 % |    1.0000 |    2.00 |
";
        let table = with(vec![layer(None, 0, 1), layer(Some("layer1.0.conv1"), 8_000_000, 4)]);
        assert_eq!(table, profile().table() + due);
        assert_eq!(with(vec![layer(None, 0, 1)]), profile().table());
    }

    #[test]
    fn other_devices_and_short_runs_are_told() {
        let table = Profile { device: "cuda:0".into(), ..profile() }.table();
        assert!(table.contains("on `cuda:0`") && table.contains("Times are those of the calls"), "{table}");
        let table = Profile::default().table();
        assert!(table.contains("No step was measured: the first 3"), "{table}");
    }
}
