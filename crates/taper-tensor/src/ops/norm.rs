//! Norms over axes: (Σ |x|ᵖ)^(1/p), and its limits for p = ±∞. dy/dx = sign x (|x| / y)^(p − 1), and 0 where x or y is 0.

use super::max::not_empty;
use super::shorthand::{in_f32, is_half, saved_or_recomputed, step};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::{Rule, no_grad};
use taper_backend::{DType, Error, Result};

impl Tensor {
    /// The `p`-norm over `axes` (−1 is the last; none means all), (Σ |x|ᵖ)^(1/p): 2 for the Euclidean norm, 1 for the sum
    /// of the magnitudes, ∞ for the largest (−∞ for the smallest), 0 for the number of elements that are not 0. With
    /// `keepdim` the axes are kept with size 1, else removed.
    ///
    /// No power overflows or underflows where the norm does not. The gradient is 0 where the norm is 0, and at elements
    /// that are 0. Of all elements, in f64 whatever the dtype, see [`Tensor::norm_all`].
    ///
    /// # Errors
    /// When `p` is NaN, an axis is out of range, or there is no element for a `p` that is infinite or under 0.
    pub fn norm(&self, p: f64, axes: &[isize], keepdim: bool) -> Result<Tensor> {
        const OP: &str = "norm";
        check::float(OP, self)?;
        let found = self.shape().axes(OP, axes)?;
        if p.is_nan() {
            return Err(Error::argument(OP, "p is NaN"));
        }
        if p < 0.0 || p.is_infinite() {
            found.iter().try_for_each(|&axis| not_empty(OP, self, axis))?;
        }
        let y = match p {
            f64::INFINITY => self.abs()?.max(axes, true)?,
            f64::NEG_INFINITY => self.abs()?.min(axes, true)?,
            0.0 => {
                let counted = self.ne_scalar(0.0)?.cast(DType::F64)?;
                step(OP, &self.cast(DType::F64)?, counted.into_buffer()?).sum(axes, true)?.cast(self.dtype())?
            }
            1.0 if is_half(self) => in_f32(self, |x| x.abs()?.sum(axes, true))?,
            1.0 => self.abs()?.sum(axes, true)?,
            // f64 holds the squares of all other dtypes, and rounds once.
            _ => of_power(&self.cast(DType::F64)?, p, &found)?.cast(self.dtype())?,
        };
        if keepdim { Ok(y) } else { y.without_axes(&found) }
    }
}

/// The norm of x (f64) for a `p` that is neither 0 nor infinite, with the axes kept.
fn of_power(x: &Tensor, p: f64, found: &[usize]) -> Result<Tensor> {
    let y = no_grad(|| value(x, p, found))?.into_buffer()?;
    Ok(Tensor::record("norm", y.clone(), &[x], || {
        let (x, found) = (x.clone(), found.to_vec());
        Rule::tensors(move |g, _| {
            let y = saved_or_recomputed(g, &y, || of_power(&x, p, &found))?;
            let y = y.eq_scalar(0.0)?.select(&y.scalar_like(1.0)?, &y)?;
            if p == 2.0 {
                return Ok(vec![Some(g.mul(&x.div(&y)?)?)]);
            }
            // Where x is 0 its sign is, and the power of what stands there instead is finite.
            let shares = x.eq_scalar(0.0)?.select(&x.scalar_like(1.0)?, &x.abs()?.div(&y)?)?;
            Ok(vec![Some(g.mul(&x.sign()?)?.mul(&shares.pow_scalar(p - 1.0)?)?)])
        })
    }))
}

/// m (Σ (|x| / m)ᵖ)^(1/p), with m the largest element, or for p < 0 the smallest: no term is over 1, and one is.
fn value(x: &Tensor, p: f64, axes: &[usize]) -> Result<Tensor> {
    let axes: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
    let size = x.abs()?;
    let sum = |size: &Tensor| -> Result<Tensor> {
        let powers = if p == 2.0 { size.mul(size)? } else { size.pow_scalar(p)? };
        let sum = powers.sum(&axes, true)?;
        if p == 2.0 { sum.sqrt() } else { sum.pow_scalar(1.0 / p) }
    };
    if x.count() == 0 {
        return sum(&size);
    }
    let extreme = if p > 0.0 { size.max(&axes, true)? } else { size.min(&axes, true)? };
    let usable = extreme.gt_scalar(0.0)?.logical_and(&extreme.lt_scalar(f64::INFINITY)?)?;
    let scale = usable.select(&extreme, &extreme.scalar_like(1.0)?)?;
    sum(&size.div(&scale)?)?.mul(&scale)
}

