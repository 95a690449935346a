//! Instance normalisation (Ulyanov, Vedaldi and Lempitsky, "Instance normalization: the missing ingredient for fast
//! stylization", 2016), as PyTorch's `InstanceNorm1d` and `InstanceNorm2d`.

use super::{at, at_least_one};
use crate::gradcheck::{layer, of_params};
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{DType, Error, Param, Result, Shape, Tensor, no_grad};

/// The configuration of [`InstanceNorm1d`] and [`InstanceNorm2d`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InstanceNormConfig {
    /// Channels: the size of dim 1.
    pub num_features: usize,
    /// ε, added to the variance.
    pub eps: f64,
    /// The weight of the newest batch in the running statistics, 0 to 1.
    pub momentum: f64,
    /// Whether the result is scaled by `weight` and shifted by `bias`.
    pub affine: bool,
    /// Whether running statistics are kept, and used in evaluation.
    pub track_running_stats: bool,
}

impl InstanceNormConfig {
    /// Over `num_features` channels, with ε = 1e-5: no weight, no bias and no running statistics, as in PyTorch.
    pub fn new(num_features: usize) -> Self {
        Self { num_features, eps: 1e-5, momentum: 0.1, affine: false, track_running_stats: false }
    }

    /// Sets ε.
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// Sets the momentum.
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// Sets whether there are weight and bias.
    pub fn affine(self, affine: bool) -> Self {
        Self { affine, ..self }
    }

    /// Sets whether there are running statistics.
    pub fn track_running_stats(self, track_running_stats: bool) -> Self {
        Self { track_running_stats, ..self }
    }
}

/// Instance norm of `[N, C, L]`: see [`InstanceNorm2d`].
#[derive(Debug, Clone)]
pub struct InstanceNorm1d(InstanceNorm);

/// Instance norm of `[N, C, H, W]`: (x − mean) / √(variance + ε) · weight + bias, with the mean and the biased variance of
/// each channel of each sample, in training and in evaluation.
///
/// With running statistics, training moves the buffers `running_mean` and `running_var` towards the batch's mean of the
/// samples' means and unbiased variances, and evaluation uses the buffers. Frozen ones ([`Param::freeze`]) are used in
/// training too, and kept. `num_batches_tracked` stays 0, as in PyTorch.
#[derive(Debug, Clone)]
pub struct InstanceNorm2d(InstanceNorm);

impl InstanceNorm1d {
    /// Creates weight, bias and buffers, those that there are, in `params`. An error when `num_features` is 0, or the
    /// momentum is out of range.
    pub fn new(config: InstanceNormConfig, params: &Params) -> Result<Self> {
        InstanceNorm::new("instance_norm1d", config, params).map(Self)
    }
}

impl InstanceNorm2d {
    /// Creates weight, bias and buffers, those that there are, in `params`. An error when `num_features` is 0, or the
    /// momentum is out of range.
    pub fn new(config: InstanceNormConfig, params: &Params) -> Result<Self> {
        InstanceNorm::new("instance_norm2d", config, params).map(Self)
    }
}

impl Module for InstanceNorm1d {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.0.forward(x, context, 3, "[N, C, L]")
    }
}

impl Module for InstanceNorm2d {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.0.forward(x, context, 4, "[N, C, H, W]")
    }
}

#[derive(Debug, Clone)]
struct InstanceNorm {
    op: &'static str,
    path: String,
    dtype: DType,
    config: InstanceNormConfig,
    weight: Option<Param>,
    bias: Option<Param>,
    running: Option<Running>,
}

#[derive(Debug, Clone)]
struct Running {
    mean: Param,
    var: Param,
}

