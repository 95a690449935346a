//! The counts, and what is printed.

use super::compare::{Difference, Verdict};
use super::{Outcome, Part, reason};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Samples of one dtype.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    /// Compared.
    pub samples: usize,
    /// Of these, values as PyTorch's in the dtype; as its f64; different for a reason; different.
    pub values: [usize; 4],
    /// The same of gradients.
    pub gradients: [usize; 4],
    /// Errors of ours: for a reason; others.
    pub refused: [usize; 2],
    /// Not offered.
    pub not_offered: usize,
}

/// What came of all samples.
#[derive(Debug, Default)]
pub struct Report {
    /// For each dtype.
    pub dtypes: BTreeMap<String, Counts>,
    /// Operators with a sample that was compared.
    pub operators: BTreeSet<String>,
    /// Operators of which we have none.
    pub unmapped: BTreeSet<String>,
    /// What differs: operator, what, reason or detail → how often, and the first.
    pub differences: BTreeMap<(bool, String, String, String), (usize, String)>,
    /// What is not offered: the reason → operators and samples.
    pub not_offered: BTreeMap<String, (BTreeSet<String>, usize)>,
    /// Samples.
    pub samples: usize,
}

impl Report {
    /// Whether nothing differs without a reason.
    pub fn passed(&self) -> bool {
        self.differences.keys().all(|(reasoned, ..)| *reasoned)
    }

    pub(super) fn count(&mut self, sample: &Value, outcome: &Outcome) {
        let text = |key: &str| sample[key].as_str().unwrap_or_default().to_string();
        let (op, dtype) = (text("op"), text("dtype"));
        self.samples += 1;
        if matches!(outcome, Outcome::Unmapped) {
            self.unmapped.insert(op);
            return;
        }
        let mut counts = self.dtypes.remove(&dtype).unwrap_or_default();
        match outcome {
            Outcome::Unmapped => {}
            Outcome::NotOffered(what) => {
                counts.not_offered += 1;
                let entry = self.not_offered.entry(what.clone()).or_default();
                entry.0.insert(op.clone());
                entry.1 += 1;
            }
            Outcome::Refused(error) => {
                let reasoned = self.differs(sample, Part::Refused, &Difference::Error(error.to_string()));
                counts.refused[usize::from(!reasoned)] += 1;
            }
            Outcome::Compared { value, gradient } => {
                self.operators.insert(op.clone());
                counts.samples += 1;
                counts.values[self.verdict(sample, Part::Value, value)] += 1;
                if let Some(gradient) = gradient {
                    counts.gradients[self.verdict(sample, Part::Gradient, gradient)] += 1;
                }
            }
        }
        self.dtypes.insert(dtype, counts);
    }

    fn verdict(&mut self, sample: &Value, part: Part, verdict: &Verdict) -> usize {
        match verdict {
            Verdict::AsPeer => 0,
            Verdict::AsExact => 1,
            Verdict::Differs(detail) if self.differs(sample, part, detail) => 2,
            Verdict::Differs(_) => 3,
        }
    }

    /// Notes a difference; whether it has a reason.
    fn differs(&mut self, sample: &Value, part: Part, detail: &Difference) -> bool {
        let text = |key: &str| sample[key].as_str().unwrap_or_default().to_string();
        let reason = reason(&text("op"), part, detail);
        let first = format!("{}: {detail}; args {} {}", text("dtype"), sample["args"], sample["kwargs"]);
        let key = (reason.is_some(), text("op"), format!("{part:?}"), reason.unwrap_or("no reason").to_string());
        self.differences.entry(key).or_insert((0, first)).0 += 1;
        reason.is_some()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ours, theirs) = (self.operators.len(), self.unmapped.len());
        writeln!(f, "{} samples; {ours} operators compared, {theirs} that ours has not\n", self.samples)?;
        writeln!(f, "{:5} {:>8}  {:35}  {:35}  {:15}  not", "", "", "values", "gradients", "errors of ours")?;
        let four = ["agree", "as f64", "reason", "differ"].map(|head| format!("{head:>8}")).concat();
        let refused = ["reason", "none"].map(|head| format!("{head:>7}")).concat();
        writeln!(f, "{:5} {:>8}  {four:35}  {four:35}  {refused:15}  offered", "dtype", "compared")?;
        for (dtype, c) in &self.dtypes {
            let four = |all: [usize; 4]| all.map(|count| format!("{count:>8}")).concat();
            let refused = c.refused.map(|count| format!("{count:>7}")).concat();
            let (values, gradients) = (four(c.values), four(c.gradients));
            writeln!(f, "{dtype:5} {:>8}  {values:35}  {gradients:35}  {refused:15}  {}", c.samples, c.not_offered)?;
        }
        writeln!(f, "\nDifferent for a reason:")?;
        let mut reasons: BTreeMap<&str, (usize, BTreeSet<String>)> = BTreeMap::new();
        for ((_, op, part, reason), (count, _)) in self.differences.iter().filter(|((reasoned, ..), _)| *reasoned) {
            let entry = reasons.entry(reason).or_default();
            entry.0 += count;
            entry.1.insert(format!("{op} ({})", part.to_lowercase()));
        }
        for (reason, (count, ops)) in reasons {
            writeln!(f, "  {count:>5} {reason}: {}", ops.into_iter().collect::<Vec<_>>().join(", "))?;
        }
        writeln!(f, "\nNot offered:")?;
        for (what, (ops, count)) in &self.not_offered {
            writeln!(f, "  {count:>5} {what}: {}", ops.iter().cloned().collect::<Vec<_>>().join(", "))?;
        }
        if !self.passed() {
            writeln!(f, "\nDifferent without a reason:")?;
        }
        for ((_, op, part, _), (count, first)) in self.differences.iter().filter(|((reasoned, ..), _)| !*reasoned) {
            let first: String = first.chars().take(400).collect();
            writeln!(f, "  {count:>5} {op} ({}): {first}", part.to_lowercase())?;
        }
        Ok(())
    }
}
