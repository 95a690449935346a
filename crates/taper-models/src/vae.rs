//! The variational autoencoder (Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014): a Gaussian encoder and a
//! Bernoulli decoder, each with one hidden layer (appendix C), trained on the bound of equation 10.

use crate::SampledModel;
use taper_config::table;
use taper_nn::taper_tensor::Distribution;
use taper_nn::{
    BceWithLogits, Context, DType, Device, Error, Linear, LinearConfig, Params, Pass, Reduction, Result, Tensor,
};

table! {
    /// The table of a [`Vae`].
    pub struct VaeConfig {
        /// Features of an input, each in [0, 1].
        inputs: usize = 784, at_least(1);
        /// Units of the hidden layers.
        hidden: usize = 500, at_least(1);
        /// Numbers of a code.
        code: usize = 20, at_least(1);
    }
}

/// Linear layers with tanh: `encoder` to the hidden layer, `mean` and `log_var` from there, `decoder` to the other hidden
/// layer, `output` to the logits. With the paper's sizes for MNIST it has 815,824 parameters.
#[derive(Debug, Clone)]
pub struct Vae {
    path: String,
    stream: String,
    encoder: Linear,
    mean: Linear,
    log_var: Linear,
    decoder: Linear,
    output: Linear,
}

/// What a [`Vae`] makes of a batch.
#[derive(Debug, Clone)]
pub struct VaeOutput {
    /// The reconstruction's logits, `[N, inputs]`.
    pub logits: Tensor,
    /// μ, the means of the codes, `[N, code]`.
    pub mean: Tensor,
    /// log σ², the logarithms of their variances, `[N, code]`.
    pub log_var: Tensor,
}

/// The two parts of the negative bound, each the mean over the batch, in nats: their sum is what is minimised.
#[derive(Debug, Clone)]
pub struct VaeLoss {
    /// −log p(x | z): the binary cross entropy, summed over the features.
    pub reconstruction: Tensor,
    /// The divergence of q(z | x) from the standard normal distribution, −½ Σ (1 + log σ² − μ² − σ²).
    pub divergence: Tensor,
}

impl Vae {
    /// Creates the parameters in `params`, whose path keys the noise.
    pub fn new(config: &VaeConfig, params: &Params) -> Result<Self> {
        let VaeConfig { inputs, hidden, code } = *config;
        let linear = |name: &str, from, to| Linear::new(LinearConfig::new(from, to), &params.sub(name));
        Ok(Self {
            path: params.path().to_owned(),
            stream: params.stream(),
            encoder: linear("encoder", inputs, hidden)?,
            mean: linear("mean", hidden, code)?,
            log_var: linear("log_var", hidden, code)?,
            decoder: linear("decoder", code, hidden)?,
            output: linear("output", hidden, inputs)?,
        })
    }

    /// Mean and logarithm of the variance, `[N, code]` each, of the codes of `x: [N, …]`.
    pub fn encode(&self, x: &Tensor, context: &Context) -> Result<(Tensor, Tensor)> {
        let hidden = x.flatten(1)?.pass(&self.encoder, context)?.tanh()?; // [N, hidden]
        Ok((hidden.pass(&self.mean, context)?, hidden.pass(&self.log_var, context)?))
    }

    /// The logits `[N, inputs]` of what the codes `z: [N, code]` stand for; codes drawn from the standard normal
    /// distribution give new samples.
    pub fn decode(&self, z: &Tensor, context: &Context) -> Result<Tensor> {
        z.pass(&self.decoder, context)?.tanh()?.pass(&self.output, context)
    }

    /// The reconstruction of `x: [N, …]` from a code drawn in training, z = μ + σ ε, and from its mean in evaluation.
    pub fn forward(&self, x: &Tensor, context: &Context) -> Result<VaeOutput> {
        let (logits, (mean, log_var)) = context.layer(&self.path, |context| {
            let (mean, log_var) = self.encode(x, context)?;
            let z = if context.is_training() {
                let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
                let noise =
                    Tensor::random(normal, context.key(&self.stream), mean.shape(), mean.dtype(), mean.device())?;
                reparameterised(&mean, &log_var, &noise)?
            } else {
                mean.clone()
            };
            Ok((self.decode(&z, context)?, (mean, log_var)))
        })?;
        Ok(VaeOutput { logits, mean, log_var })
    }
}

/// μ + σ ε: the noise does not depend on the parameters, so that gradients flow to μ and σ (section 2.4).
pub fn reparameterised(mean: &Tensor, log_var: &Tensor, noise: &Tensor) -> Result<Tensor> {
    mean.add(&log_var.mul_scalar(0.5)?.exp()?.mul(noise)?)
}

impl VaeOutput {
    /// The loss beside `target: [N, …]`, in [0, 1], with as many features as the logits.
    ///
    /// # Errors
    /// A target of another shape.
    pub fn loss(&self, target: &Tensor) -> Result<VaeLoss> {
        let shape = self.logits.shape();
        let count = shape.first().copied().unwrap_or(1);
        if target.shape().first() != shape.first() || target.count() != shape.count() {
            let detail = format!("the target must be [N, …] with the elements of {shape}, came as {}", target.shape());
            return Err(Error::shape("vae", detail));
        }
        let sum = BceWithLogits { reduction: Reduction::Sum, ..BceWithLogits::default() };
        let share = 1.0 / count as f64;
        let (mean, log_var) = (&self.mean, &self.log_var);
        // σ² − 1 − log σ², without the cancellation of σ² − 1.
        let spread = log_var.expm1()?.sub(log_var)?;
        let divergence = mean.mul(mean)?.add(&spread)?.sum_all()?.mul_scalar(0.5 * share)?;
        let reconstruction = sum.forward(&self.logits, &target.reshape(shape)?)?.mul_scalar(share)?;
        Ok(VaeLoss { reconstruction, divergence })
    }
}

impl VaeLoss {
    /// The negative bound.
    pub fn total(&self) -> Result<Tensor> {
        self.reconstruction.add(&self.divergence)
    }
}

impl SampledModel for Vae {
    type Config = VaeConfig;

    fn build(config: &VaeConfig, params: &Params) -> Result<Self> {
        Self::new(config, params)
    }

    fn sample(config: &VaeConfig) -> String {
        format!("{} features", config.inputs)
    }

    fn forward_sample(
        &self,
        config: &VaeConfig,
        dtype: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>> {
        let VaeOutput { logits, mean, log_var } =
            self.forward(&Tensor::zeros([1, config.inputs], dtype, device)?, context)?;
        Ok(vec![logits, mean, log_var])
    }
}
