//! The Transformer (Vaswani et al., "Attention is all you need", NeurIPS 2017, figure 1 and table 3), an encoder and a
//! decoder, for translating one sequence of tokens into another. Embeddings are multiplied by √E, sinusoidal positions are
//! added. Inside `transformer` names are those of PyTorch's `nn.Transformer`, which ends each stack with a layer norm that the
//! paper does not have. The paper's base model ties both embeddings to the head, which holds for a joint vocabulary; here
//! each has weights of its own.
//!
//! `nn.Transformer` of the base model's sizes: 44,140,544 parameters.

use crate::SampledModel;
use taper_config::table;
use taper_nn::taper_tensor::no_grad;
use taper_nn::{
    AttentionMasks, Context, DType, Device, Dropout, Embedding, EmbeddingConfig, Error, Init, LayerNorm,
    LayerNormConfig, Linear, LinearConfig, Params, Pass, Result, SinusoidalPositions, Tensor, TransformerDecoderLayer,
    TransformerEncoderLayer, TransformerLayerConfig,
};

table! {
    /// The sizes of a [`Transformer`]; by default the paper's base model.
    #[derive(Copy)]
    pub struct TransformerConfig {
        /// Tokens of the source's vocabulary.
        source: usize = 37_000, at_least(1);
        /// Tokens of the target's vocabulary.
        target: usize = 37_000, at_least(1);
        /// The longest sequence.
        longest: usize = 512, at_least(1);
        /// Features, E.
        d_model: usize = 512, at_least(1);
        /// Heads of attention, which divide the features.
        nhead: usize = 8, at_least(1);
        /// Layers of the encoder.
        encoder_layers: usize = 6, at_least(1);
        /// Layers of the decoder.
        decoder_layers: usize = 6, at_least(1);
        /// Units of the feed-forward networks.
        dim_feedforward: usize = 2048, at_least(1);
        /// The probability of dropout.
        dropout: f64 = 0.1, fraction();
        /// Whether layer norm comes before each part, instead of after it as in the paper.
        norm_first: bool = false, flag();
    }
}

/// Source tokens `[N, S]` and target tokens `[N, T]` (i64) to logits `[N, T, target]` of the token after each.
#[derive(Debug, Clone)]
pub struct Transformer {
    path: String,
    src_embed: Embedding,
    tgt_embed: Embedding,
    positions: SinusoidalPositions,
    dropout: Dropout,
    encoder: Stack<TransformerEncoderLayer>,
    decoder: Stack<TransformerDecoderLayer>,
    generator: Linear,
    scale: f64,
}

/// Layers, and a layer norm after the last.
#[derive(Debug, Clone)]
struct Stack<L> {
    path: String,
    layers: Vec<L>,
    norm: LayerNorm,
}

impl<L> Stack<L> {
    fn new(count: usize, size: usize, make: impl Fn(&Params) -> Result<L>, params: &Params) -> Result<Self> {
        Ok(Self {
            path: params.path().to_owned(),
            layers: (0..count).map(|i| make(&params.sub(format!("layers.{i}")))).collect::<Result<_>>()?,
            norm: LayerNorm::new(LayerNormConfig::new([size]), &params.sub("norm"))?,
        })
    }
}

impl Transformer {
    /// Creates the parameters in `params`; matrices of the layers are drawn as Glorot and Bengio's, as in PyTorch.
    ///
    /// # Errors
    /// Heads that do not divide the features.
    pub fn new(config: TransformerConfig, params: &Params) -> Result<Self> {
        let (size, inside) = (config.d_model, params.sub("transformer"));
        let layer = TransformerLayerConfig::new(size, config.nhead)
            .dim_feedforward(config.dim_feedforward)
            .dropout(config.dropout)
            .norm_first(config.norm_first)
            .init(Init::XavierUniform { gain: 1.0 });
        // So that embeddings times √E have variance 1.
        let table = |rows| EmbeddingConfig::new(rows, size).init(Init::Normal { std: 1.0 / (size as f64).sqrt() });
        let encoder = |params: &Params| TransformerEncoderLayer::new(layer, params);
        let decoder = |params: &Params| TransformerDecoderLayer::new(layer, params);
        Ok(Self {
            path: params.path().to_owned(),
            src_embed: Embedding::new(table(config.source), &params.sub("src_embed"))?,
            tgt_embed: Embedding::new(table(config.target), &params.sub("tgt_embed"))?,
            positions: SinusoidalPositions::new(size, config.longest, &params.sub("positions"))?,
            dropout: Dropout::new(config.dropout, &params.sub("dropout"))?,
            encoder: Stack::new(config.encoder_layers, size, encoder, &inside.sub("encoder"))?,
            decoder: Stack::new(config.decoder_layers, size, decoder, &inside.sub("decoder"))?,
            generator: Linear::new(LinearConfig::new(size, config.target), &params.sub("generator"))?,
            scale: (size as f64).sqrt(),
        })
    }

