//! L1 and L2 penalties on parameters, to be added to a loss.

use crate::gradcheck::of_params;
use crate::optim::wide;
use crate::{Init, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Param, Result, Tensor};

/// λ Σ|w| over all elements of `params` (Tibshirani 1996): drives small weights to 0. An error when `params` is empty.
pub fn l1_penalty(params: &[Param], lambda: f64) -> Result<Tensor> {
    total("l1_penalty", params, lambda, |w| w.abs()?.sum_all())
}

/// ½λ Σw² over all elements of `params`: its gradient is λw, that of a weight decay of λ in SGD. An error when `params`
/// is empty.
pub fn l2_penalty(params: &[Param], lambda: f64) -> Result<Tensor> {
    total("l2_penalty", params, 0.5 * lambda, |w| w.mul(w)?.sum_all())
}

fn total(
    op: &'static str,
    params: &[Param],
    scale: f64,
    measure: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let Some((first, others)) = params.split_first() else {
        return Err(Error::argument(op, "there are no parameters to penalise"));
    };
    // Half precision is summed in f32: the sum may overflow f16 although its product with λ does not.
    let dtype = first.tensor().dtype();
    let measure = |param: &Param| measure(&param.tensor().cast(wide(param.tensor().dtype()))?);
    let sum = others.iter().try_fold(measure(first)?, |sum, param| sum.add(&measure(param)?))?;
    sum.mul_scalar(scale)?.cast(dtype)
}

pub(super) fn cases() -> Vec<Case> {
    let of = |name: &str, penalty: fn(&[Param], f64) -> Result<Tensor>| {
        let sum = move |_: &[Tensor], params: &Params| {
            let (w, b) = (params.get("w", [2, 3], Init::Zeros)?, params.get("b", [3], Init::Zeros)?);
            penalty(&[w, b], 0.3)
        };
        of_params(name, sum, 0).input([2, 3]).input([3])
    };
    vec![of("l1", l1_penalty), of("l2", l2_penalty)]
}
