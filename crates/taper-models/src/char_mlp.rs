//! A neural language model: the MLP over a window of tokens of Y. Bengio, R. Ducharme, P. Vincent and C. Jauvin, "A neural
//! probabilistic language model", JMLR 3, 2003, section 2: an embedding of each token, one hidden layer with tanh, logits of
//! the next token.

use taper_nn::{
    Context, Embedding, EmbeddingConfig, Error, Linear, LinearConfig, Module, Params, Pass, Result, Tensor,
};

/// The sizes of a [`CharMlp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CharMlpConfig {
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Tokens that the model sees before the one that it predicts.
    pub context: usize,
    /// The length of a token's embedding.
    pub embedding: usize,
    /// Units of the hidden layer.
    pub hidden: usize,
}

/// Layers `embedding`, `fc1`, `fc2`: tokens `[N, context]` (i64) to logits `[N, vocabulary]` of the next token.
#[derive(Debug, Clone)]
pub struct CharMlp {
    path: String,
    context: usize,
    embedding: Embedding,
    fc1: Linear,
    fc2: Linear,
}

impl CharMlp {
    /// Creates the layers in `params`. An error when a size is 0.
    pub fn new(config: CharMlpConfig, params: &Params) -> Result<Self> {
        let CharMlpConfig { vocabulary, context, embedding, hidden } = config;
        let features = context.checked_mul(embedding).ok_or_else(|| {
            Error::argument("char_mlp", format!("context {context} of embeddings of {embedding} is too large"))
        })?;
        Ok(Self {
            path: params.path().to_owned(),
            context,
            embedding: Embedding::new(EmbeddingConfig::new(vocabulary, embedding), &params.sub("embedding"))?,
            fc1: Linear::new(LinearConfig::new(features, hidden), &params.sub("fc1"))?,
            fc2: Linear::new(LinearConfig::new(hidden, vocabulary), &params.sub("fc2"))?,
        })
    }

    /// The number of tokens that the model sees.
    pub fn context(&self) -> usize {
        self.context
    }
}

impl Module for CharMlp {
    fn forward(&self, tokens: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = tokens.pass(&self.embedding, context)?.flatten(1)?; // [N, context · embedding]
            let x = x.pass(&self.fc1, context)?.tanh()?; // [N, hidden]
            x.pass(&self.fc2, context) // [N, vocabulary]
        })
    }
}
