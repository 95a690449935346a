//! Gradient checks of many subjects on several devices, as a table with a row for each subject and a column for each
//! device.

use super::{Report, Subject, TOLERANCE, run};
use taper_backend::Device;

/// The results of checking some subjects (operations, layers, losses) on some devices.
///
/// ```
/// use taper_tensor::Device;
/// use taper_tensor::gradcheck::{Subject, Table, operations};
/// # fn main() -> taper_tensor::Result<()> {
/// let devices = [Device::new(taper_cpu::CpuBackend::new()?)];
/// let chosen = Subject::choose(operations(), "add")?;
/// let table = Table::check(&chosen, &devices, false, |line| println!("{line}"));
/// assert!(table.passed());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Table {
    devices: Vec<String>,
    second: bool,
    /// The width of the subjects' names.
    width: usize,
    /// Each subject's kind.
    kinds: Vec<&'static str>,
    /// For each subject a report for each device.
    rows: Vec<Vec<Report>>,
}

impl Table {
    /// Checks the gradients of `subjects` on each of `devices`, or with `second` the gradients of their gradients.
    /// `line` is called with each line of the table as soon as it is known, and last with a summary.
    pub fn check(subjects: &[Subject], devices: &[Device], second: bool, mut line: impl FnMut(&str)) -> Self {
        let mut table = Self {
            devices: devices.iter().map(|device| device.name().to_string()).collect(),
            second,
            width: subjects.iter().map(|subject| subject.to_string().len()).max().unwrap_or_default(),
            kinds: subjects.iter().map(Subject::kind).collect(),
            rows: Vec::new(),
        };
        line(&table.header());
        for subject in subjects {
            let row: Vec<Report> = devices.iter().map(|device| run(subject, device, second)).collect();
            table.row(&row).iter().for_each(|text| line(text));
            table.rows.push(row);
        }
        table.refusals().iter().for_each(|text| line(text));
        line(&table.summary());
        table
    }

    /// Whether every case passed on every device.
    pub fn passed(&self) -> bool {
        self.reports().all(|(_, report)| report.passed())
    }

    /// Every report, with the name of its device.
    pub fn reports(&self) -> impl Iterator<Item = (&str, &Report)> {
        self.rows.iter().flat_map(|row| self.devices.iter().map(String::as_str).zip(row))
    }

    fn header(&self) -> String {
        let cells = self.devices.iter().map(String::as_str);
        self.line(&" ".repeat(self.width + "  ## cases".len()), cells)
    }

    /// A subject's row, and below it a line for each failure.
    fn row(&self, row: &[Report]) -> Vec<String> {
        let (name, cases) = row.first().map_or(("", 0), |report| (report.subject.as_str(), report.cases));
        let cells: Vec<String> = row.iter().map(cell).collect();
        let start = format!("{name:<width$}  {cases:>2} cases", width = self.width);
        let failures = self.devices.iter().zip(row).flat_map(|(device, report)| {
            report.failures.iter().map(move |failure| format!("  failed on {device}: {failure}"))
        });
        [self.line(&start, cells.iter().map(String::as_str))].into_iter().chain(failures).collect()
    }

    fn line<'a>(&self, start: &str, cells: impl Iterator<Item = &'a str>) -> String {
        let cells = cells.zip(&self.devices).map(|(cell, device)| format!("  {cell:<0$}", device.len().max(7)));
        format!("{start}{}", cells.collect::<String>()).trim_end().to_string()
    }

    /// The subjects that have no second gradient, and the errors.
    fn refusals(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (i, device) in self.devices.iter().enumerate() {
            let refusing = || self.rows.iter().map(|row| &row[i]).filter(|report| !report.refusals.is_empty());
            let names: Vec<&str> = refusing().map(|report| report.subject.as_str()).collect();
            if !names.is_empty() {
                lines.push(format!("refusing a gradient of the gradient on {device}: {}", names.join(", ")));
                lines.extend(refusing().flat_map(|r| &r.refusals).map(|refusal| format!("  {refusal}")));
            }
        }
        lines
    }

    fn summary(&self) -> String {
        let cases: usize = self.rows.iter().filter_map(|row| row.first()).map(|report| report.cases).sum();
        let what = if self.second { "gradients of gradients" } else { "gradients" };
        let worst = self.reports().map(|(_, report)| report.worst).fold(0.0, larger);
        let failed: Vec<String> = self
            .reports()
            .filter(|(_, report)| !report.passed())
            .map(|(device, report)| format!("{} on {device}", report.subject))
            .collect();
        let verdict = if failed.is_empty() { "all passed".into() } else { format!("FAILED: {}", failed.join(", ")) };
        format!(
            "{} on {}, {cases} cases of {what}: worst error {worst:.1e}, limit {TOLERANCE:.0e}, {verdict}",
            counts(&self.kinds),
            self.devices.join(", ")
        )
    }
}

