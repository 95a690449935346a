//! Quartiles of a sample, and the geometric mean.

/// The quantile of `sorted` at `at` in 0..=1, interpolated linearly (Hyndman and Fan 1996, type 7); NaN for an empty
/// sample.
fn quantile(sorted: &[f64], at: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = at * last as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    sorted[low] + part * (sorted[(low + 1).min(last)] - sorted[low])
}

/// The first quartile, median and third quartile of `values`; NaN for an empty sample.
pub fn quartiles(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [0.25, 0.5, 0.75].map(|at| quantile(&sorted, at))
}

/// The geometric mean (Π x)^(1/n) of `values`; NaN for an empty sample.
pub fn geometric_mean(values: &[f64]) -> f64 {
    (values.iter().map(|x| x.ln()).sum::<f64>() / values.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quartiles() {
        assert_eq!(quartiles(&[4.0, 1.0, 3.0, 2.0, 5.0]), [2.0, 3.0, 4.0]);
        assert_eq!(quartiles(&[10.0, 2.0, 4.0, 1.0]), [1.75, 3.0, 5.5]);
        assert_eq!(quartiles(&[7.0]), [7.0; 3]);
        assert!(quartiles(&[])[1].is_nan());
    }

    #[test]
    fn one_outlier_does_not_move_the_median() {
        assert_eq!(quartiles(&[1.0, 1.0, 1.0, 1.0, 1e9])[1], 1.0);
    }

    #[test]
    fn twice_as_fast_and_twice_as_slow_is_as_fast() {
        assert!((geometric_mean(&[2.0, 0.5]) - 1.0).abs() < 1e-15);
        assert!((geometric_mean(&[1.0, 2.0, 4.0]) - 2.0).abs() < 1e-15);
        assert!(geometric_mean(&[]).is_nan());
    }
}
