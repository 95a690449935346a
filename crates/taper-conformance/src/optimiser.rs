//! Cases of the rim's steps of Adam and SGD, and of its conditional assignment: the new values, that nothing changes if
//! the flag is 0, and that tensors that share memory with a parameter keep the old values.

use super::case::Expected;
use super::definition::{adam, sgd};
use super::memory::SHAPES;
use super::{Bound, Case, DType, FLOATS, Form, Run, Value};
use taper_backend::{AdamSpec, BinaryOp, Buffer, Device, Result, SgdSpec, Shape, SliceRange};

/// No flag, a flag of 1 and a flag of 0.
const FLAGS: [Option<bool>; 3] = [None, Some(true), Some(false)];

pub fn cases(run: &mut Run) {
    for dtype in FLOATS {
        for (i, shape) in SHAPES.iter().copied().chain([&[300, 257][..]]).enumerate() {
            for shared in [false, true] {
                assignments(run, dtype, shape, shared, Form::nth(i));
                adams(run, dtype, shape, shared, Form::nth(i));
                sgds(run, dtype, shape, shared, Form::nth(i));
            }
        }
    }
}

/// The operand itself if `shared`, else a copy whose memory nothing shares.
fn own(d: &Device, x: &Buffer, shared: bool) -> Result<Buffer> {
    if shared {
        return Ok(x.clone());
    }
    let zero = d.fill(&Shape::scalar(), x.dtype(), 0.0)?;
    d.binary(BinaryOp::Add, x, &zero)
}

/// The flag on the device: a u8 scalar that is a view into a tensor whose other elements are the opposite.
fn flag(d: &Device, apply: Option<bool>) -> Result<Option<Buffer>> {
    let scalar = |apply: bool| {
        let around = [!apply, apply, !apply].map(|flag| f64::from(u8::from(flag)));
        let around = Value::new([3], &around, DType::U8).place(d)?;
        d.reshape(&d.slice(&around, &[SliceRange::new(1, 2)])?, &Shape::scalar())
    };
    apply.map(scalar).transpose()
}

/// The number of steps made before, on the device: an i64 scalar that is a view into a tensor of other numbers.
fn taken(d: &Device, steps: u64) -> Result<Buffer> {
    let around = Value::new([3], &[-1.0, steps as f64, -1.0], DType::I64).place(d)?;
    d.reshape(&d.slice(&around, &[SliceRange::new(1, 2)])?, &Shape::scalar())
}

fn assignments(run: &mut Run, dtype: DType, shape: &[usize], shared: bool, form: Form) {
    for apply in [false, true] {
        run.case("assign_where", dtype, format!("{shape:?} apply {apply} shared {shared} {form:?}"), |case| {
            let (x, y) = (case.uniform(shape, 0.5, 2.0).form(form), case.uniform(shape, 0.5, 2.0).form(form));
            let [old, new] = [&x, &y].map(|x| Expected::new(shape, x.f64()));
            let after = if apply { new } else { Expected::new(shape, x.f64()) };
            case.check_rim(Bound::Exact, &[x, y], vec![after, old], |d, x| {
                let mut target = own(d, &x[0], shared)?;
                let Some(flag) = flag(d, Some(apply))? else { return Ok(None) };
                let done = d.assign_where(&mut target, &x[1], &flag)?;
                Ok(done.map(|()| vec![target, x[0].clone()]))
            });
        });
    }
}

/// A random gradient; its last element is NaN if the flag is 0.
fn gradient(case: &mut Case, shape: &[usize], low: f64, apply: Option<bool>) -> Value {
    let mut g = case.uniform(shape, low, 1.0).f64();
    if let (Some(false), Some(last)) = (apply, g.last_mut()) {
        *last = f64::NAN;
    }
    Value::new(shape, &g, case.dtype)
}

/// The error bound of a step; exact if the flag is 0 and nothing may change.
fn bound(apply: Option<bool>) -> Bound {
    if apply == Some(false) { Bound::Exact } else { Bound::Sum(1) }
}

