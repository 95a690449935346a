//! Gradient checking, in f64.
//!
//! A check contracts an operation's output with a random cotangent c, L = ⟨y, c⟩, and compares the backward's dL/dx with
//! central differences (L(x + h) − L(x − h)) / 2h, input by input, as ‖a − n‖ / max(‖a‖, ‖n‖). NaN fails. A gradient
//! that is zero everywhere fails unless the case declares it. At kinks, where differences mean nothing, the case
//! declares the subgradient for a cotangent of ones.
//!
//! [`check`] does it for the gradient, [`check_second`] for the gradient of the gradient: of ⟨dL/dx, d⟩ with a random
//! direction d, with respect to the inputs and to the cotangent. [`Table`] does either for many [`Subject`]s on
//! several devices.

mod case;
mod compare;
mod subject;
mod table;
#[cfg(test)]
mod tests;

pub use case::Case;
pub use subject::Subject;
pub use table::Table;

#[cfg(any(test, feature = "gradcheck"))]
use crate::ops;
use compare::{Function, compare, compare_rules};
use taper_backend::{Device, Error, RandomKey, Result};

/// The largest error that passes. Central differences in f64 with h = 10⁻⁵ are good to about 10⁻⁹.
pub const TOLERANCE: f64 = 1e-6;

/// What the check of one subject's cases found.
#[derive(Debug, Clone)]
pub struct Report {
    /// The subject, as it is shown: `matmul`, `layer conv2d`.
    pub subject: String,
    /// How many cases were checked.
    pub cases: usize,
    /// The largest error over cases and inputs.
    pub worst: f64,
    /// What failed: the case, and why.
    pub failures: Vec<String>,
    /// Cases whose second gradient is refused, and the refusal. None of the first gradients is.
    pub refusals: Vec<String>,
}

impl Report {
    /// Whether every case passed.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// All operations, in alphabetical order. With the feature `gradcheck`: the cases of all are a third of this crate's machine
/// code, which training does not need.
#[cfg(any(test, feature = "gradcheck"))]
pub fn operations() -> Vec<Subject> {
    ops::registry().into_iter().map(|(name, cases)| Subject::new(Subject::OPERATION, name, cases)).collect()
}

/// Checks the gradients of `subject` on `device`; with `second` those of its gradients too.
pub fn run(subject: &Subject, device: &Device, second: bool) -> Report {
    let name = subject.to_string();
    let root = RandomKey::new(2026).child(&name);
    let mut report = Report { subject: name, cases: 0, worst: 0.0, failures: Vec::new(), refusals: Vec::new() };
    for (i, case) in subject.cases().iter().enumerate() {
        if second && !case.is_smooth() {
            continue;
        }
        report.cases += 1;
        let key = root.index(i as u64);
        let outcome = if second { check_second(case, device, key) } else { check(case, device, key) };
        match outcome {
            Ok(error) => {
                // NaN fails, and stays the worst.
                if error.is_nan() || error > report.worst {
                    report.worst = error;
                }
                let passed = error <= TOLERANCE;
                if !passed {
                    report.failures.push(format!("{}: error {error:.1e}", case.name()));
                }
            }
            Err(Error::Tape(refusal)) if second => report.refusals.push(format!("{}: {refusal}", case.name())),
            Err(error) => report.failures.push(format!("{}: {error}", case.name())),
        }
    }
    report
}

/// The largest error of `case`'s gradients over its inputs, or what is wrong with it. `key` draws inputs and cotangent.
pub fn check(case: &Case, device: &Device, key: RandomKey) -> Result<f64> {
    let mut worst: f64 = 0.0;
    let found = compare(Function::Output(case), device, key)?;
    for comparison in &found {
        let input = comparison.input;
        let declared = case.zero_gradients().contains(&input);
        if comparison.norm == 0.0 && !declared {
            return Err(zero(format!(
                "the gradient of input {input} is zero everywhere, which the case does not declare"
            )));
        }
        if comparison.norm != 0.0 && declared {
            return Err(zero(format!("the gradient of input {input} is declared zero and is not")));
        }
        worst = if comparison.error.is_nan() { f64::NAN } else { worst.max(comparison.error) };
        if worst.is_nan() {
            break;
        }
    }
    Ok(worst)
}

/// The largest error of the gradients of `case`'s gradients, and of the rules for recorded walks beside those for plain
/// ones. Directions in which both are zero (a function linear in an
/// input) are no evidence either way; at least one must not be, unless every first gradient is declared zero.
pub fn check_second(case: &Case, device: &Device, key: RandomKey) -> Result<f64> {
    let found = compare(Function::Gradient(case), device, key)?;
    if found.iter().all(|comparison| comparison.norm == 0.0) && found.len() > case.zero_gradients().len() + 1 {
        return Err(zero("the second gradient is zero with respect to everything, the cotangent included".into()));
    }
    let rules = compare_rules(case, device, key)?;
    let errors = found.iter().chain(&rules).map(|comparison| comparison.error);
    Ok(errors.fold(0.0, |worst: f64, error| if worst.is_nan() || error.is_nan() { f64::NAN } else { worst.max(error) }))
}

fn zero(detail: String) -> Error {
    Error::argument("gradcheck", detail)
}
