//! The backward pass: from the last step that was taken to the first, group by group, the gradients of the gates; then
//! those of the weights and of the input, as products over all steps.

use super::cells;
use super::{Layer, SavedSteps, Sizes, dense, elements};
use crate::CpuBackend;
use crate::gemm::{Epilogue, Matrix, PackedColumns, Product, Real, Shared, run_tasks};
use crate::layer_norm::joined;
use crate::long_sum::{add, add_rows};
use crate::storage::Stored;
use std::ops::Range;
use taper_backend::{Buffer, RecurrentCell, Result, Shape};

/// The gradients of x, W_i, W_h, b_i, b_h, h_0, c_0 and the lengths (none).
pub(super) fn run<T: Real + Stored>(
    cpu: &CpuBackend,
    layer: &Layer,
    g: &Buffer,
    saved: &SavedSteps<T>,
    needs: [bool; 8],
) -> Result<[Option<Buffer>; 8]> {
    let [need_x, need_ih, need_hh, need_bias_ih, need_bias_hh, need_h, need_c, _] = needs;
    let sizes = layer.sizes();
    let Sizes { batch, input, hidden, wide, .. } = sizes;
    let lengths = layer.lengths(cpu, &sizes)?;
    let gru = layer.cell == RecurrentCell::Gru;
    let g = dense(cpu, Some(g))?;
    let [h_0, c_0] = [dense(cpu, layer.h_0)?, dense(cpu, layer.c_0)?];
    let weight = dense(cpu, Some(layer.weight_hh))?;
    let h_0 = elements::<T>(cpu, h_0.as_ref())?;
    let y = elements::<T>(cpu, Some(&saved.y))?;

    let mut dz = cpu.pool().alloc::<T>(sizes.rows() * wide)?;
    let mut of_state = cpu.pool().alloc::<T>(if gru { sizes.rows() * hidden } else { 0 })?;
    let mut dh = cpu.pool().alloc::<T>(batch * hidden)?;
    let mut dc = cpu.pool().alloc::<T>(if layer.cell == RecurrentCell::Lstm { batch * hidden } else { 0 })?;
    let groups = batch.div_ceil(sizes.group);
    let mut sums: Vec<Vec<f64>> = vec![Vec::new(); groups];
    {
        let columns = Matrix { data: elements(cpu, weight.as_ref())?, offset: 0, line: 1, step: hidden };
        let steps = Steps {
            cpu,
            layer,
            sizes,
            lengths: &lengths,
            weight: PackedColumns::new(cpu, &columns, hidden, wide)?,
            saved,
            g: elements(cpu, g.as_ref())?,
            y,
            h_0,
            c_0: elements(cpu, c_0.as_ref())?,
            need_state: need_h,
            need_sums: need_bias_ih || need_bias_hh,
            dz: Shared::new(&mut dz),
            of_state: Shared::new(&mut of_state),
            dh: Shared::new(&mut dh),
            dc: Shared::new(&mut dc),
        };
        let shared = Shared::new(&mut sums);
        run_tasks(cpu, groups, sizes.cost(), |task| {
            let sums = steps.run(task * sizes.group..((task + 1) * sizes.group).min(batch))?;
            // SAFETY: each task has its own sums.
            let own = unsafe { shared.slice(task..task + 1) };
            own.fill(sums);
            Ok(())
        })?;
    }

    let rows = sizes.rows();
    let x = if need_ih { dense(cpu, Some(layer.x))? } else { None };
    let weight_ih = if need_x { dense(cpu, Some(layer.weight_ih))? } else { None };
    let of_x = || -> Result<Buffer> {
        let a = Matrix { data: &dz, offset: 0, line: wide, step: 1 };
        let b = Matrix { data: elements(cpu, weight_ih.as_ref())?, offset: 0, line: 1, step: input };
        let mut out = cpu.pool().alloc::<T>(rows * input)?;
        Product { rows, columns: input, depth: wide, a, b }.run(cpu, &mut out, Epilogue::default())?;
        Ok(cpu.wrap(layer.x.shape().clone(), out))
    };
    let of_ih = || -> Result<Buffer> {
        let a = Matrix { data: &dz, offset: 0, line: 1, step: wide };
        let b = Matrix { data: elements(cpu, x.as_ref())?, offset: 0, line: 1, step: input };
        let mut out = cpu.pool().alloc::<T>(wide * input)?;
        Product { rows: wide, columns: input, depth: rows, a, b }.run(cpu, &mut out, Epilogue::default())?;
        Ok(cpu.wrap([wide, input].into(), out))
    };
    let of_hh = || -> Result<Buffer> {
        let mut out = cpu.pool().alloc::<T>(wide * hidden)?;
        let before = Before { cpu, layer, sizes, lengths: &lengths, y, h_0 };
        if gru {
            let (rz, new) = out.split_at_mut(2 * hidden * hidden);
            before.product(&dz, wide, 2 * hidden, rz)?;
            before.product(&of_state, hidden, hidden, new)?;
        } else {
            before.product(&dz, wide, wide, &mut out)?;
        }
        Ok(cpu.wrap([wide, hidden].into(), out))
    };
    let bias: Shape = [wide].into();
    let of_bias_ih = need_bias_ih.then(|| joined::<T>(cpu, &sums, 0, &bias)).transpose()?;
    if gru && need_bias_hh {
        sums.iter_mut().for_each(|sums| sums.copy_within(wide.., 2 * hidden));
    }
    let of_bias_hh = need_bias_hh.then(|| joined::<T>(cpu, &sums, 0, &bias)).transpose()?;
    let state: Shape = [batch, hidden].into();
    Ok([
        need_x.then(of_x).transpose()?,
        need_ih.then(of_ih).transpose()?,
        need_hh.then(of_hh).transpose()?,
        of_bias_ih,
        of_bias_hh,
        need_h.then(|| cpu.wrap(state.clone(), dh)),
        need_c.then(|| cpu.wrap(state, dc)),
        None,
    ])
}

