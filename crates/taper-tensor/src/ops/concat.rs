//! Concatenation of tensors along an axis. The gradient of each is its part of the output's gradient.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Error, Result};

impl Tensor {
    /// Concatenates `parts` (at least one) along `axis` (−1 is the last). All other dimensions must be equal.
    pub fn concat(parts: &[&Tensor], axis: isize) -> Result<Tensor> {
        let (first, axis) = check_parts("concat", parts, |first| first.shape().axis("concat", axis))?;
        for (i, part) in parts.iter().enumerate() {
            let (shape, expected) = (part.shape(), first.shape());
            let differs = |&dim: &usize| dim != axis && shape[dim] != expected[dim];
            if shape.rank() != expected.rank() {
                let detail = format!(
                    "tensor {i} of shape {shape} has {} dimensions, tensor 0 of shape {expected} has {}",
                    shape.rank(),
                    expected.rank()
                );
                return Err(Error::shape("concat", detail));
            }
            if let Some(dim) = (0..shape.rank()).find(differs) {
                let detail = format!(
                    "tensor {i} has {} (dim {dim} of {shape}), tensor 0 has {} (dim {dim} of {expected}): only dim {axis} may differ",
                    shape[dim], expected[dim]
                );
                return Err(Error::shape("concat", detail));
            }
        }
        let buffers = parts.iter().map(|part| part.buffer()).collect::<Result<Vec<_>>>()?;
        let y = first.device().concat(&buffers, axis)?;
        Ok(Tensor::record("concat", y, parts, || {
            let sizes: Vec<usize> = parts.iter().map(|part| part.shape()[axis]).collect();
            Rule::tensors(move |g, _| Ok(g.split_with_sizes(&sizes, axis as isize)?.into_iter().map(Some).collect()))
        }))
    }

    /// Stacks `parts` (at least one), all of one shape, along a new dimension at `axis` (0 to rank; −1 for a new last
    /// dimension).
    pub fn stack(parts: &[&Tensor], axis: isize) -> Result<Tensor> {
        let (first, ()) = check_parts("stack", parts, |_| Ok(()))?;
        for (i, part) in parts.iter().enumerate() {
            if part.shape() != first.shape() {
                let detail =
                    format!("tensor {i} has shape {}, tensor 0 {}: expected the same", part.shape(), first.shape());
                return Err(Error::shape("stack", detail));
            }
        }
        let parts = parts.iter().map(|part| part.unsqueeze(axis)).collect::<Result<Vec<_>>>()?;
        Tensor::concat(&parts.iter().collect::<Vec<_>>(), axis)
    }
}

/// An error unless there is at least one part and all are on one device and of one dtype. Gives the first part, and the
/// result of `then` for it.
fn check_parts<'a, T>(
    op: &'static str,
    parts: &[&'a Tensor],
    then: impl FnOnce(&Tensor) -> Result<T>,
) -> Result<(&'a Tensor, T)> {
    let first = *parts.first().ok_or_else(|| Error::argument(op, "expected at least one tensor"))?;
    let names: Vec<String> = (0..parts.len()).map(|i| format!("tensor {i}")).collect();
    check::same(op, &names.iter().map(String::as_str).collect::<Vec<_>>(), parts)?;
    Ok((first, then(first)?))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("rows", |x| Tensor::concat(&[&x[0], &x[1]], 0)).input([2, 3]).input([1, 3]),
        Case::new("channels", |x| Tensor::concat(&[&x[0], &x[1], &x[2]], 1))
            .input([2, 1, 2])
            .input([2, 3, 2])
            .input([2, 2, 2]),
        Case::new("one twice", |x| Tensor::concat(&[&x[0], &x[0]], -1)).input([2, 3]),
        Case::new("stack in front", |x| Tensor::stack(&[&x[0], &x[1]], 0)).input([2, 3]).input([2, 3]),
        Case::new("stack behind", |x| Tensor::stack(&[&x[0], &x[1]], -1)).input([2]).input([2]),
    ]
}
