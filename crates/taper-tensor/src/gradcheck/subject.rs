//! What a check is of.

use super::Case;
use std::fmt;
use taper_backend::{Error, Result};

/// An operation, a layer, a loss: something with a name and the cases that its gradients are checked on.
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

    /// A `kind` of thing (`layer`) called `name` (`conv2d`).
    pub fn new(kind: &'static str, name: &'static str, cases: Vec<Case>) -> Self {
        Self { kind, name, cases }
    }

    /// What it is: `operation`, `layer`, `loss`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// What it is called among its kind: the name of its file.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it is checked on.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Those of `all` that are called `name`: by the name alone, or with the kind before it (`layer conv2d`). An error
    /// where none is.
    pub fn choose(all: Vec<Self>, name: &str) -> Result<Vec<Self>> {
        let chosen: Vec<Self> = all.into_iter().filter(|x| x.name == name || x.to_string() == name).collect();
        if chosen.is_empty() {
            return Err(Error::argument("gradcheck", format!("there is no operation called {name:?}")));
        }
        Ok(chosen)
    }
}

/// The name, behind the kind where that is not an operation.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Self::OPERATION => f.write_str(self.name),
            kind => write!(f, "{kind} {}", self.name),
        }
    }
}
