//! Argsort: the order of the elements along an axis.
//!
//! Each element becomes an unsigned key in the same order, with its place in the bits below: no two of these are equal, so
//! that an unstable sort of whole numbers, faster than a stable one by comparison of floats, is stable.

use crate::CpuBackend;
use crate::layout::offset_of;
use crate::parallel::TASK;
use crate::storage::{Stored, for_dtype};
use crate::views;
use half::{bf16, f16};
use taper_backend::{Buffer, Result};

pub(crate) fn argsort(cpu: &CpuBackend, x: &Buffer, axis: usize, descending: bool) -> Result<Buffer> {
    // With the axis last, the output's rows lie in one piece each; where it was not, the result is a view of them.
    let rank = x.shape().rank();
    let order: Vec<usize> = (0..rank).filter(|&i| i != axis).chain([axis]).collect();
    let y = for_dtype!(x.dtype(), T => rows::<T>(cpu, &views::permute(cpu, x, &order)?, descending))?;
    let back: Vec<usize> = (0..rank).map(|i| if i == axis { rank - 1 } else { i - usize::from(i > axis) }).collect();
    views::permute(cpu, &y, &back)
}

/// Argsort along the last dimension.
fn rows<T: Stored + Ordered>(cpu: &CpuBackend, x: &Buffer, descending: bool) -> Result<Buffer> {
    let view = cpu.view::<T>(x)?;
    let shape = x.shape();
    let (length, step) = (shape[shape.rank() - 1], view.strides[shape.rank() - 1]);
    let mut out = cpu.pool().alloc::<i64>(shape.count())?;
    if !out.is_empty() {
        let group = (TASK / length).max(1);
        let narrow = T::NARROW && u32::try_from(length).is_ok();
        let flip = |key: u64, all: u64| if descending { all - key } else { key };
        cpu.for_chunks(&mut out, group * length, x.count(), |task, out| {
            let (mut short, mut long): (Vec<u64>, Vec<u128>) = (Vec::new(), Vec::new());
            for (i, out) in out.chunks_exact_mut(length).enumerate() {
                let base = view.offset + offset_of(shape, view.strides, (task * group + i) * length);
                let keys = (0..length).map(|j| view.data[base + j * step].key());
                if narrow {
                    short.clear();
                    short.extend(keys.zip(0..).map(|(key, j)| flip(key, u64::from(u32::MAX)) << 32 | j));
                    short.sort_unstable();
                    out.iter_mut().zip(&short).for_each(|(y, pair)| *y = i64::from(*pair as u32));
                } else {
                    long.clear();
                    long.extend(keys.zip(0..).map(|(key, j)| u128::from(flip(key, u64::MAX)) << 64 | j));
                    long.sort_unstable();
                    out.iter_mut().zip(&long).for_each(|(y, pair)| *y = *pair as i64);
                }
            }
        });
    }
    Ok(cpu.wrap(shape.clone(), out))
}

/// An element with a key in its order: equal ones have the same, NaN has the largest.
trait Ordered: Copy {
    /// Whether keys are at most `u32::MAX`.
    const NARROW: bool;

    fn key(self) -> u64;
}

impl Ordered for f32 {
    const NARROW: bool = true;

    fn key(self) -> u64 {
        let bits = self.to_bits();
        u64::from(match self {
            x if x.is_nan() => u32::MAX,
            x if x < 0.0 => !bits,
            // Both zeros are the sign bit alone.
            _ => bits | 1 << 31,
        })
    }
}

impl Ordered for f64 {
    const NARROW: bool = false;

    fn key(self) -> u64 {
        let bits = self.to_bits();
        match self {
            x if x.is_nan() => u64::MAX,
            x if x < 0.0 => !bits,
            // Both zeros are the sign bit alone.
            _ => bits | 1 << 63,
        }
    }
}

impl Ordered for f16 {
    const NARROW: bool = true;

    fn key(self) -> u64 {
        self.to_f32().key()
    }
}

impl Ordered for bf16 {
    const NARROW: bool = true;

    fn key(self) -> u64 {
        self.to_f32().key()
    }
}

impl Ordered for u8 {
    const NARROW: bool = true;

    fn key(self) -> u64 {
        self.into()
    }
}

impl Ordered for i64 {
    const NARROW: bool = false;

    fn key(self) -> u64 {
        self as u64 ^ 1 << 63
    }
}
