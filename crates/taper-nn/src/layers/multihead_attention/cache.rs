//! The keys and values of earlier positions.

use super::OP;
use taper_tensor::{Error, Result, Tensor};

/// The keys and values of the positions that an attention layer has seen, each `[N, H, S, D]`: the next positions attend to
/// them without computing them again. Each layer has one of its own.
#[derive(Debug, Clone, Default)]
pub struct KvCache {
    kept: Option<(Tensor, Tensor)>,
}

impl KvCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of positions in the cache: the position of the next.
    pub fn len(&self) -> usize {
        self.kept.as_ref().map_or(0, |(keys, _)| keys.shape()[2])
    }

    /// Whether the cache is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all positions.
    pub fn clear(&mut self) {
        self.kept = None;
    }

    /// Adds the `keys` and `values` of the next positions, each `[N, H, T, D]`, and gives those of all. No gradient flows to
    /// what was there before.
    ///
    /// # Errors
    /// Another number of samples, heads or features than before; the cache is then as it was.
    pub fn extended(&mut self, keys: Tensor, values: Tensor) -> Result<(Tensor, Tensor)> {
        let all = match &self.kept {
            None => (keys, values),
            Some((before, before_values)) => {
                let fits = |a: &Tensor, b: &Tensor| {
                    let (a, b) = (a.shape(), b.shape());
                    a.rank() == 4 && b.rank() == 4 && a[..2] == b[..2] && a[3] == b[3]
                };
                if !fits(before, &keys) || !fits(before_values, &values) {
                    let detail = format!(
                        "the cache holds keys {} and values {}, which {} and {} do not continue: clear it for another \
                         sequence",
                        before.shape(),
                        before_values.shape(),
                        keys.shape(),
                        values.shape()
                    );
                    return Err(Error::shape(OP, detail));
                }
                (Tensor::concat(&[before, &keys], 2)?, Tensor::concat(&[before_values, &values], 2)?)
            }
        };
        self.kept = Some((all.0.detach(), all.1.detach()));
        Ok(all)
    }
}
