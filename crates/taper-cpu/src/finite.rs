//! Whether all elements are finite, by which loss scaling tells an optimiser to skip a step.

use crate::CpuBackend;
use crate::isa::multiversion;
use crate::math::Float;
use crate::parallel::TASK;
use crate::storage::for_float;
use taper_backend::{Buffer, Result, Rim, Shape};

/// The number of elements that are checked together.
const LANES: usize = 64;

multiversion! {
    /// Whether all elements are finite. x − x is 0 for a finite x and NaN for any other.
    fn finite<T: Float>(x: &[T]) -> bool {
        let mut sums = [T::ZERO; LANES];
        let (blocks, rest) = x.as_chunks::<LANES>();
        for block in blocks {
            #[allow(clippy::eq_op)] // x − x is NaN for infinities and NaN
            for l in 0..LANES {
                sums[l] += block[l] - block[l];
            }
        }
        let mut all = true;
        for sum in sums {
            all &= sum == T::ZERO;
        }
        for x in rest {
            all &= x.finite();
        }
        all
    }
}

pub(crate) fn all_finite(cpu: &CpuBackend, buffers: &[&Buffer]) -> Rim<Buffer> {
    let mut all = true;
    for x in buffers {
        if x.dtype().is_float() {
            let wide = crate::transfer::cast(
                cpu,
                x,
                if x.dtype().size() < 4 { taper_backend::DType::F32 } else { x.dtype() },
            )?;
            all &= for_float!(wide.dtype(), T => check::<T>(cpu, &wide)?, else true);
        }
    }
    let mut block = cpu.pool().alloc::<u8>(1)?;
    block[0] = u8::from(all);
    Ok(Some(cpu.wrap(Shape::scalar(), block)))
}

fn check<T: Float>(cpu: &CpuBackend, x: &Buffer) -> Result<bool> {
    let dense = if cpu.view::<T>(x)?.dense().is_some() { x.clone() } else { cpu.to_contiguous(x)? };
    let values = cpu.view::<T>(&dense)?.dense().unwrap_or_default();
    let part = |i: usize| finite(cpu.isa(), &values[i * TASK..values.len().min((i + 1) * TASK)]);
    Ok(cpu.map_tasks(values.len().div_ceil(TASK), values.len(), part).into_iter().all(|ok| ok))
}
