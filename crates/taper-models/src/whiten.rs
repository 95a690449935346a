//! Whitening filters from the patches of images (Coates and Ng, "Learning feature representations with k-means", 2012,
//! section 3; as airbench's first layer).
//!
//! M = E[p pᵀ] over all patches p ∈ ℝᵏ (k = C·Kh·Kw, not centred) is symmetric: M = V Λ Vᵀ. Filter i is vᵢ / √(λᵢ + ε),
//! so that its outputs on those patches have mean square λᵢ / (λᵢ + ε), and the outputs of different filters are
//! uncorrelated.

use taper_nn::{DType, Error, HostData, Result, Tensor, no_grad};

/// The largest number of sweeps over all pairs: convergence is quadratic, and ten are plenty for matrices of this size.
const SWEEPS: usize = 50;

/// The filters that whiten the Kh × Kw patches of `pictures: [N, C, H, W]`, by increasing eigenvalue, followed by their
/// negatives: `[2·C·Kh·Kw, C, Kh, Kw]`, row-major.
pub(crate) fn filters(pictures: &Tensor, kernel: [usize; 2], eps: f64) -> Result<Vec<f64>> {
    let moment = second_moment(pictures, kernel)?;
    let size = pictures.shape()[1] * kernel[0] * kernel[1];
    let (values, vectors) = eigh(&moment, size);
    let scaled = values.iter().zip(vectors.chunks_exact(size)).flat_map(|(value, vector)| {
        let scale = 1.0 / (value.max(0.0) + eps).sqrt(); // an eigenvalue of 0 may come out as −1e-18
        vector.iter().map(move |v| v * scale)
    });
    let filters: Vec<f64> = scaled.collect();
    Ok(filters.iter().copied().chain(filters.iter().map(|v| -v)).collect())
}

/// E[p pᵀ] over all patches p (channel, row, column): `[k, k]`, row-major, summed in f64.
fn second_moment(pictures: &Tensor, [down, across]: [usize; 2]) -> Result<Vec<f64>> {
    const OP: &str = "whitening";
    let &[count, channels, height, width] = pictures.shape().dims() else {
        return Err(Error::shape(OP, format!("expected pictures [N, C, H, W], came {}", pictures.shape())));
    };
    if count == 0 || height < down || width < across {
        let detail = format!("pictures {} hold no {down} × {across} patch", pictures.shape());
        return Err(Error::shape(OP, detail));
    }
    let HostData::F64(data) = no_grad(|| pictures.cast(DType::F64))?.to_host()? else {
        return Err(Error::dtype(OP, "expected pictures of floats"));
    };
    if data.iter().any(|value| !value.is_finite()) {
        return Err(Error::argument(OP, "the pictures hold a value that is not finite"));
    }
    let (rows, columns, plane) = (height - down + 1, width - across + 1, height * width);
    // The offsets, within an image, of the elements of the patch at (0, 0).
    let offsets: Vec<usize> = (0..channels)
        .flat_map(|c| (0..down).flat_map(move |i| (0..across).map(move |j| c * plane + i * width + j)))
        .collect();
    let size = offsets.len();
    let mut moment = vec![0.0; size * size];
    for picture in data.chunks_exact(channels * plane) {
        for (a, &from) in offsets.iter().enumerate() {
            for (b, &other) in offsets.iter().enumerate().skip(a) {
                let row = |y: usize| {
                    let at = |offset| &picture[offset + y * width..][..columns];
                    at(from).iter().zip(at(other)).map(|(p, q)| p * q).sum::<f64>()
                };
                moment[a * size + b] += (0..rows).map(row).sum::<f64>();
            }
        }
    }
    let patches = (count * rows * columns) as f64;
    for a in 0..size {
        for b in a..size {
            moment[a * size + b] /= patches;
            moment[b * size + a] = moment[a * size + b];
        }
    }
    Ok(moment)
}

/// Eigenvalues of the symmetric `a: [n, n]`, ascending, and their unit eigenvectors, one per row.
///
/// Computed by cyclic Jacobi rotations (Golub and Van Loan, "Matrix computations", section 8.5). An eigenvector's
/// element of largest magnitude (the first of equals) is positive, so that the same matrix gives the same vectors.
fn eigh(a: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a = a.to_vec();
    let mut v = vec![0.0; n * n]; // one eigenvector per row
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    let enough = f64::EPSILON * 1e-3 * a.iter().map(|x| x * x).sum::<f64>().sqrt();
    for _ in 0..SWEEPS {
        let off = (0..n).flat_map(|p| (p + 1..n).map(move |q| (p, q))).map(|(p, q)| a[p * n + q].powi(2)).sum::<f64>();
        if off.sqrt() <= enough {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut v, n, p, q);
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[i * n + i].total_cmp(&a[j * n + j]));
    let values = order.iter().map(|&i| a[i * n + i]).collect();
    let vectors = order.iter().flat_map(|&i| with_sign(&v[i * n..][..n])).collect();
    (values, vectors)
}

/// Applies the rotation in the plane (p, q) that makes `a[p, q]` zero.
fn rotate(a: &mut [f64], v: &mut [f64], n: usize, p: usize, q: usize) {
    let apq = a[p * n + q];
    if apq == 0.0 {
        return;
    }
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
    // The smaller root of t² + 2θt − 1 = 0: the angle stays within ±45°.
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    let turn = |x: &mut [f64], i: usize, j: usize| (x[i], x[j]) = (c * x[i] - s * x[j], s * x[i] + c * x[j]);
    for k in 0..n {
        turn(a, k * n + p, k * n + q);
    }
    for k in 0..n {
        turn(a, p * n + k, q * n + k);
        turn(v, p * n + k, q * n + k);
    }
    (a[p * n + q], a[q * n + p]) = (0.0, 0.0); // they are, but for rounding
}

fn with_sign(vector: &[f64]) -> Vec<f64> {
    let largest = vector.iter().fold(0.0, |largest: f64, &x| if x.abs() > largest.abs() { x } else { largest });
    let sign = if largest < 0.0 { -1.0 } else { 1.0 };
    vector.iter().map(|x| sign * x).collect()
}

#[cfg(test)]
mod tests;
