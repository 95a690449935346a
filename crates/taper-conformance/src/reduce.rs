//! Cases of reductions over every set of axes, of argmax and of argsort.

use super::{ALL, Bound, DType, FLOATS, Form, NUMBERS, Run, Value};
use taper_backend::ReduceOp;

const OPS: [ReduceOp; 3] = [ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min];

pub fn cases(run: &mut Run) {
    for dtype in NUMBERS {
        for op in OPS {
            reduce(run, dtype, op);
        }
    }
    for dtype in FLOATS {
        for op in OPS {
            special(run, dtype, op);
        }
    }
    argmax(run);
    argsort(run);
}

fn reduce(run: &mut Run, dtype: DType, op: ReduceOp) {
    let shapes: &[&[usize]] =
        &[&[], &[1], &[7], &[5, 3], &[1, 24], &[17, 33], &[2, 3, 5], &[3, 1, 7], &[2, 3, 4, 5], &[300, 257]];
    let shapes = &shapes[..if dtype == DType::F32 { shapes.len() } else { shapes.len() - 1 }]; // the last is slow
    for (i, &shape) in shapes.iter().enumerate() {
        for set in 0..1usize << shape.len() {
            let axes: Vec<usize> = (0..shape.len()).filter(|axis| set >> axis & 1 == 1).collect();
            for form in [Form::Plain, Form::nth(i + set + 1)] {
                run.case("reduce", dtype, format!("{op:?} {shape:?} over {axes:?} {form:?}"), |case| {
                    let x = if dtype == DType::I64 { case.integers(shape, -99, 100) } else { case.biased(shape) };
                    let count = axes.iter().map(|&axis| shape[axis]).product();
                    let exact = dtype == DType::I64 || op != ReduceOp::Sum;
                    let bound = if exact { Bound::Exact } else { Bound::Sum(count) };
                    case.check(bound, &[x.form(form)], |d, x| Ok(vec![d.reduce(op, &x[0], &axes)?]));
                });
            }
        }
    }
    if op == ReduceOp::Sum {
        for (shape, axes) in [(&[0][..], &[0][..]), (&[2, 0, 3], &[1]), (&[2, 0, 3], &[0]), (&[0, 4], &[0, 1])] {
            run.case("reduce", dtype, format!("Sum of nothing {shape:?} over {axes:?}"), |case| {
                let x = case.uniform(shape, 0.0, 1.0);
                case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.reduce(op, &x[0], axes)?]));
            });
        }
        if matches!(dtype, DType::F32 | DType::F64) {
            run.case("reduce", dtype, "Sum of many", |case| {
                let x = case.biased([200_003]);
                case.check(Bound::Sum(200_003), &[x], |d, x| Ok(vec![d.reduce(op, &x[0], &[0])?]));
            });
        }
    } else {
        for (shape, axes) in [(&[0][..], &[0][..]), (&[2, 0, 3], &[1])] {
            run.case("reduce", dtype, format!("{op:?} of nothing {shape:?} over {axes:?}"), |case| {
                let x = case.uniform(shape, 0.0, 1.0);
                case.check_error(&[x], |d, x| Ok(Some(vec![d.reduce(op, &x[0], axes)?])));
            });
        }
        run.case("reduce", dtype, format!("{op:?} over an axis beside an empty one"), |case| {
            let x = case.uniform([0, 3], 0.0, 1.0);
            case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.reduce(op, &x[0], &[1])?]));
        });
    }
}

/// Rows with NaN first, last and in between, with infinities, and of −∞ alone, in lengths for vector code and its
/// remainders.
fn special(run: &mut Run, dtype: DType, op: ReduceOp) {
    for width in [1, 3, 8, 17, 33, 70] {
        run.case("reduce", dtype, format!("{op:?} special values, rows of {width}"), |case| {
            case.special();
            let x = with_specials(case.uniform([7, width], -2.0, -1.0), width);
            let bound = if op == ReduceOp::Sum { Bound::Sum(width) } else { Bound::Exact };
            case.check(bound, std::slice::from_ref(&x), |d, x| Ok(vec![d.reduce(op, &x[0], &[1])?]));
            case.check(bound, &[x.form(Form::Permuted)], |d, x| {
                Ok(vec![d.reduce(op, &x[0], &[1])?, d.reduce(op, &x[0], &[0])?])
            });
        });
    }
}

/// `x`, of seven rows, with special values put into six of them.
fn with_specials(x: Value, width: usize) -> Value {
    let (mut v, last) = (x.f64(), width - 1);
    let mut set = |row: usize, column: usize, value: f64| v[row * width + column] = value;
    set(1, 0, f64::NAN);
    set(2, last, f64::NAN);
    set(3, width / 2, f64::NAN);
    set(4, width / 2, f64::INFINITY);
    set(5, last / 2, f64::NEG_INFINITY);
    (0..width).for_each(|column| set(6, column, f64::NEG_INFINITY));
    Value::new(x.shape.clone(), &v, x.data.dtype())
}

