//! The rim's steps of Adam and SGD: the values, and that what shares memory with a parameter keeps the old ones.

use super::case::Expected;
use super::definition::{adam, sgd};
use super::memory::SHAPES;
use super::{Bound, DType, FLOATS, Form, Run};
use taper_backend::{AdamSpec, BinaryOp, Buffer, Device, Result, SgdSpec, Shape};

pub fn cases(run: &mut Run) {
    for dtype in FLOATS {
        for (i, shape) in SHAPES.iter().copied().chain([&[300, 257][..]]).enumerate() {
            for shared in [false, true] {
                adams(run, dtype, shape, shared, Form::nth(i));
                sgds(run, dtype, shape, shared, Form::nth(i));
            }
        }
    }
}

/// The operand, or a copy of it that nothing shares.
fn own(d: &Device, x: &Buffer, shared: bool) -> Result<Buffer> {
    if shared {
        return Ok(x.clone());
    }
    let zero = d.fill(&Shape::scalar(), x.dtype(), 0.0)?;
    d.binary(BinaryOp::Add, x, &zero)
}

fn adams(run: &mut Run, dtype: DType, shape: &[usize], shared: bool, form: Form) {
    let plain = AdamSpec { lr: 1e-2, beta1: 0.9, beta2: 0.99, eps: 1e-6, weight_decay: 0.0, decoupled: false, step: 1 };
    let specs = [
        plain,
        AdamSpec { step: 1000, weight_decay: 0.1, ..plain },
        AdamSpec { step: 7, weight_decay: 0.1, decoupled: true, ..plain },
    ];
    for spec in specs {
        let label = format!(
            "{shape:?} step {} decay {} decoupled {} shared {shared} {form:?}",
            spec.step, spec.weight_decay, spec.decoupled
        );
        run.case("adam_step", dtype, label, |case| {
            let (p, g) = (case.uniform(shape, 0.5, 2.0).form(form), case.biased(shape).form(form));
            let (m, v) = (case.uniform(shape, 0.1, 1.0).form(form), case.uniform(shape, 0.1, 1.0).form(form));
            let values = [p.f64(), m.f64(), v.f64(), g.f64()];
            let after: Vec<[f64; 3]> = (0..p.shape.count())
                .map(|i| adam(values[0][i], values[1][i], values[2][i], values[3][i], &spec))
                .collect();
            let part = |j: usize| Expected::new(shape, after.iter().map(|a| a[j]).collect());
            let before = |j: usize| Expected::new(shape, values[j].clone());
            let expected = vec![part(0), part(1), part(2), before(0), before(1), before(2)];
            case.check_rim(Bound::Sum(1), &[p, m, v, g], expected, |d, x| {
                let (mut p, mut m, mut v) = (own(d, &x[0], shared)?, own(d, &x[1], shared)?, own(d, &x[2], shared)?);
                let done = d.adam_step(&mut p, &mut m, &mut v, &x[3], &spec)?;
                Ok(done.map(|()| vec![p, m, v, x[0].clone(), x[1].clone(), x[2].clone()]))
            });
        });
    }
}

fn sgds(run: &mut Run, dtype: DType, shape: &[usize], shared: bool, form: Form) {
    let plain = SgdSpec { lr: 0.1, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false, first: false };
    let specs = [
        plain,
        SgdSpec { weight_decay: 0.05, ..plain },
        SgdSpec { momentum: 0.9, dampening: 0.2, ..plain },
        SgdSpec { momentum: 0.9, dampening: 0.2, first: true, ..plain },
        SgdSpec { momentum: 0.9, nesterov: true, weight_decay: 0.05, ..plain },
    ];
    for spec in specs {
        let SgdSpec { momentum, weight_decay, nesterov, first, .. } = spec;
        let label = format!(
            "{shape:?} momentum {momentum} decay {weight_decay} nesterov {nesterov} first {first} shared {shared} {form:?}"
        );
        run.case("sgd_step", dtype, label, |case| {
            let (p, g) = (case.uniform(shape, 0.5, 2.0).form(form), case.uniform(shape, 0.1, 1.0).form(form));
            let velocity = case.uniform(shape, 0.1, 1.0).form(form);
            let values = [p.f64(), velocity.f64(), g.f64()];
            let after: Vec<[f64; 2]> =
                (0..p.shape.count()).map(|i| sgd(values[0][i], values[1][i], values[2][i], &spec)).collect();
            let part = |j: usize| Expected::new(shape, after.iter().map(|a| a[j]).collect());
            let expected = vec![part(0), part(1), Expected::new(shape, values[0].clone())];
            case.check_rim(Bound::Sum(1), &[p, velocity, g], expected, |d, x| {
                let (mut p, mut velocity) = (own(d, &x[0], shared)?, own(d, &x[1], shared)?);
                let kept = if momentum == 0.0 { None } else { Some(&mut velocity) };
                let done = d.sgd_step(&mut p, kept, &x[2], &spec)?;
                Ok(done.map(|()| vec![p, velocity, x[0].clone()]))
            });
        });
    }
}
