//! Gather and scatter-add.

use super::memory::{buffer, coordinates, data, integers, position, rounded, take, values};
use super::unsupported;
use taper_backend::{Buffer, DType, Error, HostData, Result};

/// For every element of `index`, the row-major position in `x` that it selects along `axis`.
///
/// # Errors
/// An index out of range.
fn named(op: &'static str, x: &Buffer, axis: usize, index: &Buffer) -> Result<Vec<usize>> {
    let (indices, size) = (integers(index)?, x.shape()[axis]);
    let named = coordinates(index.shape()).zip(indices).map(|(mut at, &i)| {
        let in_range = usize::try_from(i).ok().filter(|&i| i < size);
        at[axis] = in_range.ok_or_else(|| {
            Error::argument(op, format!("index {i} is out of range for dimension {axis} of {}", x.shape()))
        })?;
        Ok(position(x.shape(), &at))
    });
    named.collect()
}

pub fn gather(x: &Buffer, axis: usize, index: &Buffer) -> Result<Buffer> {
    Ok(buffer(index.shape(), take(data(x)?, &named("gather", x, axis, index)?)))
}

pub fn scatter_add(x: &Buffer, axis: usize, index: &Buffer, source: &Buffer) -> Result<Buffer> {
    let named = named("scatter_add", x, axis, index)?;
    if x.dtype() == DType::I64 {
        let (mut sums, source) = (integers(x)?.to_vec(), integers(source)?);
        for (&to, &value) in named.iter().zip(source) {
            sums[to] = sums[to].wrapping_add(value);
        }
        return Ok(buffer(x.shape(), HostData::I64(sums)));
    }
    if !x.dtype().is_float() {
        return Err(unsupported("scatter_add", x.dtype()));
    }
    let mut sums = values(x)?;
    for (&to, value) in named.iter().zip(values(source)?) {
        sums[to] += value;
    }
    Ok(rounded(x.shape(), &sums, x.dtype()))
}
