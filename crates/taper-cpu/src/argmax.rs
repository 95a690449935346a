//! Argmax: the index of the largest element along an axis.

use crate::CpuBackend;
use crate::layout::offset_of;
use crate::parallel::TASK;
use crate::storage::{Stored, for_dtype};
use taper_backend::{Buffer, Error, Result};

pub(crate) fn argmax(cpu: &CpuBackend, x: &Buffer, axis: usize) -> Result<Buffer> {
    if x.shape()[axis] == 0 {
        return Err(Error::argument("argmax", format!("dimension {axis} of {} is empty", x.shape())));
    }
    for_dtype!(x.dtype(), T => along::<T>(cpu, x, axis))
}

fn along<T: Stored>(cpu: &CpuBackend, x: &Buffer, axis: usize) -> Result<Buffer> {
    let view = cpu.view::<T>(x)?;
    let shape = x.shape().reduced(&[axis]);
    let (length, step) = (view.shape[axis], view.strides[axis]);
    let mut block = cpu.pool().alloc::<i64>(shape.count())?;
    let group = (TASK / length).max(1);
    cpu.for_chunks(&mut block, group, x.count(), |task, out| {
        for (i, y) in out.iter_mut().enumerate() {
            let base = view.offset + offset_of(&shape, view.strides, task * group + i);
            let (mut best, mut at) = (view.data[base], 0);
            for j in 1..length {
                let value = view.data[base + j * step];
                if value > best || (is_nan(value) && !is_nan(best)) {
                    (best, at) = (value, j);
                }
            }
            *y = at as i64;
        }
    });
    Ok(cpu.wrap(shape, block))
}

#[allow(clippy::eq_op)] // only NaN differs from itself
fn is_nan<T: PartialEq>(x: T) -> bool {
    x != x
}
