//! Multi-head attention (Vaswani et al., "Attention is all you need", 2017, section 3.2.2), with PyTorch's names:
//! Concat(head₁, …, head_H) W_o with head_i = attention(Q W_q,i, K W_k,i, V W_v,i).

mod cache;
mod masks;

pub use cache::KvCache;
pub use masks::AttentionMasks;

use super::at;
use crate::gradcheck::{layer, of_params};
use crate::{Context, Init, LayerContext, Linear, LinearConfig, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{AttentionOptions, Error, Param, Result, Tensor};

const OP: &str = "multihead_attention";

/// The configuration of [`MultiheadAttention`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MultiheadAttentionConfig {
    /// The size of queries and outputs.
    pub embed_dim: usize,
    /// The number of heads, H, which divides `embed_dim`.
    pub num_heads: usize,
    /// The probability with which an attention weight is dropped in training.
    pub dropout: f64,
    /// Whether the projections have biases.
    pub bias: bool,
    /// The size of keys; `None` for `embed_dim`.
    pub kdim: Option<usize>,
    /// The size of values; `None` for `embed_dim`.
    pub vdim: Option<usize>,
    /// The initialisation of the output projection's weight. (Those of the input are drawn as Glorot and Bengio's.)
    pub out_init: Init,
}

impl MultiheadAttentionConfig {
    /// Of `embed_dim` in `num_heads` heads, with biases, without dropout.
    pub fn new(embed_dim: usize, num_heads: usize) -> Self {
        let out_init = Init::layer_weight();
        Self { embed_dim, num_heads, dropout: 0.0, bias: true, kdim: None, vdim: None, out_init }
    }

    /// Sets the initialisation of the output projection's weight.
    pub fn out_init(self, init: Init) -> Self {
        Self { out_init: init, ..self }
    }

    /// Sets the probability with which an attention weight is dropped in training.
    pub fn dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    /// Sets whether the projections have biases.
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Sets the sizes of keys and values, for cross attention to something of another size.
    pub fn memory(self, kdim: usize, vdim: usize) -> Self {
        Self { kdim: Some(kdim), vdim: Some(vdim), ..self }
    }
}

/// Attention of queries `[N, T, E]` to keys `[N, S, kdim]` with values `[N, S, vdim]`: `[N, T, E]`. Batches come first, as
/// with PyTorch's `batch_first=True`.
///
/// Its parameters are `in_proj_weight: [3E, E]` (of queries, keys and values, one after the other) or, where the sizes of
/// keys or values differ, `q_proj_weight: [E, E]`, `k_proj_weight: [E, kdim]` and `v_proj_weight: [E, vdim]`;
/// `in_proj_bias: [3E]`; `out_proj.weight: [E, E]` and `out_proj.bias: [E]`.
///
/// As a [`Module`] it is self-attention without a mask.
#[derive(Debug, Clone)]
pub struct MultiheadAttention {
    path: String,
    /// The name that keys the random numbers of dropout.
    stream: String,
    heads: usize,
    dropout: f64,
    weights: Projection,
    bias: Option<Param>,
    out_proj: Linear,
}

/// The weights that make queries, keys and values.
#[derive(Debug, Clone)]
enum Projection {
    Joint(Param),
    Separate([Param; 3]),
}

impl MultiheadAttention {
    /// Creates the parameters in `params`, initialised as in PyTorch.
    ///
    /// # Errors
    /// A size of 0, a number of heads that does not divide `embed_dim`, a probability that is none.
    pub fn new(config: MultiheadAttentionConfig, params: &Params) -> Result<Self> {
        let MultiheadAttentionConfig { embed_dim, num_heads, dropout, bias, .. } = config;
        let (kdim, vdim) = (config.kdim.unwrap_or(embed_dim), config.vdim.unwrap_or(embed_dim));
        let sizes = [("embed_dim", embed_dim), ("num_heads", num_heads), ("kdim", kdim), ("vdim", vdim)];
        super::at_least_one(OP, params.path(), &sizes)?;
        if !embed_dim.is_multiple_of(num_heads) {
            let detail = format!("num_heads must divide embed_dim, came as {num_heads} and {embed_dim}");
            return at(params.path(), Err(Error::argument(OP, detail)));
        }
        // Written so that NaN is refused.
        if !(0.0..=1.0).contains(&dropout) {
            let detail = format!("the probability dropout must be from 0 to 1, came as {dropout}");
            return at(params.path(), Err(Error::argument(OP, detail)));
        }
        let xavier = Init::XavierUniform { gain: 1.0 };
        let weights = if kdim == embed_dim && vdim == embed_dim {
            Projection::Joint(params.get("in_proj_weight", [3 * embed_dim, embed_dim], xavier)?)
        } else {
            Projection::Separate([
                params.get("q_proj_weight", [embed_dim, embed_dim], xavier)?,
                params.get("k_proj_weight", [embed_dim, kdim], xavier)?,
                params.get("v_proj_weight", [embed_dim, vdim], xavier)?,
            ])
        };
        let in_bias = bias.then(|| params.get("in_proj_bias", [3 * embed_dim], Init::Zeros)).transpose()?;
        let out = LinearConfig::new(embed_dim, embed_dim).bias(bias).init(config.out_init).bias_init(Init::Zeros);
        let out_proj = Linear::new(out, &params.sub("out_proj"))?;
        Ok(Self {
            path: params.path().to_owned(),
            stream: params.stream(),
            heads: num_heads,
            dropout,
            weights,
            bias: in_bias,
            out_proj,
        })
    }

