//! Softmax along an axis, yᵢ = eˣⁱ / Σ eˣʲ, and its logarithm. The largest x is subtracted first, so that eˣ does not
//! overflow.

use super::max::not_empty;
use super::shorthand::{fused, in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::no_grad;
use taper_backend::{FusedOp, Result};

impl Tensor {
    /// Softmax along `axis` (−1 is the last): eˣ / Σ eˣ, probabilities that sum to 1. An error when the axis is empty.
    pub fn softmax(&self, axis: isize) -> Result<Tensor> {
        softmax("softmax", self, axis, false)
    }

    /// ln softmax(x) along `axis` (−1 is the last), precise even where the probability underflows. An error when the
    /// axis is empty.
    pub fn log_softmax(&self, axis: isize) -> Result<Tensor> {
        softmax("log_softmax", self, axis, true)
    }
}

fn softmax(name: &'static str, x: &Tensor, axis: isize, log: bool) -> Result<Tensor> {
    check::float(name, x)?;
    let axis = x.shape().axis(name, axis)?;
    not_empty(name, x, axis)?;
    fused(
        name,
        &[x],
        move |x| Ok(FusedOp::Softmax { x: x[0].buffer()?, axis, log }),
        move |x| composed(&x[0], axis, log),
    )
}

fn composed(x: &Tensor, axis: usize, log: bool) -> Result<Tensor> {
    let axes = [axis as isize];
    if is_half(x) {
        return in_f32(x, |x| if log { x.log_softmax(axes[0]) } else { x.softmax(axes[0]) });
    }
    // Subtracting any constant gives the same value and the same gradients.
    let shifted = x.sub(&no_grad(|| x.max(&axes, true))?)?;
    let exponentials = shifted.exp()?;
    let sum = exponentials.sum(&axes, true)?;
    if log { shifted.sub(&sum.log()?) } else { exponentials.div(&sum) }
}

pub(super) fn cases() -> Vec<Case> {
    type Function = fn(&Tensor, isize) -> Result<Tensor>;
    let functions: [(&str, Function); 2] = [("softmax", Tensor::softmax), ("log_softmax", Tensor::log_softmax)];
    let mut cases = Vec::new();
    for (name, f) in functions {
        let case = |what: &str, axis| Case::new(format!("{name}, {what}"), move |x| f(&x[0], axis));
        cases.push(case("the last axis", -1).input([2, 4]));
        cases.push(case("channels", 1).input([2, 3, 2, 2]));
        cases.push(case("where eˣ overflows", 0).values([3], vec![1000.0, 999.0, 998.5]));
    }
    cases
}
