//! Permutation of the dimensions. The gradient is permuted back.

use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Error, Result};

impl Tensor {
    /// Permutes the dimensions: dimension `i` of the result is dimension `axes[i]` of this tensor. `axes` names each
    /// dimension once; −1 is the last.
    pub fn permute(&self, axes: &[isize]) -> Result<Tensor> {
        let shape = self.shape();
        let axes = axes.iter().map(|&axis| shape.axis("permute", axis)).collect::<Result<Vec<_>>>()?;
        let mut inverse = vec![usize::MAX; shape.rank()];
        for (i, &axis) in axes.iter().enumerate() {
            inverse[axis] = i;
        }
        if axes.len() != shape.rank() || inverse.contains(&usize::MAX) {
            let detail = format!("axes {axes:?} must name each of the {} dimensions of {shape} once", shape.rank());
            return Err(Error::argument("permute", detail));
        }
        let y = self.device().permute(self.buffer()?, &axes)?;
        Ok(Tensor::record("permute", y, &[self], || {
            let inverse: Vec<isize> = inverse.iter().map(|&axis| axis as isize).collect();
            Rule::tensors(move |g, _| Ok(vec![Some(g.permute(&inverse)?)]))
        }))
    }

    /// Exchanges dimensions `a` and `b`; −1 is the last.
    pub fn transpose(&self, a: isize, b: isize) -> Result<Tensor> {
        let (a, b) = (self.shape().axis("transpose", a)?, self.shape().axis("transpose", b)?);
        let mut axes: Vec<isize> = (0..self.shape().rank() as isize).collect();
        axes.swap(a, b);
        self.permute(&axes)
    }

    /// Moves dimension `from[i]` to place `to[i]`; the others stay in their order. Both name as many dimensions, each
    /// once; −1 is the last.
    pub fn movedim(&self, from: &[isize], to: &[isize]) -> Result<Tensor> {
        const OP: &str = "movedim";
        let shape = self.shape();
        if from.len() != to.len() {
            let detail = format!("{} dimensions came for {} places: expected as many", from.len(), to.len());
            return Err(Error::argument(OP, detail));
        }
        if from.is_empty() {
            return Ok(self.clone());
        }
        shape.axes(OP, from)?;
        shape.axes(OP, to)?;
        let found = |axes: &[isize]| axes.iter().map(|&axis| shape.axis(OP, axis)).collect::<Result<Vec<_>>>();
        let (from, to) = (found(from)?, found(to)?);
        let mut others = (0..shape.rank()).filter(|axis| !from.contains(axis));
        let place = |at: usize| to.iter().position(|&to| to == at).map(|i| from[i]).or_else(|| others.next());
        let axes: Vec<isize> = (0..shape.rank()).filter_map(place).map(|axis| axis as isize).collect();
        self.permute(&axes)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("three dimensions", |x| x[0].permute(&[2, 0, 1])).input([2, 3, 4]),
        Case::new("movedim", |x| x[0].movedim(&[0, 1], &[-1, 0])).input([2, 3, 4]),
        Case::new("transpose", |x| x[0].transpose(0, -1)).input([2, 3, 4]),
    ]
}
