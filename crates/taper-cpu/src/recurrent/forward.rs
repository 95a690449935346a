//! The forward pass: the product of all inputs with W_i, and then the steps, group by group.

use super::cells;
use super::{Layer, SavedSteps, Sizes, dense, elements};
use crate::CpuBackend;
use crate::gemm::{Epilogue, Matrix, PackedColumns, Product, Real, Shared, run_tasks};
use crate::memory::Block;
use crate::storage::Stored;
use taper_backend::{FusedOutput, RecurrentCell, Result, Saved};

pub(super) fn run<T: Real + Stored>(cpu: &CpuBackend, layer: &Layer) -> Result<FusedOutput> {
    let sizes = layer.sizes();
    let Sizes { steps, batch, hidden, .. } = sizes;
    let lengths = layer.lengths(cpu, &sizes)?;
    let mut gates = inputs::<T>(cpu, layer, &sizes)?;
    let kept = matches!(layer.cell, RecurrentCell::Lstm | RecurrentCell::Gru);
    let mut inner = cpu.pool().alloc::<T>(if kept { sizes.rows() * hidden } else { 0 })?;
    let mut y = cpu.pool().alloc::<T>((steps + layer.cell.states()) * batch * hidden)?;

    let [weight, bias, h_0, c_0] = [Some(layer.weight_hh), layer.bias_hh, layer.h_0, layer.c_0];
    let [weight, bias, h_0, c_0] = [dense(cpu, weight)?, dense(cpu, bias)?, dense(cpu, h_0)?, dense(cpu, c_0)?];
    let weight = elements::<T>(cpu, weight.as_ref())?;
    let columns = Matrix { data: weight, offset: 0, line: hidden, step: 1 };
    let steps_of = Steps {
        cpu,
        layer,
        sizes,
        lengths: &lengths,
        weight: PackedColumns::new(cpu, &columns, sizes.wide, hidden)?,
        bias: elements(cpu, bias.as_ref())?,
        h_0: elements(cpu, h_0.as_ref())?,
        c_0: elements(cpu, c_0.as_ref())?,
        gates: Shared::new(&mut gates),
        inner: Shared::new(&mut inner),
        y: Shared::new(&mut y),
    };
    run_tasks(cpu, batch.div_ceil(sizes.group), sizes.cost(), |task| {
        steps_of.run(task * sizes.group..((task + 1) * sizes.group).min(batch))
    })?;
    drop(steps_of);
    let y = cpu.wrap([steps + layer.cell.states(), batch, hidden].into(), y);
    Ok(FusedOutput::new(y.clone(), Saved::new(SavedSteps { gates, inner, y })))
}

/// W_i x + b_i + b_h for all steps, `[T, N, gates · H]`; for GRU's n without b_h, which the reset gate multiplies.
fn inputs<T: Real + Stored>(cpu: &CpuBackend, layer: &Layer, sizes: &Sizes) -> Result<Block<T>> {
    let Sizes { input, hidden, wide, .. } = *sizes;
    let [x, weight, bias_ih, bias_hh] = [Some(layer.x), Some(layer.weight_ih), layer.bias_ih, layer.bias_hh];
    let [x, weight] = [dense(cpu, x)?, dense(cpu, weight)?];
    let [bias_ih, bias_hh] = [dense(cpu, bias_ih)?, dense(cpu, bias_hh)?];
    let mut bias = elements::<T>(cpu, bias_ih.as_ref())?.to_vec();
    let both = if layer.cell == RecurrentCell::Gru { 2 * hidden } else { wide };
    for (sum, &more) in bias.iter_mut().zip(elements::<T>(cpu, bias_hh.as_ref())?).take(both) {
        *sum += more;
    }
    let mut gates = cpu.pool().alloc::<T>(sizes.rows() * wide)?;
    let lines = |data| Matrix { data, offset: 0, line: input, step: 1 };
    let (a, b) = (lines(elements(cpu, x.as_ref())?), lines(elements(cpu, weight.as_ref())?));
    let finish = Epilogue { bias: (!bias.is_empty()).then_some(&bias[..]), relu: false };
    Product { rows: sizes.rows(), columns: wide, depth: input, a, b }.run(cpu, &mut gates, finish)?;
    Ok(gates)
}

