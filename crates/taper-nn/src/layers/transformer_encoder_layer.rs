//! A layer of the Transformer's encoder (Vaswani et al., "Attention is all you need", 2017, section 3.1): self-attention and a
//! feed-forward network, each with a residual connection and layer norm, with PyTorch's names.

use super::{at_least_one, multihead_attention};
use crate::gradcheck::{layer, of_params};
use crate::{
    AttentionMasks, Context, Dropout, Init, LayerNorm, LayerNormConfig, Linear, LinearConfig, Module,
    MultiheadAttention, MultiheadAttentionConfig, Params, Pass,
};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Activation, Result, Tensor};

/// The configuration of [`TransformerEncoderLayer`] and [`TransformerDecoderLayer`](crate::TransformerDecoderLayer).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransformerLayerConfig {
    /// The number of features, E.
    pub d_model: usize,
    /// The number of attention's heads, which divides `d_model`.
    pub nhead: usize,
    /// The units of the feed-forward network.
    pub dim_feedforward: usize,
    /// The probability of dropout, of attention weights, of the feed-forward network's units, and of each part's output.
    pub dropout: f64,
    /// The feed-forward network's activation: ReLU in the paper, GELU in later ones.
    pub activation: Activation,
    /// Layer norm's ε.
    pub layer_norm_eps: f64,
    /// Whether layer norm comes before each part (pre-norm) or after its residual connection, as in the paper.
    pub norm_first: bool,
    /// Whether the linear layers have biases.
    pub bias: bool,
    /// The initialisation of the linear layers' weights. (Attention's input projection is drawn as Glorot and Bengio's.)
    pub init: Init,
}

impl TransformerLayerConfig {
    /// Of `d_model` features and `nhead` heads; the rest as in PyTorch: 2048 units, dropout of a tenth, ReLU, post-norm.
    pub fn new(d_model: usize, nhead: usize) -> Self {
        Self {
            d_model,
            nhead,
            dim_feedforward: 2048,
            dropout: 0.1,
            activation: Activation::Relu,
            layer_norm_eps: 1e-5,
            norm_first: false,
            bias: true,
            init: Init::layer_weight(),
        }
    }

    /// Sets the initialisation of the linear layers' weights.
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    /// Sets the units of the feed-forward network.
    pub fn dim_feedforward(self, dim_feedforward: usize) -> Self {
        Self { dim_feedforward, ..self }
    }

    /// Sets the probability of dropout.
    pub fn dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    /// Sets the activation.
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// Sets whether layer norm comes before each part.
    pub fn norm_first(self, norm_first: bool) -> Self {
        Self { norm_first, ..self }
    }

    /// Attention layer `name`.
    pub(super) fn attention(self, name: &str, params: &Params) -> Result<MultiheadAttention> {
        let config = MultiheadAttentionConfig::new(self.d_model, self.nhead).dropout(self.dropout).bias(self.bias);
        MultiheadAttention::new(config.out_init(self.init), &params.sub(name))
    }

    /// Layer norm `name`.
    pub(super) fn norm(self, name: &str, params: &Params) -> Result<LayerNorm> {
        LayerNorm::new(LayerNormConfig::new([self.d_model]).eps(self.layer_norm_eps), &params.sub(name))
    }

    /// Dropout `name`.
    pub(super) fn dropped(self, name: &str, params: &Params) -> Result<Dropout> {
        Dropout::new(self.dropout, &params.sub(name))
    }
}

/// The feed-forward network: linear2(dropout(f(linear1(x)))).
#[derive(Debug, Clone)]
pub(super) struct FeedForward {
    linear1: Linear,
    f: Activation,
    dropout: Dropout,
    linear2: Linear,
}

