//! A bag of words as a classifier (A. Joulin et al., "Bag of tricks for efficient text classification", EACL 2017: fastText):
//! the mean of the embeddings of the words and of their runs, and one linear layer. Runs have numbers of their own, where
//! fastText hashes them, so that none is mistaken for another; and a word that a text has many times counts once, since how
//! often it is there says little more than that it is.

use taper_config::table;
use taper_nn::{
    BagMode, Context, Dropout, EmbeddingBag, EmbeddingBagConfig, Init, Linear, LinearConfig, Module, Params, Pass,
    Result, Tensor,
};

table! {
    /// `[model]` of a [`WordBag`].
    #[derive(Copy)]
    pub struct WordBagConfig {
        /// Runs of up to so many words are words too (n-grams).
        ngrams: usize = 1, integer(1..=8);
        /// The length of a word's embedding.
        embedding: usize = 64, integer(1..=65_536);
        /// The dropout behind the mean.
        dropout: f64 = 0.0, fraction();
    }
}

/// Layers `embedding` and `fc`: words `[N, L]` (i64, 0 for padding, which counts for nothing) to logits `[N, classes]`.
#[derive(Debug, Clone)]
pub struct WordBag {
    path: String,
    embedding: EmbeddingBag,
    dropout: Dropout,
    fc: Linear,
}

impl WordBag {
    /// Creates the layers in `params`, of `vocabulary` numbers of words with that of padding. Embeddings begin small, so that a
    /// rare word says little before it was learnt.
    ///
    /// # Errors
    /// A size of 0.
    pub fn new(config: WordBagConfig, vocabulary: usize, classes: usize, params: &Params) -> Result<Self> {
        let WordBagConfig { embedding, dropout, .. } = config;
        let table = EmbeddingBagConfig::new(vocabulary, embedding).mode(BagMode::Mean).padding_idx(0);
        let table = table.init(Init::Normal { std: 0.1 });
        Ok(Self {
            path: params.path().to_owned(),
            embedding: EmbeddingBag::new(table, &params.sub("embedding"))?,
            dropout: Dropout::new(dropout, &params.sub("dropout"))?,
            fc: Linear::new(LinearConfig::new(embedding, classes), &params.sub("fc"))?,
        })
    }

    /// What each word adds to each class's logit, `[N, L, classes]`: for a text of n words W_c · e / n. Together with the bias
    /// these are the logits, exactly. Padding adds 0.
    ///
    /// # Errors
    /// Words outside the vocabulary.
    pub fn shares(&self, words: &Tensor) -> Result<Tensor> {
        let rows = self.embedding.weight().tensor().embedding(words)?; // [N, L, E]
        let real = words.ne_scalar(0.0)?.cast(rows.dtype())?.unsqueeze(2)?; // [N, L, 1]
        let count = real.sum(&[1], true)?.maximum_scalar(1.0)?; // [N, 1, 1]
        rows.mul(&real)?.div(&count)?.linear(&self.fc.weight().tensor(), None)
    }
}

impl Module for WordBag {
    fn forward(&self, words: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            words.pass(&self.embedding, context)?.pass(&self.dropout, context)?.pass(&self.fc, context)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::{DType, Device, RandomKey};

    #[test]
    fn what_the_words_add_are_the_logits_and_padding_adds_nothing() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F64, RandomKey::new(3));
        let bag = WordBag::new(WordBagConfig { ngrams: 1, embedding: 5, dropout: 0.0 }, 9, 3, &params).unwrap();
        let words = |row: &[i64]| Tensor::from_vec(row.to_vec(), [1, row.len()], &device).unwrap();
        let logits = |row: &[i64]| bag.forward(&words(row), &Context::eval()).unwrap().to_vec::<f64>().unwrap();
        let due = logits(&[2, 7, 2, 8]);
        assert_eq!(logits(&[2, 7, 2, 8, 0, 0, 0]), due);
        let shares = bag.shares(&words(&[2, 7, 2, 8, 0])).unwrap(); // [1, 5, 3]
        let bias = bag.fc.bias().unwrap().tensor().to_vec::<f64>().unwrap();
        let sums = shares.sum(&[1], false).unwrap().to_vec::<f64>().unwrap();
        for ((sum, bias), due) in sums.iter().zip(&bias).zip(&due) {
            assert!((sum + bias - due).abs() < 1e-12, "{sums:?} {bias} {due:?}");
        }
        assert_eq!(shares.to_vec::<f64>().unwrap()[12..], [0.0; 3]);
        // A text without a word is one, whose logits are the bias.
        assert_eq!(logits(&[0]), bias);
    }
}