/// What the steps of all groups share.
struct Steps<'a, T: Real + Stored> {
    cpu: &'a CpuBackend,
    layer: &'a Layer<'a>,
    sizes: Sizes,
    lengths: &'a [usize],
    weight: PackedColumns<T>,
    bias: &'a [T],
    h_0: &'a [T],
    c_0: &'a [T],
    gates: Shared<T>,
    inner: Shared<T>,
    y: Shared<T>,
}

impl<T: Real + Stored> Steps<'_, T> {
    /// All steps of a group of samples.
    fn run(&self, samples: std::ops::Range<usize>) -> Result<()> {
        let Self { cpu, layer, sizes, .. } = *self;
        let Sizes { steps, batch, hidden, wide, .. } = sizes;
        let (rows, isa, first) = (samples.len(), cpu.isa(), samples.start);
        let (lstm, gru) = (layer.cell == RecurrentCell::Lstm, layer.cell == RecurrentCell::Gru);
        let pitch = PackedColumns::<T>::pitch(hidden);
        let mut h = cpu.pool().alloc_zeroed::<T>(rows * pitch)?;
        for (h, from) in h.chunks_mut(pitch).zip(self.h_0.chunks(hidden).skip(first)) {
            h[..hidden].copy_from_slice(from);
        }
        let mut c = cpu.pool().alloc_zeroed::<T>(if lstm { rows * hidden } else { 0 })?;
        for (c, from) in c.chunks_mut(hidden).zip(self.c_0.chunks(hidden).skip(first)) {
            c.copy_from_slice(from);
        }
        let mut state = cpu.pool().alloc::<T>(if gru { rows * wide } else { 0 })?;
        let mut nothing: [T; 0] = [];
        for i in 0..steps {
            let t = layer.step(i, &sizes);
            let at = |width: usize| (t * batch + first) * width..(t * batch + samples.end) * width;
            // SAFETY: each task has its own samples' part of each step.
            let (gates, y) = unsafe { (self.gates.slice(at(wide)), self.y.slice(at(hidden))) };
            // SAFETY: as above; the block is empty for cells that keep nothing.
            let inner = unsafe { self.inner.slice(if lstm || gru { at(hidden) } else { 0..0 }) };
            if self.lengths[samples.clone()].iter().all(|&length| t >= length) {
                y.fill(T::ZERO);
                continue;
            }
            if gru {
                self.begin(&mut state);
            }
            if i > 0 || !self.h_0.is_empty() {
                self.weight.add_product(rows, &h, pitch, if gru { &mut state } else { gates });
            }
            for (row, (y, gates)) in y.chunks_mut(hidden).zip(gates.chunks_mut(wide)).enumerate() {
                if t >= self.lengths[first + row] {
                    y.fill(T::ZERO);
                    continue;
                }
                let h = &mut h[row * pitch..][..hidden];
                let inner = inner.get_mut(row * hidden..(row + 1) * hidden).unwrap_or(&mut nothing);
                match layer.cell {
                    RecurrentCell::Tanh => cells::simple(isa, false, gates, h, y),
                    RecurrentCell::Relu => cells::simple(isa, true, gates, h, y),
                    RecurrentCell::Lstm => {
                        cells::lstm(isa, gates, &mut c[row * hidden..(row + 1) * hidden], inner, h, y);
                    }
                    RecurrentCell::Gru => {
                        cells::gru(isa, gates, &state[row * wide..(row + 1) * wide], inner, h, y);
                    }
                }
            }
        }
        for row in 0..rows {
            let end = |slot: usize| {
                let start = ((steps + slot) * batch + first + row) * hidden;
                // SAFETY: each task has its own samples' last states.
                unsafe { self.y.slice(start..start + hidden) }
            };
            end(0).copy_from_slice(&h[row * pitch..][..hidden]);
            if lstm {
                end(1).copy_from_slice(&c[row * hidden..(row + 1) * hidden]);
            }
        }
        Ok(())
    }

    /// What GRU's product with W_h is added to: b_h for n, whose other gates have it from the inputs' product.
    fn begin(&self, state: &mut [T]) {
        let hidden = self.sizes.hidden;
        for state in state.chunks_mut(self.sizes.wide) {
            let (rz, n) = state.split_at_mut(2 * hidden);
            rz.fill(T::ZERO);
            match self.bias.get(2 * hidden..) {
                Some(bias) if !bias.is_empty() => n.copy_from_slice(bias),
                _ => n.fill(T::ZERO),
            }
        }
    }
}
