//! Gather, scatter-add and embedding.
//!
//! An index out of range must be an error, but only the device can tell, and reading it would make the host wait in
//! every step. So the index is replaced by 0, a flag stays on the device, and the next download reports the error, like
//! a card's own asynchronous errors.

use crate::backend::CandleBackend;
use crate::data::{CandleResult, beside, full, widened};
use crate::reduce::RUN;
use candle_core::{DType as CandleDType, Tensor};
use taper_backend::Error;

/// A pending check of an index tensor, which may have been out of range.
#[derive(Debug)]
pub(crate) struct Fault {
    /// An f32 scalar on the device: 0 if all elements were in range.
    flag: Tensor,
    message: Error,
}

/// With more pending checks than this, their flags are read without waiting for a download.
const MOST_FAULTS: usize = 512;

impl CandleBackend {
    /// `index` with 0 in place of elements outside `0..size`, and a pending check that reports `message` if there were
    /// any.
    pub(crate) fn in_range(
        &self,
        index: &Tensor,
        size: usize,
        message: impl FnOnce() -> Error,
    ) -> CandleResult<Tensor> {
        let (zero, end) = (beside(index, 0.0)?, beside(index, size as f64)?);
        let outside = index.lt(&zero)?.add(&index.ge(&end)?)?;
        let flag = outside.to_dtype(CandleDType::F32)?.sum_all()?;
        self.faults().push(Fault { flag, message: message() });
        outside.where_cond(&zero, index)?.contiguous()
    }

    /// The first error among the pending checks, which this clears: one download for all of them, none if no check is
    /// pending.
    pub(crate) fn fault(&self) -> CandleResult<Option<Error>> {
        let faults = std::mem::take(&mut *self.faults());
        if faults.is_empty() {
            return Ok(None);
        }
        let flags: Vec<_> = faults.iter().map(|fault| &fault.flag).collect();
        let found = Tensor::stack(&flags, 0)?.to_vec1::<f32>()?;
        self.count_download();
        Ok(faults.into_iter().zip(found).find(|(_, found)| *found != 0.0).map(|(fault, _)| fault.message))
    }

    /// Whether so many checks are pending that their flags should be read now.
    pub(crate) fn faults_pending(&self) -> bool {
        self.faults().len() > MOST_FAULTS
    }
}

/// `f` of the operands, each of whose results is a sum of up to `terms` elements, which candle adds one after another.
/// Sums of more than [`RUN`] terms are computed in f64, shorter ones of halves in f32, and rounded to the dtype at the
/// end.
fn deep(x: &[&Tensor], terms: usize, f: impl FnOnce(&[Tensor]) -> CandleResult<Tensor>) -> CandleResult<Tensor> {
    let dtype = x[0].dtype();
    if terms <= RUN || !dtype.is_float() {
        return widened(x, f);
    }
    let wide: Vec<_> = x.iter().map(|x| x.to_dtype(CandleDType::F64)).collect::<CandleResult<_>>()?;
    f(&wide)?.to_dtype(dtype)
}

/// Elements of `x` along `axis`, in the shape of `index`; every index must be in range.
pub(crate) fn gather(x: &Tensor, axis: usize, index: &Tensor) -> CandleResult<Tensor> {
    x.contiguous()?.gather(index, axis)
}

/// `x` with `source` added at `index` along `axis`; every index must be in range.
pub(crate) fn scatter_add(x: &Tensor, axis: usize, index: &Tensor, source: &Tensor) -> CandleResult<Tensor> {
    deep(&[x, source], index.dims()[axis], |t| t[0].contiguous()?.scatter_add(index, &t[1].contiguous()?, axis))
}

/// The rows `index` of `weight: [rows, width]`, reshaped to `shape`; every index must be in range.
pub(crate) fn embedding(weight: &Tensor, index: &Tensor, shape: &[usize]) -> CandleResult<Tensor> {
    weight.contiguous()?.index_select(&index.flatten_all()?, 0)?.reshape(shape)
}

/// The gradient of [`embedding`] with respect to the weight, `[rows, width]`: row i is the sum of the rows of `g` whose
/// index is i.
pub(crate) fn embedding_grad(g: &Tensor, index: &Tensor, rows: usize, width: usize) -> CandleResult<Tensor> {
    deep(&[g], index.elem_count(), |g| {
        let zeros = full(0.0, &[rows, width], g[0].dtype(), g[0].device())?;
        zeros.index_add(&index.flatten_all()?, &g[0].contiguous()?.reshape(((), width))?, 0)
    })
}