    /// The logits `[N, T, target]` for `source: [N, S]` and `target: [N, T]`. `padding: [N, S]` (u8) is not 0 where a source
    /// token is padding. A target's position sees no later one.
    ///
    /// # Errors
    /// Sequences longer than the longest.
    pub fn forward(
        &self,
        source: &Tensor,
        target: &Tensor,
        padding: Option<&Tensor>,
        context: &Context,
    ) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let memory = self.encoded(source, padding, context)?;
            self.decoded(target, &memory, padding, context)
        })
    }

    /// The encoder's output `[N, S, E]`, the memory.
    ///
    /// # Errors
    /// A sequence longer than the longest.
    pub fn encode(&self, source: &Tensor, padding: Option<&Tensor>, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| self.encoded(source, padding, context))
    }

    /// The logits `[N, T, target]` for `target: [N, T]` and the encoder's output `memory: [N, S, E]`.
    ///
    /// # Errors
    /// A sequence longer than the longest.
    pub fn decode(
        &self,
        target: &Tensor,
        memory: &Tensor,
        padding: Option<&Tensor>,
        context: &Context,
    ) -> Result<Tensor> {
        context.layer(&self.path, |context| self.decoded(target, memory, padding, context))
    }

    /// The logits `[N, target]` of the token after the last of `target: [N, T]` alone.
    ///
    /// # Errors
    /// A sequence longer than the longest.
    pub fn next(
        &self,
        target: &Tensor,
        memory: &Tensor,
        padding: Option<&Tensor>,
        context: &Context,
    ) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = self.states(target, memory, padding, context)?; // [N, T, E]
            let last = x.shape()[1].saturating_sub(1);
            x.narrow(1, last, 1)?.squeeze(1)?.pass(&self.generator, context)
        })
    }

    /// How much attention the last layer of the decoder pays from each token of `target: [N, T]`, where it is about to give the
    /// next, to each of the source's, `[N, T, S]`: the mean of its heads'.
    ///
    /// # Errors
    /// A sequence longer than the longest.
    pub fn attention(
        &self,
        source: &Tensor,
        target: &Tensor,
        padding: Option<&Tensor>,
        context: &Context,
    ) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let memory = self.encoded(source, padding, context)?;
            let mut x = self.embedded(target, &self.tgt_embed, context)?;
            let causal = AttentionMasks { causal: true, ..AttentionMasks::default() };
            let masks = AttentionMasks { key_padding: padding, ..AttentionMasks::default() };
            let mut weights = memory.clone(); // until there are any: a decoder has a layer
            context.layer(&self.decoder.path, |context| {
                for layer in &self.decoder.layers {
                    (x, weights) = layer.decode_with_attention(&x, &memory, &causal, &masks, context)?;
                }
                weights.mean(&[1], false)
            })
        })
    }

    /// The likeliest tokens one after the other, `[N, count]`, that follow the token `start`.
    ///
    /// # Errors
    /// Sequences longer than the longest.
    pub fn greedy(&self, source: &Tensor, padding: Option<&Tensor>, start: i64, count: usize) -> Result<Tensor> {
        let context = Context::eval();
        no_grad(|| {
            let memory = self.encode(source, padding, &context)?;
            let samples = source.shape()[0];
            let mut all = Tensor::from_vec(vec![start; samples], [samples, 1], source.device())?;
            for length in 1..=count {
                let logits = self.decode(&all, &memory, padding, &context)?;
                let next = logits.narrow(1, length - 1, 1)?.argmax(-1, false)?; // [N, 1]
                all = Tensor::concat(&[&all, &next], 1)?;
            }
            all.narrow(1, 1, count)
        })
    }

    fn embedded(&self, tokens: &Tensor, table: &Embedding, context: &Context) -> Result<Tensor> {
        if tokens.shape().rank() != 2 {
            return Err(Error::shape("transformer", format!("expected tokens [N, length], came {}", tokens.shape())));
        }
        let x = tokens.pass(table, context)?.mul_scalar(self.scale)?; // [N, length, E]
        x.pass(&self.positions, context)?.pass(&self.dropout, context)
    }

    fn encoded(&self, source: &Tensor, padding: Option<&Tensor>, context: &Context) -> Result<Tensor> {
        let x = self.embedded(source, &self.src_embed, context)?;
        let masks = AttentionMasks { key_padding: padding, ..AttentionMasks::default() };
        context.layer(&self.encoder.path, |context| {
            let x = self.encoder.layers.iter().try_fold(x, |x, layer| layer.encode(&x, &masks, context))?;
            x.pass(&self.encoder.norm, context)
        })
    }

    fn decoded(&self, target: &Tensor, memory: &Tensor, padding: Option<&Tensor>, context: &Context) -> Result<Tensor> {
        self.states(target, memory, padding, context)?.pass(&self.generator, context) // [N, T, target]
    }

    /// What the decoder makes of the target, `[N, T, E]`.
    fn states(&self, target: &Tensor, memory: &Tensor, padding: Option<&Tensor>, context: &Context) -> Result<Tensor> {
        let x = self.embedded(target, &self.tgt_embed, context)?;
        let causal = AttentionMasks { causal: true, ..AttentionMasks::default() };
        let masks = AttentionMasks { key_padding: padding, ..AttentionMasks::default() };
        context.layer(&self.decoder.path, |context| {
            let decode =
                |x: Tensor, layer: &TransformerDecoderLayer| layer.decode(&x, memory, &causal, &masks, context);
            self.decoder.layers.iter().try_fold(x, decode)?.pass(&self.decoder.norm, context)
        })
    }
}

impl SampledModel for Transformer {
    type Config = TransformerConfig;

    fn build(config: &TransformerConfig, params: &Params) -> Result<Self> {
        Self::new(*config, params)
    }

    fn sample(config: &TransformerConfig) -> String {
        let TransformerConfig { longest, source, target, .. } = config;
        format!("{longest} tokens of {source} to {longest} of {target}")
    }

    fn forward_sample(
        &self,
        config: &TransformerConfig,
        _: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>> {
        let tokens = Tensor::zeros([1, config.longest], DType::I64, device)?;
        Ok(vec![self.forward(&tokens, &tokens, None, context)?])
    }
}