/// What the steps of all groups share.
struct Steps<'a, T: Real + Stored> {
    cpu: &'a CpuBackend,
    layer: &'a Layer<'a>,
    sizes: Sizes,
    lengths: &'a [usize],
    weight: PackedColumns<T>,
    saved: &'a SavedSteps<T>,
    g: &'a [T],
    y: &'a [T],
    h_0: &'a [T],
    c_0: &'a [T],
    /// Whether the gradient of the state before the first step is needed.
    need_state: bool,
    need_sums: bool,
    dz: Shared<T>,
    of_state: Shared<T>,
    dh: Shared<T>,
    dc: Shared<T>,
}

impl<'a, T: Real + Stored> Steps<'a, T> {
    /// All steps of a group of samples. The result is the sum over their rows of the gates' gradients, for GRU followed by
    /// those of n on the state's side.
    fn run(&self, samples: Range<usize>) -> Result<Vec<f64>> {
        let Self { cpu, layer, sizes, .. } = *self;
        let Sizes { steps, batch, hidden, wide, .. } = sizes;
        let (rows, isa, first) = (samples.len(), cpu.isa(), samples.start);
        let (lstm, gru) = (layer.cell == RecurrentCell::Lstm, layer.cell == RecurrentCell::Gru);
        let mut sums = vec![
            0.0;
            if !self.need_sums {
                0
            } else if gru {
                wide + hidden
            } else {
                wide
            }
        ];
        let pitch = PackedColumns::<T>::pitch(wide);
        // The gates' gradients on the state's side, which are multiplied with W_h.
        let mut a = cpu.pool().alloc::<T>(rows * pitch)?;
        // The gradients of h after the step and before it.
        let mut dh = cpu.pool().alloc::<T>(rows * hidden)?;
        let mut old = cpu.pool().alloc::<T>(rows * hidden)?;
        let own = first * hidden..samples.end * hidden;
        // SAFETY: each task has its own samples.
        let dc = unsafe { self.dc.slice(if lstm { own.clone() } else { 0..0 }) };
        let last = |slot: usize| &self.g[(steps + slot) * batch * hidden..][own.clone()];
        dh.copy_from_slice(last(0));
        if lstm {
            dc.copy_from_slice(last(1));
        }
        let zeros = vec![T::ZERO; hidden];
        for i in (0..steps).rev() {
            let t = layer.step(i, &sizes);
            let at = |width: usize| (t * batch + first) * width..(t * batch + samples.end) * width;
            // SAFETY: each task has its own samples' part of each step.
            let dz = unsafe { self.dz.slice(at(wide)) };
            // SAFETY: as above; the block is empty for other cells.
            let of_state = unsafe { self.of_state.slice(if gru { at(hidden) } else { 0..0 }) };
            if self.lengths[samples.clone()].iter().all(|&length| t >= length) {
                dz.fill(T::ZERO);
                of_state.fill(T::ZERO);
                continue;
            }
            for row in 0..rows {
                let sample = first + row;
                let here = row * hidden..(row + 1) * hidden;
                let (dz, a) = (&mut dz[row * wide..(row + 1) * wide], &mut a[row * pitch..][..wide]);
                let (dh, old) = (&mut dh[here.clone()], &mut old[here.clone()]);
                if t >= self.lengths[sample] {
                    old.copy_from_slice(dh);
                    dz.fill(T::ZERO);
                    a.fill(T::ZERO);
                    if gru {
                        of_state[here].fill(T::ZERO);
                    }
                    continue;
                }
                let row_of = |t: usize| (t * batch + sample) * hidden..(t * batch + sample + 1) * hidden;
                add(isa, &self.g[row_of(t)], dh);
                // The state before the sample's first step is that which was given, or 0.
                let begins = i == 0 || layer.reverse && t + 1 == self.lengths[sample];
                let before = |of: &'a [T], start: &'a [T]| match begins {
                    false => &of[row_of(layer.step(i - 1, &sizes))],
                    true => start.get(sample * hidden..(sample + 1) * hidden).unwrap_or(&zeros),
                };
                let gates = &self.saved.gates[(t * batch + sample) * wide..][..wide];
                let kept = self.saved.inner.get(row_of(t)).unwrap_or_default();
                match layer.cell {
                    RecurrentCell::Tanh | RecurrentCell::Relu => {
                        old.fill(T::ZERO);
                        cells::simple_grad(isa, layer.cell == RecurrentCell::Relu, gates, dh, dz);
                    }
                    RecurrentCell::Lstm => {
                        old.fill(T::ZERO);
                        cells::lstm_grad(
                            isa,
                            gates,
                            kept,
                            before(&self.saved.inner, self.c_0),
                            dh,
                            &mut dc[here.clone()],
                            dz,
                        );
                    }
                    RecurrentCell::Gru => {
                        let h = before(self.y, self.h_0);
                        cells::gru_grad(isa, gates, kept, h, dh, old, dz, &mut of_state[here.clone()]);
                    }
                }
                a.copy_from_slice(dz);
                if gru {
                    a[2 * hidden..].copy_from_slice(&of_state[here]);
                }
            }
            if self.need_sums {
                add_rows(isa, dz, wide, &mut sums[..wide]);
                if gru {
                    add_rows(isa, of_state, hidden, &mut sums[wide..]);
                }
            }
            if i > 0 || self.need_state {
                self.weight.add_product(rows, &a, pitch, &mut old);
            }
            std::mem::swap(&mut dh, &mut old);
        }
        // SAFETY: each task has its own samples.
        unsafe { self.dh.slice(own) }.copy_from_slice(&dh);
        Ok(sums)
    }
}

