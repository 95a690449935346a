//! Cases of unary and binary operations, comparisons and selection.

use super::memory::SHAPES;
use super::{ALL, Bound, FLOATS, Form, NUMBERS, Run, Value, WIDE};
use taper_backend::{BinaryOp, CompareOp, DType, UnaryOp};

const UNARY: [UnaryOp; 19] = [
    UnaryOp::Neg,
    UnaryOp::Abs,
    UnaryOp::Sign,
    UnaryOp::Floor,
    UnaryOp::Exp,
    UnaryOp::Expm1,
    UnaryOp::ExpNegSquare,
    UnaryOp::Log,
    UnaryOp::Log1p,
    UnaryOp::Sqrt,
    UnaryOp::Recip,
    UnaryOp::Sin,
    UnaryOp::Cos,
    UnaryOp::Atan,
    UnaryOp::Tanh,
    UnaryOp::Sigmoid,
    UnaryOp::Erf,
    UnaryOp::NormalCdf,
    UnaryOp::NormalPdf,
];
const BINARY: [BinaryOp; 7] =
    [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Pow, BinaryOp::Maximum, BinaryOp::Minimum];
const COMPARE: [CompareOp; 6] =
    [CompareOp::Eq, CompareOp::Ne, CompareOp::Lt, CompareOp::Le, CompareOp::Gt, CompareOp::Ge];

/// Pairs of shapes that broadcast with each other; the last four are large enough to be split over threads.
const PAIRS: &[(&[usize], &[usize])] = &[
    (&[], &[]),
    (&[3], &[]),
    (&[], &[3]),
    (&[2, 3], &[3]),
    (&[2, 1], &[1, 3]),
    (&[5, 1, 7], &[3, 1]),
    (&[0, 3], &[1, 3]),
    (&[2, 0], &[]),
    (&[4, 3, 5, 7], &[3, 1, 1]),
    (&[17, 33], &[17, 33]),
    (&[33, 17], &[33, 1]),
    (&[24], &[7, 24]),
    (&[2, 3, 1, 5], &[1, 1, 4, 1]),
    (&[300, 257], &[257]),
    (&[300, 257], &[300, 1]),
    (&[300, 257], &[300, 257]),
    (&[300, 257], &[]),
];

pub fn cases(run: &mut Run) {
    for op in UNARY {
        unary(run, op);
    }
    for op in BINARY {
        binary(run, op);
        binary_scalar(run, op);
    }
    for op in COMPARE {
        compare(run, op);
        compare_scalar(run, op);
    }
    select(run);
}

fn unary(run: &mut Run, op: UnaryOp) {
    let bound = match op {
        UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign | UnaryOp::Floor => Bound::Exact,
        UnaryOp::Sqrt | UnaryOp::Recip => Bound::Rounded,
        _ => Bound::Function,
    };
    let ranges: &[(f64, f64)] = match op {
        UnaryOp::Log | UnaryOp::Sqrt => &[(0.01, 10.0), (0.99, 1.01)],
        UnaryOp::Log1p => &[(-0.9, 5.0), (-1e-3, 1e-3)],
        UnaryOp::Recip => &[(0.1, 10.0), (-10.0, -0.1)],
        UnaryOp::Exp => &[(-10.0, 10.0), (-80.0, -60.0)],
        UnaryOp::Expm1 => &[(-10.0, 10.0), (-1e-3, 1e-3)],
        UnaryOp::ExpNegSquare => &[(-2.0, 2.0), (5.0, 8.0)],
        UnaryOp::NormalCdf | UnaryOp::NormalPdf => &[(-4.0, 4.0), (-11.0, -8.0)],
        UnaryOp::Sin => &[(-20.0, 20.0), (-1e-3, 1e-3), (900.0, 1000.0)],
        UnaryOp::Cos => &[(-20.0, 20.0), (900.0, 1000.0)],
        UnaryOp::Atan => &[(-20.0, 20.0), (-1e-3, 1e-3), (900.0, 1000.0)],
        UnaryOp::Tanh | UnaryOp::Erf => &[(-6.0, 6.0), (-1e-3, 1e-3)],
        UnaryOp::Sigmoid => &[(-6.0, 6.0), (-30.0, -20.0)],
        _ => &[(-20.0, 20.0)],
    };
    for dtype in FLOATS {
        for (i, &(low, high)) in ranges.iter().enumerate() {
            if !matches!(dtype, DType::F32 | DType::F64) && (low < -50.0 || (high > 100.0)) {
                continue; // beyond the precision or range of a half
            }
            let tail = matches!(op, UnaryOp::ExpNegSquare | UnaryOp::NormalCdf | UnaryOp::NormalPdf) && i > 0;
            if dtype == DType::F16 && tail {
                continue; // below the smallest number of f16
            }
            for (j, shape) in SHAPES.iter().copied().chain([&[300, 257][..]]).enumerate() {
                let form = Form::nth(i + j);
                run.case("unary", dtype, format!("{op:?} {shape:?} in {low}..{high} {form:?}"), |case| {
                    let x = case.uniform(shape, low, high).form(form);
                    case.check(bound, &[x], |d, x| Ok(vec![d.unary(op, &x[0])?]));
                });
            }
        }
        run.case("unary", dtype, format!("{op:?} special values"), |case| {
            case.special();
            let x = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1000.0, -1000.0];
            let x = Value::new([11], &x, dtype);
            case.check(bound, &[x], |d, x| Ok(vec![d.unary(op, &x[0])?]));
        });
    }
    if matches!(op, UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign) {
        run.case("unary", DType::I64, format!("{op:?}"), |case| {
            let x = Value::integers([5], vec![0, 3, -7, i64::MAX, i64::MIN + 1]);
            case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.unary(op, &x[0])?]));
        });
    }
}

