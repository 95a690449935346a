//! A linear layer, y = x Wᵀ + b. The value stays pending, so that an activation that follows is fused with it into one
//! kernel.

use super::activation;
use super::shorthand::{chain_gradients, in_f32, is_half, optional, plain};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::pending::Pending;
use crate::tape::{Fused, Rule, no_grad};
use crate::tensor::Value;
use taper_backend::{Activation, Buffer, DType, Error, FusedOp, Result};

impl Tensor {
    /// x weightᵀ + bias for x `[…, in]`, `weight: [out, in]` and `bias: [out]`: `[…, out]`.
    pub fn linear(&self, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        check::float("linear", self)?;
        check::same("linear", &["input", "weight"], &[self, weight])?;
        let (rank, weight_rank) = (self.shape().rank(), weight.shape().rank());
        if weight_rank != 2 || rank == 0 || self.shape()[rank - 1] != weight.shape()[1] {
            let detail = format!(
                "weight {} must be [out, in] with in (dim 1) the last dimension of the input {}",
                weight.shape(),
                self.shape()
            );
            return Err(Error::shape("linear", detail));
        }
        let out = weight.shape()[0];
        if let Some(bias) = bias {
            check::same("linear", &["input", "bias"], &[self, bias])?;
            if bias.shape()[..] != [out] {
                let detail = format!("bias must be [{out}] for weight {}, came as {}", weight.shape(), bias.shape());
                return Err(Error::shape("linear", detail));
            }
        }
        let rows = self.shape()[..rank - 1].iter().product();
        let y = rows_linear(&self.reshape([rows, weight.shape()[1]])?, weight, bias)?;
        y.reshape([&self.shape()[..rank - 1], &[out]].concat())
    }
}

/// [`Tensor::linear`] for `x: [N, in]`.
fn rows_linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    // The inputs are computed now, so that computing the pending value does not recurse into a long chain.
    for input in [Some(x), Some(weight), bias].into_iter().flatten() {
        input.buffer()?;
    }
    let layer = Layer { x: x.clone(), weight: weight.clone(), bias: bias.cloned(), f: Activation::Identity };
    let chain = Chain { layer, between: Vec::new() };
    let value = Value::Pending([x.shape()[0], weight.shape()[0]].into(), x.dtype(), Box::new(chain));
    let mut inputs = vec![x, weight];
    inputs.extend(bias);
    Ok(Tensor::record("linear", value, &inputs, || {
        let (x, weight) = (x.clone(), weight.clone());
        Rule::tensors(move |g, needs| {
            let of_x = || g.matmul(&weight);
            let of_weight = || g.matmul_t(&x, [true, false]);
            let mut gradients = vec![needs[0].then(of_x).transpose()?, needs[1].then(of_weight).transpose()?];
            if let Some(&need) = needs.get(2) {
                gradients.push(need.then(|| g.sum(&[0], false)).transpose()?);
            }
            Ok(gradients)
        })
    }))
}

/// f(x weightᵀ + bias).
#[derive(Clone)]
struct Layer {
    x: Tensor,
    weight: Tensor,
    bias: Option<Tensor>,
    f: Activation,
}

impl Layer {
    fn op(&self) -> Result<FusedOp<'_>> {
        let (x, weight, bias) = (self.x.buffer()?, self.weight.buffer()?, optional(self.bias.as_ref())?);
        Ok(FusedOp::Linear { x, weight, bias, f: self.f })
    }
}

/// A pending layer.
#[derive(Clone)]
struct Chain {
    layer: Layer,
    /// The tensor before the activation, if the chain has an activation.
    between: Vec<Tensor>,
}

impl Chain {
    /// The value of the chain where the backend has no kernel for it: computes the last step from the value before it.
    fn last_step(&self) -> Result<Buffer> {
        let Layer { x, weight, bias, f } = &self.layer;
        if let Some(previous) = self.between.last() {
            return activation::forward(previous, *f);
        }
        let product = || x.device().matmul(x.buffer()?, weight.buffer()?, false, true);
        let Some(bias) = bias else { return product() };
        if is_half(x) {
            // The bias is added in f32, so that the sum is rounded only once.
            let [weight, bias] = [weight, bias].map(|x| no_grad(|| x.cast(DType::F32)));
            return no_grad(|| in_f32(x, |x| x.linear(&weight?, Some(&bias?))))?.into_buffer();
        }
        no_grad(|| plain(x, product()?).add(bias))?.into_buffer()
    }
}

impl Pending for Chain {
    fn compute(&self) -> Result<(Buffer, Option<Fused>)> {
        let layer = self.layer.clone();
        let Some(output) = layer.x.device().fused(&layer.op()?)? else { return Ok((self.last_step()?, None)) };
        let saved = output.saved;
        let inputs = [Some(&self.layer.x), Some(&self.layer.weight), self.layer.bias.as_ref()];
        let inputs: Vec<&Tensor> = inputs.into_iter().flatten().collect();
        let fused = Fused::new(&inputs, &self.between, move |g, needs| chain_gradients(&layer.op()?, g, &saved, needs));
        Ok((output.y, Some(fused)))
    }

    fn then_activation(&self, this: &Tensor, f: Activation) -> Option<Box<dyn Pending>> {
        if self.layer.f != Activation::Identity {
            return None;
        }
        Some(Box::new(Self { layer: Layer { f, ..self.layer.clone() }, between: vec![this.clone()] }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    let with = |name: &str, f: Activation| {
        Case::new(name, move |x| x[0].linear(&x[1], Some(&x[2]))?.activation(f)).input([3, 4]).input([2, 4]).input([2])
    };
    vec![
        with("plain", Activation::Identity),
        with("with ReLU", Activation::Relu),
        with("with GELU", Activation::Gelu),
        Case::new("no bias", |x| x[0].linear(&x[1], None)).input([3, 4]).input([2, 4]),
        Case::new("leading dimensions", |x| x[0].linear(&x[1], Some(&x[2]))).input([2, 3, 4]).input([2, 4]).input([2]),
        Case::new("one row", |x| x[0].linear(&x[1], Some(&x[2]))).input([4]).input([2, 4]).input([2]),
    ]
}
