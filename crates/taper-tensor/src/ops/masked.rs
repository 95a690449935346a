//! Filling and choosing elements by a mask. The gradient goes to the elements that were kept, or chosen.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{DType, Error, Result};

impl Tensor {
    /// `value` where `mask` (u8, as comparisons give) is not 0, this tensor elsewhere. Both broadcast. The dtype must hold
    /// the value.
    pub fn masked_fill(&self, mask: &Tensor, value: f64) -> Result<Tensor> {
        check_mask("masked_fill", self, mask)?;
        self.dtype().check_element("masked_fill", value)?;
        mask.select(&Tensor::full(value, [], self.dtype(), self.device())?, self)
    }

    /// The elements where `mask` (u8, as comparisons give) is not 0: a vector, in row-major order. Both broadcast.
    ///
    /// How many there are depends on the mask's values, so that the host reads it, and waits for the device. Where the
    /// shape may stay, [`Tensor::masked_fill`] and [`Tensor::select`] do not.
    pub fn masked_select(&self, mask: &Tensor) -> Result<Tensor> {
        check_mask("masked_select", self, mask)?;
        let shape = self.shape().broadcast_with(mask.shape(), "masked_select")?;
        let hits = mask.broadcast_to(&shape)?.to_vec::<u8>()?.into_iter().zip(0..);
        let index: Vec<i64> = hits.filter(|(hit, _)| *hit != 0).map(|(_, at)| at).collect();
        let index = Tensor::from_vec(index.clone(), [index.len()], self.device())?;
        self.broadcast_to(&shape)?.reshape([shape.count()])?.gather(0, &index)
    }
}

fn check_mask(op: &'static str, x: &Tensor, mask: &Tensor) -> Result<()> {
    if mask.dtype() != DType::U8 {
        return Err(Error::dtype(op, format!("the mask must be u8, it is {}: compare or cast it", mask.dtype())));
    }
    check::same_device(op, "the input", x, "the mask", mask)?;
    x.shape().broadcast_with(mask.shape(), op).map(|_| ())
}

pub(super) fn cases() -> Vec<Case> {
    let mask = |values: &'static [u8], x: &Tensor| Tensor::from_vec(values.to_vec(), [values.len()], x.device());
    vec![
        Case::new("fill", move |x| x[0].masked_fill(&mask(&[1, 0, 7], &x[0])?, 2.5)).input([2, 3]),
        Case::new("fill, broadcast", move |x| x[0].masked_fill(&mask(&[1, 0, 0], &x[0])?, -1.0)).input([2, 1]),
        Case::new("fill all", move |x| x[0].masked_fill(&mask(&[1], &x[0])?, 0.0)).input([2]).zero_gradient(0),
        Case::new("select", move |x| x[0].masked_select(&mask(&[1, 0, 7], &x[0])?)).input([2, 3]),
        Case::new("select, broadcast", move |x| x[0].masked_select(&mask(&[1, 1, 0], &x[0])?)).input([2, 1]),
        Case::new("select nothing", move |x| x[0].masked_select(&mask(&[0], &x[0])?)).input([2]).zero_gradient(0),
    ]
}