impl FeedForward {
    pub(super) fn new(config: TransformerLayerConfig, params: &Params) -> Result<Self> {
        let TransformerLayerConfig { d_model, dim_feedforward, bias, activation, init, .. } = config;
        let linear = |inputs, outputs, name| {
            Linear::new(LinearConfig::new(inputs, outputs).bias(bias).init(init), &params.sub(name))
        };
        at_least_one("transformer_layer", params.path(), &[("dim_feedforward", dim_feedforward)])?;
        Ok(Self {
            linear1: linear(d_model, dim_feedforward, "linear1")?,
            f: activation,
            dropout: config.dropped("dropout", params)?,
            linear2: linear(dim_feedforward, d_model, "linear2")?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let x = x.pass(&self.linear1, context)?.activation(self.f)?; // [N, T, dim_feedforward]
        x.pass(&self.dropout, context)?.pass(&self.linear2, context)
    }
}

/// x + part(norm(x)) with `first`, norm(x + part(x)) without.
pub(super) fn residual(
    x: &Tensor,
    norm: &LayerNorm,
    first: bool,
    context: &Context,
    part: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    if first {
        return x.add(&part(&x.pass(norm, context)?)?);
    }
    x.add(&part(x)?)?.pass(norm, context)
}

/// Maps `[N, T, E]` to `[N, T, E]`. Its parts are `self_attn`, `linear1`, `linear2`, `norm1` and `norm2`. As a [`Module`]
/// nothing is hidden.
#[derive(Debug, Clone)]
pub struct TransformerEncoderLayer {
    path: String,
    norm_first: bool,
    self_attn: MultiheadAttention,
    feed_forward: FeedForward,
    norm1: LayerNorm,
    norm2: LayerNorm,
    dropout1: Dropout,
    dropout2: Dropout,
}

impl TransformerEncoderLayer {
    /// Creates the parts in `params`.
    ///
    /// # Errors
    /// Those of [`MultiheadAttention::new`].
    pub fn new(config: TransformerLayerConfig, params: &Params) -> Result<Self> {
        Ok(Self {
            path: params.path().to_owned(),
            norm_first: config.norm_first,
            self_attn: config.attention("self_attn", params)?,
            feed_forward: FeedForward::new(config, params)?,
            norm1: config.norm("norm1", params)?,
            norm2: config.norm("norm2", params)?,
            dropout1: config.dropped("dropout1", params)?,
            dropout2: config.dropped("dropout2", params)?,
        })
    }

    /// The output for `x: [N, T, E]`, with what `masks` hide.
    pub fn encode(&self, x: &Tensor, masks: &AttentionMasks<'_>, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = residual(x, &self.norm1, self.norm_first, context, |x| {
                self.self_attn.attend_self(x, masks, context)?.pass(&self.dropout1, context)
            })?;
            residual(&x, &self.norm2, self.norm_first, context, |x| {
                self.feed_forward.forward(x, context)?.pass(&self.dropout2, context)
            })
        })
    }
}

impl Module for TransformerEncoderLayer {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.encode(x, &AttentionMasks::default(), context)
    }
}

/// The inputs of a case for the parameters of an encoder layer of 4 features and 3 units. (Of fewer features layer norm
/// leaves next to nothing to differentiate.)
fn parameters(case: Case) -> Case {
    let attention = case.input([12, 4]).input([12]).input([4, 4]).input([4]);
    attention.input([3, 4]).input([3]).input([4, 3]).input([4]).input([4]).input([4]).input([4]).input([4])
}

pub(super) fn cases() -> Vec<Case> {
    // GELU: with the paper's ReLU differences would meet its kink.
    let config = TransformerLayerConfig::new(4, 2).dim_feedforward(3).dropout(0.0).activation(Activation::Gelu);
    let padded = move |x: &[Tensor], params: &Params| {
        let padding = Tensor::from_vec(vec![0u8, 0, 1], [1, 3], x[0].device())?;
        let masks = multihead_attention::AttentionMasks { key_padding: Some(&padding), attn: None, causal: true };
        TransformerEncoderLayer::new(config, params)?.encode(&x[0], &masks, &Context::eval())
    };
    vec![
        parameters(layer("post-norm", move |params| TransformerEncoderLayer::new(config, params)).input([1, 2, 4])),
        parameters(
            layer("pre-norm", move |params| TransformerEncoderLayer::new(config.norm_first(true), params))
                .input([1, 2, 4]),
        ),
        parameters(
            layer("dropout", move |params| TransformerEncoderLayer::new(config.dropout(0.3), params)).input([1, 2, 4]),
        ),
        parameters(of_params("causal and padded", padded, 1).input([1, 3, 4])),
    ]
}
