//! Cases of gather, scatter-add, and the rim's embedding.

use super::case::Expected;
use super::fused::{gradients, outputs};
use super::{ALL, Bound, DType, FLOATS, Form, NUMBERS, Run, Value, WIDE};
use taper_backend::{FusedOp, Saved, Shape};

/// The shape of x, the axis, and the number of indices along it.
const SHAPES: &[(&[usize], usize, usize)] = &[
    (&[5], 0, 8),
    (&[1], 0, 3),
    (&[4, 3], 0, 7),
    (&[4, 3], 1, 1),
    (&[4, 3], 1, 5),
    (&[2, 5, 3], 1, 4),
    (&[2, 5, 3], 2, 33),
    (&[3, 4, 1, 5], 0, 2),
    (&[3, 0], 0, 2),
    (&[3, 4], 1, 0),
    (&[0, 4], 1, 3),
    (&[97, 41], 0, 150),
    (&[97, 41], 1, 150),
];

pub fn cases(run: &mut Run) {
    for (i, &(shape, axis, count)) in SHAPES.iter().enumerate() {
        let mut picked = shape.to_vec();
        picked[axis] = count;
        let size = shape[axis] as i64;
        for j in 0..4 {
            let forms = [Form::nth(if j == 0 { 0 } else { i + j }), Form::nth(if j == 0 { 0 } else { 2 * j })];
            for dtype in ALL {
                run.case("gather", dtype, format!("{shape:?} {count} along {axis} {forms:?}"), |case| {
                    let x = case.uniform(shape, 0.0, 99.0).form(forms[0]);
                    let index = case.integers(picked.clone(), 0, size).form(forms[1]);
                    case.check(Bound::Exact, &[x, index], |d, x| Ok(vec![d.gather(&x[0], axis, &x[1])?]));
                });
            }
            for dtype in NUMBERS {
                run.case("scatter_add", dtype, format!("{shape:?} {count} along {axis} {forms:?}"), |case| {
                    let x = case.uniform(shape, 0.5, 9.0).form(forms[1]);
                    let index = case.integers(picked.clone(), 0, size).form(forms[0]);
                    let source = case.uniform(picked.clone(), 0.5, 9.0).form(Form::nth(i + j));
                    let bound = if dtype == DType::I64 { Bound::Exact } else { Bound::Sum(count + 1) };
                    case.check(bound, &[x, index, source], |d, x| Ok(vec![d.scatter_add(&x[0], axis, &x[1], &x[2])?]));
                });
            }
        }
    }
    for dtype in WIDE {
        for wrong in [3, -1, i64::MAX, i64::MIN] {
            out_of_range(run, dtype, wrong);
        }
    }
    embeddings(run);
}

fn out_of_range(run: &mut Run, dtype: DType, wrong: i64) {
    let index = || Value::integers([2, 2], vec![0, 2, wrong, 1]);
    run.case("gather", dtype, format!("index {wrong} out of range"), |case| {
        let x = case.biased([3, 2]);
        case.check_error(&[x, index()], |d, x| Ok(Some(vec![d.gather(&x[0], 0, &x[1])?])));
    });
    run.case("scatter_add", dtype, format!("index {wrong} out of range"), |case| {
        let (x, source) = (case.biased([3, 2]), case.biased([2, 2]));
        case.check_error(&[x, index(), source], |d, x| Ok(Some(vec![d.scatter_add(&x[0], 0, &x[1], &x[2])?])));
    });
    run.case("embedding", dtype, format!("index {wrong} out of range"), |case| {
        let weight = case.biased([3, 5]);
        case.check_error(&[weight, index()], |d, x| outputs(d, &FusedOp::Embedding { weight: &x[0], index: &x[1] }));
    });
    run.case("embedding_grad", dtype, format!("index {wrong} out of range"), |case| {
        let (weight, g) = (case.biased([3, 5]), case.biased([2, 2, 5]));
        case.check_error(&[weight, index(), g], |d, x| {
            let op = FusedOp::Embedding { weight: &x[0], index: &x[1] };
            gradients(d, &op, &x[2], &Saved::nothing(), &[true, false])
        });
    });
}

fn embeddings(run: &mut Run) {
    let shapes: &[(usize, usize, &[usize])] =
        &[(3, 5, &[4]), (1, 1, &[]), (7, 33, &[2, 3]), (10, 24, &[0]), (5, 17, &[3, 1, 2]), (50, 64, &[40, 30])];
    for dtype in FLOATS {
        for (i, &(rows, width, shape)) in shapes.iter().enumerate() {
            for (f, g) in [(Form::Plain, Form::Plain), (Form::nth(i + 1), Form::nth(i + 2))] {
                let row = |w: &[f64], index: i64| w[index as usize * width..][..width].to_vec();
                let wide = [shape, &[width]].concat();
                run.case("embedding", dtype, format!("{rows}x{width} at {shape:?} {f:?} {g:?}"), |case| {
                    let (weight, index) =
                        (case.biased([rows, width]).form(f), case.integers(shape, 0, rows as i64).form(g));
                    let w = weight.f64();
                    let y = index.f64().into_iter().flat_map(|i| row(&w, i as i64)).collect();
                    let expected = vec![Expected::new(wide.clone(), y)];
                    case.check_rim(Bound::Exact, &[weight, index], expected, |d, x| {
                        outputs(d, &FusedOp::Embedding { weight: &x[0], index: &x[1] })
                    });
                });
                run.case("embedding_grad", dtype, format!("{rows}x{width} at {shape:?} {f:?} {g:?}"), |case| {
                    let (g, index) = (case.biased(wide.clone()).form(f), case.integers(shape, 0, rows as i64).form(g));
                    let mut sums = vec![0.0; rows * width];
                    for (i, g) in index.f64().iter().zip(g.f64().chunks(width)) {
                        g.iter().enumerate().for_each(|(j, g)| sums[*i as usize * width + j] += g);
                    }
                    let count = Shape::from(shape).count();
                    let expected = vec![Expected::new([rows, width], sums)];
                    let weight = case.biased([rows, width]);
                    case.check_rim(Bound::Sum(count), &[g, index, weight], expected, |d, x| {
                        let op = FusedOp::Embedding { weight: &x[2], index: &x[1] };
                        gradients(d, &op, &x[0], &Saved::nothing(), &[true, false])
                    });
                });
            }
        }
    }
}
