//! Creating tensors of a regular pattern: ranges, the identity, one-hot vectors.

use crate::Tensor;
use crate::check;
use taper_backend::{DType, Device, Error, HostData, Result, Shape};

impl Tensor {
    /// The numbers start, start + step, start + 2 · step, … below `end` (above it for a negative `step`): a vector of
    /// ⌈(end − start) / step⌉ elements, computed in f64 and rounded once. An integer dtype takes whole numbers.
    ///
    /// # Errors
    /// When `step` is 0 or leads away from `end`, a bound is not finite, or the dtype does not hold an element.
    pub fn arange(start: f64, end: f64, step: f64, dtype: DType, device: &Device) -> Result<Self> {
        const OP: &str = "arange";
        let count = ((end - start) / step).ceil();
        // Written so that NaN is refused.
        if !(step != 0.0 && start.is_finite() && end.is_finite() && step.is_finite() && count >= 0.0) {
            let detail = format!(
                "there is no way from {start} to {end} in steps of {step}: expected finite numbers, and a step towards the end"
            );
            return Err(Error::argument(OP, detail));
        }
        let count = count as usize;
        check::size(OP, &Shape::from([count]), DType::F64)?;
        let at = |i: usize| start + i as f64 * step;
        for number in if dtype.is_float() { vec![] } else { vec![start, step.abs(), end] } {
            DType::I64.check_element(OP, number)?;
        }
        for number in if count > 0 { vec![at(0), at(count - 1)] } else { vec![] } {
            dtype.check_element(OP, number)?;
        }
        Self::from_host(HostData::from_f64(&listed(OP, count, at)?, dtype), [count], device)
    }

    /// `count` numbers from `start` to `end`, both included, at equal distances: a vector of a float dtype, computed in
    /// f64 and rounded once. Of one number, `start`.
    pub fn linspace(start: f64, end: f64, count: usize, dtype: DType, device: &Device) -> Result<Self> {
        const OP: &str = "linspace";
        if !dtype.is_float() {
            return Err(Error::dtype(OP, format!("its numbers are floats, {dtype} was asked for")));
        }
        check::size(OP, &Shape::from([count]), DType::F64)?;
        dtype.check_element(OP, start)?;
        dtype.check_element(OP, end)?;
        // From the nearer end, so that both are exact.
        let (last, half) = (count.saturating_sub(1).max(1) as f64, count / 2);
        let step = if (end - start).is_finite() { (end - start) / last } else { end / last - start / last };
        let at = |i: usize| {
            if i < half || count == 1 { start + i as f64 * step } else { end - (count - 1 - i) as f64 * step }
        };
        Self::from_host(HostData::from_f64(&listed(OP, count, at)?, dtype), [count], device)
    }

    /// The matrix `[rows, columns]` of ones where row and column are equal, and zeros elsewhere.
    pub fn eye(rows: usize, columns: usize, dtype: DType, device: &Device) -> Result<Self> {
        check::size("eye", &Shape::from([rows, columns]), dtype)?;
        places(rows, device)?.unsqueeze(1)?.eq(&places(columns, device)?)?.cast(dtype)
    }

    /// For each class in this tensor (i64), a vector of `classes` elements along a new last dimension, 1 at the class
    /// and 0 elsewhere: i64, as in PyTorch. A class outside `0..classes` is an error.
    pub fn one_hot(&self, classes: usize) -> Result<Self> {
        check::index("one_hot", self)?;
        let mut shape = self.shape().to_vec();
        shape.push(classes);
        let zeros = Self::zeros(shape, DType::I64, self.device())?;
        let index = self.unsqueeze(-1)?;
        zeros.scatter_add(-1, &index, &index.ones_like()?)
    }
}

/// 0, 1, …, count − 1 as i64: the places along a dimension.
pub(crate) fn places(count: usize, device: &Device) -> Result<Tensor> {
    Tensor::from_vec(listed("arange", count, |i| i as i64)?, [count], device)
}

/// f(0), …, f(count − 1); an error when there is no memory for as many.
fn listed<T>(op: &'static str, count: usize, f: impl Fn(usize) -> T) -> Result<Vec<T>> {
    let mut all = Vec::new();
    let reserved = all.try_reserve_exact(count);
    reserved.map_err(|_| Error::argument(op, format!("{count} elements are more than memory holds")))?;
    all.extend((0..count).map(f));
    Ok(all)
}