pub(super) fn cases() -> Vec<Case> {
    let of = |p: f64| move |x: &[Tensor]| x[0].norm(p, &[-1], false);
    let mut cases: Vec<Case> = [1.0, 2.0, 3.0, 2.5, 0.5, -1.0, f64::INFINITY, f64::NEG_INFINITY]
        .into_iter()
        .map(|p| Case::new(format!("p = {p}"), of(p)).values([2, 3], vec![0.5, -0.9, 0.3, -1.2, 0.7, 0.4]))
        .collect();
    cases.extend([
        Case::new("all, kept", |x| x[0].norm(2.0, &[], true)).input([2, 3]),
        Case::new("a scalar", |x| x[0].norm(2.0, &[], false)).values([], vec![-2.0]),
        Case::new("p = 0", of(0.0)).input([2, 3]).zero_gradient(0),
        Case::new("nothing", |x| x[0].norm(2.0, &[0], false)).input([0, 3]).zero_gradient(0),
        // A smooth function of what is not 0.
        Case::new("one element 0, p = 2", of(2.0)).values([1, 3], vec![0.5, 0.0, -0.3]),
        Case::new("one element 0, p = 4", of(4.0)).values([1, 3], vec![0.5, 0.0, -0.3]),
    ]);
    for p in [1.0, 2.0, 3.0, 1.5, 0.5, f64::INFINITY] {
        let zeros = Case::new(format!("of zeros, p = {p}"), of(p)).values([1, 3], vec![0.0; 3]);
        cases.push(zeros.subgradient(0, vec![0.0; 3]).zero_gradient(0));
    }
    cases.push(
        Case::new("one element 0, p = 1/2", of(0.5)).values([1, 2], vec![4.0, 0.0]).subgradient(0, vec![1.0, 0.0]),
    );
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    #[test]
    fn large_small_and_special() -> Result<()> {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
        let norm = |values: &[f64], dtype: DType, p: f64| -> Result<(f64, Vec<f64>)> {
            let x = Tensor::from_vec(values.to_vec(), [values.len()], &device)?.cast(dtype)?.requires_grad();
            let y = x.norm(p, &[0], false)?;
            let gradient = y.backward()?.of(&x).map_or(Ok(vec![]), |g| g.cast(DType::F64)?.to_vec::<f64>())?;
            Ok((y.item()?, gradient))
        };
        for (dtype, scales) in [
            (DType::F64, vec![1.0, 2f64.powi(1000), 2f64.powi(-1000)]),
            (DType::F32, vec![1.0, 2f64.powi(120), 2f64.powi(-120)]),
            (DType::F16, vec![1.0, 8192.0]),
        ] {
            for scale in scales {
                let triangle = [3.0 * scale, 0.0, -4.0 * scale];
                for (p, due) in [(2.0, 5.0), (1.0, 7.0), (f64::INFINITY, 4.0), (3.0, 91f64.cbrt())] {
                    let (y, gradient) = norm(&triangle, dtype, p)?;
                    assert!((y / scale / due - 1.0).abs() < 1e-3, "{dtype} {scale} p = {p}: {y}");
                    assert!(gradient.iter().all(|g| g.abs() <= 1.0) && gradient[2] < 0.0, "{dtype} {p}: {gradient:?}");
                }
                let gradient = norm(&triangle, dtype, 2.0)?.1;
                let near = gradient.iter().zip([0.6, 0.0, -0.8]).all(|(a, b)| (a - b).abs() < 4e-3);
                assert!(near, "{dtype} {scale}: {gradient:?}");
            }
        }
        for p in [0.5, 1.0, 2.0, 3.0, f64::INFINITY] {
            assert_eq!(norm(&[1.0, f64::NEG_INFINITY], DType::F32, p)?.0, f64::INFINITY, "p = {p}");
            assert!(norm(&[f64::NAN, f64::INFINITY], DType::F32, p)?.0.is_nan(), "p = {p}");
        }
        assert_eq!(norm(&[2.0, 0.0], DType::F64, -1.0)?.0, 0.0);
        assert_eq!(norm(&[2.0, 0.0, -3.0], DType::F16, 0.0)?, (2.0, vec![0.0; 3]));
        Ok(())
    }
}