/// The product of the gates' gradients with the states before the steps: the gradient of W_h.
struct Before<'a, T> {
    cpu: &'a CpuBackend,
    layer: &'a Layer<'a>,
    sizes: Sizes,
    lengths: &'a [usize],
    y: &'a [T],
    h_0: &'a [T],
}

impl<T: Real + Stored> Before<'_, T> {
    /// Σ dzᵀ h over all rows and the state h before each, `[columns, H]`, into `out`, of the first `columns` columns of `dz`,
    /// whose rows are `pitch` elements apart.
    fn product(&self, dz: &[T], pitch: usize, columns: usize, out: &mut [T]) -> Result<()> {
        let Self { cpu, layer, sizes, y, h_0, .. } = *self;
        let Sizes { steps, batch, hidden, .. } = sizes;
        // The state after a step is that before the next. Where a sample's last step is taken first, y after it is
        // padding, 0.
        let (later, earlier) = if layer.reverse { (0, batch) } else { (batch, 0) };
        let a = Matrix { data: dz, offset: later * pitch, line: 1, step: pitch };
        let b = Matrix { data: y, offset: earlier * hidden, line: 1, step: hidden };
        let product = Product { rows: columns, columns: hidden, depth: (steps - 1) * batch, a, b };
        product.run(cpu, out, Epilogue::default())?;
        if h_0.is_empty() {
            return Ok(());
        }
        // The first step of each sample, with the state that was given.
        let mut first = cpu.pool().alloc::<T>(batch * columns)?;
        for (sample, first) in first.chunks_mut(columns).enumerate() {
            let t = if layer.reverse { self.lengths[sample] - 1 } else { 0 };
            first.copy_from_slice(&dz[(t * batch + sample) * pitch..][..columns]);
        }
        let mut more = cpu.pool().alloc::<T>(columns * hidden)?;
        let a = Matrix { data: &first, offset: 0, line: 1, step: columns };
        let b = Matrix { data: h_0, offset: 0, line: 1, step: hidden };
        Product { rows: columns, columns: hidden, depth: batch, a, b }.run(cpu, &mut more, Epilogue::default())?;
        add(cpu.isa(), &more, out);
        Ok(())
    }
}
