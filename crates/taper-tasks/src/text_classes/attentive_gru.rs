//! A GRU with attention over its outputs as a classifier of texts: the attention over words of Z. Yang et al., "Hierarchical
//! attention networks for document classification", NAACL 2016, section 2.2, of one direction.

use super::pool::{AttentionPool, check_words};
use taper_config::table;
use taper_nn::{
    Context, Dropout, Embedding, EmbeddingConfig, Gru, Init, Linear, LinearConfig, Module, Params, Pass,
    RecurrentConfig, RecurrentInput, Result, Tensor,
};

table! {
    /// `[model]` of an [`AttentiveGru`].
    #[derive(Copy)]
    pub struct AttentiveGruConfig {
        /// The length of a word's embedding.
        embedding: usize = 64, integer(1..=65_536);
        /// Units of the GRU.
        hidden: usize = 64, integer(1..=65_536);
        /// The dropout behind the embedding and before the last layer.
        dropout: f64 = 0.2, fraction();
    }
}

/// Layers `embedding`, `rnn`, `attention`, `context` and `fc`: words `[N, L]` (i64, 0 for padding, behind the words) to logits
/// `[N, classes]`. Padding changes nothing: the GRU reads it last, and no attention is paid to it.
#[derive(Debug, Clone)]
pub struct AttentiveGru {
    path: String,
    embedding: Embedding,
    dropout: Dropout,
    rnn: Gru,
    pool: AttentionPool,
    fc: Linear,
}

impl AttentiveGru {
    /// Creates the layers in `params`, of `vocabulary` numbers of words with that of padding.
    ///
    /// # Errors
    /// A size of 0.
    pub fn new(config: AttentiveGruConfig, vocabulary: usize, classes: usize, params: &Params) -> Result<Self> {
        let AttentiveGruConfig { embedding, hidden, dropout } = config;
        let table = EmbeddingConfig::new(vocabulary, embedding).init(Init::Normal { std: 0.1 });
        Ok(Self {
            path: params.path().to_owned(),
            embedding: Embedding::new(table, &params.sub("embedding"))?,
            dropout: Dropout::new(dropout, &params.sub("dropout"))?,
            rnn: Gru::new(RecurrentConfig::new(embedding, hidden), &params.sub("rnn"))?,
            pool: AttentionPool::new(hidden, params)?,
            fc: Linear::new(LinearConfig::new(hidden, classes), &params.sub("fc"))?,
        })
    }

    /// The logits `[N, classes]`, and how much attention is paid to each word, `[N, L]`: of a text with a word 1 in all, and 0
    /// to padding.
    ///
    /// # Errors
    /// Words outside the vocabulary; none at all, not even padding.
    pub fn with_attention(&self, words: &Tensor, context: &Context) -> Result<(Tensor, Tensor)> {
        context.layer(&self.path, |context| {
            check_words("attentive_gru", words)?;
            let x = words.transpose(0, 1)?.pass(&self.embedding, context)?.pass(&self.dropout, context)?; // [L, N, E]
            let (h, _) = self.rnn.forward_with(&x, RecurrentInput::default(), context)?; // [L, N, H]
            let h = h.transpose(0, 1)?; // [N, L, H]
            let (pooled, paid) = self.pool.pooled(&h, &words.eq_scalar(0.0)?, context)?; // [N, H], [N, L]
            Ok((pooled.pass(&self.dropout, context)?.pass(&self.fc, context)?, paid))
        })
    }
}

impl Module for AttentiveGru {
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
        let config = AttentiveGruConfig { embedding: 5, hidden: 6, dropout: 0.0 };
        let gru = AttentiveGru::new(config, 9, 3, &params).unwrap();
        let of = |rows: &[&[i64]]| {
            let words = Tensor::from_vec(rows.concat(), [rows.len(), rows[0].len()], &device).unwrap();
            let (logits, paid) = gru.with_attention(&words, &Context::eval()).unwrap();
            (logits.to_vec::<f64>().unwrap(), paid.to_vec::<f64>().unwrap())
        };
        let (due, paid) = of(&[&[2, 7, 8]]);
        assert!((paid.iter().sum::<f64>() - 1.0).abs() < 1e-12 && paid.iter().all(|paid| *paid > 0.0), "{paid:?}");
        let (found, padded) = of(&[&[2, 7, 8, 0, 0], &[4, 0, 0, 0, 0], &[0; 5]]);
        assert!(found[..3].iter().zip(&due).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {due:?}");
        assert_eq!((&padded[3..5], &padded[5..10]), (&[0.0; 2][..], &[1.0, 0.0, 0.0, 0.0, 0.0][..]));
        // A text without a word gets no attention, and finite logits.
        assert!(padded[10..].iter().all(|paid| *paid == 0.0) && found.iter().all(|logit| logit.is_finite()));
        let none = Tensor::from_vec(Vec::<i64>::new(), [1, 0], &device).unwrap();
        let text = gru.forward(&none, &Context::eval()).unwrap_err().to_string();
        assert!(text.starts_with("attentive_gru: expected words [N, L] with L at least 1, came [1, 0]"), "{text}");
    }
}
