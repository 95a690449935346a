//! Cases of reshape, permute, broadcast, slice, pad, concatenate, and views of views.

use super::{ALL, Bound, DType, Form, Run, WIDE};
use taper_backend::{BinaryOp, PadAmount, ReduceOp, Shape, SliceRange};

pub fn cases(run: &mut Run) {
    for dtype in ALL {
        for form in Form::ALL {
            of_one(run, dtype, form);
        }
        concatenations(run, dtype);
    }
    for dtype in WIDE {
        chains(run, dtype);
    }
}

fn of_one(run: &mut Run, dtype: DType, form: Form) {
    for (from, to) in [
        (&[2, 3][..], &[6][..]),
        (&[4, 6], &[2, 2, 3, 2]),
        (&[2, 3, 4], &[4, 6]),
        (&[1], &[]),
        (&[0, 3], &[2, 0]),
        (&[1, 5, 1], &[5]),
    ] {
        run.case("reshape", dtype, format!("{from:?} to {to:?} {form:?}"), |case| {
            let x = case.uniform(from, 0.0, 99.0).form(form);
            case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.reshape(&x[0], &to.into())?]));
        });
    }
    for (shape, axes) in [
        (&[2, 3][..], &[1, 0][..]),
        (&[2, 3, 5], &[2, 0, 1]),
        (&[2, 3, 4, 5], &[0, 2, 3, 1]),
        (&[2, 3, 4, 5], &[3, 1, 0, 2]),
        (&[33, 17], &[1, 0]),
        (&[0, 2], &[1, 0]),
        (&[], &[]),
    ] {
        run.case("permute", dtype, format!("{shape:?} by {axes:?} {form:?}"), |case| {
            let x = case.uniform(shape, 0.0, 99.0).form(form);
            case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.permute(&x[0], axes)?]));
        });
    }
    for (from, to) in [
        (&[][..], &[2, 3][..]),
        (&[3], &[2, 3]),
        (&[2, 1], &[2, 3]),
        (&[1, 3, 1], &[2, 2, 3, 5]),
        (&[1], &[0]),
        (&[4, 5], &[4, 5]),
    ] {
        run.case("broadcast", dtype, format!("{from:?} to {to:?} {form:?}"), |case| {
            let x = case.uniform(from, 0.0, 99.0).form(form);
            case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.broadcast(&x[0], &to.into())?]));
        });
    }
    let range = |start, end, step| SliceRange { start, end, step };
    for (shape, ranges) in [
        (&[7][..], vec![range(2, 5, 1)]),
        (&[7], vec![range(1, 7, 3)]),
        (&[7], vec![range(3, 3, 1)]),
        (&[4, 6], vec![range(1, 3, 1), range(0, 6, 2)]),
        (&[3, 5, 7], vec![range(0, 3, 2), range(4, 5, 1), range(0, 7, 1)]),
        (&[0, 3], vec![range(0, 0, 1), range(1, 2, 1)]),
        (&[17, 33], vec![range(1, 17, 5), range(2, 33, 7)]),
    ] {
        run.case("slice", dtype, format!("{shape:?} {ranges:?} {form:?}"), |case| {
            let x = case.uniform(shape, 0.0, 99.0).form(form);
            case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.slice(&x[0], &ranges)?]));
        });
    }
    let amount = |low, high, interior| PadAmount { low, high, interior };
    for (shape, amounts) in [
        (&[3][..], vec![amount(1, 2, 0)]),
        (&[3], vec![amount(0, 1, 2)]),
        (&[2, 3], vec![amount(1, 0, 1), amount(0, 2, 0)]),
        (&[2, 0], vec![amount(0, 1, 3), amount(2, 1, 1)]),
        (&[2, 1, 3, 3], vec![amount(0, 0, 0), amount(0, 0, 0), amount(1, 1, 0), amount(2, 1, 1)]),
        (&[5, 4], vec![amount(0, 0, 0), amount(0, 0, 0)]),
        (&[], vec![]),
    ] {
        for value in [0.0, 7.0] {
            run.case("pad", dtype, format!("{shape:?} {amounts:?} {value} {form:?}"), |case| {
                let x = case.uniform(shape, 0.0, 99.0).form(form);
                case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.pad(&x[0], &amounts, value)?]));
            });
        }
    }
}

fn concatenations(run: &mut Run, dtype: DType) {
    for (axis, shapes) in [
        (0, &[&[2, 3][..], &[1, 3], &[4, 3]][..]),
        (1, &[&[2, 3], &[2, 1], &[2, 0], &[2, 7]]),
        (0, &[&[5]]),
        (1, &[&[2, 3, 4, 5], &[2, 1, 4, 5]]),
        (3, &[&[2, 3, 4, 5], &[2, 3, 4, 2], &[2, 3, 4, 1]]),
        (0, &[&[0, 2], &[0, 2]]),
    ] {
        for first in 0..Form::ALL.len() {
            run.case("concat", dtype, format!("{shapes:?} along {axis}, forms from {first}"), |case| {
                let parts: Vec<_> = shapes
                    .iter()
                    .enumerate()
                    .map(|(i, &shape)| case.uniform(shape, 0.0, 99.0).form(Form::nth(first + i)))
                    .collect();
                case.check(Bound::Exact, &parts, |d, x| Ok(vec![d.concat(&x.iter().collect::<Vec<_>>(), axis)?]));
            });
        }
    }
}

/// Cases of views of views, read by a reduction and a product.
fn chains(run: &mut Run, dtype: DType) {
    for form in Form::ALL {
        run.case("views", dtype, format!("of views {form:?}"), |case| {
            let x = case.biased([4, 6, 5]).form(form);
            case.check(Bound::Sum(120), &[x], |d, x| {
                let y = d.permute(&x[0], &[2, 0, 1])?; // [5, 4, 6]
                let y = d.slice(
                    &y,
                    &[SliceRange { start: 0, end: 5, step: 2 }, SliceRange::new(1, 4), SliceRange::new(0, 6)],
                )?;
                let y = d.reshape(&y, &Shape::from([3, 1, 18]))?;
                let y = d.broadcast(&y, &Shape::from([3, 4, 18]))?;
                let y = d.permute(&y, &[1, 2, 0])?; // [4, 18, 3]
                let sum = d.reduce(ReduceOp::Sum, &y, &[0, 2])?; // [1, 18, 1]
                Ok(vec![d.binary(BinaryOp::Mul, &y, &sum)?, sum, y])
            });
        });
    }
}
