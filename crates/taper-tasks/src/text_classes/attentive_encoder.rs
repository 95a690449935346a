//! A small Transformer as a classifier of texts: the encoder of Vaswani et al., "Attention is all you need", NeurIPS 2017, with
//! layer norms before each part, and attention over what it makes of the words (`pool.rs`) in the place of a token of its own.

use super::pool::{AttentionPool, check_words};
use taper_config::table;
use taper_nn::{
    AttentionMasks, Context, Dropout, Embedding, EmbeddingConfig, Init, LayerNorm, LayerNormConfig, Linear,
    LinearConfig, Module, Params, Pass, Result, SinusoidalPositions, Tensor, TransformerEncoderLayer,
    TransformerLayerConfig,
};

table! {
    /// `[model]` of an [`AttentiveEncoder`].
    #[derive(Copy)]
    pub struct AttentiveEncoderConfig {
        /// Features, the length of a word's embedding.
        d_model: usize = 64, integer(1..=65_536);
        /// Heads of attention, which divide the features.
        nhead: usize = 4, integer(1..=1024);
        /// Layers.
        layers: usize = 2, integer(1..=1024);
        /// Units of the feed-forward networks.
        dim_feedforward: usize = 128, integer(1..=65_536);
        /// The probability of dropout.
        dropout: f64 = 0.1, fraction();
    }
}

/// Layers `embedding`, `layers.0`, …, `norm`, `attention`, `context` and `fc`: words `[N, L]` (i64, 0 for padding, behind the
/// words) to logits `[N, classes]`. Padding changes nothing: no word attends to it.
#[derive(Debug, Clone)]
pub struct AttentiveEncoder {
    path: String,
    embedding: Embedding,
    positions: SinusoidalPositions,
    dropout: Dropout,
    layers: Vec<TransformerEncoderLayer>,
    norm: LayerNorm,
    pool: AttentionPool,
    fc: Linear,
    scale: f64,
}

impl AttentiveEncoder {
    /// Creates the layers in `params`, of `vocabulary` numbers of words with that of padding, for texts of up to `longest`.
    ///
    /// # Errors
    /// A size of 0; heads that do not divide the features.
    pub fn new(
        config: AttentiveEncoderConfig,
        [vocabulary, longest, classes]: [usize; 3],
        params: &Params,
    ) -> Result<Self> {
        let AttentiveEncoderConfig { d_model, nhead, layers, dim_feedforward, dropout } = config;
        let scale = (d_model as f64).sqrt();
        let layer = TransformerLayerConfig::new(d_model, nhead)
            .dim_feedforward(dim_feedforward)
            .dropout(dropout)
            .norm_first(true)
            .init(Init::XavierUniform { gain: 1.0 });
        let layer = |i: usize| TransformerEncoderLayer::new(layer, &params.sub(format!("layers.{i}")));
        let table = EmbeddingConfig::new(vocabulary, d_model).init(Init::Normal { std: 1.0 / scale });
        Ok(Self {
            path: params.path().to_owned(),
            embedding: Embedding::new(table, &params.sub("embedding"))?,
            positions: SinusoidalPositions::new(d_model, longest.max(1), &params.sub("positions"))?,
            dropout: Dropout::new(dropout, &params.sub("dropout"))?,
            layers: (0..layers).map(layer).collect::<Result<_>>()?,
            norm: LayerNorm::new(LayerNormConfig::new([d_model]), &params.sub("norm"))?,
            pool: AttentionPool::new(d_model, params)?,
            fc: Linear::new(LinearConfig::new(d_model, classes), &params.sub("fc"))?,
            scale,
        })
    }

    /// The logits `[N, classes]`, and how much attention is paid to what the layers make of each word, `[N, L]`: of a text with
    /// a word 1 in all, and 0 to padding.
    ///
    /// # Errors
    /// Words outside the vocabulary; none at all, not even padding; more than the longest text has.
    pub fn with_attention(&self, words: &Tensor, context: &Context) -> Result<(Tensor, Tensor)> {
        context.layer(&self.path, |context| {
            check_words("attentive_encoder", words)?;
            let padding = words.eq_scalar(0.0)?;
            let x = words.pass(&self.embedding, context)?.mul_scalar(self.scale)?; // [N, L, E]
            let x = x.pass(&self.positions, context)?.pass(&self.dropout, context)?;
            let masks = AttentionMasks { key_padding: Some(&padding), ..AttentionMasks::default() };
            let x = self.layers.iter().try_fold(x, |x, layer| layer.encode(&x, &masks, context))?;
            let (pooled, paid) = self.pool.pooled(&x.pass(&self.norm, context)?, &padding, context)?; // [N, E], [N, L]
            Ok((pooled.pass(&self.dropout, context)?.pass(&self.fc, context)?, paid))
        })
    }
}

impl Module for AttentiveEncoder {
    fn forward(&self, words: &Tensor, context: &Context) -> Result<Tensor> {
        Ok(self.with_attention(words, context)?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::{DType, Device, RandomKey};

    #[test]
    fn padding_changes_nothing_and_gets_no_attention() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F64, RandomKey::new(3));
        let config = AttentiveEncoderConfig { d_model: 6, nhead: 2, layers: 2, dim_feedforward: 5, dropout: 0.0 };
        let encoder = AttentiveEncoder::new(config, [9, 5, 3], &params).unwrap();
        let of = |rows: &[&[i64]]| {
            let words = Tensor::from_vec(rows.concat(), [rows.len(), rows[0].len()], &device).unwrap();
            let (logits, paid) = encoder.with_attention(&words, &Context::eval()).unwrap();
            (logits.to_vec::<f64>().unwrap(), paid.to_vec::<f64>().unwrap())
        };
        let (due, paid) = of(&[&[2, 7, 8]]);
        assert!((paid.iter().sum::<f64>() - 1.0).abs() < 1e-12 && paid.iter().all(|paid| *paid > 0.0), "{paid:?}");
        let (found, padded) = of(&[&[2, 7, 8, 0, 0], &[4, 0, 0, 0, 0], &[0; 5]]);
        assert!(found[..3].iter().zip(&due).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {due:?}");
        assert_eq!((&padded[3..5], &padded[5..10]), (&[0.0; 2][..], &[1.0, 0.0, 0.0, 0.0, 0.0][..]));
        assert!(padded[10..].iter().all(|paid| *paid == 0.0) && found.iter().all(|logit| logit.is_finite()));
        // Positions count, unlike in a bag.
        let (other, _) = of(&[&[7, 2, 8]]);
        assert!(other.iter().zip(&due).any(|(a, b)| (a - b).abs() > 1e-6), "{other:?} {due:?}");
        let long = Tensor::from_vec(vec![2_i64; 6], [1, 6], &device).unwrap();
        let text = encoder.forward(&long, &Context::eval()).unwrap_err().to_string();
        assert!(text.contains("at most 5 positions"), "{text}");
    }
}
