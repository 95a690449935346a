//! Embedding bags: the sum, the mean or the largest of the rows of each bag of indices, as PyTorch's `EmbeddingBag`.

use super::embedding::table;
use crate::gradcheck::of_params;
use crate::optim::wide;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Param, Result, Tensor};

const OP: &str = "embedding_bag";

/// What an [`EmbeddingBag`] makes of the rows of a bag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BagMode {
    /// Their sum, weighted where weights are given.
    Sum,
    /// Their mean.
    #[default]
    Mean,
    /// The largest of each column; the gradient goes to the first of equals.
    Max,
}

/// The configuration of [`EmbeddingBag`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmbeddingBagConfig {
    /// The number of rows: the size of the vocabulary.
    pub num_embeddings: usize,
    /// The length of each vector.
    pub embedding_dim: usize,
    /// What is made of the rows of a bag.
    pub mode: BagMode,
    /// The row that stands for padding: it starts at 0, and counts in no bag.
    pub padding_idx: Option<usize>,
    /// The initialisation of the table.
    pub init: Init,
}

impl EmbeddingBagConfig {
    /// Means of `num_embeddings` vectors of length `embedding_dim`, initialised with standard normal numbers as in
    /// PyTorch.
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        let init = Init::Normal { std: 1.0 };
        Self { num_embeddings, embedding_dim, mode: BagMode::Mean, padding_idx: None, init }
    }

    /// Sets what is made of the rows of a bag.
    pub fn mode(self, mode: BagMode) -> Self {
        Self { mode, ..self }
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

/// Maps bags of indices (i64, each in 0..num_embeddings) to one vector each, `[B, embedding_dim]`, of rows of
/// `weight: [num_embeddings, embedding_dim]`. A bag without indices, or of padding alone, is 0.
#[derive(Debug, Clone)]
pub struct EmbeddingBag {
    path: String,
    weight: Param,
    mode: BagMode,
    padding_idx: Option<usize>,
}

impl EmbeddingBag {
    /// Creates `weight` in `params`. An error when a size is 0, or the padding index is not of the table.
    pub fn new(config: EmbeddingBagConfig, params: &Params) -> Result<Self> {
        let EmbeddingBagConfig { num_embeddings, embedding_dim, mode, padding_idx, init } = config;
        let weight = table(OP, [num_embeddings, embedding_dim], padding_idx, init, params)?;
        Ok(Self { path: params.path().to_owned(), weight, mode, padding_idx })
    }

    /// The table, `[num_embeddings, embedding_dim]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    /// The bags of `index: [L]`, of which bag b begins at `offsets[b]` and ends where the next one begins, the last one at
    /// L: `[B, embedding_dim]`. With [`BagMode::Sum`] each row may be multiplied by one of `weights: [L]` (PyTorch's
    /// `per_sample_weights`).
    ///
    /// # Errors
    /// When the offsets do not begin with 0, decrease or are over L; when weights come with another mode or shape.
    pub fn bags(
        &self,
        index: &Tensor,
        offsets: &[usize],
        weights: Option<&Tensor>,
        context: &Context,
    ) -> Result<Tensor> {
        context.layer(&self.path, |_| {
            let [length] = index.shape()[..] else {
                return Err(Error::shape(OP, format!("the indices of bags must be [L], came as {}", index.shape())));
            };
            check_offsets(offsets, length)?;
            if let Some(weights) = weights {
                if self.mode != BagMode::Sum {
                    return Err(Error::argument(OP, format!("weights are for sums, the mode is {:?}", self.mode)));
                }
                if weights.shape() != index.shape() {
                    let detail =
                        format!("the weights must be {}, as the indices, came as {}", index.shape(), weights.shape());
                    return Err(Error::shape(OP, detail));
                }
            }
            self.pooled(index, offsets, weights)
        })
    }

    fn pooled(&self, index: &Tensor, offsets: &[usize], weights: Option<&Tensor>) -> Result<Tensor> {
        let table = self.weight.tensor();
        // Halves are summed in f32.
        let rows = table.embedding(index)?.cast(wide(table.dtype()))?; // [L, D]
        // Of no index at all there is no largest; the sum below is 0.
        let pooled = if self.mode == BagMode::Max && index.count() > 0 {
            self.largest(&rows, index, offsets)?
        } else {
            self.sum(&rows, index, offsets, weights)?
        };
        pooled.cast(table.dtype())
    }

    /// Sums, or means, `[B, D]`.
    fn sum(&self, rows: &Tensor, index: &Tensor, offsets: &[usize], weights: Option<&Tensor>) -> Result<Tensor> {
        let ([length, width], bags, device) = (rows.dims()?, offsets.len(), rows.device());
        let bag_of = |bag: usize| std::iter::repeat_n(bag as i64, end(offsets, bag, length) - offsets[bag]);
        let bag_of = Tensor::from_vec((0..bags).flat_map(bag_of).collect(), [length, 1], device)?;
        let mut rows = rows.clone();
        if let Some(weights) = weights {
            rows = rows.mul(&weights.cast(rows.dtype())?.unsqueeze(1)?)?;
        }
        let padding = self.padding(index)?;
        if let Some(padding) = &padding {
            rows = rows.masked_fill(&padding.unsqueeze(1)?, 0.0)?;
        }
        let zeros = |width: usize| Tensor::zeros([bags, width], rows.dtype(), device);
        let sum = zeros(width)?.scatter_add(0, &bag_of.broadcast_to([length, width])?, &rows)?;
        if self.mode != BagMode::Mean {
            return Ok(sum);
        }
        let ones = Tensor::ones([length, 1], rows.dtype(), device)?;
        let counted = padding.map_or(Ok(ones.clone()), |padding| ones.masked_fill(&padding.unsqueeze(1)?, 0.0))?;
        let counts = zeros(1)?.scatter_add(0, &bag_of, &counted)?; // [B, 1]
        sum.div(&counts.maximum_scalar(1.0)?)
    }

    /// The largest of each column, `[B, D]`: the bags are laid side by side, as long as the longest.
    fn largest(&self, rows: &Tensor, index: &Tensor, offsets: &[usize]) -> Result<Tensor> {
        let (length, bags, device) = (rows.shape()[0], offsets.len(), rows.device());
        let size = |bag: usize| end(offsets, bag, length) - offsets[bag];
        let longest = (0..bags).map(size).max().unwrap_or(0);
        let places =
            (0..bags).flat_map(|bag| (0..longest).map(move |i| if i < size(bag) { offsets[bag] + i } else { 0 }));
        let places = Tensor::from_vec(places.map(|place| place as i64).collect(), [bags * longest], device)?;
        let absent = (0..bags).flat_map(|bag| (0..longest).map(move |i| u8::from(i >= size(bag)))).collect();
        let mut absent = Tensor::from_vec(absent, [bags, longest], device)?;
        if let Some(padding) = self.padding(&index.gather(0, &places)?)? {
            absent = absent.logical_or(&padding.reshape([bags, longest])?)?;
        }
        let rows = rows.embedding(&places.reshape([bags, longest])?)?; // [B, longest, D]
        let (largest, _) = rows.masked_fill(&absent.unsqueeze(2)?, f64::NEG_INFINITY)?.max_with_index(1, false)?;
        largest.masked_fill(&absent.all(&[1], true)?, 0.0)
    }

    /// Which indices are the padding's, with the shape of `index`.
    fn padding(&self, index: &Tensor) -> Result<Option<Tensor>> {
        self.padding_idx.map(|padding| index.eq_scalar(padding as f64)).transpose()
    }
}

/// Where the bag ends.
fn end(offsets: &[usize], bag: usize, length: usize) -> usize {
    offsets.get(bag + 1).copied().unwrap_or(length)
}

fn check_offsets(offsets: &[usize], length: usize) -> Result<()> {
    match offsets {
        [] if length == 0 => Ok(()),
        [0, ..] => match offsets.windows(2).position(|pair| pair[0] > pair[1]) {
            Some(i) => {
                let detail =
                    format!("offsets must not decrease: offset {i} is {}, the next {}", offsets[i], offsets[i + 1]);
                Err(Error::argument(OP, detail))
            }
            None => match offsets.last() {
                Some(&last) if last > length => {
                    Err(Error::argument(OP, format!("offset {last} is over the number of indices, {length}")))
                }
                _ => Ok(()),
            },
        },
        _ => Err(Error::argument(OP, format!("the first bag must begin at 0, the offsets are {offsets:?}"))),
    }
}

impl Module for EmbeddingBag {
    /// The bags that are the rows of `index: [B, L]`.
    fn forward(&self, index: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |_| {
            let [bags, length] = index.shape()[..] else {
                let detail = format!("expected indices [B, L], or offsets with [L], came {}", index.shape());
                return Err(Error::shape(OP, detail));
            };
            let offsets: Vec<usize> = (0..bags).map(|bag| bag * length).collect();
            self.pooled(&index.reshape([bags * length])?, &offsets, None)
        })
    }
}

