//! Floating-point operations of a benchmark, counted from its shapes; a multiply-add counts as two. Elementwise
//! operations, pooling, norms and the optimiser are not counted.

/// The operations of the matrix product A[m, k] · B[k, n].
pub fn product([m, k, n]: [usize; 3]) -> f64 {
    2.0 * m as f64 * k as f64 * n as f64
}

/// The operations of a convolution with `size` × `size` kernels whose output is `n` samples of `side` × `side`.
pub fn conv(n: usize, [inputs, outputs]: [usize; 2], size: usize, side: usize) -> f64 {
    product([n * side * side, inputs * size * size, outputs])
}

/// The operations of a training step, from those of each layer's forward pass: the backward pass takes as many for each
/// weight's gradient, and as many for each input's gradient but the first layer's, which is not computed.
pub fn step(forward: &[f64]) -> f64 {
    3.0 * forward.iter().sum::<f64>() - forward.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_by_hand() {
        assert_eq!(product([2, 3, 5]), 60.0);
        assert_eq!(conv(64, [3, 64], 3, 32), product([65536, 27, 64]));
        assert_eq!(step(&[10.0, 100.0]), 10.0 + 10.0 + 300.0);
    }
}