fn adams(run: &mut Run, dtype: DType, shape: &[usize], shared: bool, form: Form) {
    let plain = AdamSpec { lr: 1e-2, beta1: 0.9, beta2: 0.99, eps: 1e-6, weight_decay: 0.0, decoupled: false };
    let specs = [
        (1, plain),
        (1000, AdamSpec { weight_decay: 0.1, ..plain }),
        (7, AdamSpec { weight_decay: 0.1, decoupled: true, ..plain }),
    ];
    for ((step, spec), apply) in specs.into_iter().flat_map(|spec| FLAGS.map(|apply| (spec, apply))) {
        let label = format!(
            "{shape:?} step {step} decay {} decoupled {} apply {apply:?} shared {shared} {form:?}",
            spec.weight_decay, spec.decoupled
        );
        run.case("adam_step", dtype, label, |case| {
            let (p, g) = (case.uniform(shape, 0.5, 2.0).form(form), gradient(case, shape, -0.25, apply).form(form));
            let (m, v) = (case.uniform(shape, 0.1, 1.0).form(form), case.uniform(shape, 0.1, 1.0).form(form));
            let values = [p.f64(), m.f64(), v.f64(), g.f64()];
            let after: Vec<[f64; 3]> = (0..p.shape.count())
                .map(|i| adam(values[0][i], values[1][i], values[2][i], values[3][i], step, &spec))
                .collect();
            let before = |j: usize| Expected::new(shape, values[j].clone());
            let part = |j: usize| match apply {
                Some(false) => before(j),
                _ => Expected::new(shape, after.iter().map(|a| a[j]).collect()),
            };
            let expected = vec![part(0), part(1), part(2), before(0), before(1), before(2)];
            case.check_rim(bound(apply), &[p, m, v, g], expected, |d, x| {
                let (mut p, mut m, mut v) = (own(d, &x[0], shared)?, own(d, &x[1], shared)?, own(d, &x[2], shared)?);
                let (taken, flag) = (taken(d, step - 1)?, flag(d, apply)?);
                let done = d.adam_step(&mut p, &mut m, &mut v, &x[3], &taken, flag.as_ref(), &spec)?;
                Ok(done.map(|()| vec![p, m, v, x[0].clone(), x[1].clone(), x[2].clone()]))
            });
        });
    }
}

fn sgds(run: &mut Run, dtype: DType, shape: &[usize], shared: bool, form: Form) {
    let plain = SgdSpec { lr: 0.1, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false };
    let specs = [
        (false, plain),
        (false, SgdSpec { weight_decay: 0.05, ..plain }),
        (false, SgdSpec { momentum: 0.9, dampening: 0.2, ..plain }),
        (true, SgdSpec { momentum: 0.9, dampening: 0.2, ..plain }),
        (false, SgdSpec { momentum: 0.9, nesterov: true, weight_decay: 0.05, ..plain }),
    ];
    for ((first, spec), apply) in specs.into_iter().flat_map(|spec| FLAGS.map(|apply| (spec, apply))) {
        let SgdSpec { momentum, weight_decay, nesterov, .. } = spec;
        let label = format!(
            "{shape:?} momentum {momentum} decay {weight_decay} nesterov {nesterov} first {first} apply {apply:?} \
             shared {shared} {form:?}"
        );
        run.case("sgd_step", dtype, label, |case| {
            let (p, g) = (case.uniform(shape, 0.5, 2.0).form(form), gradient(case, shape, 0.1, apply).form(form));
            let velocity = case.uniform(shape, 0.1, 1.0).form(form);
            let values = [p.f64(), velocity.f64(), g.f64()];
            let after: Vec<[f64; 2]> =
                (0..p.shape.count()).map(|i| sgd(values[0][i], values[1][i], values[2][i], first, &spec)).collect();
            let before = |j: usize| Expected::new(shape, values[j].clone());
            let part = |j: usize| match apply {
                Some(false) => before(j),
                _ => Expected::new(shape, after.iter().map(|a| a[j]).collect()),
            };
            let expected = vec![part(0), part(1), before(0)];
            case.check_rim(bound(apply), &[p, velocity, g], expected, |d, x| {
                let (mut p, mut velocity) = (own(d, &x[0], shared)?, own(d, &x[1], shared)?);
                let kept = if momentum == 0.0 { None } else { Some(&mut velocity) };
                let (taken, flag) = (taken(d, u64::from(!first))?, flag(d, apply)?);
                let done = d.sgd_step(&mut p, kept, &x[2], &taken, flag.as_ref(), &spec)?;
                Ok(done.map(|()| vec![p, velocity, x[0].clone()]))
            });
        });
    }
}
