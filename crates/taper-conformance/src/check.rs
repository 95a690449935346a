//! The whole check of a backend: the suite, and gradients on it.

use crate::{Report, run};
use std::fmt;
use taper_backend::Device;
use taper_tensor::gradcheck::{self, Subject};

/// Which checks run: all by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Checks<'a> {
    /// Of the suite, the cases whose name (`matmul f32 …`) contains this.
    pub methods: &'a str,
    /// Of the gradient checks, the operations, layers and losses whose displayed name (`layer conv2d`) contains this.
    pub subjects: &'a str,
}

/// The results of checking one device.
#[derive(Debug)]
pub struct Verdict {
    /// The suite's results.
    pub methods: Report,
    /// The gradient check of each operation, layer and loss.
    pub gradients: Vec<gradcheck::Report>,
    /// The check of the gradients of their gradients.
    pub second_gradients: Vec<gradcheck::Report>,
}

/// Runs every case of the suite on `device`, and checks the gradients, and the gradients of gradients, of every
/// operation, layer and loss.
///
/// ```no_run
/// # fn mine() -> taper_backend::Result<taper_backend::Device> { Ok(taper_conformance::toy::ToyBackend::device()) }
/// # fn main() -> taper_backend::Result<()> {
/// let verdict = taper_conformance::check(&mine()?);
/// assert!(verdict.passed(), "{verdict}");
/// # Ok(())
/// # }
/// ```
pub fn check(device: &Device) -> Verdict {
    Checks::default().run(device)
}

impl Checks<'_> {
    /// Runs the chosen checks on `device`.
    pub fn run(&self, device: &Device) -> Verdict {
        let subjects: Vec<Subject> = gradcheck::operations()
            .into_iter()
            .chain(taper_nn::gradcheck::subjects())
            .filter(|subject| subject.to_string().contains(self.subjects))
            .collect();
        let gradients = |second| subjects.iter().map(|subject| gradcheck::run(subject, device, second)).collect();
        Verdict { methods: run(device, self.methods), gradients: gradients(false), second_gradients: gradients(true) }
    }
}

impl Verdict {
    /// Whether something was checked, and every case of the suite and every gradient is right.
    pub fn passed(&self) -> bool {
        let checked = self.methods.cases > 0 || !self.gradients.is_empty();
        checked && self.methods.failures.is_empty() && self.all_gradients().all(|(_, report)| report.passed())
    }

    /// Every gradient check, with what it checked.
    fn all_gradients(&self) -> impl Iterator<Item = (&'static str, &gradcheck::Report)> {
        let first = self.gradients.iter().map(|report| ("gradient", report));
        first.chain(self.second_gradients.iter().map(|report| ("gradient of the gradient", report)))
    }
}

/// The suite's report, the number of gradients checked, and a line for each wrong one.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.methods)?;
        let cases: usize = self.all_gradients().map(|(_, report)| report.cases).sum();
        let failures: usize = self.all_gradients().map(|(_, report)| report.failures.len()).sum();
        write!(f, "{}: {cases} gradients, {failures} failures", self.methods.device)?;
        for (what, report) in self.all_gradients() {
            for failure in &report.failures {
                write!(f, "\n  failed: {what} of {}, {failure}", report.subject)?;
            }
        }
        Ok(())
    }
}
