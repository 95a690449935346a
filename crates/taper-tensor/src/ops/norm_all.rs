//! y = √Σx² over all elements, without squares that overflow or underflow. dy/dx = x / y, and 0 where all of x is 0.

use super::shorthand::saved_or_recomputed;
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::{Rule, no_grad};
use taper_backend::{Buffer, DType, Result};

impl Tensor {
    /// The Euclidean norm of all elements, a scalar in f64 whatever the float dtype of x: even where x is as large or
    /// small as its dtype allows, the norm is neither infinite nor 0. NaN if an element is NaN, else ∞ if one is
    /// infinite. The gradient at x = 0 is 0.
    pub fn norm_all(&self) -> Result<Tensor> {
        check::float("norm_all", self)?;
        let y = match self.device().norm(self.buffer()?)? {
            Some(y) => y,
            None => no_grad(|| composed(self))?,
        };
        Ok(Tensor::record("norm_all", y.clone(), &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| {
                let y = saved_or_recomputed(g, &y, || x.norm_all())?;
                let divisor = y.eq_scalar(0.0)?.select(&y.scalar_like(1.0)?, &y)?;
                // Computed in f64: x / y is at most 1, but y itself may be more than the dtype of x holds.
                let direction = x.cast(DType::F64)?.div(&divisor)?;
                Ok(vec![Some(direction.mul(g)?.cast(x.dtype())?)])
            })
        }))
    }
}

/// The composed version. f64 holds the squares of all other float dtypes; an f64 x is divided by its largest element
/// first.
fn composed(x: &Tensor) -> Result<Buffer> {
    if x.dtype() != DType::F64 || x.count() == 0 {
        let x = x.cast(DType::F64)?;
        return x.mul(&x)?.sum_all()?.sqrt()?.into_buffer();
    }
    let largest = x.max(&[], false)?.maximum(&x.min(&[], false)?.neg()?)?;
    let one = largest.scalar_like(1.0)?;
    let finite = largest.lt_scalar(f64::INFINITY)?.select(&largest, &one)?;
    let scale = largest.gt_scalar(0.0)?.select(&finite, &one)?;
    let scaled = x.div(&scale)?;
    scaled.mul(&scaled)?.sum_all()?.sqrt()?.mul(&scale)?.into_buffer()
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("a matrix", |x| x[0].norm_all()).input([2, 3]),
        Case::new("a scalar", |x| x[0].norm_all()).values([], vec![-2.0]),
        Case::new("nothing", |x| x[0].norm_all()).input([0, 3]).zero_gradient(0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    /// The kernel and the composed version, with gradients.
    #[test]
    fn large_small_and_special() -> Result<()> {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
        let of = |values: &[f64], dtype: DType| -> Result<([f64; 2], Vec<f64>)> {
            let x = Tensor::from_vec(values.to_vec(), [values.len()], &device)?.cast(dtype)?.requires_grad();
            let (y, composed) = (x.norm_all()?, Tensor::constant(no_grad(|| composed(&x))?, &device));
            let gradient = y.backward()?.of(&x).map_or(Ok(vec![]), |g| g.cast(DType::F64)?.to_vec::<f64>())?;
            Ok(([y.item()?, composed.item()?], gradient))
        };
        for (dtype, scales) in [
            (DType::F64, vec![1.0, 2f64.powi(1000), 2f64.powi(-1000), 2f64.powi(1021), 2f64.powi(-1074)]),
            (DType::F32, vec![1.0, 2f64.powi(120), 2f64.powi(-120), 2f64.powi(125), 2f64.powi(-149)]),
            (DType::F16, vec![1.0, 16000.0, 2f64.powi(-20)]),
            (DType::BF16, vec![1.0, 2f64.powi(125), 2f64.powi(-120)]),
        ] {
            for scale in scales {
                let (norms, gradient) = of(&[3.0 * scale, 0.0, -4.0 * scale], dtype)?;
                assert!(norms.iter().all(|norm| (norm / scale - 5.0).abs() < 1e-13), "{dtype} {scale}: {norms:?}");
                let near = gradient.iter().zip([0.6, 0.0, -0.8]).all(|(a, b)| (a - b).abs() < 4e-3);
                assert!(near, "{dtype} {scale}: {gradient:?}");
            }
        }
        let (norms, _) = of(&[1e200, 1e-200, -1e100], DType::F64)?;
        assert_eq!(norms, [1e200; 2]);
        assert_eq!(of(&[0.0, -0.0], DType::F32)?.1, [0.0, 0.0]);
        for (values, due) in [
            (vec![1.0, f64::NEG_INFINITY], f64::INFINITY),
            (vec![f64::INFINITY, f64::NAN, 1.0], f64::NAN),
            (vec![0.0, -0.0], 0.0),
        ] {
            for dtype in [DType::F64, DType::F32, DType::F16] {
                let (norms, _) = of(&values, dtype)?;
                assert!(
                    norms.iter().all(|norm| norm == &due || norm.is_nan() && due.is_nan()),
                    "{values:?}: {norms:?}"
                );
            }
        }
        Ok(())
    }
}