/// The pairs with their indices. The large ones are slow: they are included only for f32 and if `large`.
fn pairs(dtype: DType, large: bool) -> impl Iterator<Item = (usize, &'static (&'static [usize], &'static [usize]))> {
    let small = PAIRS.len() - 4;
    PAIRS.iter().enumerate().take(if large && dtype == DType::F32 { PAIRS.len() } else { small })
}

fn binary(run: &mut Run, op: BinaryOp) {
    let bound = match op {
        BinaryOp::Maximum | BinaryOp::Minimum => Bound::Exact,
        BinaryOp::Pow => Bound::Function,
        _ => Bound::Rounded,
    };
    for dtype in NUMBERS {
        if dtype == DType::I64 && op == BinaryOp::Pow {
            continue;
        }
        let bound = if dtype == DType::I64 { Bound::Exact } else { bound };
        for (i, &(a, b)) in pairs(dtype, matches!(op, BinaryOp::Add | BinaryOp::Pow)) {
            let (f, g) = (Form::nth(i), Form::nth(i / 2 + 1));
            run.case("binary", dtype, format!("{op:?} {a:?} {f:?} with {b:?} {g:?}"), |case| {
                let (low, high) = if op == BinaryOp::Pow { (0.2, 3.0) } else { (-9.0, 9.0) };
                let (x, y) = (case.uniform(a, low, high), case.uniform(b, low, high));
                case.check(bound, &[x.form(f), y.form(g)], |d, x| Ok(vec![d.binary(op, &x[0], &x[1])?]));
            });
        }
        for (f, g) in Form::ALL.into_iter().flat_map(|f| Form::ALL.map(|g| (f, g))) {
            run.case("binary", dtype, format!("{op:?} {f:?} with {g:?}"), |case| {
                let (low, high) = if op == BinaryOp::Pow { (0.2, 3.0) } else { (-9.0, 9.0) };
                let (x, y) = (case.uniform([2, 3, 4, 5], low, high), case.uniform([2, 3, 4, 5], low, high));
                case.check(bound, &[x.form(f), y.form(g)], |d, x| Ok(vec![d.binary(op, &x[0], &x[1])?]));
            });
        }
        run.case("binary", dtype, format!("{op:?} of one operand with itself"), |case| {
            let x = case.uniform([5, 3], 0.2, 3.0);
            case.check(bound, &[x], |d, x| Ok(vec![d.binary(op, &x[0], &x[0])?]));
        });
    }
    for dtype in FLOATS {
        run.case("binary", dtype, format!("{op:?} special values"), |case| {
            case.special();
            let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0];
            let (x, y) = (Value::new([10, 1], &values, dtype), Value::new([10], &values, dtype));
            case.check(bound, &[x, y], |d, x| Ok(vec![d.binary(op, &x[0], &x[1])?]));
        });
    }
    if op != BinaryOp::Pow {
        run.case("binary", DType::I64, format!("{op:?} extremes"), |case| {
            let values = vec![0, 1, -1, 7, -7, 2, i64::MAX, i64::MIN, (1 << 53) + 1];
            let (x, y) = (Value::integers([9, 1], values.clone()), Value::integers([9], values));
            case.check(Bound::Exact, &[x, y], |d, x| Ok(vec![d.binary(op, &x[0], &x[1])?]));
        });
    }
}

