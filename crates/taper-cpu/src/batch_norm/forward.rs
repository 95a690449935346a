//! The forward pass: y = f((x − m) · a + b + residual), see [`Line`].

use super::{Line, Rows, TILE, channels_back, channels_to_end, tile};
use crate::isa::multiversion;
use crate::math::Float;
use crate::{CpuBackend, activation};
use taper_backend::{Activation, Buffer, Result};

multiversion! {
    /// y = (x − m) · a + b for each row.
    pub(super) fn normalise<T: Float>(x: &[T], m: &[T], a: &[T], b: &[T], y: &mut [T]) {
        let width = m.len();
        let whole = width - width % TILE;
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            for left in (0..whole).step_by(TILE) {
                let (x, m, a, b) = (tile(x, left), tile(m, left), tile(a, left), tile(b, left));
                let y = &mut y[left..left + TILE];
                for i in 0..TILE {
                    y[i] = (x[i] - m[i]) * a[i] + b[i];
                }
            }
            for i in whole..width {
                y[i] = (x[i] - m[i]) * a[i] + b[i];
            }
        }
    }
}

multiversion! {
    /// y = (x − m) · a + b + r for each row.
    pub(super) fn normalise_and_add<T: Float>(x: &[T], r: &[T], m: &[T], a: &[T], b: &[T], y: &mut [T]) {
        let width = m.len();
        let whole = width - width % TILE;
        for ((x, r), y) in x.chunks_exact(width).zip(r.chunks_exact(width)).zip(y.chunks_exact_mut(width)) {
            for left in (0..whole).step_by(TILE) {
                let (x, r) = (tile(x, left), tile(r, left));
                let (m, a, b, y) = (tile(m, left), tile(a, left), tile(b, left), &mut y[left..left + TILE]);
                for i in 0..TILE {
                    y[i] = (x[i] - m[i]) * a[i] + b[i] + r[i];
                }
            }
            for i in whole..width {
                y[i] = (x[i] - m[i]) * a[i] + b[i] + r[i];
            }
        }
    }
}

pub(super) fn block<T: Float>(
    cpu: &CpuBackend,
    x: &Buffer,
    residual: Option<&Buffer>,
    line: &Line<T>,
    f: Activation,
) -> Result<Buffer> {
    let x = channels_to_end(cpu, x)?;
    let residual = residual.map(|r| channels_to_end(cpu, r)).transpose()?;
    let xs = cpu.view::<T>(&x)?.contiguous().unwrap_or_default();
    let rs = residual.as_ref().map(|r| cpu.view::<T>(r)).transpose()?.and_then(|r| r.contiguous());
    let rows = Rows { channels: line.mean.len(), count: xs.len() / line.mean.len() };
    let f = activation::kernel::<T>(f);
    let mut out = cpu.pool().alloc::<T>(xs.len())?;
    cpu.for_chunks(&mut out, rows.task(), xs.len(), |task, out| {
        let mut z = vec![T::ZERO; if f.is_some() { rows.piece() } else { 0 }];
        for (piece, y) in out.chunks_mut(rows.piece()).enumerate() {
            let at = task * rows.task() + piece * rows.piece();
            let (x, r) = (&xs[at..][..y.len()], rs.map(|r| &r[at..][..y.len()]));
            match &f {
                None => line.fill(cpu.isa(), x, r, y),
                Some(f) => {
                    let z = &mut z[..y.len()];
                    line.fill(cpu.isa(), x, r, z);
                    f(cpu.isa(), z, y);
                }
            }
        }
    });
    channels_back(cpu, &cpu.wrap(x.shape().clone(), out))
}
