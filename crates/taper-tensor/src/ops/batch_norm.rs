//! Batch norm (Ioffe and Szegedy 2015): y = (x − μ) / √(σ² + ε) · w + b for each channel, with the batch's mean μ and
//! biased variance σ² in training, and given ones in evaluation.
//!
//! In training the statistics are computed at once. Where the backend offers batch norm in two halves, the output stays
//! pending, so that the addition of a tensor of the same shape and an activation that follow are fused with it.

use super::NormStats;
use super::shorthand::{Affine, all_f32, chain_gradients, in_f32, is_half, optional, plain, recorded};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::pending::Pending;
use crate::tape::{Fused, Rule};
use crate::tensor::Value;
use taper_backend::{Activation, Buffer, DType, Error, FusedOp, FusedOutput, Result, Saved};

impl Tensor {
    /// Batch norm in training: normalises each channel of `[N, C, …]` over batch and positions; `weight` and `bias` are
    /// `[C]`, `eps` is added to the variance. Returns the output and the batch's statistics, through which no gradient
    /// flows. An error when a channel has only one value.
    pub fn batch_norm(&self, weight: Option<&Tensor>, bias: Option<&Tensor>, eps: f64) -> Result<(Tensor, NormStats)> {
        check_channels(self, &[("weight", weight), ("bias", bias)])?;
        if self.count() == self.shape()[1] {
            let detail = format!(
                "expected more than one value for each channel in training, the input is {}: one value has no variance; \
                 train on a larger batch, or leave out the last one where it is smaller",
                self.shape()
            );
            return Err(Error::shape(OP, detail));
        }
        let affine = Affine::of(weight, bias);
        let halved = self.device().fused(&FusedOp::BatchNormStats { x: self.buffer()?, eps })?;
        if let Some(FusedOutput { y: mean, more, saved }) = halved {
            let [var] = further(self, more)?;
            let stats = NormStats { mean: plain(self, mean), var };
            return Ok((pending(self, weight, bias, saved, eps)?, stats));
        }
        let inputs = affine.inputs(self, weight, bias);
        let all: Vec<Tensor> = inputs.iter().map(|&input| input.clone()).collect();
        let Some(FusedOutput { y, more, saved }) = self.device().fused(&whole(&all, affine, eps)?)? else {
            return composed(self, weight, bias, eps);
        };
        let [mean, var] = further(self, more)?;
        let y = recorded(
            OP,
            (y, saved),
            &inputs,
            all,
            move |all| whole(all, affine, eps),
            move |all| composed_output(all, affine, eps),
        );
        Ok((y, NormStats { mean, var }))
    }

    /// Batch norm in evaluation: normalises each channel of `[N, C, …]` with the given statistics, each `[C]`, usually
    /// the running ones.
    pub fn batch_norm_eval(
        &self,
        mean: &Tensor,
        var: &Tensor,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
    ) -> Result<Tensor> {
        check_channels(self, &[("mean", Some(mean)), ("var", Some(var)), ("weight", weight), ("bias", bias)])?;
        if is_half(self) {
            let [weight, bias] = all_f32([weight, bias])?;
            let (mean, var) = (mean.cast(DType::F32)?, var.cast(DType::F32)?);
            return in_f32(self, |x| x.batch_norm_eval(&mean, &var, weight.as_ref(), bias.as_ref(), eps));
        }
        // One factor and one offset for each channel: y = x · f + (b − μ f).
        let mut factor = var.add_scalar(eps)?.sqrt()?.recip()?;
        if let Some(weight) = weight {
            factor = factor.mul(weight)?;
        }
        let mut offset = mean.mul(&factor)?.neg()?;
        if let Some(bias) = bias {
            offset = offset.add(bias)?;
        }
        self.mul(&per_channel(self, &factor)?)?.add(&per_channel(self, &offset)?)
    }
}

const OP: &str = "batch_norm";

