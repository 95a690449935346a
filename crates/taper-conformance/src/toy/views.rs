//! Permute, broadcast, slice, pad and concatenate: each computes, for every element of the result, the position that it
//! is copied from.

use super::memory::{buffer, chain, coordinates, data, position, take};
use taper_backend::{Buffer, HostData, PadAmount, Result, Shape, SliceRange};

/// A buffer of `shape` whose element at a coordinate is `x`'s element at `source(coordinate)`.
fn view(x: &Buffer, shape: &Shape, source: impl Fn(&[usize]) -> Vec<usize>) -> Result<Buffer> {
    let positions: Vec<usize> = coordinates(shape).map(|at| position(x.shape(), &source(&at))).collect();
    Ok(buffer(shape, take(data(x)?, &positions)))
}

pub fn permute(x: &Buffer, axes: &[usize]) -> Result<Buffer> {
    let shape: Shape = axes.iter().map(|&axis| x.shape()[axis]).collect::<Vec<_>>().into();
    view(x, &shape, |at| {
        let mut source = vec![0; at.len()];
        for (i, &axis) in axes.iter().enumerate() {
            source[axis] = at[i];
        }
        source
    })
}

pub fn broadcast(x: &Buffer, shape: &Shape) -> Result<Buffer> {
    view(x, shape, |at| broadcast_source(x.shape(), at))
}

/// The coordinate in an operand of shape `from` of element `at` of a broadcast result.
pub fn broadcast_source(from: &Shape, at: &[usize]) -> Vec<usize> {
    let at = &at[at.len() - from.rank()..];
    at.iter().zip(from.dims()).map(|(&i, &size)| if size == 1 { 0 } else { i }).collect()
}

pub fn slice(x: &Buffer, ranges: &[SliceRange]) -> Result<Buffer> {
    let shape: Shape = ranges.iter().map(SliceRange::count).collect::<Vec<_>>().into();
    view(x, &shape, |at| at.iter().zip(ranges).map(|(i, range)| range.start + i * range.step).collect())
}

pub fn pad(x: &Buffer, amounts: &[PadAmount], value: f64) -> Result<Buffer> {
    let shape: Shape = amounts.iter().zip(x.shape().dims()).map(|(a, &size)| a.padded(size)).collect::<Vec<_>>().into();
    let value = HostData::from_f64(&[value], x.dtype());
    // The padding value is appended after the last element, at position `outside`.
    let (all, outside) = (chain(&[data(x)?, &value]), x.count());
    let source = |at: Vec<usize>| {
        let mut inside = Vec::new();
        for ((i, amount), &size) in at.iter().zip(amounts).zip(x.shape().dims()) {
            let from_first = i.checked_sub(amount.low)?;
            let (element, between) = (from_first / (amount.interior + 1), from_first % (amount.interior + 1));
            if between != 0 || element >= size {
                return None;
            }
            inside.push(element);
        }
        Some(position(x.shape(), &inside))
    };
    let positions: Vec<usize> = coordinates(&shape).map(|at| source(at).unwrap_or(outside)).collect();
    Ok(buffer(&shape, take(&all, &positions)))
}

pub fn concat(parts: &[&Buffer], axis: usize) -> Result<Buffer> {
    let all = chain(&parts.iter().map(|part| data(part)).collect::<Result<Vec<_>>>()?);
    let mut dims = parts[0].shape().to_vec();
    dims[axis] = parts.iter().map(|part| part.shape()[axis]).sum();
    let shape = Shape::from(dims);
    let positions = coordinates(&shape).map(|mut at| {
        let mut before = 0;
        for part in parts {
            if at[axis] < part.shape()[axis] {
                return before + position(part.shape(), &at);
            }
            at[axis] -= part.shape()[axis];
            before += part.count();
        }
        before
    });
    let positions: Vec<usize> = positions.collect();
    Ok(buffer(&shape, take(&all, &positions)))
}
