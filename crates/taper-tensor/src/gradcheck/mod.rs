//! Gradient checking, in f64: gradients of the backward pass compared with central differences.
//!
//! A check contracts an operation's output with a random cotangent c, L = ⟨y, c⟩, and compares the backward pass's
//! dL/dx = a with central differences n = (L(x + h) − L(x − h)) / 2h, input by input, as ‖a − n‖ / max(‖a‖, ‖n‖). NaN
//! fails. A gradient that is zero everywhere fails unless the case declares it. At kinks, where central differences do
//! not approximate the gradient, the case declares the subgradient for a cotangent of ones.
//!
//! [`check`] checks the gradient, [`check_second`] the gradient of the gradient: that of ⟨dL/dx, d⟩ with a random
//! direction d, with respect to the inputs and to the cotangent. [`Table`] runs either check for many [`Subject`]s on
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
use compare::{ScalarFunction, compare, compare_rules};
use taper_backend::{Device, Error, RandomKey, Result};

/// The largest error that passes. Central differences in f64 with h = 10⁻⁵ have an error of about 10⁻⁹.
pub const TOLERANCE: f64 = 1e-6;

/// The result of checking one subject's cases.
#[derive(Debug, Clone)]
pub struct Report {
    /// The subject's displayed name: `matmul`, `layer conv2d`.
    pub subject: String,
    /// The number of cases that were checked.
    pub cases: usize,
    /// The largest error over cases and inputs.
    pub worst: f64,
    /// The failures: each case's name, and the reason.
    pub failures: Vec<String>,
    /// The cases that have no second gradient ([`Error::Tape`]): each case's name, and the error. Only checks of second
    /// gradients have any.
    pub refusals: Vec<String>,
}

impl Report {
    /// Whether every case passed.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// All operations of this crate, in alphabetical order. Needs the feature `gradcheck`, because the cases are a third of
/// this crate's machine code and training does not use them.
#[cfg(any(test, feature = "gradcheck"))]
pub fn operations() -> Vec<Subject> {
    ops::registry().into_iter().map(|(name, cases)| Subject::new(Subject::OPERATION, name, cases)).collect()
}

/// Checks the gradients of `subject` on `device`, or with `second` the gradients of its gradients.
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
                // NaN fails, and stays the largest error.
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

/// The largest error of `case`'s gradients over its inputs. `key` draws the inputs and the cotangent.
///
/// # Errors
/// Those of the function, and when a gradient is zero everywhere that is not declared zero, or the other way round.
pub fn check(case: &Case, device: &Device, key: RandomKey) -> Result<f64> {
    let mut worst: f64 = 0.0;
    let found = compare(ScalarFunction::Output(case), device, key)?;
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

/// The largest error of the gradients of `case`'s gradients, and of the first gradients of a pass with `create_graph`
/// against those of a plain one. `key` draws the inputs, the cotangent and the directions.
///
/// # Errors
/// Those of the function, and when the second gradient is zero with respect to every input and the cotangent, unless
/// every first gradient is declared zero. (With respect to some of them it may be zero: a function may be linear in an
/// input.)
pub fn check_second(case: &Case, device: &Device, key: RandomKey) -> Result<f64> {
    let found = compare(ScalarFunction::Gradient(case), device, key)?;
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