/// An error unless `x` is `[N, C, …]` and each of `tensors` is `[C]`.
fn check_channels(x: &Tensor, tensors: &[(&str, Option<&Tensor>)]) -> Result<()> {
    check::float(OP, x)?;
    if x.shape().rank() < 2 {
        return Err(Error::shape(OP, format!("input must be [N, C, …], came as {}", x.shape())));
    }
    for (name, tensor) in tensors {
        let Some(tensor) = tensor else { continue };
        check::same(OP, &["input", name], &[x, tensor])?;
        if tensor.shape()[..] != x.shape()[1..2] {
            let detail = format!(
                "{name} of shape {} must be [{}], the channels (dim 1) of the input {}",
                tensor.shape(),
                x.shape()[1],
                x.shape()
            );
            return Err(Error::shape(OP, detail));
        }
    }
    Ok(())
}

/// `values: [C]` reshaped so that they broadcast over `x: [N, C, …]`.
fn per_channel(x: &Tensor, values: &Tensor) -> Result<Tensor> {
    let mut dims = vec![1; x.shape().rank() - 1];
    dims[0] = values.count();
    values.reshape(dims)
}

/// Batch norm as one operation of a backend, of its inputs that are present.
fn whole(all: &[Tensor], affine: Affine, eps: f64) -> Result<FusedOp<'_>> {
    let (weight, bias) = affine.parts(all);
    Ok(FusedOp::BatchNorm { x: all[0].buffer()?, weight: optional(weight)?, bias: optional(bias)?, eps })
}

/// A fused operation's outputs after the first, as tensors on the device of `x`.
fn further<const N: usize>(x: &Tensor, outputs: Vec<Buffer>) -> Result<[Tensor; N]> {
    let count = outputs.len();
    let outputs: Vec<Tensor> = outputs.into_iter().map(|output| plain(x, output)).collect();
    let wrong = |_| Error::Device(format!("{}: {OP} gave {count} further outputs, expected {N}", x.device().name()));
    outputs.try_into().map_err(wrong)
}

/// The output of batch norm in training, pending. `saved` holds the batch's statistics, which are already computed.
fn pending(x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>, saved: Saved, eps: f64) -> Result<Tensor> {
    for parameter in [weight, bias].into_iter().flatten() {
        parameter.buffer()?;
    }
    let affine = Affine::of(weight, bias);
    let chain = Chain {
        x: x.clone(),
        weight: weight.cloned(),
        bias: bias.cloned(),
        saved,
        residual: None,
        activation: Activation::Identity,
        between: Vec::new(),
    };
    let alone = chain.clone();
    let value = Value::Pending(x.shape().clone(), x.dtype(), Box::new(chain));
    let inputs = affine.inputs(x, weight, bias);
    Ok(Tensor::record(OP, value, &inputs, || {
        let backward = move |g: &Tensor, needs: &[bool]| alone.gradients(g, needs).map(Some);
        Rule::kernel(backward, &inputs, move |all| composed_output(all, affine, eps))
    }))
}

/// The pending chain `f((x − μ) / √(σ² + ε) · w + b + residual)`.
#[derive(Clone)]
struct Chain {
    x: Tensor,
    weight: Option<Tensor>,
    bias: Option<Tensor>,
    saved: Saved,
    residual: Option<Tensor>,
    activation: Activation,
    /// The tensors of the steps before the last.
    between: Vec<Tensor>,
}

impl Chain {
    /// The values of weight, bias and residual, where present.
    fn others(&self) -> Result<[Option<&Buffer>; 3]> {
        let [weight, bias, residual] =
            [&self.weight, &self.bias, &self.residual].map(|x| x.as_ref().map(Tensor::buffer).transpose());
        Ok([weight?, bias?, residual?])
    }

    /// The inputs that are present, in order.
    fn inputs(&self) -> Vec<&Tensor> {
        let others = [&self.weight, &self.bias, &self.residual];
        std::iter::once(&self.x).chain(others.into_iter().flatten()).collect()
    }

    fn op(&self) -> Result<FusedOp<'_>> {
        let (x, [weight, bias, residual]) = (self.x.buffer()?, self.others()?);
        Ok(FusedOp::BatchNormBlock { x, weight, bias, residual, stats: &self.saved, f: self.activation })
    }

    /// A gradient or `None` for each of [`Chain::inputs`], of which `needs` says which need one.
    fn gradients(&self, g: &Tensor, needs: &[bool]) -> Result<Vec<Option<Tensor>>> {
        chain_gradients(&self.op()?, g, &Saved::nothing(), needs)
    }

    /// A copy of this chain for one more step: `this`, the tensor with the chain's value so far, joins `between`.
    fn longer(&self, this: &Tensor) -> Self {
        let mut longer = self.clone();
        longer.between.push(this.clone());
        longer
    }
}

