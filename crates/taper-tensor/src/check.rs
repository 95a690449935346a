//! Checks that every operation makes before it calls the backend.

use crate::Tensor;
use taper_backend::{DType, Error, Result, Shape};

/// An error unless all tensors are on one device and of one dtype. `names` are the arguments' names, in order.
pub(crate) fn same(op: &'static str, names: &[&str], tensors: &[&Tensor]) -> Result<()> {
    let first = tensors[0];
    for (name, tensor) in names.iter().zip(tensors).skip(1) {
        same_device(op, names[0], first, name, tensor)?;
        if tensor.dtype() != first.dtype() {
            let detail = format!(
                "{} is {}, {name} is {}; nothing is converted silently: cast one of them",
                names[0],
                first.dtype(),
                tensor.dtype()
            );
            return Err(Error::dtype(op, detail));
        }
    }
    Ok(())
}

/// An error unless `b` is on the device of `a`.
pub(crate) fn same_device(op: &'static str, a_name: &str, a: &Tensor, b_name: &str, b: &Tensor) -> Result<()> {
    if a.device() == b.device() {
        return Ok(());
    }
    let [of_a, of_b] = a.device().told_apart(b.device());
    let detail = format!("{a_name} is on {of_a}, {b_name} on {of_b}: move one of them");
    Err(Error::argument(op, detail))
}

/// An error unless the dtype of `x` is a float.
pub(crate) fn float(op: &'static str, x: &Tensor) -> Result<()> {
    if x.dtype().is_float() {
        return Ok(());
    }
    Err(Error::dtype(op, format!("expected a float, the input is {}: cast it", x.dtype())))
}

/// An error unless the dtype of `index` is i64.
pub(crate) fn index(op: &'static str, index: &Tensor) -> Result<()> {
    if index.dtype() == DType::I64 {
        return Ok(());
    }
    Err(Error::dtype(op, format!("indices must be i64, they are {}: cast them", index.dtype())))
}

/// An error when a tensor of `shape` would have more bytes than can be addressed (`isize::MAX`).
pub(crate) fn size(op: &'static str, shape: &Shape, dtype: DType) -> Result<()> {
    let bytes = shape.iter().try_fold(dtype.size(), |bytes, &size| bytes.checked_mul(size.max(1)));
    if bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok()) {
        return Ok(());
    }
    Err(Error::argument(op, format!("shape {shape} of {dtype} is larger than memory can be")))
}