pub(super) fn cases() -> Vec<Case> {
    let bags = |name: &str, mode, padding: Option<usize>, weighted: bool| {
        let forward = move |x: &[Tensor], params: &Params| {
            let index = Tensor::from_vec(vec![2i64, 0, 2, 1, 3, 3], [6], x[0].device())?;
            let config = EmbeddingBagConfig::new(4, 3).mode(mode).padding_idx(padding);
            // The second bag is empty.
            EmbeddingBag::new(config, params)?.bags(&index, &[0, 3, 3], weighted.then_some(&x[0]), &Context::eval())
        };
        let case = of_params(name, forward, usize::from(weighted));
        if weighted { case.input([6]).input([4, 3]) } else { case.input([4, 3]) }
    };
    vec![
        bags("sum", BagMode::Sum, None, false),
        bags("sum, weighted, padded", BagMode::Sum, Some(2), true),
        bags("mean", BagMode::Mean, None, false),
        bags("mean, padded", BagMode::Mean, Some(2), false),
        bags("max", BagMode::Max, None, false),
        bags("max, padded", BagMode::Max, Some(3), false),
        of_params(
            "rows of indices",
            |x, params| {
                let index = Tensor::from_vec(vec![2i64, 0, 2, 1], [2, 2], x[0].device())?;
                EmbeddingBag::new(EmbeddingBagConfig::new(3, 2), params)?.forward(&index, &Context::eval())
            },
            0,
        )
        .input([3, 2]),
    ]
}
