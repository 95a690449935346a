//! Adaptive piecewise linear units (Agostinelli, Hoffman, Sadowski and Baldi, "Learning activation functions to improve deep
//! neural networks", 2014, equation 1).

use super::at_least_one;
use super::prelu::per_channel;
use crate::gradcheck::layer;
use crate::optim::wide;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Param, Result, Tensor};

/// max(0, x) + Σ_s a_s · max(0, b_s − x), with S learned slopes a and places b of hinges: S of them, or S for each channel
/// of `[N, C, …]`. Beyond its hinges it is the identity for large x, and linear for small x.
///
/// The paper has hinges for each unit; here the positions of a feature map share those of its channel.
#[derive(Debug, Clone)]
pub struct Apl {
    path: String,
    slope: Param,
    offset: Param,
}

impl Apl {
    /// Creates `slope` (a), uniform over ±0.2, and `offset` (b), normal with standard deviation 0.5, as the authors'
    /// program does, both `[hinges, num_parameters]`: `num_parameters` is 1, or the number of channels. An error when a
    /// number is 0.
    pub fn new(hinges: usize, num_parameters: usize, params: &Params) -> Result<Self> {
        at_least_one("apl", params.path(), &[("hinges", hinges), ("num_parameters", num_parameters)])?;
        let shape = [hinges, num_parameters];
        let slope = params.get("slope", shape, Init::Uniform { bound: 0.2 })?;
        let offset = params.get("offset", shape, Init::Normal { std: 0.5 })?;
        Ok(Self { path: params.path().to_owned(), slope, offset })
    }

    /// a, `[hinges, 1]` or `[hinges, C]`.
    pub fn slope(&self) -> &Param {
        &self.slope
    }

    /// b, `[hinges, 1]` or `[hinges, C]`.
    pub fn offset(&self) -> &Param {
        &self.offset
    }
}

impl Module for Apl {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let dtype = self.slope.tensor().dtype();
            let x = context.in_param_dtype(x, dtype)?;
            // Halves are summed in f32.
            let wide = |tensor: &Tensor| tensor.cast(wide(tensor.dtype()));
            let (x, slopes, offsets) = (wide(&x)?, wide(&self.slope.tensor())?, wide(&self.offset.tensor())?);
            let pairs = slopes.unbind(0)?.into_iter().zip(offsets.unbind(0)?);
            let sum = pairs.into_iter().try_fold(x.relu()?, |sum, (slope, offset)| {
                let [slope, offset] = [per_channel("apl", &x, &slope)?, per_channel("apl", &x, &offset)?];
                sum.add(&offset.sub(&x)?.relu()?.mul(&slope)?)
            })?;
            sum.cast(dtype)
        })
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("two hinges", |params| Apl::new(2, 1, params)).input([3, 4]).input([2, 1]).input([2, 1]),
        layer("three for each channel", |params| Apl::new(3, 2, params))
            .input([2, 2, 2, 2])
            .input([3, 2])
            .input([3, 2]),
    ]
}
