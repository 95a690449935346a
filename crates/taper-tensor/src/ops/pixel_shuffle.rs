//! Channels to pixels and back (Shi et al. 2016, section 3.2): elements are moved, nothing is computed.

use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{Error, Result};

impl Tensor {
    /// `[…, C · r², H, W]` to `[…, C, H · r, W · r]`: of each r² channels, one for each place in a square of r × r pixels.
    pub fn pixel_shuffle(&self, r: usize) -> Result<Tensor> {
        const OP: &str = "pixel_shuffle";
        let (outer, [c, h, w]) = pictures(OP, self, r)?;
        let Some(square) = r.checked_mul(r).filter(|&square| c.is_multiple_of(square)) else {
            let detail = format!("{r} · {r} must divide the {c} channels (dim {} of {})", outer.len(), self.shape());
            return Err(Error::shape(OP, detail));
        };
        let count = outer.iter().product();
        let split = self.reshape([count, c / square, r, r, h, w])?;
        let sizes = [times(OP, h, r)?, times(OP, w, r)?];
        split.permute(&[0, 1, 4, 2, 5, 3])?.reshape([&outer[..], &[c / square], &sizes].concat())
    }

    /// `[…, C, H · r, W · r]` to `[…, C · r², H, W]`: the inverse of [`Tensor::pixel_shuffle`].
    pub fn pixel_unshuffle(&self, r: usize) -> Result<Tensor> {
        const OP: &str = "pixel_unshuffle";
        let (outer, [c, h, w]) = pictures(OP, self, r)?;
        if !h.is_multiple_of(r) || !w.is_multiple_of(r) {
            let detail = format!("{r} must divide height {h} and width {w} of {}", self.shape());
            return Err(Error::shape(OP, detail));
        }
        let (count, channels) = (outer.iter().product(), times(OP, times(OP, c, r)?, r)?);
        let split = self.reshape([count, c, h / r, r, w / r, r])?;
        split.permute(&[0, 1, 3, 5, 2, 4])?.reshape([&outer[..], &[channels, h / r, w / r]].concat())
    }
}

/// A product of sizes. It can be more than is counted only of pictures without elements.
fn times(op: &'static str, size: usize, r: usize) -> Result<usize> {
    size.checked_mul(r).ok_or_else(|| Error::argument(op, format!("{size} · {r} is more than can be counted")))
}

/// Channels, height and width, and the dimensions before them.
fn pictures(op: &'static str, x: &Tensor, r: usize) -> Result<(Vec<usize>, [usize; 3])> {
    if r == 0 {
        return Err(Error::argument(op, "the factor is 0, expected at least 1"));
    }
    match x.shape()[..] {
        [ref outer @ .., c, h, w] => Ok((outer.to_vec(), [c, h, w])),
        _ => Err(Error::shape(op, format!("input must be […, C, H, W], came as {}", x.shape()))),
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("shuffle", |x| x[0].pixel_shuffle(2)).input([2, 8, 1, 3]),
        Case::new("unshuffle", |x| x[0].pixel_unshuffle(2)).input([2, 2, 4]),
        Case::new("there and back", |x| x[0].pixel_shuffle(3)?.pixel_unshuffle(3)?.mul(&x[0])).input([1, 9, 2, 1]),
    ]
}
