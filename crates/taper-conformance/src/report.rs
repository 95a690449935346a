//! The report of a run of the suite, and its text.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The results of a run on one device.
#[derive(Debug, Default)]
pub struct Report {
    /// The device's name.
    pub device: String,
    /// The number of cases that ran.
    pub cases: usize,
    /// For every method of the rim that the backend declined, which is then composed of other methods: in how many
    /// cases.
    pub composed: BTreeMap<&'static str, usize>,
    /// For every method that the backend does not support for halves: in how many cases.
    pub unsupported: BTreeMap<&'static str, usize>,
    /// One line for each violation of the contract.
    pub failures: Vec<String>,
    /// A hash of all bits of all results: equal for two runs whose results are equal bit by bit.
    pub digest: u64,
    /// The time that the device took, without the slow reference.
    pub time: Duration,
}

/// The most failures shown per method and dtype, since one wrong kernel fails hundreds of cases.
const SHOWN: usize = 4;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, cases, failures, .. } = self;
        writeln!(f, "{device}: {cases} cases, {} failures, {:.1} s", failures.len(), self.time.as_secs_f64())?;
        writeln!(f, "  left to the composed version: {}", counts(&self.composed))?;
        write!(f, "  not offered for halves: {}", counts(&self.unsupported))?;
        let mut kinds = BTreeMap::<String, usize>::new();
        for failure in failures {
            let kind = failure.split(' ').take(2).collect::<Vec<_>>().join(" ");
            let seen = kinds.entry(kind).or_default();
            *seen += 1;
            if *seen <= SHOWN {
                write!(f, "\n  failed: {failure}")?;
            }
        }
        if !kinds.is_empty() {
            write!(f, "\n  failures of each kind: {}", counts(&kinds))?;
        }
        Ok(())
    }
}

/// Counts as text: `matmul (3), pad (1)`.
fn counts<K: fmt::Display>(of: &BTreeMap<K, usize>) -> String {
    let all: Vec<String> = of.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    if all.is_empty() { "none".into() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_failures_of_each_kind_are_told() {
        let failures = (0..6).map(|i| format!("pad f32 case {i}: wrong")).chain(["pad f64 a: wrong".into()]).collect();
        let composed = BTreeMap::from([("dropout", 3)]);
        let time = Duration::from_millis(1260);
        let report = Report { device: "cpu".into(), cases: 9, composed, failures, time, ..Report::default() };
        let due = "cpu: 9 cases, 7 failures, 1.3 s\n  left to the composed version: dropout (3)\n  \
                   not offered for halves: none\n  failed: pad f32 case 0: wrong\n  failed: pad f32 case 1: wrong\n  \
                   failed: pad f32 case 2: wrong\n  failed: pad f32 case 3: wrong\n  failed: pad f64 a: wrong\n  \
                   failures of each kind: pad f32 (6), pad f64 (1)";
        assert_eq!(report.to_string(), due);
    }
}
