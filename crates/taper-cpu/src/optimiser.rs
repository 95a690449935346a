//! Fused optimiser steps, SGD and Adam(W), in one pass over memory, with PyTorch's formulas. Parameters and state are
//! updated in place if nothing else shares their memory, else in new memory.

use crate::CpuBackend;
use crate::isa::multiversion;
use crate::math::Float;
use crate::parallel::TASK;
use crate::storage::{Stored, for_float};
use taper_backend::{AdamSpec, Buffer, Error, Result, Rim, SgdSpec};

/// The elements of `x` in row-major order, for writing. `x` becomes a copy first if it is not row-major or shares its
/// memory.
fn writable<'a, T: Stored>(cpu: &CpuBackend, x: &'a mut Buffer) -> Result<&'a mut [T]> {
    let view = cpu.view::<T>(x)?;
    if view.contiguous().is_none() || cpu.unique_mut::<T>(x).is_none() {
        let view = cpu.view::<T>(x)?;
        let mut block = cpu.pool().alloc::<T>(x.count())?;
        crate::copy::copy_to(cpu, &view, &mut block);
        *x = cpu.wrap(x.shape().clone(), block);
    }
    cpu.unique_mut::<T>(x).ok_or_else(|| Error::Device("a fresh copy of a parameter is shared already".to_owned()))
}

/// Whether the step is to be applied: the value of the flag `apply`, or true if there is none.
fn wanted(cpu: &CpuBackend, apply: Option<&Buffer>) -> Result<bool> {
    let Some(flag) = apply else { return Ok(true) };
    let flag = cpu.view::<u8>(flag)?;
    Ok(flag.data[flag.offset] != 0)
}

pub(crate) fn assign_where(cpu: &CpuBackend, target: &mut Buffer, source: &Buffer, apply: &Buffer) -> Rim<()> {
    if wanted(cpu, Some(apply))? {
        crate::transfer::assign(cpu, target, source)?;
    }
    Ok(Some(()))
}

/// The number of steps before this one.
fn steps(cpu: &CpuBackend, taken: &Buffer) -> Result<i64> {
    let taken = cpu.view::<i64>(taken)?;
    Ok(taken.data[taken.offset])
}

/// The coefficients of an Adam step, which all elements share.
#[derive(Clone, Copy)]
struct Adam<T> {
    /// The factor of the parameter under decoupled weight decay (AdamW): 1 − lr · decay, or 1.
    shrink: T,
    /// The coefficient of coupled weight decay (L2), which is added to the gradient.
    decay: T,
    /// 1 − β₁
    rate1: T,
    beta2: T,
    /// 1 − β₂
    rate2: T,
    /// √(1 − β₂ᵗ)
    root: T,
    eps: T,
    /// lr / (1 − β₁ᵗ)
    step: T,
}

impl<T: Float> Adam<T> {
    /// The coefficients of step `t`, counted from 1.
    fn new(spec: &AdamSpec, t: f64) -> Self {
        let (joined, decoupled) = if spec.decoupled { (0.0, spec.weight_decay) } else { (spec.weight_decay, 0.0) };
        Self {
            shrink: T::of(1.0 - spec.lr * decoupled),
            decay: T::of(joined),
            rate1: T::of(1.0 - spec.beta1),
            beta2: T::of(spec.beta2),
            rate2: T::of(1.0 - spec.beta2),
            root: T::of((1.0 - spec.beta2.powf(t)).sqrt()),
            eps: T::of(spec.eps),
            step: T::of(spec.lr / (1.0 - spec.beta1.powf(t))),
        }
    }
}

multiversion! {
    fn adam<T: Float>(s: Adam<T>, g: &[T], p: &mut [T], m: &mut [T], v: &mut [T]) {
        for (((p, m), v), &g) in p.iter_mut().zip(m).zip(v).zip(g) {
            let g = g + s.decay * *p;
            *m = *m + (g - *m) * s.rate1;
            *v = s.beta2 * *v + s.rate2 * g * g;
            let denominator = v.sqrt() / s.root + s.eps;
            *p = *p * s.shrink - s.step * *m / denominator;
        }
    }
}

