//! A linear model of mel means, the baseline: of each sound the mean over time of each filter, and a ridge regression (A. E. Hoerl and R. W.
//! Kennard, 1970) of each class, 1 for its own sounds and 0 for others. The largest value names the class.

/// The penalty on squared weights, of standardised values.
const PENALTY: f64 = 1.0;

/// The part of `test` that a ridge regression on `train` names rightly: features with their class. `None` without a sound.
pub(crate) fn linear(train: &[(Vec<f64>, usize)], test: &[(Vec<f64>, usize)], classes: usize) -> Option<f64> {
    let width = train.first()?.0.len() + 1;
    // A last feature of 1 for the constant.
    let row = |features: &[f64]| [features, &[1.0]].concat();
    let mut matrix = vec![0.0; width * width];
    let mut sides = vec![vec![0.0; width]; classes];
    for (features, class) in train {
        let x = row(features);
        for i in 0..width {
            for j in 0..width {
                matrix[i * width + j] += x[i] * x[j];
            }
        }
        let side = sides.get_mut(*class)?;
        side.iter_mut().zip(&x).for_each(|(side, x)| *side += x);
    }
    for i in 0..width {
        // The constant too, by a trifle, so that the matrix has an inverse.
        matrix[i * width + i] += if i + 1 == width { 1e-9 } else { PENALTY };
    }
    let weights = solved(matrix, sides, width);
    let right = test.iter().filter(|(features, class)| {
        let x = row(features);
        let value = |of: &Vec<f64>| of.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>();
        let best = (0..classes).max_by(|&a, &b| value(&weights[a]).total_cmp(&value(&weights[b])));
        best == Some(*class)
    });
    (!test.is_empty()).then(|| right.count() as f64 / test.len() as f64)
}

/// x of A x = b for each b, with the positive definite A of `n` rows: by Cholesky's L Lᵀ = A.
fn solved(mut a: Vec<f64>, mut sides: Vec<Vec<f64>>, n: usize) -> Vec<Vec<f64>> {
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let left = a[i * n + j] - sum;
            a[i * n + j] = if i == j { left.max(f64::MIN_POSITIVE).sqrt() } else { left / a[j * n + j] };
        }
    }
    for b in &mut sides {
        for i in 0..n {
            let sum: f64 = (0..i).map(|k| a[i * n + k] * b[k]).sum();
            b[i] = (b[i] - sum) / a[i * n + i];
        }
        for i in (0..n).rev() {
            let sum: f64 = (i + 1..n).map(|k| a[k * n + i] * b[k]).sum();
            b[i] = (b[i] - sum) / a[i * n + i];
        }
    }
    sides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved() {
        let found = solved(vec![4.0, 2.0, 2.0, 3.0], vec![vec![10.0, 8.0], vec![2.0, 3.0]], 2);
        let due = [[1.75, 1.5], [0.0, 1.0]];
        assert!(found.iter().flatten().zip(due.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn what_a_plane_divides_is_told_apart() {
        let sample = |i: usize| (vec![(i % 7) as f64 - 3.0, (i % 3) as f64], usize::from(i % 7 > 3));
        let [train, test]: [Vec<_>; 2] = [(0..40).map(sample).collect(), (40..61).map(sample).collect()];
        assert_eq!(linear(&train, &test, 2), Some(1.0));
        let wrong: Vec<_> = test.iter().map(|(x, class)| (x.clone(), 1 - class)).collect();
        assert_eq!(linear(&train, &wrong, 2), Some(0.0));
        assert_eq!((linear(&[], &test, 2), linear(&train, &[], 2)), (None, None));
    }
}
