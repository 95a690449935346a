//! Layer norm (Ba, Kiros and Hinton 2016): y = (x − x̄) / √(σ² + ε) · w + b, with mean and biased variance over the last
//! dimensions of each sample.

use super::shorthand::{Affine, all_f32, fused, in_f32, is_half, optional};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, FusedOp, Result};

impl Tensor {
    /// Normalises over the last `dims` dimensions (1 to rank); `weight` and `bias` have the shape of those dimensions.
    /// `eps` is added to the variance.
    pub fn layer_norm(&self, dims: usize, weight: Option<&Tensor>, bias: Option<&Tensor>, eps: f64) -> Result<Tensor> {
        const OP: &str = "layer_norm";
        check::float(OP, self)?;
        let rank = self.shape().rank();
        if dims == 0 || dims > rank {
            let detail = format!("dims is {dims}, expected 1 to {rank} for an input of shape {}", self.shape());
            return Err(Error::argument(OP, detail));
        }
        for (name, tensor) in [("weight", weight), ("bias", bias)] {
            let Some(tensor) = tensor else { continue };
            check::same(OP, &["input", name], &[self, tensor])?;
            if tensor.shape()[..] != self.shape()[rank - dims..] {
                let detail = format!(
                    "{name} of shape {} must match the last {dims} dimensions of {}",
                    tensor.shape(),
                    self.shape()
                );
                return Err(Error::shape(OP, detail));
            }
        }
        let affine = Affine::of(weight, bias);
        fused(
            OP,
            &affine.inputs(self, weight, bias),
            move |all| {
                let (weight, bias) = affine.parts(all);
                let (x, weight, bias) = (all[0].buffer()?, optional(weight)?, optional(bias)?);
                Ok(FusedOp::LayerNorm { x, weight, bias, dims, eps })
            },
            move |all| {
                let (weight, bias) = affine.parts(all);
                composed(&all[0], weight, bias, dims, eps)
            },
        )
    }
}

fn composed(x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>, dims: usize, eps: f64) -> Result<Tensor> {
    if is_half(x) {
        let [weight, bias] = all_f32([weight, bias])?;
        return in_f32(x, |x| x.layer_norm(dims, weight.as_ref(), bias.as_ref(), eps));
    }
    let axes: Vec<isize> = (1..=dims as isize).map(|i| -i).collect();
    let centred = x.sub(&x.mean(&axes, true)?)?;
    let var = centred.mul(&centred)?.mean(&axes, true)?;
    let mut y = centred.div(&var.add_scalar(eps)?.sqrt()?)?;
    if let Some(weight) = weight {
        y = y.mul(weight)?;
    }
    bias.map_or(Ok(y.clone()), |bias| y.add(bias))
}

pub(super) fn cases() -> Vec<Case> {
    const EPS: f64 = 1e-5;
    vec![
        Case::new("the last dimension", |x| x[0].layer_norm(1, Some(&x[1]), Some(&x[2]), EPS))
            .input([3, 4])
            .input([4])
            .input([4]),
        Case::new("two dimensions", |x| x[0].layer_norm(2, Some(&x[1]), Some(&x[2]), EPS))
            .input([2, 3, 4])
            .input([3, 4])
            .input([3, 4]),
        Case::new("weight alone", |x| x[0].layer_norm(1, Some(&x[1]), None, EPS)).input([2, 5]).input([5]),
        Case::new("bias alone", |x| x[0].layer_norm(1, None, Some(&x[1]), EPS)).input([2, 5]).input([5]),
        Case::new("neither", |x| x[0].layer_norm(1, None, None, 0.1)).input([2, 3]),
    ]
}
