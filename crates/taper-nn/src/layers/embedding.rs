//! Embedding: a lookup table of vectors.

use super::at_least_one;
use crate::gradcheck::of_params;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Param, Result, Tensor};

/// The configuration of [`Embedding`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmbeddingConfig {
    /// The number of rows: the size of the vocabulary.
    pub num_embeddings: usize,
    /// The length of each vector.
    pub embedding_dim: usize,
    /// The initialisation of the table.
    pub init: Init,
}

impl EmbeddingConfig {
    /// `num_embeddings` vectors of length `embedding_dim`, initialised with standard normal numbers as in PyTorch.
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        Self { num_embeddings, embedding_dim, init: Init::Normal { std: 1.0 } }
    }

    /// Sets the initialisation of the table.
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }
}

/// Maps indices `[…]` (i64, each in 0..num_embeddings) to rows `[…, embedding_dim]` of
/// `weight: [num_embeddings, embedding_dim]`.
#[derive(Debug, Clone)]
pub struct Embedding {
    path: String,
    weight: Param,
}

impl Embedding {
    /// Creates `weight` in `params`. An error when a size is 0.
    pub fn new(config: EmbeddingConfig, params: &Params) -> Result<Self> {
        let EmbeddingConfig { num_embeddings, embedding_dim, init } = config;
        let sizes = [("num_embeddings", num_embeddings), ("embedding_dim", embedding_dim)];
        at_least_one("embedding", params.path(), &sizes)?;
        let weight = params.get("weight", [num_embeddings, embedding_dim], init)?;
        Ok(Self { path: params.path().to_owned(), weight })
    }

    /// The table, `[num_embeddings, embedding_dim]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }
}

impl Module for Embedding {
    fn forward(&self, index: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |_| self.weight.tensor().embedding(index))
    }
}

pub(super) fn cases() -> Vec<Case> {
    let rows = |name: &str, index: &'static [i64], shape: &'static [usize]| {
        let forward = move |x: &[Tensor], params: &Params| {
            let index = Tensor::from_vec(index.to_vec(), shape, x[0].device())?;
            Embedding::new(EmbeddingConfig::new(4, 3), params)?.forward(&index, &Context::eval())
        };
        of_params(name, forward, 0).input([4, 3])
    };
    vec![rows("one twice, one never", &[2, 0, 2, 1], &[4]), rows("sequences", &[2, 0, 3, 1, 1, 0], &[2, 3])]
}
