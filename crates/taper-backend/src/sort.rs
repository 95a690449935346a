//! Sorting on the host: what a backend without a kernel of its own sorts with.

use crate::{HostData, Shape};
use std::cmp::Ordering;

/// The order of the elements of row-major `data` along `axis` of `shape`, see [`Backend::argsort`](crate::Backend::argsort).
pub(crate) fn order(data: &HostData, shape: &Shape, axis: usize, descending: bool) -> Vec<i64> {
    match data {
        HostData::F32(x) => along(x, shape, axis, descending),
        HostData::F64(x) => along(x, shape, axis, descending),
        HostData::F16(x) => along(x, shape, axis, descending),
        HostData::BF16(x) => along(x, shape, axis, descending),
        HostData::I64(x) => along(x, shape, axis, descending),
        HostData::U8(x) => along(x, shape, axis, descending),
    }
}

fn along<T: PartialOrd>(x: &[T], shape: &Shape, axis: usize, descending: bool) -> Vec<i64> {
    let (length, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let mut places = vec![0; x.len()];
    let mut row: Vec<usize> = Vec::with_capacity(length);
    for first in (0..x.len()).filter(|at| at / inner % length == 0) {
        row.clear();
        row.extend(0..length);
        let element = |j: &usize| &x[first + j * inner];
        // The sort is stable, in the reversed order too.
        row.sort_by(|a, b| {
            let order = compare(element(a), element(b));
            if descending { order.reverse() } else { order }
        });
        row.iter().enumerate().for_each(|(j, &from)| places[first + j * inner] = from as i64);
    }
    places
}

/// Ascending; a NaN, which alone differs from itself, is larger than all that are not, and equal to another.
#[allow(clippy::eq_op)]
fn compare<T: PartialOrd>(a: &T, b: &T) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| (a != a).cmp(&(b != b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_keep_their_order_and_nan_is_largest() {
        let nan = f64::NAN;
        let x = HostData::F64(vec![2.0, nan, -0.0, 2.0, 0.0, f64::INFINITY, nan, f64::NEG_INFINITY]);
        assert_eq!(order(&x, &[8].into(), 0, false), [7, 2, 4, 0, 3, 5, 1, 6]);
        assert_eq!(order(&x, &[8].into(), 0, true), [1, 6, 5, 0, 3, 2, 4, 7]);
        let columns = HostData::I64(vec![3, i64::MIN, 1, i64::MAX, 2, 0]);
        assert_eq!(order(&columns, &[3, 2].into(), 0, false), [1, 0, 2, 2, 0, 1]);
        assert_eq!(order(&columns, &[3, 2].into(), 1, true), [0, 1, 1, 0, 0, 1]);
        assert!(order(&HostData::U8(vec![]), &[3, 0].into(), 1, true).is_empty());
        assert!(order(&HostData::U8(vec![]), &[0, 3].into(), 0, true).is_empty());
    }
}
