//! The mixing weight λ ~ Beta(α, α), drawn as G₁ / (G₁ + G₂) for two gamma variables of shape α.

use taper_tensor::{Error, RandomKey, Result};

/// λ drawn from the stream `key`, in [0, 1]. An error of `op` unless `alpha` is finite and over 0.
pub(super) fn share(op: &'static str, alpha: f64, key: RandomKey) -> Result<f64> {
    if !(alpha > 0.0 && alpha.is_finite()) {
        return Err(Error::argument(op, format!("alpha must be a finite number over 0, came as {alpha}")));
    }
    let apart = ln_gamma_variable(alpha, key.child("second")) - ln_gamma_variable(alpha, key.child("first"));
    if apart.is_nan() {
        // α is so small that both logarithms are −∞. The larger variable is then all of the sum. Which one is larger
        // follows from ln u / α, and comparing needs no α.
        let larger = boost(key.child("first")) >= boost(key.child("second"));
        return Ok(f64::from(u8::from(larger)));
    }
    Ok(1.0 / (1.0 + apart.exp()))
}

/// α times the term ln u / α that makes the logarithm of a gamma variable of shape α + 1 one of shape α.
fn boost(key: RandomKey) -> f64 {
    (1.0 - key.uniform(0)).ln()
}

/// The logarithm of a gamma variable of shape `alpha` (Marsaglia and Tsang, "A simple method for generating gamma
/// variables", 2000): the logarithm, because for small shapes the variable itself underflows.
fn ln_gamma_variable(alpha: f64, key: RandomKey) -> f64 {
    // Shapes below 1 are drawn by way of shape + 1 (their section 6).
    let (shape, boost) = if alpha < 1.0 { (alpha + 1.0, boost(key) / alpha) } else { (alpha, 0.0) };
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    let (normals, uniforms) = (key.child("normal"), key.child("uniform"));
    let mut attempt = 0;
    loop {
        let (x, u) = (normals.normal(attempt), 1.0 - uniforms.uniform(attempt));
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return (d * v).ln() + boost;
        }
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_distribution() {
        for alpha in [0.1, 0.4, 1.0, 3.0, 50.0] {
            let n = 20_000;
            let drawn: Vec<f64> =
                (0..n).map(|i| share("mixup", alpha, RandomKey::new(4).index(i)).expect("in range")).collect();
            assert!(drawn.iter().all(|x| (0.0..=1.0).contains(x)), "{alpha}");
            // The mean is ½, the variance 1 / (4 (2α + 1)), the kurtosis 3 − 6 / (2α + 3).
            let central = |k: i32| drawn.iter().map(|x| (x - 0.5).powi(k)).sum::<f64>() / n as f64;
            let variance = 0.25 / (2.0 * alpha + 1.0);
            let fourth = variance * variance * (3.0 - 6.0 / (2.0 * alpha + 3.0));
            // Each is within 4 standard deviations.
            assert!(central(1).abs() < 4.0 * (variance / n as f64).sqrt(), "{alpha}: mean {}", central(1) + 0.5);
            let bound = 4.0 * ((fourth - variance * variance) / n as f64).sqrt();
            assert!((central(2) - variance).abs() < bound, "{alpha}: variance {}, expected {variance}", central(2));
            let found = central(4);
            assert!((found / fourth - 1.0).abs() < 0.1, "{alpha}: fourth moment {found}, expected {fourth}");
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        let of = |alpha, seed| share("mixup", alpha, RandomKey::new(seed));
        // With so small an α nearly all of the distribution is at the ends of the range. Nothing is NaN there.
        assert!((0..100).all(|seed| of(1e-9, seed).is_ok_and(|x| !(1e-9..1.0 - 1e-9).contains(&x) && !x.is_nan())));
        // Nor where the logarithms overflow too: λ is then 0 or 1, each with probability ½.
        for alpha in [1e-300, 1e-308, f64::MIN_POSITIVE, 5e-324] {
            let drawn: Vec<f64> = (0..400).map(|seed| of(alpha, seed).expect("in range")).collect();
            let ones = drawn.iter().filter(|x| **x == 1.0).count();
            assert!(drawn.iter().all(|x| *x == 0.0 || *x == 1.0) && (150..250).contains(&ones), "{alpha:e}: {ones}");
        }
        assert!((0..100).all(|seed| of(1e12, seed).is_ok_and(|x| (x - 0.5).abs() < 1e-5)));
    }
}
