//! A layer of the Transformer's decoder (Vaswani et al., "Attention is all you need", 2017, section 3.1): self-attention,
//! attention to the encoder's output, and a feed-forward network, each with a residual connection and layer norm, with
//! PyTorch's names.

use super::transformer_encoder_layer::{FeedForward, TransformerLayerConfig, residual};
use crate::gradcheck::of_params;
use crate::{AttentionMasks, Context, Dropout, LayerNorm, MultiheadAttention, Params, Pass};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Activation, Result, Tensor};

/// Maps `[N, T, E]`, with the encoder's output `[N, S, E]`, to `[N, T, E]`. Its parts are `self_attn`, `multihead_attn` (to
/// the encoder's output), `linear1`, `linear2`, `norm1`, `norm2` and `norm3`.
#[derive(Debug, Clone)]
pub struct TransformerDecoderLayer {
    path: String,
    norm_first: bool,
    self_attn: MultiheadAttention,
    multihead_attn: MultiheadAttention,
    feed_forward: FeedForward,
    norm1: LayerNorm,
    norm2: LayerNorm,
    norm3: LayerNorm,
    dropout1: Dropout,
    dropout2: Dropout,
    dropout3: Dropout,
}

impl TransformerDecoderLayer {
    /// Creates the parts in `params`.
    ///
    /// # Errors
    /// Those of [`MultiheadAttention::new`].
    pub fn new(config: TransformerLayerConfig, params: &Params) -> Result<Self> {
        Ok(Self {
            path: params.path().to_owned(),
            norm_first: config.norm_first,
            self_attn: config.attention("self_attn", params)?,
            multihead_attn: config.attention("multihead_attn", params)?,
            feed_forward: FeedForward::new(config, params)?,
            norm1: config.norm("norm1", params)?,
            norm2: config.norm("norm2", params)?,
            norm3: config.norm("norm3", params)?,
            dropout1: config.dropped("dropout1", params)?,
            dropout2: config.dropped("dropout2", params)?,
            dropout3: config.dropped("dropout3", params)?,
        })
    }

    /// The output for `x: [N, T, E]` and the encoder's output `memory: [N, S, E]`. `masks` hide positions of x from each
    /// other (usually the later ones), `memory_masks` positions of the memory.
    pub fn decode(
        &self,
        x: &Tensor,
        memory: &Tensor,
        masks: &AttentionMasks<'_>,
        memory_masks: &AttentionMasks<'_>,
        context: &Context,
    ) -> Result<Tensor> {
        self.decoded(x, masks, context, |x, context| {
            self.multihead_attn.attend(x, memory, memory, memory_masks, context)
        })
    }

    /// As [`decode`](Self::decode), with the weights of the attention to the memory, `[N, H, T, S]`, which are then stored.
    pub fn decode_with_attention(
        &self,
        x: &Tensor,
        memory: &Tensor,
        masks: &AttentionMasks<'_>,
        memory_masks: &AttentionMasks<'_>,
        context: &Context,
    ) -> Result<(Tensor, Tensor)> {
        let mut weights = memory.clone(); // until there are any
        let x = self.decoded(x, masks, context, |x, context| {
            let x = self.multihead_attn.attend_with_weights(x, memory, memory, memory_masks, context)?;
            weights = x.1;
            Ok(x.0)
        })?;
        Ok((x, weights))
    }

    /// The output where `attend` gives the attention to the memory.
    fn decoded(
        &self,
        x: &Tensor,
        masks: &AttentionMasks<'_>,
        context: &Context,
        attend: impl FnOnce(&Tensor, &Context) -> Result<Tensor>,
    ) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = residual(x, &self.norm1, self.norm_first, context, |x| {
                self.self_attn.attend_self(x, masks, context)?.pass(&self.dropout1, context)
            })?;
            let x = residual(&x, &self.norm2, self.norm_first, context, |x| {
                attend(x, context)?.pass(&self.dropout2, context)
            })?;
            residual(&x, &self.norm3, self.norm_first, context, |x| {
                self.feed_forward.forward(x, context)?.pass(&self.dropout3, context)
            })
        })
    }
}

pub(super) fn cases() -> Vec<Case> {
    let config = TransformerLayerConfig::new(4, 2).dim_feedforward(3).dropout(0.0).activation(Activation::Gelu);
    let case = |name: &str, config: TransformerLayerConfig| {
        let decode = move |x: &[Tensor], params: &Params| {
            let padding = Tensor::from_vec(vec![0u8, 1, 0], [1, 3], x[0].device())?;
            let masks = AttentionMasks { causal: true, ..AttentionMasks::default() };
            let memory_masks = AttentionMasks { key_padding: Some(&padding), ..AttentionMasks::default() };
            let layer = TransformerDecoderLayer::new(config, params)?;
            layer.decode(&x[0], &x[1], &masks, &memory_masks, &Context::train(0, 0, 0))
        };
        let mut case = of_params(name, decode, 2).input([1, 2, 4]).input([1, 3, 4]);
        for _ in 0..2 {
            case = case.input([12, 4]).input([12]).input([4, 4]).input([4]);
        }
        case = case.input([3, 4]).input([3]).input([4, 3]).input([4]);
        for _ in 0..3 {
            case = case.input([4]).input([4]);
        }
        case
    };
    vec![case("post-norm", config), case("pre-norm", config.norm_first(true)), case("dropout", config.dropout(0.3))]
}
