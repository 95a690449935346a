//! Logical shapes, and the rules of axes, broadcasting and reductions.

use crate::{Error, Result};
use std::fmt;
use std::ops::Deref;

/// The sizes of a tensor's dimensions, outermost first. A scalar has no dimensions.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// The shape of a scalar: no dimensions, one element.
    pub fn scalar() -> Self {
        Self(Vec::new())
    }

    /// The sizes, outermost first.
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements.
    pub fn count(&self) -> usize {
        self.0.iter().product()
    }

    /// The index of the dimension `axis`; −1 is the last dimension. An axis out of range is an error; `op` names the
    /// caller in it.
    pub fn axis(&self, op: &'static str, axis: isize) -> Result<usize> {
        let rank = self.rank() as isize;
        let from_front = if axis < 0 { axis + rank } else { axis };
        if (0..rank).contains(&from_front) {
            return Ok(from_front as usize);
        }
        Err(Error::argument(op, format!("axis {axis} is out of range for shape {self} of {rank} dimensions")))
    }

    /// The indices of the dimensions `axes`, sorted; −1 is the last dimension, and no axes at all means every
    /// dimension. An axis out of range or named twice is an error; `op` names the caller in it.
    pub fn axes(&self, op: &'static str, axes: &[isize]) -> Result<Vec<usize>> {
        if axes.is_empty() {
            return Ok((0..self.rank()).collect());
        }
        let mut found = axes.iter().map(|&axis| self.axis(op, axis)).collect::<Result<Vec<_>>>()?;
        found.sort_unstable();
        if found.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::argument(op, format!("axes {axes:?} name a dimension of {self} twice")));
        }
        Ok(found)
    }

    /// The shape that both broadcast to, by NumPy's rule: aligned at the last dimension, sizes equal or one of them 1.
    /// Other shapes are an error; `op` names the caller in it.
    pub fn broadcast_with(&self, other: &Self, op: &'static str) -> Result<Self> {
        let rank = self.rank().max(other.rank());
        let size = |shape: &Self, i: usize| (i + shape.rank()).checked_sub(rank).map_or(1, |i| shape.0[i]);
        let dims = (0..rank).map(|i| match (size(self, i), size(other, i)) {
            (a, b) if a == b || b == 1 => Ok(a),
            (1, b) => Ok(b),
            (a, b) => Err(Error::shape(
                op,
                format!(
                    "shapes {self} and {other} do not broadcast: dimension {} from the end is {a} against {b}",
                    rank - i
                ),
            )),
        });
        dims.collect::<Result<Vec<_>>>().map(Self)
    }

    /// Whether a tensor of this shape broadcasts to `target` (sizes equal to the target's or 1, aligned at the last
    /// dimension).
    pub fn broadcasts_to(&self, target: &Self) -> bool {
        self.rank() <= target.rank()
            && self.0.iter().rev().zip(target.0.iter().rev()).all(|(&from, &to)| from == to || from == 1)
    }

    /// This shape with size 1 in each of `axes`: the shape that a reduction over them gives.
    pub fn reduced(&self, axes: &[usize]) -> Self {
        let mut dims = self.0.clone();
        for &axis in axes {
            dims[axis] = 1;
        }
        Self(dims)
    }

    /// Row-major strides, in elements.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1; self.rank()];
        for i in (1..self.rank()).rev() {
            strides[i - 1] = strides[i] * self.0[i].max(1);
        }
        strides
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Self(dims)
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Self(dims.to_vec())
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Self(dims.to_vec())
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