    /// Self-attention of `x: [N, T, E]`.
    pub fn attend_self(&self, x: &Tensor, masks: &AttentionMasks<'_>, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let qkv = self.project_self(x, context)?;
            self.output(&self.attention(&qkv, masks, context)?, context)
        })
    }

    /// Attention of `query: [N, T, E]` to `key: [N, S, kdim]` with `value: [N, S, vdim]`.
    pub fn attend(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        masks: &AttentionMasks<'_>,
        context: &Context,
    ) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let qkv = self.project([query, key, value], context)?;
            self.output(&self.attention(&qkv, masks, context)?, context)
        })
    }

    /// As [`MultiheadAttention::attend`], with the weights of each head, `[N, H, T, S]`, which are then stored.
    pub fn attend_with_weights(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        masks: &AttentionMasks<'_>,
        context: &Context,
    ) -> Result<(Tensor, Tensor)> {
        context.layer(&self.path, |context| {
            let [q, k, v] = self.project([query, key, value], context)?;
            let mask = masks.added(&q, &k)?;
            let weights = q.attention_weights(&k, &self.options(mask.as_ref(), masks.causal, context))?;
            Ok((self.output(&weights.matmul(&v)?, context)?, weights))
        })
    }

    /// Causal self-attention of `x: [N, T, E]`, the positions that follow those in `cache`, to these and themselves. Their
    /// keys and values are added to the cache; no gradient flows to what is in it. A `key_padding` mask is of all
    /// positions, `[N, S]`.
    ///
    /// # Errors
    /// A cache of another number of samples.
    pub fn attend_cached(
        &self,
        x: &Tensor,
        masks: &AttentionMasks<'_>,
        cache: &mut KvCache,
        context: &Context,
    ) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let [q, k, v] = self.project_self(x, context)?;
            let (k, v) = cache.extended(k, v)?;
            let masks = AttentionMasks { causal: true, ..*masks };
            self.output(&self.attention(&[q, k, v], &masks, context)?, context)
        })
    }

    /// Queries, keys and values of `x`, each `[N, H, T, D]`, by one product.
    fn project_self(&self, x: &Tensor, context: &LayerContext) -> Result<[Tensor; 3]> {
        let Projection::Joint(weight) = &self.weights else { return self.project([x, x, x], context) };
        self.check("query", x, weight.tensor().shape()[1])?;
        let bias = self.bias.as_ref().map(|bias| context.operand(&bias.tensor())).transpose()?;
        let all = context.operand(x)?.linear(&context.operand(&weight.tensor())?, bias.as_ref())?; // [N, T, 3E]
        self.three(all.chunk(3, -1)?)
    }

    /// Queries, keys and values, each `[N, H, length, D]`.
    fn project(&self, x: [&Tensor; 3], context: &LayerContext) -> Result<[Tensor; 3]> {
        let weights = match &self.weights {
            Projection::Joint(weight) => weight.tensor().chunk(3, 0)?,
            Projection::Separate(weights) => weights.iter().map(Param::tensor).collect(),
        };
        let biases = match &self.bias {
            Some(bias) => bias.tensor().chunk(3, 0)?.into_iter().map(Some).collect(),
            None => vec![None; 3],
        };
        let names = ["query", "key", "value"];
        let projected = x.into_iter().zip(names).zip(weights.iter().zip(&biases)).map(|((x, name), (weight, bias))| {
            self.check(name, x, weight.shape()[1])?;
            let bias = bias.as_ref().map(|bias| context.operand(bias)).transpose()?;
            context.operand(x)?.linear(&context.operand(weight)?, bias.as_ref())
        });
        self.three(projected.collect::<Result<_>>()?)
    }

    fn check(&self, name: &str, x: &Tensor, width: usize) -> Result<()> {
        if x.shape().rank() == 3 && x.shape()[2] == width {
            return Ok(());
        }
        Err(Error::shape(OP, format!("{name} must be [N, length, {width}], came as {}", x.shape())))
    }

    /// `[N, length, E]` as `[N, H, length, D]`, three times.
    fn three(&self, all: Vec<Tensor>) -> Result<[Tensor; 3]> {
        let heads = all.iter().map(|x| {
            let [n, length, e] = x.dims()?;
            x.reshape([n, length, self.heads, e / self.heads])?.transpose(1, 2)
        });
        let heads: Vec<Tensor> = heads.collect::<Result<_>>()?;
        heads.try_into().map_err(|_| Error::argument(OP, "expected queries, keys and values"))
    }

    fn options<'a>(&self, mask: Option<&'a Tensor>, causal: bool, context: &LayerContext) -> AttentionOptions<'a> {
        let dropout = (context.is_training() && self.dropout > 0.0).then(|| (self.dropout, context.key(&self.stream)));
        AttentionOptions { mask, causal, scale: None, dropout }
    }

    /// The heads' outputs, `[N, H, T, D]`.
    fn attention(&self, [q, k, v]: &[Tensor; 3], masks: &AttentionMasks, context: &LayerContext) -> Result<Tensor> {
        let mask = masks.added(q, k)?;
        q.scaled_dot_product_attention(k, v, &self.options(mask.as_ref(), masks.causal, context))
    }

    /// The output projection of the heads, joined.
    fn output(&self, heads: &Tensor, context: &LayerContext) -> Result<Tensor> {
        self.out_proj.forward(&heads.transpose(1, 2)?.flatten(2)?, context)
    }
}

