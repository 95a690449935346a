//! Elements chosen by index.
//!
//! An index out of range must be an error, but only the device knows, and asking it would stop the host in every step. So the
//! index is replaced by 0, a flag stays on the device, and the error comes with the next download, as a card's own
//! asynchronous errors do.

use crate::backend::CandleBackend;
use crate::data::{CandleResult, beside, full, widened};
use crate::reduce::RUN;
use candle_core::{DType as CandleDType, Tensor};
use taper_backend::Error;

/// An index that may have been out of range.
#[derive(Debug)]
pub(crate) struct Fault {
    /// 0 where all were in range: an f32 scalar.
    flag: Tensor,
    message: Error,
}

/// More than this, and they are looked at before the next download.
const MOST_FAULTS: usize = 512;

impl CandleBackend {
    /// `index` with 0 in place of what is not in `0..size`, which is told later by `message`.
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

    /// The first fault since this was last asked. One transfer, whatever their number; none where there is nothing to ask.
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

    /// Whether the faults should be asked for now.
    pub(crate) fn faults_pending(&self) -> bool {
        self.faults().len() > MOST_FAULTS
    }
}

/// `f` of the operands, whose results are sums of up to `terms` of their elements that candle adds one after another: in f32
/// for halves, in f64 where f32 would lose digits by their number, and rounded at the end.
fn deep(x: &[&Tensor], terms: usize, f: impl FnOnce(&[Tensor]) -> CandleResult<Tensor>) -> CandleResult<Tensor> {
    let dtype = x[0].dtype();
    if terms <= RUN || !dtype.is_float() {
        return widened(x, f);
    }
    let wide: Vec<_> = x.iter().map(|x| x.to_dtype(CandleDType::F64)).collect::<CandleResult<_>>()?;
    f(&wide)?.to_dtype(dtype)
}

/// `x[…, index, …]` along `axis`; every index is in range.
pub(crate) fn gather(x: &Tensor, axis: usize, index: &Tensor) -> CandleResult<Tensor> {
    x.contiguous()?.gather(index, axis)
}

/// `x` with `source` added at `index` along `axis`; every index is in range.
pub(crate) fn scatter_add(x: &Tensor, axis: usize, index: &Tensor, source: &Tensor) -> CandleResult<Tensor> {
    deep(&[x, source], index.dims()[axis], |t| t[0].contiguous()?.scatter_add(index, &t[1].contiguous()?, axis))
}

/// Rows `index` of `weight: [rows, width]`, as `shape`; every index is in range.
pub(crate) fn embedding(weight: &Tensor, index: &Tensor, shape: &[usize]) -> CandleResult<Tensor> {
    weight.contiguous()?.index_select(&index.flatten_all()?, 0)?.reshape(shape)
}

/// Its gradient with respect to the weight: each row the sum over its uses.
pub(crate) fn embedding_grad(g: &Tensor, index: &Tensor, rows: usize, width: usize) -> CandleResult<Tensor> {
    deep(&[g], index.elem_count(), |g| {
        let zeros = full(0.0, &[rows, width], g[0].dtype(), g[0].device())?;
        zeros.index_add(&index.flatten_all()?, &g[0].contiguous()?.reshape(((), width))?, 0)
    })
}
