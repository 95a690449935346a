//! Batch normalisation (Ioffe and Szegedy, "Batch normalization", ICML 2015, algorithms 1 and 2).

use super::{at, at_least_one};
use crate::gradcheck::{layer, of_params};
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{DType, Error, Param, Result, Shape, Tensor, no_grad};

/// The configuration of [`BatchNorm1d`] and [`BatchNorm2d`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNormConfig {
    /// Channels: the size of dim 1.
    pub num_features: usize,
    /// ε, added to the variance.
    pub eps: f64,
    /// The weight of the newest batch in the running statistics, 0 to 1; `None` for the plain mean over all batches.
    pub momentum: Option<f64>,
    /// Whether the result is scaled by `weight` and shifted by `bias`.
    pub affine: bool,
    /// Whether `weight` is trained; otherwise it is a buffer and stays 1.
    pub train_weight: bool,
}

impl BatchNormConfig {
    /// Over `num_features` channels, with ε = 1e-5, momentum 0.1, weight and bias.
    pub fn new(num_features: usize) -> Self {
        Self { num_features, eps: 1e-5, momentum: Some(0.1), affine: true, train_weight: true }
    }

    /// Sets ε.
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// Sets the momentum.
    pub fn momentum(self, momentum: Option<f64>) -> Self {
        Self { momentum, ..self }
    }

    /// Sets whether there are weight and bias.
    pub fn affine(self, affine: bool) -> Self {
        Self { affine, ..self }
    }

    /// Sets whether the weight is trained; otherwise it stays 1.
    pub fn train_weight(self, train_weight: bool) -> Self {
        Self { train_weight, ..self }
    }
}

/// Batch norm of `[N, C]` or `[N, C, L]`: see [`BatchNorm2d`].
#[derive(Debug, Clone)]
pub struct BatchNorm1d(BatchNorm);

/// Batch norm of `[N, C, H, W]`: (x − mean) / √(variance + ε) · weight + bias for each channel.
///
/// In training, the mean and the biased variance are the batch's, and the buffers `running_mean` and `running_var` move
/// towards its mean and unbiased variance; in evaluation the buffers are used. `num_batches_tracked` (i64) counts
/// batches. An empty batch has no statistics: it leaves the buffers unchanged, and the output is empty.
///
/// When `running_mean` or `running_var` is frozen ([`Param::freeze`]), the layer uses the buffers in training too, and
/// does not change them: for fine-tuning on batches that are too small, or too different, for useful statistics. For one
/// forward pass, [`Context::eval_layers`] does the same.
#[derive(Debug, Clone)]
pub struct BatchNorm2d(BatchNorm);

impl BatchNorm1d {
    /// Creates weight, bias and buffers in `params`. An error when `num_features` is 0, or the momentum is out of
    /// range.
    pub fn new(config: BatchNormConfig, params: &Params) -> Result<Self> {
        BatchNorm::new("batch_norm1d", config, params).map(Self)
    }
}

impl BatchNorm2d {
    /// Creates weight, bias and buffers in `params`. An error when `num_features` is 0, or the momentum is out of
    /// range.
    pub fn new(config: BatchNormConfig, params: &Params) -> Result<Self> {
        BatchNorm::new("batch_norm2d", config, params).map(Self)
    }
}

impl Module for BatchNorm1d {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.0.forward(x, context, &[2, 3], "[N, C] or [N, C, L]")
    }
}

impl Module for BatchNorm2d {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.0.forward(x, context, &[4], "[N, C, H, W]")
    }
}

#[derive(Debug, Clone)]
struct BatchNorm {
    op: &'static str,
    path: String,
    dtype: DType,
    config: BatchNormConfig,
    weight: Option<Param>,
    bias: Option<Param>,
    running_mean: Param,
    running_var: Param,
    num_batches_tracked: Param,
}

