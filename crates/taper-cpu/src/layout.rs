//! Strides: how a logical shape lies in a block of memory.
//!
//! Element `[i, j, …]` of a view is at `offset + i · strides[0] + j · strides[1] + …`, in elements. A stride of 0
//! repeats (broadcast). Row-major is the order of the logical shape; channels-last (NHWC) is dense memory of an image
//! batch `[N, C, H, W]` in the order N, H, W, C.

/// Whether the elements lie one after another in row-major order. Strides of dimensions of size 1 do not matter.
pub(crate) fn is_row_major(dims: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    dims.contains(&0)
        || dims.iter().zip(strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected *= size;
            fits
        })
}

/// Whether `[N, C, H, W]` lies one after another in the order N, H, W, C.
pub(crate) fn is_channels_last(dims: &[usize], strides: &[usize]) -> bool {
    let (&[n, c, h, w], &[sn, sc, sh, sw]) = (dims, strides) else { return false };
    is_row_major(&[n, h, w, c], &[sn, sh, sw, sc])
}

/// The strides of dense memory that holds `[N, C, H, W]` in the order N, H, W, C.
pub(crate) fn channels_last(dims: [usize; 4]) -> Vec<usize> {
    let [_, c, h, w] = dims;
    vec![c * h * w, 1, c * w, c]
}

/// The dimensions in memory order, outermost first: by decreasing stride, broadcast ones (stride 0) before all others.
/// Dimensions of equal stride stay in their order.
pub(crate) fn memory_order(strides: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..strides.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(if strides[i] == 0 { usize::MAX } else { strides[i] }));
    order
}

/// Whether the elements lie one after another in some order of the dimensions.
pub(crate) fn is_dense(dims: &[usize], strides: &[usize]) -> bool {
    let order: Vec<usize> = memory_order(strides).into_iter().filter(|&i| dims[i] != 1).collect();
    let pick = |values: &[usize]| order.iter().map(|&i| values[i]).collect::<Vec<_>>();
    is_row_major(&pick(dims), &pick(strides))
}

/// Dense strides for `dims` whose dimensions lie in `order`, outermost first.
pub(crate) fn dense_strides(dims: &[usize], order: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; dims.len()];
    let mut next = 1;
    for &i in order.iter().rev() {
        strides[i] = next;
        next *= dims[i].max(1);
    }
    strides
}

/// The strides with which the same memory is a view of shape `new` with the same elements in row-major order; `None` if
/// that takes a copy.
pub(crate) fn reshape_strides(dims: &[usize], strides: &[usize], new: &[usize]) -> Option<Vec<usize>> {
    let mut result = vec![1; new.len()];
    if dims.contains(&0) {
        return Some(result);
    }
    // Walk both shapes from the last dimension. Of the old dimensions that can be merged with the current one, `run`
    // elements, `step` apart, are not yet assigned to new dimensions.
    let mut old = (0..dims.len()).rev().filter(|&i| dims[i] != 1).peekable();
    let (mut run, mut step) = (1, 1);
    for (i, &size) in new.iter().enumerate().rev() {
        if size == 1 {
            continue;
        }
        if run == 1 {
            let first = old.next()?;
            (run, step) = (dims[first], strides[first]);
            while let Some(next) = old.next_if(|&j| strides[j] == step * run) {
                run *= dims[next];
            }
        }
        if !run.is_multiple_of(size) {
            return None;
        }
        result[i] = step;
        run /= size;
        step *= size;
    }
    Some(result)
}

/// The offset of the element whose row-major index is `number`.
pub(crate) fn offset_of(dims: &[usize], strides: &[usize], mut number: usize) -> usize {
    let mut offset = 0;
    for (&size, &stride) in dims.iter().zip(strides).rev() {
        offset += number % size * stride;
        number /= size;
    }
    offset
}

/// Merges adjacent dimensions that one stride can walk in every operand, and drops those of size 1. `strides` holds the
/// strides of each operand. The result has at least one dimension.
pub(crate) fn coalesce(dims: &[usize], strides: &[&[usize]]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut merged: Vec<usize> = Vec::with_capacity(dims.len());
    let mut kept: Vec<Vec<usize>> = vec![Vec::with_capacity(dims.len()); strides.len()];
    for (i, &size) in dims.iter().enumerate().filter(|&(_, &size)| size != 1) {
        let joins = kept.iter().zip(strides).all(|(kept, s)| kept.last().is_some_and(|&last| last == s[i] * size));
        if let (true, Some(last)) = (joins && !strides.is_empty(), merged.last_mut()) {
            *last *= size;
            kept.iter_mut().zip(strides).for_each(|(kept, s)| kept.last_mut().into_iter().for_each(|k| *k = s[i]));
        } else {
            merged.push(size);
            kept.iter_mut().zip(strides).for_each(|(kept, s)| kept.push(s[i]));
        }
    }
    if merged.is_empty() {
        merged.push(1);
        kept.iter_mut().for_each(|k| k.push(1));
    }
    (merged, kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_in_any_order() {
        let dims = [2, 3, 4, 5];
        let last = channels_last(dims);
        assert_eq!(last, [60, 1, 15, 3]);
        assert!(is_channels_last(&dims, &last) && is_dense(&dims, &last) && !is_row_major(&dims, &last));
        assert_eq!(dense_strides(&dims, &memory_order(&last)), last);
        assert!(!is_dense(&dims, &[60, 0, 15, 3]) && !is_dense(&[2, 3], &[4, 1]));
        assert!(is_dense(&[2, 1, 3], &[1, 99, 2]));
    }

    #[test]
    fn reshapes_that_need_no_copy() {
        let view = |dims: &[usize], strides: &[usize], new: &[usize]| reshape_strides(dims, strides, new);
        assert_eq!(view(&[4, 6], &[6, 1], &[2, 2, 3, 2]), Some(vec![12, 6, 2, 1]));
        assert_eq!(view(&[4, 6], &[8, 1], &[2, 2, 6]), Some(vec![16, 8, 1]));
        assert_eq!(view(&[4, 6], &[8, 1], &[24]), None);
        assert_eq!(view(&[4, 6], &[1, 4], &[24]), None);
        assert_eq!(view(&[4, 6], &[1, 4], &[4, 2, 3]), Some(vec![1, 12, 4]));
        assert_eq!(view(&[2, 3], &[0, 0], &[6]), Some(vec![0]));
        assert_eq!(view(&[1, 6, 1], &[7, 1, 9], &[2, 1, 3]), Some(vec![3, 1, 1]));
        assert_eq!(view(&[], &[], &[1, 1]), Some(vec![1, 1]));
        assert_eq!(view(&[0, 3], &[3, 1], &[5, 0]), Some(vec![1, 1]));
    }

    #[test]
    fn neighbours_merge() {
        let (dims, strides) = coalesce(&[2, 1, 3, 4], &[&[12, 5, 4, 1], &[0, 0, 4, 1]]);
        assert_eq!((dims, strides), (vec![2, 12], vec![vec![12, 1], vec![0, 1]]));
        assert_eq!(coalesce(&[2, 3], &[&[3, 1]]), (vec![6], vec![vec![1]]));
        assert_eq!(coalesce(&[1, 1], &[&[3, 1]]), (vec![1], vec![vec![1]]));
    }
}
