//! z = w · x with 0 · ±∞ = 0, the convention of expectations: 0 log 0 = 0 (Cover and Thomas, "Elements of information
//! theory", 2006, section 2.1). A term of weight 0 is 0 even where x is infinite. NaN stays.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::no_grad;
use taper_backend::Result;

impl Tensor {
    /// This tensor times `weight`, with broadcasting, where 0 · ±∞ is 0: terms of an expectation of log-probabilities, some
    /// of which are −∞. The gradient is that of the product, and 0 with respect to either where 0 meets ±∞.
    pub fn weighted(&self, weight: &Tensor) -> Result<Tensor> {
        const OP: &str = "weighted";
        check::float(OP, self)?;
        check::same(OP, &["the input", "weight"], &[self, weight])?;
        self.shape().broadcast_with(weight.shape(), OP)?;
        let zero = self.scalar_like(0.0)?;
        let infinite = no_grad(|| self.abs()?.eq(&self.scalar_like(f64::INFINITY)?))?;
        let finite = infinite.select(&zero, self)?;
        weight.eq(&zero)?.select(&finite, self)?.mul(weight)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let masked = |x: &[Tensor]| {
        let device = x[0].device();
        let weight = Tensor::from_vec(vec![0.5, 0.0, 0.0, 2.0, 0.0, 1.0], [2, 3], device)?;
        let infinite = Tensor::from_vec(vec![0u8, 1, 0, 0, 2, 0], [2, 3], device)?;
        infinite.select(&x[0].scalar_like(f64::NEG_INFINITY)?, &x[0])?.weighted(&weight)
    };
    vec![
        Case::new("finite", |x| x[0].weighted(&x[1])).input([2, 3]).input([3]),
        Case::new("infinite where there is no weight", masked).input([2, 3]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_backend::{Device, Error};

    #[test]
    fn what_has_no_weight_counts_for_nothing() -> Result<()> {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let x = Tensor::from_vec(vec![inf, -inf, nan, -inf, 3.0], [5], &device)?.requires_grad();
        let w = Tensor::from_vec(vec![0.0, -0.0, 0.0, 2.0, 0.5], [5], &device)?.requires_grad();
        let z = x.weighted(&w)?;
        let values = z.to_vec::<f64>()?;
        assert!(
            values[2].is_nan() && [values[0], values[1], values[3], values[4]] == [0.0, 0.0, -inf, 1.5],
            "{values:?}"
        );
        let gradients = z.sum_all()?.backward()?;
        assert_eq!(gradients.of(&x).map(Tensor::to_vec::<f64>).transpose()?, Some(vec![0.0, 0.0, 0.0, 2.0, 0.5]));
        let of_w = gradients.of(&w).map(Tensor::to_vec::<f64>).transpose()?.unwrap_or_default();
        assert!(of_w[2].is_nan() && [of_w[0], of_w[1], of_w[3], of_w[4]] == [0.0, 0.0, -inf, 3.0], "{of_w:?}");
        let error = x.weighted(&Tensor::ones([4], x.dtype(), &device)?).unwrap_err();
        assert!(matches!(error, Error::Shape { op: "weighted", .. }), "{error}");
        Ok(())
    }
}
