//! Padé activation units (Molina, Schramowski and Kersting, "Padé activation units: end-to-end learning of flexible
//! activation functions in deep networks", ICLR 2020).

use crate::gradcheck::layer;
use crate::optim::wide;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Param, Result, Tensor};

/// (Σ_{j = 0…5} a_j xʲ) / (1 + Σ_{k = 1…4} |b_k xᵏ|): a rational function without poles, of ten learned coefficients, one
/// function for the whole layer. It starts close to a leaky ReLU of slope 0.01: within 0.03 for |x| ≤ 3.
///
/// The denominator is the one of the authors' program (its version A), to which their first coefficients belong; the
/// paper's text has |Σ b_k xᵏ|. Powers of x overflow f32 where |x| is over 10⁷: use it after a normalisation.
#[derive(Debug, Clone)]
pub struct Pau {
    path: String,
    numerator: Param,
    denominator: Param,
}

/// a_0 to a_5: the authors' approximation of a leaky ReLU.
const NUMERATOR: [f64; 6] = [0.02979246, 0.61837738, 2.32335207, 3.05202660, 1.48548002, 0.25103717];
/// b_1 to b_4.
const DENOMINATOR: [f64; 4] = [1.14201226, 4.39322834, 0.87154450, 0.34720652];

impl Pau {
    /// Creates `weight_numerator: [6]` (a) and `weight_denominator: [4]` (b) in `params`.
    pub fn new(params: &Params) -> Result<Self> {
        Ok(Self {
            path: params.path().to_owned(),
            numerator: params.get("weight_numerator", [6], Init::Values(&NUMERATOR))?,
            denominator: params.get("weight_denominator", [4], Init::Values(&DENOMINATOR))?,
        })
    }

    /// a_0 to a_5.
    pub fn numerator(&self) -> &Param {
        &self.numerator
    }

    /// b_1 to b_4.
    pub fn denominator(&self) -> &Param {
        &self.denominator
    }
}

impl Module for Pau {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let dtype = self.numerator.tensor().dtype();
            let x = context.in_param_dtype(x, dtype)?;
            // Halves are summed in f32: a power of x may overflow where the quotient does not.
            let wide = |tensor: &Tensor| tensor.cast(wide(tensor.dtype()));
            let (x, a, b) = (wide(&x)?, wide(&self.numerator.tensor())?, wide(&self.denominator.tensor())?);
            let above = horner(&x, &a)?;
            let size = x.abs()?;
            let below = horner(&size, &b.abs()?)?.mul(&size)?.add_scalar(1.0)?;
            above.div(&below)?.cast(dtype)
        })
    }
}

/// c_0 + c_1 x + c_2 x² + …, by Horner's rule.
fn horner(x: &Tensor, coefficients: &Tensor) -> Result<Tensor> {
    let zero = x.zeros_like()?;
    coefficients.unbind(0)?.iter().rev().try_fold(zero, |sum, coefficient| sum.mul(x)?.add(coefficient))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("rows", Pau::new).input_in([3, 4], -2.0, 2.0).input([6]).input([4]),
        // The first second derivative from the left is another than that from the right.
        layer("at 0", Pau::new)
            .values([1], vec![0.0])
            .values([6], vec![0.5, 2.0, 0.0, 0.0, 0.0, 0.0])
            .values([4], vec![3.0, 0.0, 0.0, 0.0])
            .subgradient(0, vec![2.0])
            .subgradient(1, vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    ]
}