impl Module for MultiheadAttention {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.attend_self(x, &AttentionMasks::default(), context)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let two = || MultiheadAttentionConfig::new(4, 2);
    let causal = AttentionMasks { causal: true, ..AttentionMasks::default() };
    let parameters = |case: Case| case.input([12, 4]).input([12]).input([4, 4]).input([4]);
    let padded = move |x: &[Tensor], params: &Params| {
        let padding = Tensor::from_vec(vec![0u8, 0, 1, 1, 1, 1], [2, 3], x[0].device())?;
        let masks = AttentionMasks { key_padding: Some(&padding), ..causal };
        MultiheadAttention::new(two(), params)?.attend_self(&x[0], &masks, &Context::eval())
    };
    let cross = |x: &[Tensor], params: &Params| {
        let attention = MultiheadAttention::new(MultiheadAttentionConfig::new(2, 1).memory(3, 1), params)?;
        attention.attend(&x[0], &x[1], &x[2], &AttentionMasks::default(), &Context::eval())
    };
    let weights = |x: &[Tensor], params: &Params| {
        let attention = MultiheadAttention::new(MultiheadAttentionConfig::new(2, 2).bias(false), params)?;
        attention
            .attend_with_weights(&x[0], &x[1], &x[1], &AttentionMasks::default(), &Context::eval())
            .map(|(_, weights)| weights)
    };
    vec![
        parameters(layer("self", move |params| MultiheadAttention::new(two(), params)).input([2, 3, 4])),
        parameters(
            layer("dropped weights", move |params| MultiheadAttention::new(two().dropout(0.4), params))
                .input([1, 3, 4]),
        ),
        parameters(of_params("causal and padded, a sample of padding alone", padded, 1).input([2, 3, 4])),
        of_params("to something of another size and length", cross, 3)
            .input([1, 2, 2])
            .input([1, 3, 3])
            .input([1, 3, 1])
            .input([2, 2])
            .input([2, 3])
            .input([2, 1])
            .input([6])
            .input([2, 2])
            .input([2]),
        of_params("the weights", weights, 2)
            .input([1, 2, 2])
            .input([1, 3, 2])
            .input([6, 2])
            .input([2, 2])
            .zero_gradient(3), // the output projection
    ]
}
