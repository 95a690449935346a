//! The parametric rectifier (He et al., "Delving deep into rectifiers", ICCV 2015, section 2.1), as PyTorch's `PReLU`.

use super::at_least_one;
use crate::gradcheck::layer;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Param, Result, Tensor};

/// x where x > 0, and a · x elsewhere, with learned slopes `weight`: one, or one for each channel of `[N, C, …]`.
///
/// Weight decay pulls the slopes to 0, that is to ReLU; the paper uses none on them.
#[derive(Debug, Clone)]
pub struct PRelu {
    path: String,
    weight: Param,
}

impl PRelu {
    /// Creates `weight` in `params`: `num_parameters` slopes of 0.25; 1, or the number of channels. An error when it is 0.
    pub fn new(num_parameters: usize, params: &Params) -> Result<Self> {
        Self::with_slope(num_parameters, 0.25, params)
    }

    /// The same with slopes of `slope` at first.
    pub fn with_slope(num_parameters: usize, slope: f64, params: &Params) -> Result<Self> {
        at_least_one("prelu", params.path(), &[("num_parameters", num_parameters)])?;
        let weight = params.get("weight", [num_parameters], Init::Constant(slope))?;
        Ok(Self { path: params.path().to_owned(), weight })
    }

    /// The slopes, `[1]` or `[C]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }
}

impl Module for PRelu {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let weight = self.weight.tensor();
            let x = context.in_param_dtype(x, weight.dtype())?;
            let slopes = per_channel("prelu", &x, &weight)?;
            let (above, zero) = (x.gt_scalar(0.0)?, Tensor::zeros([], x.dtype(), x.device())?);
            // What is not chosen is 0 before it is multiplied: 0 · ∞ would be NaN in the slopes' gradients.
            above.select(&x, &above.select(&zero, &x)?.mul(&slopes)?)
        })
    }
}

/// One number, or one for each channel, `[C]`, shaped to broadcast to `x`: `[N, C, …]`.
pub(super) fn per_channel(op: &'static str, x: &Tensor, parameter: &Tensor) -> Result<Tensor> {
    let (shape, count) = (x.shape(), parameter.count());
    match count {
        1 => parameter.reshape([]),
        _ if shape.rank() >= 2 && shape[1] == count => {
            parameter.reshape([&[count][..], &vec![1; shape.rank() - 2]].concat())
        }
        _ => {
            let detail = format!("expected [N, C, …] with C = {count} (dim 1), the input came as {shape}");
            Err(Error::shape(op, detail))
        }
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("one slope", |params| PRelu::new(1, params)).input([3, 4]).input([1]),
        layer("a slope for each channel", |params| PRelu::new(3, params)).input([2, 3, 2, 2]).input([3]),
        layer("at the kink", |params| PRelu::new(1, params))
            .values([3], vec![0.0, 1.0, -2.0])
            .values([1], vec![0.5])
            .subgradient(0, vec![0.5, 1.0, 0.5])
            .subgradient(1, vec![-2.0]),
    ]
}
