//! Padding with a constant around and between the elements. The gradient is the slice of the output's gradient at the
//! elements.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Error, PadAmount, Result, Shape, SliceRange};

impl Tensor {
    /// Pads each dimension with `value`, which the dtype must hold, in front of, behind and between the elements; one
    /// amount for each dimension.
    pub fn pad(&self, amounts: &[PadAmount], value: f64) -> Result<Tensor> {
        let shape = self.shape();
        if amounts.len() != shape.rank() {
            let detail = format!("{} amounts came for the {} dimensions of {shape}", amounts.len(), shape.rank());
            return Err(Error::argument("pad", detail));
        }
        let padded = amounts.iter().zip(shape.dims()).map(|(amount, &size)| padded(amount, size));
        let padded = padded
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Error::argument("pad", format!("{amounts:?} around {shape} is more than can be counted")))?;
        self.dtype().check_element("pad", value)?;
        check::size("pad", &Shape::from(padded), self.dtype())?;
        let y = self.device().pad(self.buffer()?, amounts, value)?;
        Ok(Tensor::record("pad", y, &[self], || {
            let inside = amounts.iter().zip(shape.dims()).map(|(amount, &size)| {
                let reach = size + size.saturating_sub(1) * amount.interior;
                SliceRange { start: amount.low, end: amount.low + reach, step: amount.interior + 1 }
            });
            let inside: Vec<SliceRange> = inside.collect();
            Rule::tensors(move |g, _| Ok(vec![Some(g.slice(&inside)?)]))
        }))
    }
}

/// The padded size of a dimension; `None` when no integer holds it.
fn padded(amount: &PadAmount, size: usize) -> Option<usize> {
    let between = size.saturating_sub(1).checked_mul(amount.interior)?;
    size.checked_add(between)?.checked_add(amount.low)?.checked_add(amount.high)
}

pub(super) fn cases() -> Vec<Case> {
    let pad = |amounts: &'static [[usize; 3]], value| {
        move |x: &[Tensor]| {
            let amounts = amounts.iter().map(|&[low, high, interior]| PadAmount { low, high, interior });
            x[0].pad(&amounts.collect::<Vec<_>>(), value)
        }
    };
    vec![
        Case::new("pictures", pad(&[[0; 3], [0; 3], [1, 1, 0], [2, 2, 0]], 0.0)).input([1, 2, 3, 2]),
        Case::new("one side, another value", pad(&[[0, 3, 0], [1, 0, 0]], -1.5)).input([2, 3]),
        Case::new("in between", pad(&[[1, 0, 2], [0, 1, 1]], 0.0)).input([3, 2]),
    ]
}
