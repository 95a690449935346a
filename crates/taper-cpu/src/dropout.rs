//! Dropout: element `i` in row-major order is `x / (1 − p)` if the random key's 32-bit word `i` is at least `p · 2³²`,
//! else 0.

use crate::CpuBackend;
use crate::isa::multiversion;
use crate::math::Float;
use crate::parallel::TASK;
use crate::storage::for_float;
use taper_backend::{Buffer, FusedOp, FusedOutput, RandomKey, Rim, Saved};

/// The number of blocks of random words that are drawn at a time, in vectors.
const BLOCKS: usize = 16;

multiversion! {
    /// Drops elements of `x`, by the key's words from `4 · block` on, and divides the others by `keep`, which is 1 − p.
    fn drop<T: Float>(x: &[T], block: u64, key: RandomKey, threshold: u64, keep: T, y: &mut [T]) {
        let mut words = [[0; BLOCKS]; 4];
        for (group, (y, x)) in y.chunks_mut(4 * BLOCKS).zip(x.chunks(4 * BLOCKS)).enumerate() {
            let first = block + (group * BLOCKS) as u64;
            #[allow(clippy::needless_range_loop)] // four arrays are indexed together
            for lane in 0..BLOCKS {
                let drawn = key.block(first + lane as u64);
                words[0][lane] = drawn[0];
                words[1][lane] = drawn[1];
                words[2][lane] = drawn[2];
                words[3][lane] = drawn[3];
            }
            for (i, (y, &x)) in y.iter_mut().zip(x).enumerate() {
                *y = if u64::from(words[i % 4][i / 4]) >= threshold { x / keep } else { T::ZERO };
            }
        }
    }
}

pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    let FusedOp::Dropout { x, p, key } = *op else { return Ok(None) };
    Ok(dropout(cpu, x, p, key)?.map(FusedOutput::from))
}

pub(crate) fn fused_grad(
    cpu: &CpuBackend,
    op: &FusedOp<'_>,
    g: &Buffer,
    _saved: &Saved,
    _needs: &[bool],
) -> Rim<Vec<Option<Buffer>>> {
    let FusedOp::Dropout { p, key, .. } = *op else { return Ok(None) };
    Ok(dropout(cpu, g, p, key)?.map(|gradient| vec![Some(gradient)]))
}

fn dropout(cpu: &CpuBackend, x: &Buffer, p: f64, key: RandomKey) -> Rim<Buffer> {
    for_float!(x.dtype(), T => {
        let x = cpu.to_contiguous(x)?;
        let from = cpu.view::<T>(&x)?.contiguous().unwrap_or_default();
        // Words are integers: at least p · 2³² means at least its ceiling.
        let threshold = (p * 4_294_967_296.0).ceil() as u64;
        let mut out = cpu.pool().alloc::<T>(from.len())?;
        cpu.for_chunks(&mut out, TASK, from.len() * 2, |task, out| {
            let start = task * TASK;
            drop(cpu.isa(), &from[start..][..out.len()], (start / 4) as u64, key, threshold, T::of(1.0 - p), out);
        });
        Ok(Some(cpu.wrap(x.shape().clone(), out)))
    }, else Ok(None))
}
