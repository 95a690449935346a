//! Floating-point operations of a work, counted from its shapes: a multiplication and an addition are two. What is done
//! once an element (activations, pooling, norms, the optimiser) is not counted.

/// A[m, k] · B[k, n].
pub fn product([m, k, n]: [usize; 3]) -> f64 {
    2.0 * m as f64 * k as f64 * n as f64
}

/// A convolution with kernels `size` × `size`, to `n` pictures of `side` × `side`.
pub fn conv(n: usize, [inputs, outputs]: [usize; 2], size: usize, side: usize) -> f64 {
    product([n * side * side, inputs * size * size, outputs])
}

/// A training step of layers that take these forward: each again for its weight's gradient, and, but for the first, for
/// its input's.
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
