//! What is asked of layers by name, and which layers ran.

use crate::matches;
use std::collections::BTreeSet;
use std::fmt;
use taper_tensor::{Error, Result, Tensor};

/// The patterns of layers to capture, and to put into evaluation mode.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    pub capture: Vec<String>,
    pub eval: Vec<String>,
}

impl Watch {
    pub fn captures(&self, path: &str) -> bool {
        self.capture.iter().any(|pattern| matches(pattern, path))
    }

    pub fn evaluates(&self, path: &str) -> bool {
        self.eval.iter().any(|pattern| matches(pattern, path))
    }
}

/// The layers that ran under a context that watches, and the outputs that were captured.
#[derive(Default)]
pub(super) struct Seen {
    ran: BTreeSet<String>,
    captured: Vec<(String, Tensor)>,
}

/// How many paths an error lists.
const LISTED: usize = 40;

impl Seen {
    /// Notes that the layer ran, and its output if it is captured.
    pub fn note(&mut self, path: &str, output: Option<Tensor>) {
        if !self.ran.contains(path) {
            self.ran.insert(path.to_owned());
        }
        self.captured.extend(output.map(|output| (path.to_owned(), output)));
    }

    /// Whether the path of a layer that ran matches `pattern`.
    pub fn any(&self, pattern: &str) -> bool {
        self.ran.iter().any(|path| matches(pattern, path))
    }

    /// The outputs of the layers that match one of `patterns`. Every pattern must match one.
    pub fn captured(&self, patterns: &[String]) -> Result<Vec<(String, Tensor)>> {
        let error = |detail: String| Err(Error::argument("captured", detail));
        if patterns.is_empty() {
            return error("nothing was to be captured: name layers with capture before the forward pass".into());
        }
        let chosen = |pattern: &String, path: &String| matches(pattern, path);
        if let Some(pattern) =
            patterns.iter().find(|&pattern| !self.captured.iter().any(|(path, _)| chosen(pattern, path)))
        {
            return error(format!("no layer matches {pattern:?}; {}", self.told()));
        }
        let found = self.captured.iter().filter(|(path, _)| patterns.iter().any(|pattern| chosen(pattern, path)));
        Ok(found.cloned().collect())
    }

    /// The layers that ran, for an error.
    fn told(&self) -> String {
        let named: Vec<&str> = self.ran.iter().map(String::as_str).filter(|path| !path.is_empty()).collect();
        match named.len() {
            0 => "no layer with a path ran with this context".into(),
            1..=LISTED => format!("these ran: {}", named.join(", ")),
            count => format!("these ran: {} and {} more", named[..LISTED].join(", "), count - LISTED),
        }
    }
}

/// Names only: a tensor's `Debug` reads its value.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let captured: Vec<&str> = self.captured.iter().map(|(path, _)| path.as_str()).collect();
        f.debug_struct("Seen").field("ran", &self.ran).field("captured", &captured).finish()
    }
}
