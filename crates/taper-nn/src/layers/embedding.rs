//! Embedding: a lookup table of vectors, as PyTorch's `Embedding`.

use super::{at, at_least_one};
use crate::gradcheck::of_params;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Param, Result, Tensor};

/// The configuration of [`Embedding`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmbeddingConfig {
    /// The number of rows: the size of the vocabulary.
    pub num_embeddings: usize,
    /// The length of each vector.
    pub embedding_dim: usize,
    /// The row that stands for padding: it starts at 0, and its gradient is 0.
    pub padding_idx: Option<usize>,
    /// The initialisation of the table.
    pub init: Init,
}

impl EmbeddingConfig {
    /// `num_embeddings` vectors of length `embedding_dim`, initialised with standard normal numbers as in PyTorch.
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        Self { num_embeddings, embedding_dim, padding_idx: None, init: Init::Normal { std: 1.0 } }
    }

    /// Sets the row that stands for padding.
    pub fn padding_idx(self, padding_idx: impl Into<Option<usize>>) -> Self {
        Self { padding_idx: padding_idx.into(), ..self }
    }

    /// Sets the initialisation of the table.
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }
}

/// Maps indices `[…]` (i64, each in 0..num_embeddings) to rows `[…, embedding_dim]` of
/// `weight: [num_embeddings, embedding_dim]`.
///
/// The row of the padding index starts at 0, and no gradient flows to it from here, so that it stays 0; one that was
/// loaded stays as it is. It still takes part in what else uses the table, such as a tied output layer.
#[derive(Debug, Clone)]
pub struct Embedding {
    path: String,
    weight: Param,
    padding_idx: Option<usize>,
}

impl Embedding {
    /// Creates `weight` in `params`. An error when a size is 0, or the padding index is not of the table.
    pub fn new(config: EmbeddingConfig, params: &Params) -> Result<Self> {
        let EmbeddingConfig { num_embeddings, embedding_dim, padding_idx, init } = config;
        let weight = table("embedding", [num_embeddings, embedding_dim], padding_idx, init, params)?;
        Ok(Self { path: params.path().to_owned(), weight, padding_idx })
    }

    /// The table, `[num_embeddings, embedding_dim]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }
}

impl Module for Embedding {
    fn forward(&self, index: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |_| {
            let rows = self.weight.tensor().embedding(index)?; // […, D]
            let Some(padding) = self.padding_idx else { return Ok(rows) };
            index.eq_scalar(padding as f64)?.unsqueeze(-1)?.select(&rows.detach(), &rows)
        })
    }
}

/// The table `weight: [rows, width]`, of which the row `padding` starts at 0.
pub(super) fn table(
    op: &'static str,
    [rows, width]: [usize; 2],
    padding: Option<usize>,
    init: Init,
    params: &Params,
) -> Result<Param> {
    at_least_one(op, params.path(), &[("num_embeddings", rows), ("embedding_dim", width)])?;
    if let Some(padding) = padding.filter(|&padding| padding >= rows) {
        let detail = format!("padding_idx {padding} must be one of the {rows} rows");
        return at(params.path(), Err(Error::argument(op, detail)));
    }
    params.get_changed("weight", [rows, width], init, |drawn| {
        let Some(padding) = padding else { return Ok(drawn) };
        let is_padding = (0..rows).map(|row| u8::from(row == padding)).collect();
        drawn.masked_fill(&Tensor::from_vec(is_padding, [rows, 1], drawn.device())?, 0.0)
    })
}

pub(super) fn cases() -> Vec<Case> {
    let rows = |name: &str, padding: Option<usize>, index: &'static [i64], shape: &'static [usize]| {
        let forward = move |x: &[Tensor], params: &Params| {
            let index = Tensor::from_vec(index.to_vec(), shape, x[0].device())?;
            let config = EmbeddingConfig::new(4, 3).padding_idx(padding);
            Embedding::new(config, params)?.forward(&index, &Context::eval())
        };
        of_params(name, forward, 0)
    };
    let ones = |used: [f64; 4]| used.into_iter().flat_map(|uses| [uses; 3]).collect();
    vec![
        rows("one twice, one never", None, &[2, 0, 2, 1], &[4]).input([4, 3]),
        rows("sequences", None, &[2, 0, 3, 1, 1, 0], &[2, 3]).input([4, 3]),
        // The output depends on the padding's row, so that differences would not be 0.
        rows("padding has no gradient", Some(2), &[2, 0, 3, 1, 2, 0], &[2, 3])
            .input([4, 3])
            .subgradient(0, ones([2.0, 1.0, 0.0, 1.0])),
        rows("a padding that does not occur", Some(1), &[2, 0, 2], &[3]).input([4, 3]),
    ]
}