fn argmax(run: &mut Run) {
    for dtype in ALL {
        for (i, &shape) in [
            &[1][..],
            &[7],
            &[5, 3],
            &[3, 5],
            &[1, 24],
            &[17, 33],
            &[2, 3, 5],
            &[3, 1, 7],
            &[2, 3, 4, 5],
            &[0, 3],
            &[300, 257],
        ]
        .iter()
        .enumerate()
        {
            for axis in 0..shape.len() {
                if shape[axis] == 0 {
                    continue;
                }
                for form in [Form::Plain, Form::nth(i + axis + 1)] {
                    run.case("argmax", dtype, format!("{shape:?} along {axis} {form:?}"), |case| {
                        // Whole numbers, so that many are equal: the first counts.
                        let x = case.uniform(shape, 0.0, 4.0);
                        let x = Value::new(shape, &x.f64().iter().map(|x| x.floor()).collect::<Vec<_>>(), dtype);
                        case.check(Bound::Exact, &[x.form(form)], |d, x| Ok(vec![d.argmax(&x[0], axis)?]));
                    });
                }
            }
        }
        run.case("argmax", dtype, "of nothing", |case| {
            let x = case.uniform([2, 0], 0.0, 1.0);
            case.check_error(&[x], |d, x| Ok(Some(vec![d.argmax(&x[0], 1)?])));
        });
    }
    for dtype in FLOATS {
        for width in [1, 3, 8, 17, 33, 70] {
            run.case("argmax", dtype, format!("special values, rows of {width}"), |case| {
                let x = with_specials(case.uniform([7, width], -2.0, -1.0), width);
                case.special();
                case.check(Bound::Exact, std::slice::from_ref(&x), |d, x| Ok(vec![d.argmax(&x[0], 1)?]));
                case.check(Bound::Exact, &[x.form(Form::Permuted)], |d, x| {
                    Ok(vec![d.argmax(&x[0], 1)?, d.argmax(&x[0], 0)?])
                });
            });
        }
    }
    run.case("argmax", DType::I64, "beyond f64", |case| {
        let x = Value::integers([4], vec![1 << 53, (1 << 53) + 1, i64::MIN, (1 << 53) + 1]);
        case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.argmax(&x[0], 0)?]));
    });
}

fn argsort(run: &mut Run) {
    for dtype in ALL {
        let shapes: &[&[usize]] =
            &[&[1], &[7], &[5, 3], &[1, 24], &[17, 33], &[2, 3, 5], &[2, 3, 4, 5], &[0, 3], &[3, 0], &[130, 100]];
        for (i, &shape) in shapes.iter().enumerate() {
            for axis in 0..shape.len() {
                for (descending, form) in [(false, Form::Plain), (true, Form::nth(i + axis + 1))] {
                    run.case("argsort", dtype, format!("{shape:?} along {axis} {descending} {form:?}"), |case| {
                        // Whole numbers, so that many are equal: they keep their order.
                        let x = case.uniform(shape, 0.0, 9.0);
                        let x = Value::new(shape, &x.f64().iter().map(|x| x.floor()).collect::<Vec<_>>(), dtype);
                        case.check(Bound::Exact, &[x.form(form)], |d, x| Ok(vec![d.argsort(&x[0], axis, descending)?]));
                    });
                }
            }
        }
    }
    for dtype in FLOATS {
        for width in [2, 8, 33] {
            run.case("argsort", dtype, format!("special values, rows of {width}"), |case| {
                let x = with_specials(case.uniform([7, width], -2.0, 1.0), width);
                case.special();
                case.check(Bound::Exact, &[x], |d, x| {
                    Ok(vec![d.argsort(&x[0], 1, false)?, d.argsort(&x[0], 0, false)?, d.argsort(&x[0], 1, true)?])
                });
            });
        }
        run.case("argsort", dtype, "both zeros, infinities and NaN", |case| {
            let (inf, nan) = (f64::INFINITY, f64::NAN);
            let x = Value::new([9], &[0.0, nan, -0.0, -inf, inf, 1e-7, nan, -1e-7, -0.0], dtype);
            case.special();
            case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.argsort(&x[0], 0, false)?, d.argsort(&x[0], 0, true)?]));
        });
    }
    run.case("argsort", DType::I64, "beyond f64", |case| {
        let x = Value::integers([5], vec![(1 << 53) + 1, 1 << 53, i64::MIN, i64::MAX, (1 << 53) + 1]);
        case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.argsort(&x[0], 0, false)?, d.argsort(&x[0], 0, true)?]));
    });
}
