//! Scaled dot-product attention, softmax(scale · q kᵀ + mask) v for `q: [N, H, T, D]`, `k: [N, H, S, D]` and
//! `v: [N, H, S, Dv]`, and its gradients, by T. Dao et al., "FlashAttention: Fast and memory-efficient exact attention with
//! IO-awareness" (2022), and T. Dao, "FlashAttention-2" (2023): the scores are computed block by block, in the cache. The
//! softmax of a row is computed online (Milakov and Gimelshein 2018): with the largest score so far, by which what was
//! summed before is scaled down when a larger one comes. So no matrix of scores is ever stored: memory is linear in T and
//! S. The gradients compute the scores again, from each row's largest score and sum of powers, which the forward saves.
//!
//! Blocks above the diagonal of causal attention are skipped. Outputs and gradients lie as `[N, T, H, D]` in memory, so that
//! joining the heads is a view.

mod backward;
mod block;
mod forward;
mod operand;
mod rows;

use crate::CpuBackend;
use crate::memory::Block;
use crate::storage::{Stored, View, for_float};
use taper_backend::{Buffer, Error, FusedOp, FusedOutput, Result, Rim, Saved, Shape};

/// The rows of queries of a block.
const ROWS: usize = 64;
/// The keys of a block: a block of scores stays in the L1 or L2 cache.
const KEYS: usize = 128;

/// The operands of an attention.
struct Attention<'a, T> {
    q: View<'a, T>,
    k: View<'a, T>,
    v: View<'a, T>,
    mask: Option<View<'a, T>>,
    causal: bool,
    scale: f64,
}

impl<'a, T: Stored> Attention<'a, T> {
    fn new(cpu: &CpuBackend, op: &FusedOp<'a>) -> Result<Option<Self>> {
        let FusedOp::Attention { q, k, v, mask, causal, scale } = *op else { return Ok(None) };
        let mask = mask.map(|mask| cpu.view(mask)).transpose()?;
        Ok(Some(Self { q: cpu.view(q)?, k: cpu.view(k)?, v: cpu.view(v)?, mask, causal, scale }))
    }

    /// N · H.
    fn heads(&self) -> usize {
        self.q.shape[0] * self.q.shape[1]
    }

    /// T.
    fn rows(&self) -> usize {
        self.q.shape[2]
    }

    /// S.
    fn keys(&self) -> usize {
        self.k.shape[2]
    }

    /// D.
    fn width(&self) -> usize {
        self.q.shape[3]
    }

    /// Dv.
    fn value_width(&self) -> usize {
        self.v.shape[3]
    }

    /// How many keys query `row` sees: the first ones.
    fn seen(&self, row: usize) -> usize {
        if self.causal { (row + 1 + self.keys()).saturating_sub(self.rows()).min(self.keys()) } else { self.keys() }
    }

    /// The first query that sees key `key`.
    fn first_row(&self, key: usize) -> usize {
        if self.causal { (key + self.rows()).saturating_sub(self.keys()) } else { 0 }
    }

    /// The multiplications of the scores.
    fn cost(&self) -> usize {
        self.heads() * self.rows() * self.keys() * self.width()
    }
}

/// What the forward saves of each row of each head, and the output.
struct SavedRows<T: Stored> {
    /// The largest score, −∞ where all keys are hidden, and the reciprocal of Σ e^(score − largest), 0 there.
    rows: Block<T>,
    output: Buffer,
}

/// A block of `[N, T, H, W]`, seen as `[N, H, T, W]`.
fn wrap_heads<T: Stored>(cpu: &CpuBackend, [n, h, t, w]: [usize; 4], block: Block<T>) -> Buffer {
    cpu.wrap_strided(Shape::from([n, h, t, w]), vec![t * h * w, w, h * w, 1], block)
}

/// The kernel needs something to attend to. One query has no more scores than there are keys, so that composing them costs
/// no memory, and packing the keys would cost more than the products.
fn suits(op: &FusedOp<'_>) -> bool {
    matches!(op, FusedOp::Attention { q, .. } if q.shape()[2] > 1)
        && op.operands().iter().all(|operand| operand.count() > 0)
}

pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    let FusedOp::Attention { q, .. } = *op else { return Ok(None) };
    if !suits(op) {
        return Ok(None);
    }
    for_float!(q.dtype(), T => {
        Attention::<T>::new(cpu, op)?.map(|attention| forward::forward(cpu, &attention)).transpose()
    }, else Ok(None))
}

pub(crate) fn fused_grad(
    cpu: &CpuBackend,
    op: &FusedOp<'_>,
    g: &Buffer,
    saved: &Saved,
    needs: &[bool],
) -> Rim<Vec<Option<Buffer>>> {
    let FusedOp::Attention { .. } = *op else { return Ok(None) };
    let [of_q, of_k, of_v, of_mask] = op.spread(needs);
    // The gradient of a mask is as large as the scores.
    if !suits(op) || of_mask {
        return Ok(None);
    }
    let lacking = || Error::argument("attention_grad", "called without what the forward saved");
    for_float!(g.dtype(), T => {
        let saved = saved.get::<SavedRows<T>>().ok_or_else(lacking)?;
        let Some(attention) = Attention::<T>::new(cpu, op)? else { return Ok(None) };
        let [q, k, v] = backward::backward(cpu, &attention, g, saved, [of_q, of_k, of_v])?;
        Ok(Some(op.gathered([q, k, v, None])))
    }, else Ok(None))
}