pub(crate) fn adam_step(
    cpu: &CpuBackend,
    [p, m, v]: [&mut Buffer; 3],
    g: &Buffer,
    (taken, apply): (&Buffer, Option<&Buffer>),
    spec: &AdamSpec,
) -> Rim<()> {
    if [&*m, &*v, g].iter().any(|x| x.dtype() != p.dtype()) {
        return Ok(None);
    }
    for_float!(g.dtype(), T => {
        if !wanted(cpu, apply)? {
            return Ok(Some(()));
        }
        let shared = Adam::<T>::new(spec, steps(cpu, taken)? as f64 + 1.0);
        let g = cpu.to_contiguous(g)?;
        let g = cpu.view::<T>(&g)?.contiguous().unwrap_or_default();
        let (p, m, v) = (writable::<T>(cpu, p)?, writable::<T>(cpu, m)?, writable::<T>(cpu, v)?);
        cpu.for_chunks3([p, m, v], TASK, |task, [p, m, v]| {
            adam(cpu.isa(), shared, &g[task * TASK..][..p.len()], p, m, v);
        });
        Ok(Some(()))
    }, else Ok(None))
}

/// The coefficients of an SGD step, which all elements share.
#[derive(Clone, Copy)]
struct Sgd<T> {
    decay: T,
    momentum: T,
    /// 1 − dampening
    fresh: T,
    nesterov: bool,
    lr: T,
}

multiversion! {
    fn sgd<T: Float>(s: Sgd<T>, g: &[T], p: &mut [T]) {
        p.iter_mut().zip(g).for_each(|(p, &g)| *p = *p - s.lr * (g + s.decay * *p));
    }
}

multiversion! {
    fn sgd_momentum<T: Float>(s: Sgd<T>, first: bool, g: &[T], p: &mut [T], velocity: &mut [T]) {
        for ((p, v), &g) in p.iter_mut().zip(velocity).zip(g) {
            let g = g + s.decay * *p;
            let new = if first { g } else { s.momentum * *v + s.fresh * g };
            *v = new;
            *p = *p - s.lr * if s.nesterov { g + s.momentum * new } else { new };
        }
    }
}

pub(crate) fn sgd_step(
    cpu: &CpuBackend,
    p: &mut Buffer,
    velocity: Option<&mut Buffer>,
    g: &Buffer,
    (taken, apply): (&Buffer, Option<&Buffer>),
    spec: &SgdSpec,
) -> Rim<()> {
    if g.dtype() != p.dtype() || velocity.as_ref().is_some_and(|v| v.dtype() != p.dtype()) {
        return Ok(None);
    }
    for_float!(g.dtype(), T => {
        if !wanted(cpu, apply)? {
            return Ok(Some(()));
        }
        let shared = Sgd::<T> {
            decay: T::of(spec.weight_decay),
            momentum: T::of(spec.momentum),
            fresh: T::of(1.0 - spec.dampening),
            nesterov: spec.nesterov,
            lr: T::of(spec.lr),
        };
        let g = cpu.to_contiguous(g)?;
        let g = cpu.view::<T>(&g)?.contiguous().unwrap_or_default();
        let count = g.len();
        let part = |task: usize, len: usize| &g[task * TASK..][..len];
        match velocity {
            Some(velocity) if spec.momentum != 0.0 => {
                let first = steps(cpu, taken)? == 0;
                let (p, v) = (writable::<T>(cpu, p)?, writable::<T>(cpu, velocity)?);
                cpu.for_chunks2(p, v, TASK, count, |task, p, v| {
                    sgd_momentum(cpu.isa(), shared, first, part(task, p.len()), p, v);
                });
            }
            None if spec.momentum != 0.0 => {
                let detail = format!("momentum {} needs a velocity", spec.momentum);
                return Err(Error::argument("sgd_step", detail));
            }
            _ => {
                let p = writable::<T>(cpu, p)?;
                cpu.for_chunks(p, TASK, count, |task, p| sgd(cpu.isa(), shared, part(task, p.len()), p));
            }
        }
        Ok(Some(()))
    }, else Ok(None))
}
