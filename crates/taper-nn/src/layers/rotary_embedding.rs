//! Rotary positions (Su et al., "RoFormer: Enhanced transformer with rotary position embedding", 2021, section 3.2.2): the
//! features of a query or a key are taken in pairs, and pair i is turned by the angle p · base^(−2i/D) at position p. The
//! product of a query and a key then depends on the distance of their positions.

use super::at_least_one;
use crate::gradcheck::layer;
use crate::{Context, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Result, Tensor};

const OP: &str = "rotary_embedding";

/// Which features make a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotaryPairs {
    /// Neighbours, features 2i and 2i + 1: as in the paper.
    Neighbours,
    /// Features i and i + D/2: as in GPT-NeoX and Llama.
    Halves,
}

/// The configuration of [`RotaryEmbedding`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RotaryConfig {
    /// The number of features of a head that are turned, an even number; features after them stay.
    pub dim: usize,
    /// The base of the angles.
    pub base: f64,
    /// Which features make a pair.
    pub pairs: RotaryPairs,
}

impl RotaryConfig {
    /// `dim` features in the paper's pairs, with base 10,000.
    pub fn new(dim: usize) -> Self {
        Self { dim, base: 10_000.0, pairs: RotaryPairs::Neighbours }
    }

    /// Sets which features make a pair.
    pub fn pairs(self, pairs: RotaryPairs) -> Self {
        Self { pairs, ..self }
    }

    /// Sets the base of the angles.
    pub fn base(self, base: f64) -> Self {
        Self { base, ..self }
    }
}

/// Turns queries or keys `[N, H, T, D]` by their positions. It has no parameters. As a [`Module`] positions count from 0.
#[derive(Debug, Clone)]
pub struct RotaryEmbedding {
    path: String,
    config: RotaryConfig,
}

impl RotaryEmbedding {
    /// # Errors
    /// An odd number of features, or 0; a base that is not above 0.
    pub fn new(config: RotaryConfig, params: &Params) -> Result<Self> {
        at_least_one(OP, params.path(), &[("dim", config.dim)])?;
        if !config.dim.is_multiple_of(2) || config.base.is_nan() || config.base <= 0.0 {
            let detail = format!("dim must be even and base above 0, came as {} and {}", config.dim, config.base);
            return super::at(params.path(), Err(Error::argument(OP, detail)));
        }
        Ok(Self { path: params.path().to_owned(), config })
    }

    /// `x: [N, H, T, D]` turned by the positions `first`, `first` + 1, …
    ///
    /// # Errors
    /// Fewer features than are turned.
    pub fn turn_from(&self, x: &Tensor, first: usize, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |_| self.turned(x, first))
    }

    fn turned(&self, x: &Tensor, first: usize) -> Result<Tensor> {
        let RotaryConfig { dim, base, pairs } = self.config;
        if x.shape().rank() != 4 || x.shape()[3] < dim {
            let detail = format!("expected [N, H, T, D] with D at least {dim}, came as {}", x.shape());
            return Err(Error::shape(OP, detail));
        }
        let [n, h, t, d] = x.dims()?;
        let half = dim / 2;
        let angle = |p: usize, i: usize| (first + p) as f64 * base.powf(-2.0 * i as f64 / dim as f64);
        let table = |f: fn(f64) -> f64| {
            let values = (0..t).flat_map(|p| (0..half).map(move |i| f(angle(p, i)))).collect();
            Tensor::from_vec::<f64>(values, [t, half], x.device())?.cast(x.dtype())
        };
        let (cos, sin) = (table(f64::cos)?, table(f64::sin)?);
        let front = if d > dim { x.narrow(3, 0, dim)? } else { x.clone() };
        // Pairs along an axis of their own.
        let (shape, axis) = match pairs {
            RotaryPairs::Neighbours => ([n, h, t, half, 2], -1),
            RotaryPairs::Halves => ([n, h, t, 2, half], -2),
        };
        let both = front.reshape(shape)?.unbind(axis)?;
        let [a, b] = &both[..] else { return Err(Error::argument(OP, "features in pairs")) };
        let turned = [a.mul(&cos)?.sub(&b.mul(&sin)?)?, a.mul(&sin)?.add(&b.mul(&cos)?)?];
        let front = Tensor::stack(&[&turned[0], &turned[1]], axis)?.reshape([n, h, t, dim])?;
        if d > dim { Tensor::concat(&[&front, &x.narrow(3, dim, d - dim)?], 3) } else { Ok(front) }
    }
}

impl Module for RotaryEmbedding {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.turn_from(x, 0, context)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let halves = RotaryConfig::new(4).pairs(RotaryPairs::Halves);
    vec![
        layer("neighbours", |params| RotaryEmbedding::new(RotaryConfig::new(4), params)).input([2, 1, 3, 4]),
        layer("halves, some features", move |params| RotaryEmbedding::new(halves, params)).input([1, 2, 3, 5]),
    ]
}
