//! Random orthogonal matrices (Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
//! linear neural networks", ICLR 2014).
//!
//! Q of A = QR for a matrix A of standard normal numbers, with a positive diagonal of R: then Q is uniform over all
//! orthogonal matrices (Mezzadri, "How to generate random matrices from the classical compact groups", 2007). It is
//! computed by Gram–Schmidt orthogonalisation, applied twice to each vector: "twice is enough" for orthogonality to
//! rounding (Giraud et al. 2005).

use taper_tensor::{Error, RandomKey, Result, Shape};

/// gain · Q, in the row-major order of `shape: [rows, …]`.
pub(super) fn values(shape: &Shape, gain: f64, key: RandomKey) -> Result<Vec<f64>> {
    let (rows, others) = match shape.dims() {
        [rows, others @ ..] if !others.is_empty() => (*rows, others),
        _ => {
            let detail = format!("an orthogonal weight has at least two dimensions, the shape is {shape}");
            return Err(Error::shape("init", detail));
        }
    };
    let columns = others.iter().product::<usize>();
    // `count` vectors of length `length`, orthonormal.
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut q: Vec<f64> = (0..(count * length) as u64).map(|i| key.normal(i)).collect();
    for k in 0..count {
        let (before, rest) = q.split_at_mut(k * length);
        let vector = &mut rest[..length];
        for _ in 0..2 {
            for other in before.chunks_exact(length) {
                let along = dot(vector, other);
                vector.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
            }
        }
        let norm = dot(vector, vector).sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
    }
    q.iter_mut().for_each(|x| *x *= gain);
    Ok(if rows <= columns { q } else { (0..rows * columns).map(|i| q[i % columns * length + i / columns]).collect() })
}

/// Σ xᵢ yᵢ in eight partial sums, which the compiler can vectorise; the order of summation is fixed.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let (chunks_x, chunks_y) = (x.chunks_exact(8), y.chunks_exact(8));
    let tail: f64 = chunks_x.remainder().iter().zip(chunks_y.remainder()).map(|(x, y)| x * y).sum();
    let mut sums = [0.0; 8];
    for (x, y) in chunks_x.zip(chunks_y) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + tail
}