impl Pending for Chain {
    fn compute(&self) -> Result<(Buffer, Option<Fused>)> {
        let output = self.x.device().fused(&self.op()?)?.ok_or_else(|| {
            Error::argument("batch_norm_block", "the backend computes the statistics and not the output")
        })?;
        // The rule must not hold the tensors of the steps between, which would keep their own chains alive.
        let chain = Self { between: Vec::new(), ..self.clone() };
        Ok((output.y, Some(Fused::new(&self.inputs(), &self.between, move |g, needs| chain.gradients(g, needs)))))
    }

    fn then_add(&self, this: &Tensor, other: &Tensor) -> Option<Box<dyn Pending>> {
        let free = self.activation == Activation::Identity && self.residual.is_none();
        free.then(|| -> Box<dyn Pending> { Box::new(Self { residual: Some(other.clone()), ..self.longer(this) }) })
    }

    fn then_activation(&self, this: &Tensor, f: Activation) -> Option<Box<dyn Pending>> {
        let free = self.activation == Activation::Identity;
        free.then(|| -> Box<dyn Pending> { Box::new(Self { activation: f, ..self.longer(this) }) })
    }
}

/// The composed version's output, from the inputs that are present.
fn composed_output(all: &[Tensor], affine: Affine, eps: f64) -> Result<Tensor> {
    let (weight, bias) = affine.parts(all);
    Ok(composed(&all[0], weight, bias, eps)?.0)
}

fn composed(x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>, eps: f64) -> Result<(Tensor, NormStats)> {
    if is_half(x) {
        let [weight, bias] = all_f32([weight, bias])?;
        let (y, stats) = x.cast(DType::F32)?.batch_norm(weight.as_ref(), bias.as_ref(), eps)?;
        let to = x.dtype();
        return Ok((y.cast(to)?, NormStats { mean: stats.mean.cast(to)?, var: stats.var.cast(to)? }));
    }
    let axes: Vec<isize> = (0..x.shape().rank() as isize).filter(|&axis| axis != 1).collect();
    let mean = x.mean(&axes, true)?;
    let centred = x.sub(&mean)?;
    let var = centred.mul(&centred)?.mean(&axes, true)?;
    let mut y = centred.div(&var.add_scalar(eps)?.sqrt()?)?;
    if let Some(weight) = weight {
        y = y.mul(&per_channel(x, weight)?)?;
    }
    if let Some(bias) = bias {
        y = y.add(&per_channel(x, bias)?)?;
    }
    let flat = |stat: Tensor| stat.detach().reshape([x.shape()[1]]);
    Ok((y, NormStats { mean: flat(mean)?, var: flat(var)? }))
}

pub(super) fn cases() -> Vec<Case> {
    const EPS: f64 = 1e-5;
    let train = |name: &str, x: &[usize]| {
        Case::new(name, |x| Ok(x[0].batch_norm(Some(&x[1]), Some(&x[2]), EPS)?.0)).input(x).input([x[1]]).input([x[1]])
    };
    vec![
        train("pictures", &[2, 3, 2, 2]),
        train("rows", &[4, 3]),
        train("sequences", &[2, 2, 3]),
        Case::new("weight alone", |x| Ok(x[0].batch_norm(Some(&x[1]), None, EPS)?.0)).input([3, 2]).input([2]),
        Case::new("bias alone", |x| Ok(x[0].batch_norm(None, Some(&x[1]), EPS)?.0)).input([3, 2]).input([2]),
        Case::new("neither", |x| Ok(x[0].batch_norm(None, None, 0.1)?.0)).input([3, 2]),
        Case::new("evaluation", |x| x[0].batch_norm_eval(&x[1], &x[2], Some(&x[3]), Some(&x[4]), EPS))
            .input([2, 3, 2])
            .input([3])
            .input_in([3], 0.5, 2.0)
            .input([3])
            .input([3]),
        Case::new("evaluation, plain", |x| x[0].batch_norm_eval(&x[1], &x[2], None, None, EPS))
            .input([2, 3])
            .input([3])
            .input_in([3], 0.5, 2.0),
    ]
}
