//! Error bounds: how far a result may be from the reference.

use taper_backend::{DType, HostData, Shape};

/// The largest relative error of rounding once to `dtype`; 0 for integers.
pub fn unit_roundoff(dtype: DType) -> f64 {
    let bits = match dtype {
        DType::F32 => 24,
        DType::F64 => 53,
        DType::F16 => 11,
        DType::BF16 => 8,
        DType::U8 | DType::I64 => return 0.0,
    };
    0.5f64.powi(bits)
}

/// The bound on the relative error ‖a − b‖ / ‖b‖ of a result, in units of u, the unit roundoff of its dtype.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Equal values: for operations that only move, compare or select elements.
    Exact,
    /// 2u: for one correctly rounded IEEE operation, and the reference's own rounding.
    Rounded,
    /// 8u: for an elementary function with an error of up to 4 units in the last place (2u each).
    Function,
    /// 8u + 4·√k·u for sums of this many (k) products. The rounding errors of k additions in any order add up like a
    /// random walk over growing partial sums, to √k·u (Higham 2002, section 2.8); the bound is four times that, and 8u
    /// for operations on a sum afterwards. Halves are summed in f32, and rounded at the end and between composed
    /// stages.
    Sum(usize),
    /// As [`Sum`](Self::Sum), for convolutions: 32u more for Winograd's algorithm, whose transforms for 4×4 tiles cost
    /// about a decimal digit (Lavin and Gray 2016, section 5).
    Convolution(usize),
}

impl Bound {
    /// The allowed relative error of results of `dtype`.
    pub fn of(self, dtype: DType) -> f64 {
        let u = unit_roundoff(dtype);
        let in_sums = if matches!(dtype, DType::F16 | DType::BF16) { unit_roundoff(DType::F32) } else { u };
        match self {
            Self::Exact => 0.0,
            Self::Rounded => 2.0 * u,
            Self::Function => 8.0 * u,
            Self::Sum(k) => 8.0 * u + 4.0 * (k as f64).sqrt() * in_sums,
            Self::Convolution(k) => 8.0 * u + (32.0 + 4.0 * (k as f64).sqrt()) * in_sums,
        }
    }
}

/// How `found` differs from `expected`, both of `shape`, by more than `bound`, or `None`. The error is measured relative to the norm of
/// `expected` or `scale`, whichever is larger. Infinities must be equal, and NaN must be exactly where it is expected.
pub fn compare(shape: &Shape, found: &HostData, expected: &HostData, scale: f64, bound: f64) -> Option<String> {
    if found.dtype() != expected.dtype() {
        return Some(format!("expected {} but found {}", expected.dtype(), found.dtype()));
    }
    if found.len() != expected.len() {
        return Some(format!("expected {} elements but found {}", expected.len(), found.len()));
    }
    if let (HostData::I64(found), HostData::I64(expected)) = (found, expected) {
        let wrong = found.iter().zip(expected).position(|(a, b)| a != b)?;
        return Some(format!("at {}: expected {} but found {}", at(shape, wrong), expected[wrong], found[wrong]));
    }
    let (mut difference, mut norm) = (0.0, scale * scale);
    let (mut worst, mut squares) = ((0, 0.0), 0.0);
    let (a, b) = (found.to_f64(), expected.to_f64());
    for (i, (&a, &b)) in a.iter().zip(&b).enumerate() {
        if a == b || (a.is_nan() && b.is_nan()) {
            squares += if b.is_finite() { b * b } else { 0.0 };
            continue;
        }
        if !a.is_finite() || !b.is_finite() {
            return Some(format!("at {}: expected {b} but found {a}", at(shape, i)));
        }
        if (a - b).abs() > worst.1 {
            worst = (i, (a - b).abs());
        }
        difference += (a - b) * (a - b);
        squares += b * b;
    }
    norm = f64::max(norm, squares);
    let error = if difference == 0.0 { 0.0 } else { (difference / norm).sqrt() };
    // Written so that a NaN fails.
    if error <= bound {
        return None;
    }
    let i = worst.0;
    let place = at(shape, i);
    Some(format!("error {error:.2e} over {bound:.2e}; worst at {place}: expected {} but found {}", b[i], a[i]))
}

/// The index of element `i` in row-major order, written as a shape is: `[1, 0, 2]`.
fn at(shape: &Shape, i: usize) -> Shape {
    let mut index = shape.to_vec();
    let mut rest = i;
    for size in index.iter_mut().rev() {
        (rest, *size) = (rest / (*size).max(1), rest % (*size).max(1));
    }
    Shape::from(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_seen() {
        let f = |v: &[f32]| HostData::F32(v.to_vec());
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        let seen = |a: &[f32], b: &[f32], bound| compare(&[a.len()].into(), &f(a), &f(b), 0.0, bound).is_some();
        assert!(!seen(&[1.0, 2.0], &[1.0, 2.0], 0.0));
        assert!(!seen(&[1.0, nan, infinity], &[1.0, nan, infinity], 0.0));
        assert!(!seen(&[1.0, 2.0001], &[1.0, 2.0], 1e-4));
        assert!(seen(&[1.0, 2.001], &[1.0, 2.0], 1e-4));
        assert!(seen(&[1.0, nan], &[1.0, 2.0], 1e9));
        assert!(seen(&[1.0, 2.0], &[1.0, nan], 1e9));
        assert!(seen(&[infinity], &[-infinity], 1e9));
        assert!(seen(&[1e-30], &[0.0], 1e9), "anything is too far from nothing");
        assert!(seen(&[1.0], &[1.0, 1.0], 1e9));
        let one = Shape::from([1]);
        assert!(compare(&one, &f(&[1.0]), &HostData::F64(vec![1.0]), 0.0, 1.0).is_some());
        let i64s = |x| HostData::I64(vec![x]);
        assert!(compare(&one, &i64s(1 << 60), &i64s((1 << 60) + 1), 0.0, 1.0).is_some());
    }

    #[test]
    fn the_worst_element_is_named() {
        let values = |last| HostData::F64([vec![1.0; 22], vec![last, 1.0]].concat());
        let wrong = compare(&[2, 3, 4].into(), &values(3.0), &values(2.0), 0.0, 0.01).unwrap();
        assert_eq!(wrong, "error 1.92e-1 over 1.00e-2; worst at [1, 2, 2]: expected 2 but found 3");
    }
}
