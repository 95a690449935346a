//! Fused convolution, bias, activation and pooling.

use crate::CpuBackend;
use taper_backend::{Activation, Buffer, Conv2dSpec, Error, ParamGrads, Pool2dSpec, Result, Rim, Saved};

pub(crate) fn conv2d_block(
    _cpu: &CpuBackend,
    _x: &Buffer,
    _weight: &Buffer,
    _bias: Option<&Buffer>,
    _spec: &Conv2dSpec,
    _f: Activation,
    _pool: Option<&Pool2dSpec>,
) -> Rim<(Buffer, Saved)> {
    Ok(None)
}

pub(crate) fn conv2d_block_grad(
    _cpu: &CpuBackend,
    _g: &Buffer,
    _saved: &Saved,
    _x: &Buffer,
    _weight: &Buffer,
    _spec: &Conv2dSpec,
    _needs: [bool; 3],
) -> Result<ParamGrads> {
    Err(Error::argument("conv2d_block_grad", "called without what conv2d_block returned"))
}
