//! The subjects of gradient checks: operations, layers, losses.

use super::Case;
use std::fmt;
use taper_backend::{Error, Result};

/// An operation, a layer or a loss whose gradients are checked: its kind, its name and its cases.
///
/// ```
/// use taper_tensor::gradcheck::{Case, Subject, run};
/// use taper_tensor::Device;
/// # fn main() -> taper_tensor::Result<()> {
/// let device = Device::new(taper_cpu::CpuBackend::new()?);
/// let cube = Subject::new("function", "cube", vec![Case::new("x³", |x| x[0].mul(&x[0])?.mul(&x[0])).input([3])]);
/// assert_eq!(cube.to_string(), "function cube");
/// assert!(run(&cube, &device, true).passed());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Subject {
    kind: &'static str,
    name: &'static str,
    cases: Vec<Case>,
}

impl Subject {
    /// The kind of an operation of the tape.
    pub(crate) const OPERATION: &'static str = "operation";

    /// A subject of a `kind` (`layer`) called `name` (`conv2d`).
    pub fn new(kind: &'static str, name: &'static str, cases: Vec<Case>) -> Self {
        Self { kind, name, cases }
    }

    /// The kind: `operation`, `layer`, `loss`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The name within its kind, which is the name of its source file.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The cases that its gradients are checked on.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The subjects in `all` that are called `name`: by the name alone (`conv2d`), or with the kind before it
    /// (`layer conv2d`). An error if there are none.
    pub fn choose(all: Vec<Self>, name: &str) -> Result<Vec<Self>> {
        let chosen: Vec<Self> = all.into_iter().filter(|x| x.name == name || x.to_string() == name).collect();
        if chosen.is_empty() {
            return Err(Error::argument("gradcheck", format!("there is no operation called {name:?}")));
        }
        Ok(chosen)
    }
}

/// Displays the kind and the name: `layer conv2d`; of an operation the name alone.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Self::OPERATION => f.write_str(self.name),
            kind => write!(f, "{kind} {}", self.name),
        }
    }
}