impl InstanceNorm {
    fn new(op: &'static str, config: InstanceNormConfig, params: &Params) -> Result<Self> {
        let InstanceNormConfig { num_features: channels, momentum, affine, track_running_stats, .. } = config;
        at_least_one(op, params.path(), &[("num_features", channels)])?;
        if !(0.0..=1.0).contains(&momentum) {
            let detail = format!("momentum must be from 0 to 1, came as {momentum}");
            return at(params.path(), Err(Error::argument(op, detail)));
        }
        let running = || -> Result<Running> {
            let mean = params.buffer("running_mean", [channels], params.dtype(), 0.0)?;
            let var = params.buffer("running_var", [channels], params.dtype(), 1.0)?;
            // It is in PyTorch's state dicts.
            params.buffer("num_batches_tracked", Shape::scalar(), DType::I64, 0.0)?;
            Ok(Running { mean, var })
        };
        Ok(Self {
            op,
            path: params.path().to_owned(),
            dtype: params.dtype(),
            config,
            weight: affine.then(|| params.get("weight", [channels], Init::Ones)).transpose()?,
            bias: affine.then(|| params.get("bias", [channels], Init::Zeros)).transpose()?,
            running: track_running_stats.then(running).transpose()?,
        })
    }

    fn forward(&self, x: &Tensor, context: &Context, rank: usize, expected: &str) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let (shape, InstanceNormConfig { num_features: channels, eps, .. }) = (x.shape(), self.config);
            if shape.rank() != rank || shape[1] != channels {
                let detail = format!("expected {expected} with C = {channels} (dim 1), the input came as {shape}");
                return Err(Error::shape(self.op, detail));
            }
            let x = context.in_param_dtype(x, self.dtype)?;
            let (weight, bias) = (self.weight.as_ref().map(Param::tensor), self.bias.as_ref().map(Param::tensor));
            let running = self.running.as_ref();
            let fixed =
                running.filter(|running| !context.is_training() || running.mean.is_frozen() || running.var.is_frozen());
            if let Some(Running { mean, var }) = fixed {
                return x.batch_norm_eval(&mean.tensor(), &var.tensor(), weight.as_ref(), bias.as_ref(), eps);
            }
            if x.count() > 0 && shape[2..].iter().product::<usize>() == 1 {
                let detail = format!("the variance needs more than one position in each channel, the input is {shape}");
                return Err(Error::shape(self.op, detail));
            }
            if let Some(running) = running.filter(|_| x.count() > 0) {
                self.track(&x, running)?;
            }
            x.instance_norm(weight.as_ref(), bias.as_ref(), eps)
        })
    }

    fn track(&self, x: &Tensor, running: &Running) -> Result<()> {
        no_grad(|| {
            let axes: Vec<isize> = (2..x.shape().rank() as isize).collect();
            let towards = |running: &Param, samples: Tensor| -> Result<()> {
                let batch = samples.mean(&[0], false)?.mul_scalar(self.config.momentum)?; // [N, C] → [C]
                running.set(&running.tensor().mul_scalar(1.0 - self.config.momentum)?.add(&batch)?)
            };
            towards(&running.mean, x.mean(&axes, false)?)?;
            towards(&running.var, x.var(&axes, 1, false)?)
        })
    }
}

pub(super) fn cases() -> Vec<Case> {
    let config = InstanceNormConfig::new(3);
    vec![
        layer("[N, C, L]", move |params| InstanceNorm1d::new(config.affine(true), params))
            .input([2, 3, 4])
            .input([3])
            .input([3]),
        layer("[N, C, H, W]", move |params| {
            InstanceNorm2d::new(config.eps(1e-2).affine(true).track_running_stats(true), params)
        })
        .input([2, 3, 2, 3])
        .input([3])
        .input([3]),
        layer("without weight and bias", move |params| InstanceNorm2d::new(config, params)).input([2, 3, 2, 2]),
        of_params(
            "evaluation",
            move |x, params| {
                let layer = InstanceNorm2d::new(config.affine(true).track_running_stats(true), params)?;
                // Running statistics other than the initial ones.
                let values: Vec<f64> = (0..12).map(f64::from).collect();
                let batch = Tensor::from_vec(values, [2, 3, 1, 2], x[0].device())?;
                no_grad(|| layer.forward(&batch, &Context::train(0, 0, 0)))?;
                layer.forward(&x[0], &Context::eval())
            },
            1,
        )
        .input([2, 3, 2, 2])
        .input([3])
        .input([3]),
    ]
}
