//! Sums, maxima, minima and their places.

use super::memory::{buffer, coordinates, data, integers, position, rounded, take, values};
use super::unsupported;
use taper_backend::{Buffer, DType, Error, HostData, ReduceOp, Result, Shape};

/// For every element of `x` reduced over `axes`, the positions of what it is reduced from, in row-major order.
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
        let sums: Vec<f64> = groups.iter().map(|group| group.iter().map(|&i| v[i]).sum::<f64>()).collect();
        return Ok(rounded(&shape, &sums, x.dtype()));
    }
    let best: Vec<usize> = groups.iter().map(|group| best(op, x, group)).collect::<Result<_>>()?;
    Ok(buffer(&shape, take(data(x)?, &best)))
}

/// Which of `group` (not empty) is the first that is largest or smallest, a NaN before all.
fn best(op: ReduceOp, x: &Buffer, group: &[usize]) -> Result<usize> {
    let mut best = group[0];
    if x.dtype() == DType::I64 {
        let v = integers(x)?;
        for &i in group {
            if if op == ReduceOp::Max { v[i] > v[best] } else { v[i] < v[best] } {
                best = i;
            }
        }
    } else {
        let v = values(x)?;
        for &i in group {
            let wins = if op == ReduceOp::Max { v[i] > v[best] } else { v[i] < v[best] };
            if !v[best].is_nan() && (wins || v[i].is_nan()) {
                best = i;
            }
        }
    }
    Ok(best)
}

pub fn argmax(x: &Buffer, axis: usize) -> Result<Buffer> {
    let mut places = Vec::new();
    for group in groups(x.shape(), &[axis]) {
        if group.is_empty() {
            return Err(Error::argument("argmax", format!("no element along axis {axis} of {}", x.shape())));
        }
        let best = best(ReduceOp::Max, x, &group)?;
        places.extend(group.iter().position(|&i| i == best).map(|place| place as i64));
    }
    Ok(buffer(&x.shape().reduced(&[axis]), HostData::I64(places)))
}
