use super::*;
use serde_json::Value;
use taper_nn::{Device, RandomKey};

/// A symmetric matrix of standard normal numbers.
fn symmetric(n: usize, key: RandomKey) -> Vec<f64> {
    let at = |i: usize, j: usize| key.normal((i.min(j) * n + i.max(j)) as u64);
    (0..n * n).map(|at_| at(at_ / n, at_ % n)).collect()
}

/// `[n, n]` times `[n, n]`, the second transposed.
fn product_t(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    let dot = |i: usize, j: usize| (0..n).map(|k| a[i * n + k] * b[j * n + k]).sum();
    (0..n * n).map(|at| dot(at / n, at % n)).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

/// Vᵀ V = I and A V = V Λ, to rounding (a rotation adds one of ε to each of n² elements, in about 10 n² / 2 rotations).
fn check(a: &[f64], n: usize) {
    let (values, vectors) = eigh(a, n);
    assert!(values.is_sorted());
    let bound = 50.0 * n as f64 * f64::EPSILON;
    let identity: Vec<f64> = (0..n * n).map(|at| f64::from(at / n == at % n)).collect();
    assert!(distance(&product_t(&vectors, &vectors, n), &identity) <= bound);
    let av = product_t(&vectors, a, n); // row i is (A vᵢ)ᵀ
    let scaled: Vec<f64> = (0..n * n).map(|at| values[at / n] * vectors[at]).collect();
    let norm = distance(a, &vec![0.0; n * n]);
    assert!(distance(&av, &scaled) <= bound * norm, "{} {norm}", distance(&av, &scaled));
    for vector in vectors.chunks_exact(n) {
        let largest = vector.iter().map(|x| x.abs()).fold(0.0, f64::max);
        assert!(vector.contains(&largest), "the largest element is negative: {vector:?}");
    }
}

#[test]
fn eigenvectors_are_orthonormal_and_solve() {
    for n in [1, 2, 3, 12, 27, 48] {
        check(&symmetric(n, RandomKey::new(n as u64)), n);
    }
    let n = 12;
    // Degenerate cases: the zero matrix, the identity, rank one, elements of very different sizes.
    check(&vec![0.0; n * n], n);
    check(&(0..n * n).map(|at| f64::from(at / n == at % n)).collect::<Vec<_>>(), n);
    check(&vec![1.0; n * n], n);
    let size = |i: usize| 10f64.powi(-(i as i32));
    let graded = symmetric(n, RandomKey::new(5)).into_iter().enumerate().map(|(at, x)| x * size(at / n) * size(at % n));
    check(&graded.collect::<Vec<_>>(), n);
}

/// Beside `numpy.linalg.eigh` and the filters that airbench's own formula gives with it: `tests/peers/torch_zoo.py`.
#[test]
fn filters_are_those_that_numpy_finds() {
    let record: Value = serde_json::from_str(include_str!("../../tests/data/torch_zoo.json")).unwrap();
    let record = &record["whitening"];
    let numbers =
        |value: &Value| -> Vec<f64> { value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect() };
    let (shape, eps) = (numbers(&record["pictures"]["shape"]), record["eps"].as_f64().unwrap());
    let shape: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
    let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
    let pictures = Tensor::from_vec(numbers(&record["pictures"]["data"]), shape, &device).unwrap();

    let moment = second_moment(&pictures, [2, 2]).unwrap();
    let expected = numbers(&record["moment"]);
    assert!(distance(&moment, &expected) <= 1e-14 * distance(&expected, &[0.0; 144]));
    let (values, vectors) = eigh(&moment, 12);
    let expected = numbers(&record["values"]);
    assert!(distance(&values, &expected) <= 1e-13 * expected[11], "{values:?} {expected:?}");
    let expected = numbers(&record["vectors"]); // one per row; numpy's have any sign
    for (ours, theirs) in vectors.chunks_exact(12).zip(expected.chunks_exact(12)) {
        let cosine: f64 = ours.iter().zip(theirs).map(|(x, y)| x * y).sum();
        assert!((cosine.abs() - 1.0).abs() <= 1e-13, "{cosine}");
    }
    // The sum of squares of the filters' outputs does not depend on signs.
    let found = filters(&pictures, [2, 2], eps).unwrap();
    let (positive, negative) = found.split_at(144);
    assert!(positive.iter().zip(negative).all(|(x, y)| *x == -y));
    for (i, (filter, vector)) in positive.chunks_exact(12).zip(vectors.chunks_exact(12)).enumerate() {
        let expected: Vec<f64> = vector.iter().map(|v| v / (values[i] + eps).sqrt()).collect();
        assert!(distance(filter, &expected) <= 1e-12 * distance(&expected, &[0.0; 12]));
    }
}

#[test]
fn pictures_without_patches_are_said() {
    let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
    let said = |shape: &[usize], value: f64| {
        let pictures = Tensor::full(value, shape, DType::F32, &device).unwrap();
        filters(&pictures, [2, 2], 1e-4).unwrap_err().to_string()
    };
    assert_eq!(said(&[3, 4, 4], 0.0), "whitening: expected pictures [N, C, H, W], came [3, 4, 4]");
    assert_eq!(said(&[5, 3, 1, 4], 0.0), "whitening: pictures [5, 3, 1, 4] hold no 2 × 2 patch");
    assert_eq!(said(&[0, 3, 4, 4], 0.0), "whitening: pictures [0, 3, 4, 4] hold no 2 × 2 patch");
    assert_eq!(said(&[5, 3, 4, 4], f64::NAN), "whitening: the pictures hold a value that is not finite");
}
