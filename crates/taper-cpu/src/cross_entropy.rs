//! Mean cross entropy of `logits: [N, C]` and class indices, with label smoothing and an ignored index, and its
//! gradient.
//!
//! The loss of a row is `ln Σ eˣ − (1 − ε) x_target − ε · mean(x)`, where ε is the label smoothing. The mean is over
//! the rows whose target is not the ignored index (NaN if there are none, as in PyTorch).

use crate::CpuBackend;
use crate::math::Float;
use crate::memory::Block;
use crate::softmax::exponentials;
use crate::storage::{Stored, for_float};
use taper_backend::{Buffer, CrossEntropySpec, Error, FusedOp, FusedOutput, Result, Rim, Saved, Shape};

const OP: &str = "cross_entropy";

/// What the forward saves.
struct SavedExponentials<T: Stored> {
    /// e^(x − max x), row after row.
    exponentials: Block<T>,
    /// The sum of each row of `exponentials`.
    sums: Vec<f64>,
    /// The class of each row; `None` for ignored rows.
    targets: Vec<Option<usize>>,
    classes: usize,
    smoothing: f64,
}

pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    let FusedOp::CrossEntropy { logits, target, ref spec } = *op else { return Ok(None) };
    for_float!(logits.dtype(), T => forward::<T>(cpu, logits, target, spec).map(Some), else Ok(None))
}

fn forward<T: Float>(
    cpu: &CpuBackend,
    logits: &Buffer,
    target: &Buffer,
    spec: &CrossEntropySpec,
) -> Result<FusedOutput> {
    let (rows, classes) = (logits.shape()[0], logits.shape()[1]);
    let (logits, target) = (cpu.to_contiguous(logits)?, cpu.to_contiguous(target)?);
    let x = cpu.view::<T>(&logits)?.contiguous().unwrap_or_default();
    let target = cpu.view::<i64>(&target)?.contiguous().unwrap_or_default();
    let targets = target.iter().enumerate().map(|(row, &class)| match usize::try_from(class) {
        _ if class == spec.ignore_index => Ok(None),
        Ok(class) if class < classes => Ok(Some(class)),
        _ => Err(Error::argument(
            OP,
            format!(
                "target {class} (row {row}) is neither in 0..{classes} nor the ignored index {}",
                spec.ignore_index
            ),
        )),
    });
    let targets = targets.collect::<Result<Vec<_>>>()?;

    let mut powers = cpu.pool().alloc::<T>(x.len())?;
    // The loss and the sum of exponentials of each row.
    let mut found = vec![(0.0, 1.0); rows];
    let smoothing = spec.label_smoothing;
    let group = (crate::parallel::TASK / 4 / classes.max(1)).max(1);
    if classes > 0 {
        let mut parts: Vec<_> = powers.chunks_mut(group * classes).zip(found.chunks_mut(group)).collect();
        cpu.for_chunks(&mut parts, 1, x.len() * 4, |task, parts| {
            for (powers, found) in parts {
                for (i, (y, found)) in powers.chunks_exact_mut(classes).zip(found.iter_mut()).enumerate() {
                    let row = task * group + i;
                    let x = &x[row * classes..][..classes];
                    let (top, sum) = exponentials(cpu.isa(), x, y);
                    let mut loss = 0.0;
                    if let Some(class) = targets[row] {
                        loss = top + sum.ln();
                        // Without this check, 0 times an infinite logit would be NaN.
                        if smoothing < 1.0 {
                            loss -= (1.0 - smoothing) * x[class].wide();
                        }
                        if smoothing > 0.0 {
                            loss -= smoothing * x.iter().map(|x| x.wide()).sum::<f64>() / classes as f64;
                        }
                    }
                    *found = (loss, sum);
                }
            }
        });
    }
    let counted = targets.iter().flatten().count();
    let loss = found.iter().map(|&(loss, _)| loss).sum::<f64>() / counted as f64;
    let mut block = cpu.pool().alloc::<T>(1)?;
    block[0] = T::of(loss);
    let sums = found.iter().map(|&(_, sum)| sum).collect();
    let saved = SavedExponentials { exponentials: powers, sums, targets, classes, smoothing };
    Ok(FusedOutput::new(cpu.wrap(Shape::scalar(), block), Saved::new(saved)))
}

pub(crate) fn fused_grad(
    cpu: &CpuBackend,
    op: &FusedOp<'_>,
    g: &Buffer,
    saved: &Saved,
    _needs: &[bool],
) -> Rim<Vec<Option<Buffer>>> {
    let FusedOp::CrossEntropy { .. } = op else { return Ok(None) };
    for_float!(g.dtype(), T => Ok(Some(vec![Some(backward::<T>(cpu, g, saved)?), None])),
        else Err(cpu.unsupported("cross_entropy_grad", g.dtype())))
}

fn backward<T: Float>(cpu: &CpuBackend, g: &Buffer, saved: &Saved) -> Result<Buffer> {
    let saved = saved
        .get::<SavedExponentials<T>>()
        .ok_or_else(|| Error::argument("cross_entropy_grad", "called without what the forward saved"))?;
    let view = cpu.view::<T>(g)?;
    let (rows, classes) = (saved.targets.len(), saved.classes);
    let counted = saved.targets.iter().flatten().count();
    let scale = view.data[view.offset].wide() / counted as f64;
    let spread = T::of(scale * saved.smoothing / classes as f64);
    let mut grad = cpu.pool().alloc::<T>(rows * classes)?;
    let group = (crate::parallel::TASK / classes.max(1)).max(1);
    cpu.for_chunks(&mut grad, group * classes, rows * classes, |task, out| {
        for (i, out) in out.chunks_exact_mut(classes).enumerate() {
            let row = task * group + i;
            let Some(class) = saved.targets[row] else {
                out.fill(T::ZERO);
                continue;
            };
            let factor = T::of(scale / saved.sums[row]);
            let e = &saved.exponentials[row * classes..][..classes];
            out.iter_mut().zip(e).for_each(|(y, &e)| *y = e * factor - spread);
            out[class] = out[class] - T::of(scale * (1.0 - saved.smoothing));
        }
    });
    Ok(cpu.wrap([rows, classes].into(), grad))
}