fn binary_scalar(run: &mut Run, op: BinaryOp) {
    let bound = match op {
        BinaryOp::Maximum | BinaryOp::Minimum => Bound::Exact,
        BinaryOp::Pow => Bound::Function,
        _ => Bound::Rounded,
    };
    let shapes: [&[usize]; 6] = [&[], &[5], &[0, 3], &[17, 33], &[2, 3, 4, 5], &[300, 257]];
    // Every number is exact in f32, so that it is the same for the reference, which computes in f64.
    for dtype in NUMBERS {
        let bound = if dtype == DType::I64 { Bound::Exact } else { bound };
        for (i, number) in [2.0f64, -3.0, 0.75, -1.0, 3.0, 0.5, -0.625, 1.0, 0.0].into_iter().enumerate() {
            if dtype == DType::I64 && (op == BinaryOp::Pow || number.fract() != 0.0) {
                continue;
            }
            for (j, shape) in shapes.iter().enumerate().filter(|(j, _)| *j < 5 || i < 2 && dtype == DType::F32) {
                let (form, first) = (Form::nth(i + j), (i + j).is_multiple_of(2));
                if first && number <= 0.0 && op == BinaryOp::Pow {
                    continue; // powers of a negative number are NaN
                }
                let order = if first { "first" } else { "second" };
                run.case("binary_scalar", dtype, format!("{op:?} {shape:?} {form:?}, {number} {order}"), |case| {
                    if number == 0.0 {
                        case.special();
                    }
                    let (low, high) = if op == BinaryOp::Pow { (0.2, 3.0) } else { (-9.0, 9.0) };
                    let x = case.uniform(*shape, low, high).form(form);
                    case.check(bound, &[x], |d, x| Ok(vec![d.binary_scalar(op, &x[0], number, first)?]));
                });
            }
        }
    }
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0];
    for dtype in FLOATS {
        for (number, first) in special.into_iter().flat_map(|number| [(number, false), (number, true)]) {
            run.case("binary_scalar", dtype, format!("{op:?} of special values, {number:?}, first {first}"), |case| {
                case.special();
                let x = Value::new([11], &special, dtype);
                case.check(bound, &[x], |d, x| Ok(vec![d.binary_scalar(op, &x[0], number, first)?]));
            });
        }
    }
    for dtype in [DType::F16, DType::BF16] {
        run.case("binary_scalar", dtype, format!("{op:?} with what only f32 holds"), |case| {
            case.special();
            let (number, x) = (f64::from(1e-6f32), Value::new([3], &[0.5, 2.0, 1e-6], dtype));
            case.check(Bound::Function, &[x], |d, x| Ok(vec![d.binary_scalar(op, &x[0], number, false)?]));
        });
    }
    if op != BinaryOp::Pow {
        run.case("binary_scalar", DType::I64, format!("{op:?} extremes"), |case| {
            let values = vec![0, 1, -1, 7, -7, i64::MAX, i64::MIN, (1 << 53) + 1];
            let x = Value::integers([8], values);
            case.check(Bound::Exact, &[x], |d, x| {
                let number = ((1i64 << 53) - 1) as f64;
                let with = |number, first| d.binary_scalar(op, &x[0], number, first);
                Ok(vec![with(number, false)?, with(number, true)?, with(0.0, false)?, with(-1.0, false)?])
            });
        });
    }
}

