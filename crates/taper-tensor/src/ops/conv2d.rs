//! 2-D convolution and its two gradients. All three functions are linear in both arguments, and the gradients of each
//! are given by the other two:
//!
//! y = conv(x, w); dL/dx = input_grad(g, w); dL/dw = weight_grad(x, g) for g = dL/dy, and so on for gradients of
//! gradients.
//!
//! The value stays pending, so that an activation and a max pooling that follow are fused with it into one kernel.

use super::shorthand::{chain_gradients, in_f32, is_half, optional, plain};
use super::{activation, max_pool2d};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::pending::Pending;
use crate::tape::{Fused, Rule, no_grad};
use crate::tensor::Value;
use taper_backend::{Activation, Buffer, Conv2dSpec, DType, Error, FusedOp, Pool2dSpec, Result, Shape};

impl Tensor {
    /// Convolves `[N, C_in, H, W]` with `weight: [C_out, C_in / groups, Kh, Kw]` and adds `bias: [C_out]`:
    /// `[N, C_out, H_out, W_out]`, see [`Conv2dSpec::output_shape`].
    pub fn conv2d(&self, weight: &Tensor, bias: Option<&Tensor>, spec: Conv2dSpec) -> Result<Tensor> {
        check::float("conv2d", self)?;
        check::same("conv2d", &["input", "weight"], &[self, weight])?;
        let shape = spec.output_shape(self.shape(), weight.shape())?;
        check::size("conv2d", &shape, self.dtype())?;
        if let Some(bias) = bias {
            check::same("conv2d", &["input", "bias"], &[self, bias])?;
            if bias.shape()[..] != shape[1..2] {
                let detail =
                    format!("bias must be [{}] for weight {}, came as {}", shape[1], weight.shape(), bias.shape());
                return Err(Error::shape("conv2d", detail));
            }
        }
        // The inputs are computed now, so that computing the pending value does not recurse into a long chain.
        for input in [Some(self), Some(weight), bias].into_iter().flatten() {
            input.buffer()?;
        }
        let block = Block {
            x: self.clone(),
            weight: weight.clone(),
            bias: bias.cloned(),
            spec,
            f: Activation::Identity,
            pool: None,
        };
        let chain = Chain { block, between: Vec::new() };
        let value = Value::Pending(shape, self.dtype(), Box::new(chain));
        let mut inputs = vec![self, weight];
        inputs.extend(bias);
        Ok(Tensor::record("conv2d", value, &inputs, || {
            let (x, weight) = (self.clone(), weight.clone());
            Rule::tensors(move |g, needs| {
                let of_x = || input_grad(g, &weight, spec, x.shape());
                let of_weight = || weight_grad(&x, g, spec, weight.shape());
                let mut gradients = vec![needs[0].then(of_x).transpose()?, needs[1].then(of_weight).transpose()?];
                if let Some(&need) = needs.get(2) {
                    gradients.push(need.then(|| g.sum(&[0, 2, 3], false)).transpose()?);
                }
                Ok(gradients)
            })
        }))
    }
}

/// dL/dx from g = dL/dy: a transposed convolution of g.
pub(super) fn input_grad(g: &Tensor, weight: &Tensor, spec: Conv2dSpec, x_shape: &Shape) -> Result<Tensor> {
    let y = g.device().conv2d_input_grad(g.buffer()?, weight.buffer()?, &spec, x_shape)?;
    Ok(Tensor::record("conv2d_input_grad", y, &[g, weight], || {
        let (g, weight) = (g.clone(), weight.clone());
        Rule::tensors(move |gg, needs| {
            let of_g = || gg.conv2d(&weight, None, spec);
            let of_weight = || weight_grad(gg, &g, spec, weight.shape());
            Ok(vec![needs[0].then(of_g).transpose()?, needs[1].then(of_weight).transpose()?])
        })
    }))
}

/// dL/dw from g = dL/dy.
fn weight_grad(x: &Tensor, g: &Tensor, spec: Conv2dSpec, weight_shape: &Shape) -> Result<Tensor> {
    let y = g.device().conv2d_weight_grad(x.buffer()?, g.buffer()?, &spec, weight_shape)?;
    Ok(Tensor::record("conv2d_weight_grad", y, &[x, g], || {
        let (x, g) = (x.clone(), g.clone());
        Rule::tensors(move |gg, needs| {
            let of_x = || input_grad(&g, gg, spec, x.shape());
            let of_g = || x.conv2d(gg, None, spec);
            Ok(vec![needs[0].then(of_x).transpose()?, needs[1].then(of_g).transpose()?])
        })
    }))
}

/// pool(f(conv(x, weight) + bias)).
#[derive(Clone)]
struct Block {
    x: Tensor,
    weight: Tensor,
    bias: Option<Tensor>,
    spec: Conv2dSpec,
    f: Activation,
    pool: Option<Pool2dSpec>,
}

impl Block {
    fn op(&self) -> Result<FusedOp<'_>> {
        let (x, weight, bias) = (self.x.buffer()?, self.weight.buffer()?, optional(self.bias.as_ref())?);
        Ok(FusedOp::Conv2dBlock { x, weight, bias, spec: self.spec, f: self.f, pool: self.pool })
    }
}

