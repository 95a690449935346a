//! Flattening of dimensions that follow each other into one.

use crate::gradcheck::layer;
use crate::{Context, Module};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Result, Tensor};

/// Flattens `[N, C, H, W]` to `[N, C·H·W]`, and likewise any other `[N, …]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flatten;

impl Flatten {
    /// Flattens the dimensions from `start` to `end`, both included, as PyTorch's `Flatten(start, end)`; −1 is the last.
    pub fn dims(start: isize, end: isize) -> FlattenDims {
        FlattenDims { start, end }
    }
}

impl Module for Flatten {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        x.flatten(1)
    }
}

/// Flattens the dimensions from one to another into one: [`Flatten::dims`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlattenDims {
    start: isize,
    end: isize,
}

impl Module for FlattenDims {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        const OP: &str = "flatten";
        let shape = x.shape();
        let (start, end) = (shape.axis(OP, self.start)?, shape.axis(OP, self.end)?);
        if start > end {
            let detail = format!("dim {} of {shape} comes after dim {}: start must not", self.start, self.end);
            return Err(Error::argument(OP, detail));
        }
        let one: usize = shape[start..=end].iter().product();
        x.reshape([&shape[..start], &[one], &shape[end + 1..]].concat())
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("pictures", |_| Ok(Flatten)).input([2, 3, 2, 2]),
        layer("positions", |_| Ok(Flatten::dims(2, -1))).input([2, 3, 2, 2]),
    ]
}
