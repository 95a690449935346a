//! Rounding to integers: up, to the nearest, towards 0. The derivative is 0 between the steps, and defined as 0 at them.

use super::shorthand::{plain, step, unary};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// The smallest integer not below each element. The gradient is 0.
    pub fn ceil(&self) -> Result<Tensor> {
        stepped("ceil", self, |x| floor(&x.neg()?)?.neg())
    }

    /// The integer nearest to each element; from half way between two, the even one. The gradient is 0.
    pub fn round(&self) -> Result<Tensor> {
        stepped("round", self, |x| {
            // Of |x|, whose distance to ⌊|x|⌋ is exact.
            let size = x.abs()?;
            let below = floor(&size)?;
            let rest = size.sub(&below)?;
            let half = below.mul_scalar(0.5)?;
            let odd = half.ne(&floor(&half)?)?;
            let up = rest.gt_scalar(0.5)?.logical_or(&rest.eq_scalar(0.5)?.logical_and(&odd)?)?;
            signed(&up.select(&below.add_scalar(1.0)?, &below)?, x)
        })
    }

    /// Each element without what is behind the point. The gradient is 0.
    pub fn trunc(&self) -> Result<Tensor> {
        stepped("trunc", self, |x| signed(&floor(&x.abs()?)?, x))
    }
}

fn stepped(name: &'static str, x: &Tensor, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    check::float(name, x)?;
    Ok(step(name, x, f(&x.detach())?.into_buffer()?))
}

fn floor(x: &Tensor) -> Result<Tensor> {
    Ok(plain(x, unary("floor", UnaryOp::Floor, x)?))
}

/// `size` with the sign of x. An infinite x is its own.
fn signed(size: &Tensor, x: &Tensor) -> Result<Tensor> {
    x.lt_scalar(0.0)?.select(&size.neg()?, &x.eq_scalar(0.0)?.select(x, size)?)
}

pub(super) fn cases() -> Vec<Case> {
    let between = |name, f: fn(&Tensor) -> Result<Tensor>| {
        Case::new(name, move |x| f(&x[0])).values([4], vec![-1.7, -0.2, 0.3, 7.9]).zero_gradient(0)
    };
    vec![between("ceil", Tensor::ceil), between("round", Tensor::round), between("trunc", Tensor::trunc)]
}
