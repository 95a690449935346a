//! Upsampling by nearest neighbours or linear interpolation, as PyTorch's `Upsample`.

use crate::gradcheck::layer;
use crate::{Context, Module};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Interpolation, Result, Tensor};

/// Resizes the dimensions after the first two of `[N, C, L]`, `[N, C, H, W]` or more, by a factor or to a size. Linear
/// interpolation is PyTorch's `linear`, `bilinear` or `trilinear`, by the number of these dimensions.
///
/// Sizes by a factor are rounded down. Places are measured by the factor itself, as in PyTorch.
#[derive(Debug, Clone, PartialEq)]
pub struct Upsample {
    to: Target,
    mode: Interpolation,
}

#[derive(Debug, Clone, PartialEq)]
enum Target {
    /// One factor for all dimensions.
    Factor(f64),
    /// One factor for each dimension.
    Factors(Vec<f64>),
    /// One size for each dimension.
    Size(Vec<usize>),
}

impl Upsample {
    /// By `scale_factor` along every dimension, with nearest neighbours.
    pub fn new(scale_factor: f64) -> Self {
        Self { to: Target::Factor(scale_factor), mode: Interpolation::Nearest }
    }

    /// By a factor for each dimension after the first two, with nearest neighbours.
    pub fn by(scale_factors: impl Into<Vec<f64>>) -> Self {
        Self { to: Target::Factors(scale_factors.into()), mode: Interpolation::Nearest }
    }

    /// To a size for each dimension after the first two, with nearest neighbours.
    pub fn to(size: impl Into<Vec<usize>>) -> Self {
        Self { to: Target::Size(size.into()), mode: Interpolation::Nearest }
    }

    /// Sets how the values in between are found.
    pub fn mode(self, mode: Interpolation) -> Self {
        Self { mode, ..self }
    }

    /// Linear interpolation along each dimension (`bilinear` for pictures).
    pub fn linear(self, align_corners: bool) -> Self {
        self.mode(Interpolation::Linear { align_corners })
    }
}

impl Module for Upsample {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        match &self.to {
            Target::Factor(factor) => x.interpolate_by(&vec![*factor; x.shape().rank().saturating_sub(2)], self.mode),
            Target::Factors(factors) => x.interpolate_by(factors, self.mode),
            Target::Size(size) => x.interpolate(size, self.mode),
        }
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("nearest, doubled", |_| Ok(Upsample::new(2.0))).input([2, 2, 2, 3]),
        layer("bilinear, doubled", |_| Ok(Upsample::new(2.0).linear(false))).input([1, 2, 2, 3]),
        layer("bilinear, corners aligned", |_| Ok(Upsample::to([3, 5]).linear(true))).input([1, 2, 2, 3]),
        layer("a sequence by a factor", |_| Ok(Upsample::by([1.6]).linear(false))).input([2, 1, 4]),
    ]
}