fn compare_scalar(run: &mut Run, op: CompareOp) {
    for dtype in ALL {
        for (i, shape) in [&[][..], &[0, 3], &[5], &[2, 3, 4, 5], &[17, 33]].into_iter().enumerate() {
            let form = Form::nth(i);
            run.case("compare_scalar", dtype, format!("{op:?} {shape:?} {form:?}"), |case| {
                let drawn = case.uniform(shape, 0.0, 4.0);
                let whole = drawn.f64().iter().map(|x| x.floor()).collect::<Vec<_>>();
                let x = Value::new(shape, &whole, dtype).form(form);
                case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.compare_scalar(op, &x[0], 2.0)?]));
            });
        }
    }
    for dtype in FLOATS {
        run.case("compare_scalar", dtype, format!("{op:?} special values, and what is rounded"), |case| {
            case.special();
            let x = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 0.1, 1.0];
            let x = Value::new([7], &x, dtype);
            case.check(Bound::Exact, &[x], |d, x| {
                let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.1, 1e300];
                numbers.into_iter().map(|number| d.compare_scalar(op, &x[0], number)).collect()
            });
        });
    }
    run.case("compare_scalar", DType::I64, format!("{op:?} beyond f64"), |case| {
        let x = Value::integers([5], vec![(1 << 53) - 1, 1 << 53, (1 << 53) + 1, i64::MIN, i64::MAX]);
        case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.compare_scalar(op, &x[0], ((1i64 << 53) - 1) as f64)?]));
    });
}

fn compare(run: &mut Run, op: CompareOp) {
    for dtype in ALL {
        for (i, &(a, b)) in pairs(dtype, op == CompareOp::Lt) {
            let (f, g) = (Form::nth(i), Form::nth(i / 3 + 1));
            run.case("compare", dtype, format!("{op:?} {a:?} {f:?} with {b:?} {g:?}"), |case| {
                // Whole numbers, so that many are equal.
                let draw = |x: Value| {
                    Value::new(x.shape.clone(), &x.f64().iter().map(|x| x.floor()).collect::<Vec<_>>(), dtype)
                };
                let (x, y) = (draw(case.uniform(a, 0.0, 4.0)), draw(case.uniform(b, 0.0, 4.0)));
                case.check(Bound::Exact, &[x.form(f), y.form(g)], |d, x| Ok(vec![d.compare(op, &x[0], &x[1])?]));
            });
        }
    }
    for dtype in FLOATS {
        run.case("compare", dtype, format!("{op:?} special values"), |case| {
            case.special();
            let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1.0];
            let (x, y) = (Value::new([6, 1], &values, dtype), Value::new([6], &values, dtype));
            case.check(Bound::Exact, &[x, y], |d, x| Ok(vec![d.compare(op, &x[0], &x[1])?]));
        });
    }
    run.case("compare", DType::I64, format!("{op:?} beyond f64"), |case| {
        let values = vec![1 << 53, (1 << 53) + 1, i64::MIN, i64::MAX, i64::MAX - 1];
        let (x, y) = (Value::integers([5, 1], values.clone()), Value::integers([5], values));
        case.check(Bound::Exact, &[x, y], |d, x| Ok(vec![d.compare(op, &x[0], &x[1])?]));
    });
}

fn select(run: &mut Run) {
    let shapes: &[[&[usize]; 3]] = &[
        [&[], &[], &[]],
        [&[4, 5], &[4, 5], &[4, 5]],
        [&[5], &[4, 1], &[]],
        [&[3, 1, 1], &[], &[2, 3, 4, 5]],
        [&[4, 5], &[5], &[4, 1]],
        [&[0, 3], &[3], &[1, 1]],
        [&[300, 257], &[300, 257], &[]],
        [&[], &[17, 3], &[3]],
    ];
    for dtype in ALL {
        for (i, [condition, a, b]) in shapes.iter().enumerate() {
            for j in 0..3 {
                let forms = [Form::nth(i + j), Form::nth(i + 2 * j + 1), Form::nth(j + 3)];
                run.case("select", dtype, format!("{condition:?} {a:?} {b:?} {forms:?}"), |case| {
                    let chosen = case.integers(*condition, 0, 3).f64();
                    let c = Value::new(*condition, &chosen, DType::U8).form(forms[0]);
                    let (x, y) =
                        (case.uniform(*a, 0.0, 9.0).form(forms[1]), case.uniform(*b, 50.0, 99.0).form(forms[2]));
                    case.check(Bound::Exact, &[c, x, y], |d, x| Ok(vec![d.select(&x[0], &x[1], &x[2])?]));
                });
            }
        }
    }
    for dtype in WIDE {
        run.case("select", dtype, "hides NaN", |case| {
            let c = Value::new([4], &[0.0, 1.0, 255.0, 0.0], DType::U8);
            let (x, y) = (Value::new([4], &[f64::NAN, 1.0, 2.0, f64::NAN], dtype), Value::new([1], &[5.0], dtype));
            case.check(Bound::Exact, &[c, x, y], |d, x| Ok(vec![d.select(&x[0], &x[1], &x[2])?]));
        });
    }
}
