//! Sinusoidal positions (Vaswani et al., "Attention is all you need", 2017, section 3.5): PE(p, 2i) = sin(p / 10000^(2i/E)),
//! PE(p, 2i + 1) = cos(p / 10000^(2i/E)).

use super::{at, at_least_one};
use crate::gradcheck::layer;
use crate::{Context, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Result, Tensor};

/// Adds the positions 0, 1, … to `[N, T, E]`. It has no parameters, and none of its numbers is in a state dict.
#[derive(Debug, Clone)]
pub struct SinusoidalPositions {
    path: String,
    /// `[longest, E]`.
    table: Tensor,
}

impl SinusoidalPositions {
    /// For sequences of up to `longest` positions, of `size` features (E).
    ///
    /// # Errors
    /// A size of 0.
    pub fn new(size: usize, longest: usize, params: &Params) -> Result<Self> {
        at_least_one("sinusoidal_positions", params.path(), &[("size", size), ("longest", longest)])?;
        let angle = |p: usize, i: usize| p as f64 / 10_000f64.powf((i - i % 2) as f64 / size as f64);
        let value = |p: usize, i: usize| if i.is_multiple_of(2) { angle(p, i).sin() } else { angle(p, i).cos() };
        let values: Vec<f64> = (0..longest).flat_map(|p| (0..size).map(move |i| value(p, i))).collect();
        let table = Tensor::from_vec(values, [longest, size], params.device())?.cast(params.dtype())?;
        Ok(Self { path: params.path().to_owned(), table })
    }

    /// The numbers, `[longest, E]`.
    pub fn table(&self) -> &Tensor {
        &self.table
    }

    /// `x: [N, T, E]` with the positions `first`, `first` + 1, … added.
    ///
    /// # Errors
    /// More positions than there are.
    pub fn add_from(&self, x: &Tensor, first: usize, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |_| {
            let (longest, size) = (self.table.shape()[0], self.table.shape()[1]);
            let fits = x.shape().rank() == 3 && x.shape()[2] == size;
            if !fits || first.saturating_add(x.shape()[1]) > longest {
                let detail = format!(
                    "expected [N, T, {size}] with at most {longest} positions, came {} from position {first} on",
                    x.shape()
                );
                return at("", Err(Error::shape("sinusoidal_positions", detail)));
            }
            x.add(&self.table.narrow(0, first, x.shape()[1])?.cast(x.dtype())?)
        })
    }
}

impl Module for SinusoidalPositions {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.add_from(x, 0, context)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![layer("a sequence", |params| SinusoidalPositions::new(5, 7, params)).input([2, 3, 5])]
}