/// A pending block.
struct Chain {
    block: Block,
    /// The tensors of the steps before the last.
    between: Vec<Tensor>,
}

impl Chain {
    /// The value of the chain where the backend has no kernel for it: computes the last step from the value before it.
    fn last_step(&self) -> Result<Buffer> {
        let Block { x, weight, bias, spec, f, pool } = &self.block;
        match (self.between.last(), pool) {
            (Some(previous), Some(pool)) => max_pool2d::forward(previous, pool),
            (Some(previous), None) => activation::forward(previous, *f),
            (None, _) => {
                let product = || x.device().conv2d(x.buffer()?, weight.buffer()?, spec);
                let Some(bias) = bias else { return product() };
                if is_half(x) {
                    // The bias is added in f32, so that the sum is rounded only once.
                    let [weight, bias] = [weight, bias].map(|x| no_grad(|| x.cast(DType::F32)));
                    let sum = |x: &Tensor| x.conv2d(&weight?, Some(&bias?), *spec);
                    return no_grad(|| in_f32(x, sum))?.into_buffer();
                }
                no_grad(|| plain(x, product()?).add(&bias.reshape([bias.count(), 1, 1])?))?.into_buffer()
            }
        }
    }

    /// This chain and one more step, which makes it `block`: `this`, the tensor with the chain's value so far, joins
    /// `between`.
    fn longer(&self, this: &Tensor, block: Block) -> Box<dyn Pending> {
        Box::new(Self { block, between: self.between.iter().chain([this]).cloned().collect() })
    }
}

impl Pending for Chain {
    fn compute(&self) -> Result<(Buffer, Option<Fused>)> {
        let block = self.block.clone();
        let Some(output) = block.x.device().fused(&block.op()?)? else { return Ok((self.last_step()?, None)) };
        let saved = output.saved;
        let inputs = [Some(&self.block.x), Some(&self.block.weight), self.block.bias.as_ref()];
        let inputs: Vec<&Tensor> = inputs.into_iter().flatten().collect();
        let fused = Fused::new(&inputs, &self.between, move |g, needs| chain_gradients(&block.op()?, g, &saved, needs));
        Ok((output.y, Some(fused)))
    }

    fn then_activation(&self, this: &Tensor, f: Activation) -> Option<Box<dyn Pending>> {
        let free = self.block.f == Activation::Identity && self.block.pool.is_none();
        free.then(|| self.longer(this, Block { f, ..self.block.clone() }))
    }

    fn then_max_pool2d(&self, this: &Tensor, spec: &Pool2dSpec) -> Option<Box<dyn Pending>> {
        let free = self.block.pool.is_none();
        free.then(|| self.longer(this, Block { pool: Some(*spec), ..self.block.clone() }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    let conv = |name: &str, spec: Conv2dSpec, x: [usize; 4], w: [usize; 4]| {
        Case::new(name, move |x| x[0].conv2d(&x[1], Some(&x[2]), spec)).input(x).input(w).input([w[0]])
    };
    let plain = Conv2dSpec::default();
    let padded = Conv2dSpec { padding: [1, 1], ..plain };
    let block = |name: &str, f: Activation, pool: Option<Pool2dSpec>| {
        let case = Case::new(name, move |x| {
            let y = x[0].conv2d(&x[1], Some(&x[2]), padded)?.activation(f)?;
            pool.map_or(Ok(y.clone()), |pool| y.max_pool2d(pool))
        });
        case.input([2, 3, 4, 6]).input([4, 3, 3, 3]).input([4])
    };
    vec![
        conv("plain", plain, [2, 3, 4, 5], [2, 3, 3, 2]),
        conv("1 × 1", plain, [2, 3, 2, 2], [4, 3, 1, 1]),
        conv("padding", padded, [1, 2, 3, 3], [3, 2, 3, 3]),
        conv("stride", Conv2dSpec { stride: [2, 3], ..padded }, [2, 2, 5, 7], [2, 2, 3, 3]),
        conv("dilation", Conv2dSpec { dilation: [2, 1], ..padded }, [1, 2, 5, 4], [2, 2, 2, 3]),
        conv("groups", Conv2dSpec { groups: 2, ..padded }, [2, 4, 3, 3], [6, 2, 3, 3]),
        conv("depthwise, stride 2", Conv2dSpec { groups: 3, stride: [2, 2], ..padded }, [1, 3, 5, 5], [3, 1, 3, 3]),
        Case::new("no bias", move |x| x[0].conv2d(&x[1], None, padded)).input([1, 2, 3, 3]).input([2, 2, 3, 3]),
        block("with ReLU", Activation::Relu, None),
        block("with ReLU and max pooling", Activation::Relu, Some(Pool2dSpec::square(2))),
        block("with tanh and max pooling", Activation::Tanh, Some(Pool2dSpec::square(2))),
        block("with max pooling", Activation::Identity, Some(Pool2dSpec::square(2))),
        Case::new("a step in the middle read too", move |x| {
            let y = x[0].conv2d(&x[1], None, padded)?;
            y.relu()?.max_pool2d(Pool2dSpec::square(2))?.sum_all()?.add(&y.mul(&y)?.sum_all()?)
        })
        .input([1, 2, 4, 4])
        .input([2, 2, 3, 3]),
    ]
}
