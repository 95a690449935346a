//! Sums, maxima, minima and argmax.

use super::memory::{buffer, coordinates, data, integers, position, rounded, take, values};
use super::unsupported;
use taper_backend::{Buffer, DType, Error, HostData, ReduceOp, Result, Shape};

/// For every element of the reduction of `x` over `axes`, the positions in `x` that it is reduced from, in row-major
/// order.
fn groups(x: &Shape, axes: &[usize]) -> Vec<Vec<usize>> {
    let reduced = x.reduced(axes);
    let mut groups = vec![Vec::new(); reduced.count()];
    for (i, mut at) in coordinates(x).enumerate() {
        for &axis in axes {
            at[axis] = 0;
        }
        groups[position(&reduced, &at)].push(i);
    }
    groups
}

pub fn reduce(op: ReduceOp, x: &Buffer, axes: &[usize]) -> Result<Buffer> {
    let (shape, groups) = (x.shape().reduced(axes), groups(x.shape(), axes));
    if op != ReduceOp::Sum && groups.iter().any(Vec::is_empty) {
        return Err(Error::argument(
            "reduce",
            format!("no element to choose from along axes {axes:?} of {}", x.shape()),
        ));
    }
    if x.dtype() == DType::I64 && op == ReduceOp::Sum {
        let x = integers(x)?;
        let sum = |group: &Vec<usize>| group.iter().fold(0i64, |sum, &i| sum.wrapping_add(x[i]));
        return Ok(buffer(&shape, HostData::I64(groups.iter().map(sum).collect())));
    }
    if x.dtype() == DType::U8 {
        return Err(unsupported("reduce", DType::U8));
    }
    if op == ReduceOp::Sum {
        let v = values(x)?;
        let sums: Vec<f64> = groups.iter().map(|group| group.iter().fold(0.0, |sum, &i| sum + v[i])).collect();
        return Ok(rounded(&shape, &sums, x.dtype()));
    }
    Ok(buffer(&shape, take(data(x)?, &best(op, x, &groups)?)))
}

/// The position of the first maximum or minimum of each group, or of the first NaN if there is one. No group may be
/// empty.
fn best(op: ReduceOp, x: &Buffer, groups: &[Vec<usize>]) -> Result<Vec<usize>> {
    fn choose<T: PartialOrd + Copy>(op: ReduceOp, v: &[T], groups: &[Vec<usize>]) -> Vec<usize> {
        let is_nan = |x: T| x.partial_cmp(&x).is_none();
        let wins = |x: T, best: T| is_nan(x) || if op == ReduceOp::Max { x > best } else { x < best };
        let first = |group: &Vec<usize>| {
            group
                .iter()
                .copied()
                .fold(group[0], |best, i| if !is_nan(v[best]) && wins(v[i], v[best]) { i } else { best })
        };
        groups.iter().map(first).collect()
    }
    Ok(if x.dtype() == DType::I64 { choose(op, integers(x)?, groups) } else { choose(op, &values(x)?, groups) })
}

pub fn argmax(x: &Buffer, axis: usize) -> Result<Buffer> {
    let groups = groups(x.shape(), &[axis]);
    if groups.iter().any(Vec::is_empty) {
        return Err(Error::argument("argmax", format!("no element along axis {axis} of {}", x.shape())));
    }
    let best = best(ReduceOp::Max, x, &groups)?;
    let place = |(group, best): (&Vec<usize>, usize)| group.iter().take_while(|&&i| i != best).count() as i64;
    let places = groups.iter().zip(best).map(place).collect();
    Ok(buffer(&x.shape().reduced(&[axis]), HostData::I64(places)))
}
