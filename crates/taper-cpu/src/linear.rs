//! Fused linear layers.

use crate::CpuBackend;
use taper_backend::{Activation, Buffer, Error, ParamGrads, Result, Rim, Saved};

pub(crate) fn linear(
    _cpu: &CpuBackend,
    _x: &Buffer,
    _weight: &Buffer,
    _bias: Option<&Buffer>,
    _f: Activation,
) -> Rim<(Buffer, Saved)> {
    Ok(None)
}

pub(crate) fn linear_grad(
    _cpu: &CpuBackend,
    _g: &Buffer,
    _saved: &Saved,
    _x: &Buffer,
    _weight: &Buffer,
    _f: Activation,
    _needs: [bool; 3],
) -> Result<ParamGrads> {
    Err(Error::argument("linear_grad", "called without what linear returned"))
}
