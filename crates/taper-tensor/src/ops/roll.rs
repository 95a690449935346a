//! Rotation along axes: what leaves at one end comes in at the other. The gradient is rotated back.

use super::shorthand::linear;
use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{Error, Result};

impl Tensor {
    /// The elements moved by `shifts[i]` places towards the end along `axes[i]` (towards the front for a negative
    /// shift); what leaves at one end comes in at the other. Without axes, one shift moves the elements in row-major
    /// order.
    pub fn roll(&self, shifts: &[isize], axes: &[isize]) -> Result<Tensor> {
        if axes.is_empty() && shifts.len() == 1 {
            return self.reshape([self.count()])?.roll(shifts, &[0])?.reshape(self.shape());
        }
        if axes.len() != shifts.len() {
            let detail = format!("{} shifts came for {} axes: expected one for each", shifts.len(), axes.len());
            return Err(Error::argument("roll", detail));
        }
        let found = axes.iter().map(|&axis| self.shape().axis("roll", axis)).collect::<Result<Vec<_>>>()?;
        let value = || {
            let mut turns = found.iter().zip(shifts);
            turns.try_fold(self.clone(), |x, (&axis, &shift)| turn(&x, axis, shift))
        };
        let (back, axes) = (shifts.iter().map(|shift| shift.wrapping_neg()).collect::<Vec<_>>(), axes.to_vec());
        linear("roll", self, value, move |g| g.roll(&back, &axes))
    }
}

fn turn(x: &Tensor, axis: usize, shift: isize) -> Result<Tensor> {
    let size = x.shape()[axis];
    if size == 0 {
        return Ok(x.clone());
    }
    let (shift, axis) = (shift.rem_euclid(size as isize) as usize, axis as isize);
    let (front, back) = (x.narrow(axis, size - shift, shift)?, x.narrow(axis, 0, size - shift)?);
    Tensor::concat(&[&front, &back], axis)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("the last axis", |x| x[0].roll(&[1], &[-1])).input([2, 3]),
        Case::new("two axes, one backwards", |x| x[0].roll(&[-1, 5], &[0, 1])).input([3, 4]),
        Case::new("one axis twice", |x| x[0].roll(&[1, 1], &[0, 0])).input([5]),
        Case::new("in row-major order", |x| x[0].roll(&[2], &[])).input([2, 3]),
    ]
}