impl BatchNorm {
    fn new(op: &'static str, config: BatchNormConfig, params: &Params) -> Result<Self> {
        let channels = config.num_features;
        at_least_one(op, params.path(), &[("num_features", channels)])?;
        if let Some(momentum) = config.momentum
            && !(0.0..=1.0).contains(&momentum)
        {
            let detail = format!("momentum must be from 0 to 1, came as {momentum}");
            return at(params.path(), Err(Error::argument(op, detail)));
        }
        let weight = || match config.train_weight {
            true => params.get("weight", [channels], Init::Ones),
            false => params.frozen("weight", [channels], Init::Ones),
        };
        Ok(Self {
            op,
            path: params.path().to_owned(),
            dtype: params.dtype(),
            config,
            weight: config.affine.then(weight).transpose()?,
            bias: config.affine.then(|| params.get("bias", [channels], Init::Zeros)).transpose()?,
            running_mean: params.buffer("running_mean", [channels], params.dtype(), 0.0)?,
            running_var: params.buffer("running_var", [channels], params.dtype(), 1.0)?,
            num_batches_tracked: params.buffer("num_batches_tracked", Shape::scalar(), DType::I64, 0.0)?,
        })
    }

    fn forward(&self, x: &Tensor, context: &Context, ranks: &[usize], expected: &str) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let (shape, channels) = (x.shape(), self.config.num_features);
            if !ranks.contains(&shape.rank()) || shape[1] != channels {
                let detail = format!("expected {expected} with C = {channels} (dim 1), the input came as {shape}");
                return Err(Error::shape(self.op, detail));
            }
            let frozen = self.running_mean.is_frozen() || self.running_var.is_frozen();
            let x = context.in_param_dtype(x, self.dtype)?;
            if context.is_training() && !frozen && x.count() > 0 { self.train(&x) } else { self.eval(&x) }
        })
    }

    fn train(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = self.affine();
        let (y, stats) = x.batch_norm(weight.as_ref(), bias.as_ref(), self.config.eps)?;
        // The number of values per channel. It is more than 1: the line above has refused anything else.
        let values = (x.count() / self.config.num_features) as f64;
        no_grad(|| {
            let count = self.num_batches_tracked.tensor();
            let count = count.add(&Tensor::ones(Shape::scalar(), DType::I64, count.device())?)?;
            self.num_batches_tracked.set(&count)?;
            let scalar = |value| Tensor::full(value, Shape::scalar(), x.dtype(), x.device());
            let (share, rest) = match self.config.momentum {
                Some(momentum) => (scalar(momentum)?, scalar(1.0 - momentum)?),
                None => {
                    // Computed on the device, where the count is.
                    let share = count.cast(DType::F64)?.recip()?;
                    let rest = share.neg()?.add_scalar(1.0)?;
                    (share.cast(x.dtype())?, rest.cast(x.dtype())?)
                }
            };
            let towards = |running: &Param, batch: &Tensor| -> Result<()> {
                running.set(&running.tensor().mul(&rest)?.add(&batch.mul(&share)?)?)
            };
            towards(&self.running_mean, &stats.mean)?;
            towards(&self.running_var, &stats.var.mul_scalar(values / (values - 1.0))?)
        })?;
        Ok(y)
    }

    fn eval(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = self.affine();
        let (mean, var) = (self.running_mean.tensor(), self.running_var.tensor());
        x.batch_norm_eval(&mean, &var, weight.as_ref(), bias.as_ref(), self.config.eps)
    }

    fn affine(&self) -> (Option<Tensor>, Option<Tensor>) {
        (self.weight.as_ref().map(Param::tensor), self.bias.as_ref().map(Param::tensor))
    }
}

pub(super) fn cases() -> Vec<Case> {
    let config = BatchNormConfig::new(3);
    vec![
        layer("[N, C]", move |params| BatchNorm1d::new(config, params)).input([4, 3]).input([3]).input([3]),
        layer("[N, C, L]", move |params| BatchNorm1d::new(config, params)).input([2, 3, 4]).input([3]).input([3]),
        layer("[N, C, H, W]", move |params| BatchNorm2d::new(config.eps(1e-2), params))
            .input([2, 3, 2, 3])
            .input([3])
            .input([3]),
        layer("without weight and bias", move |params| BatchNorm2d::new(config.affine(false), params))
            .input([2, 3, 2, 2]),
        of_params(
            "evaluation",
            move |x, params| {
                let layer = BatchNorm2d::new(config, params)?;
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