/// How many there are of each kind: `53 operations, 1 layer`.
fn counts(kinds: &[&str]) -> String {
    let of_kind = |kinds: &[&str]| match kinds {
        [kind] => format!("1 {kind}"),
        [kind, ..] if kind.ends_with(['s', 'x']) => format!("{} {kind}es", kinds.len()),
        _ => format!("{} {}s", kinds.len(), kinds.first().unwrap_or(&"subject")),
    };
    kinds.chunk_by(|a, b| a == b).map(of_kind).collect::<Vec<_>>().join(", ")
}

/// The cell of a subject and a device: the largest error, and the numbers of failures and refusals.
fn cell(report: &Report) -> String {
    let (refused, failed) = (report.refusals.len(), report.failures.len());
    if report.cases > 0 && refused == report.cases {
        return "refuses".into();
    }
    // If all failing cases ended in an `Err`, there is no error size to show.
    let worst = if failed > 0 && report.worst == 0.0 { "error".into() } else { format!("{:.1e}", report.worst) };
    let failed = if failed > 0 { format!(" FAILED {failed}") } else { String::new() };
    let refused = if refused > 0 { format!(" ({refused} refuse)") } else { String::new() };
    format!("{worst}{failed}{refused}")
}

/// The larger of a and b; NaN if either is NaN.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::operations;

    fn report(subject: &str, worst: f64, failures: &[&str], refusals: &[&str]) -> Report {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Report { subject: subject.into(), cases: 2, worst, failures: owned(failures), refusals: owned(refusals) }
    }

    /// The table's lines, as `check` passes them to `line`.
    fn lines(table: &Table) -> Vec<String> {
        let rows = table.rows.iter().flat_map(|row| table.row(row));
        [table.header()].into_iter().chain(rows).chain(table.refusals()).chain([table.summary()]).collect()
    }

    #[test]
    fn failures_and_refusals_are_seen() {
        let rows = vec![
            vec![report("add", 1e-10, &[], &[]), report("add", 0.5, &["a row: error 5.0e-1"], &[])],
            vec![report("max", 2e-9, &[], &["a: no"]), report("max", 0.0, &["b: x", "c: y"], &[])],
            vec![report("mul", 0.0, &[], &["d: no", "e: no"]), report("mul", 3e-9, &[], &[])],
        ];
        let kinds = vec!["operation", "operation", "loss"];
        let table = Table { devices: vec!["cpu".into(), "candle".into()], second: true, width: 3, kinds, rows };
        assert!(!table.passed());
        let due = [
            "               cpu      candle",
            "add   2 cases  1.0e-10  5.0e-1 FAILED 1",
            "  failed on candle: a row: error 5.0e-1",
            "max   2 cases  2.0e-9 (1 refuse)  error FAILED 2",
            "  failed on candle: b: x",
            "  failed on candle: c: y",
            "mul   2 cases  refuses  3.0e-9",
            "refusing a gradient of the gradient on cpu: max, mul",
            "  a: no",
            "  d: no",
            "  e: no",
            "2 operations, 1 loss on cpu, candle, 6 cases of gradients of gradients: worst error 5.0e-1, limit 1e-6, \
             FAILED: add on candle, max on candle",
        ];
        assert_eq!(lines(&table), due);
    }

    #[test]
    fn kinds_are_counted() {
        assert_eq!(counts(&["operation"; 3]), "3 operations");
        assert_eq!(counts(&["layer", "loss", "loss", "mix", "mix"]), "1 layer, 2 losses, 2 mixes");
    }

    #[test]
    fn nan_is_the_worst() {
        let rows = vec![vec![report("add", f64::NAN, &["a: error NaN"], &[])], vec![report("mul", 1e-9, &[], &[])]];
        let table = Table { devices: vec!["cpu".into()], second: false, width: 3, kinds: vec!["operation"; 2], rows };
        assert!(table.summary().contains("worst error NaN, "), "{}", table.summary());
        assert!(table.row(&table.rows[0])[0].ends_with("NaN FAILED 1"));
    }

    #[test]
    fn a_table_of_two_devices() -> crate::Result<()> {
        let cpu = |threads| Ok::<_, crate::Error>(Device::new(taper_cpu::CpuBackend::with_threads(threads)?));
        let mut told = Vec::new();
        let chosen: Vec<Subject> =
            operations().into_iter().filter(|op| ["add", "matmul"].contains(&op.name())).collect();
        let table = Table::check(&chosen, &[cpu(1)?, cpu(2)?], false, |line| told.push(line.to_string()));
        assert!(table.passed());
        assert_eq!(told, lines(&table));
        let ops: Vec<&str> = table.reports().map(|(_, report)| report.subject.as_str()).collect();
        assert_eq!(ops, ["add", "add", "matmul", "matmul"]);
        assert!(told[3].starts_with("2 operations on cpu, cpu, ") && told[3].ends_with(", all passed"), "{}", told[3]);
        Ok(())
    }
}
