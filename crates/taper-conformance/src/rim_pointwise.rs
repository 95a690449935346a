//! Cases of the rim's activations, softmax, dropout, norm and finiteness check.

use super::case::Expected;
use super::definition::{activation, derivative, dropout, softmax, softmax_grad};
use super::fused::{both, gradients, outputs};
use super::memory::SHAPES;
use super::{Bound, DType, FLOATS, Form, Run, Value, WIDE};
use taper_backend::{Activation, FusedOp, RandomKey, Saved};

/// Every activation, with typical parameters.
pub const ACTIVATIONS: [Activation; 12] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu { negative_slope: 0.1 },
    Activation::Elu { alpha: 1.0 },
    Activation::Elu { alpha: 0.7 },
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Softplus { beta: 2.0, threshold: 8.0 },
    Activation::Hardswish,
];

pub fn cases(run: &mut Run) {
    for dtype in FLOATS {
        for f in ACTIVATIONS {
            for (i, shape) in SHAPES.iter().copied().chain([&[300, 257][..]]).enumerate() {
                activations(run, dtype, f, shape, (-6.0, 6.0), Form::nth(i));
            }
            activations(run, dtype, f, &[33], (-40.0, -20.0), Form::Plain);
            activations(run, dtype, f, &[33], (20.0, 40.0), Form::Plain);
            kinks(run, dtype, f);
        }
        softmaxes(run, dtype);
        dropouts(run, dtype);
    }
    norms(run);
    all_finite(run);
}

fn norms(run: &mut Run) {
    for dtype in FLOATS {
        for (i, shape) in SHAPES.iter().copied().chain([&[300, 257][..]]).enumerate() {
            let form = Form::nth(i);
            run.case("norm", dtype, format!("{shape:?} {form:?}"), |case| {
                let x = case.uniform(shape, -9.0, 9.0).form(form);
                norm(case, x);
            });
        }
        let large: &[f64] = match dtype {
            DType::F16 => &[6e4, -5e4, 6e4],
            DType::F64 => &[1e300, -2e300, 1e-300],
            _ => &[3e38, -2e38, 1e-38],
        };
        for (i, values) in [large, &[1e-7, -2e-7], &[0.0, -0.0], &[1.0, f64::INFINITY], &[f64::NAN]].iter().enumerate()
        {
            run.case("norm", dtype, format!("special values {i}"), |case| {
                case.special();
                norm(case, Value::new([values.len()], values, dtype));
            });
        }
    }
}

fn norm(case: &mut super::Case, x: Value) {
    let values = x.f64();
    let largest = values.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    let scale = if largest > 0.0 && largest.is_finite() { largest } else { 1.0 };
    let norm = values.iter().map(|x| (x / scale).powi(2)).sum::<f64>().sqrt() * scale;
    let mut due = Expected::new(taper_backend::Shape::scalar(), vec![norm]);
    due.dtype = Some(DType::F64);
    case.check_rim(Bound::Sum(values.len().max(1)), &[x], vec![due], |d, x| Ok(d.norm(&x[0])?.map(|y| vec![y])));
}

fn activations(run: &mut Run, dtype: DType, f: Activation, shape: &[usize], (low, high): (f64, f64), form: Form) {
    let label = format!("{f:?} {shape:?} in {low}..{high} {form:?}");
    // Terms that cancel: below 0 both GELUs are ½x + ½x·(a number near −1). Far from 0 the error is measured against 1,
    // since values and slopes may be 0 up to rounding.
    let terms = move |factors: Vec<f64>| -> Vec<f64> {
        match f {
            _ if low.abs() >= 20.0 => vec![1.0],
            Activation::Gelu | Activation::GeluTanh => factors.iter().map(|x| 0.5 * x).collect(),
            _ => vec![],
        }
    };
    run.case("activation", dtype, &label, |case| {
        let x = case.uniform(shape, low, high).form(form);
        let y = x.f64().iter().map(|&x| activation(f, x)).collect();
        let expected = vec![Expected::new(shape, y).against(terms(x.f64()))];
        case.check_rim(Bound::Function, &[x], expected, |d, x| outputs(d, &FusedOp::Activation { x: &x[0], f }));
    });
    run.case("activation_grad", dtype, &label, |case| {
        let (x, g) = (case.uniform(shape, low, high).form(form), case.biased(shape).form(Form::nth(shape.len())));
        let dx = x.f64().iter().zip(g.f64()).map(|(&x, g)| g * derivative(f, x)).collect();
        let expected = vec![Expected::new(shape, dx).against(terms(g.f64()))];
        case.check_rim(Bound::Sum(4), &[x, g], expected, |d, x| {
            gradients(d, &FusedOp::Activation { x: &x[0], f }, &x[1], &Saved::nothing(), &[true])
        });
    });
}

/// Points at which an activation has to return its limit, or NaN for NaN.
const SPECIAL: [f64; 10] = [f64::NAN, f64::INFINITY, 0.0, 100.0, -100.0, 3.0, -3.0, f64::NAN, 1.0, f64::NEG_INFINITY];

/// Cases at jumps of the derivative, where the contract declares its value, and at [`SPECIAL`] values.
fn kinks(run: &mut Run, dtype: DType, f: Activation) {
    let points = [0.0, -0.0, 3.0, -3.0, 4.0, 4.5, -4.0, 1.0, -1.0];
    run.case("activation_grad", dtype, format!("{f:?} at kinks"), |case| {
        let x = Value::new([points.len()], &points, dtype);
        let g = Value::new([points.len()], &[2.0; 9], dtype);
        let dx = points.iter().map(|&x| 2.0 * derivative(f, x)).collect();
        let expected = vec![Expected::new([points.len()], dx)];
        case.check_rim(Bound::Sum(4), &[x, g], expected, |d, x| {
            gradients(d, &FusedOp::Activation { x: &x[0], f }, &x[1], &Saved::nothing(), &[true])
        });
    });
    run.case("activation", dtype, format!("{f:?} of special values"), |case| {
        case.special();
        let x = Value::new([SPECIAL.len()], &SPECIAL, dtype);
        let expected = vec![Expected::new([SPECIAL.len()], SPECIAL.iter().map(|&x| activation(f, x)).collect())];
        case.check_rim(Bound::Function, &[x], expected, |d, x| outputs(d, &FusedOp::Activation { x: &x[0], f }));
    });
    run.case("activation_grad", dtype, format!("{f:?} at special values"), |case| {
        case.special();
        let x = Value::new([SPECIAL.len()], &SPECIAL, dtype);
        let g = Value::new([SPECIAL.len()], &[2.0; 10], dtype);
        let due: fn(Activation, f64) -> f64 =
            |f, x| if f == Activation::Identity { 2.0 } else { 2.0 * derivative(f, x) };
        let expected = vec![Expected::new([SPECIAL.len()], SPECIAL.iter().map(|&x| due(f, x)).collect())];
        case.check_rim(Bound::Sum(4), &[x, g], expected, |d, x| {
            gradients(d, &FusedOp::Activation { x: &x[0], f }, &x[1], &Saved::nothing(), &[true])
        });
    });
}

/// Applies `row` to each pair of rows along `axis` of the two `values` of `shape`; the result has its outputs in the
/// rows' places.
fn along(values: [&[f64]; 2], shape: &[usize], axis: usize, row: impl Fn(&[f64], &[f64]) -> Vec<f64>) -> Vec<f64> {
    let (size, inner): (usize, usize) = (shape[axis], shape[axis + 1..].iter().product());
    let mut out = vec![0.0; values[0].len()];
    for start in (0..out.len()).filter(|i| i / inner % size == 0) {
        let take = |v: &[f64]| (0..size).map(|i| v[start + i * inner]).collect::<Vec<_>>();
        for (i, y) in row(&take(values[0]), &take(values[1])).into_iter().enumerate() {
            out[start + i * inner] = y;
        }
    }
    out
}

fn softmaxes(run: &mut Run, dtype: DType) {
    let shapes: &[&[usize]] = &[
        &[1],
        &[10],
        &[5, 7],
        &[17, 33],
        &[3, 1],
        &[2, 3, 5],
        &[2, 17, 4],
        &[0, 4],
        &[2, 3, 2, 5],
        &[64, 1000],
        &[2000, 10],
    ];
    for (i, &shape) in shapes.iter().enumerate() {
        for axis in 0..shape.len() {
            for (log, form) in
                [(false, Form::Plain), (true, Form::Plain), (false, Form::nth(i)), (true, Form::nth(axis + 1))]
            {
                if shape.contains(&0) && axis == 0 {
                    continue; // a softmax over nothing
                }
                let size = shape[axis];
                let label = format!("{shape:?} along {axis} log {log} {form:?}");
                for (offset, spread) in [(0.0, 4.0), (500.0, 4.0)] {
                    run.case("softmax", dtype, format!("{label} around {offset}"), |case| {
                        let x = case.uniform(shape, offset - spread, offset + spread).form(form);
                        let v = x.f64();
                        let y = along([&v, &v], shape, axis, |row, _| softmax(row, log));
                        // exp(x − max) carries the rounding of x − max, up to 8 here.
                        let ones = if log && size == 1 { 1.0 } else { 0.0 };
                        let expected = vec![Expected::new(shape, y).against([ones])];
                        case.check_rim(Bound::Sum(size + 16), &[x], expected, |d, x| {
                            outputs(d, &FusedOp::Softmax { x: &x[0], axis, log })
                        });
                    });
                }
                run.case("softmax_grad", dtype, &label, |case| {
                    let (x, g) = (case.uniform(shape, -4.0, 4.0).form(form), case.biased(shape).form(form));
                    let v = x.f64();
                    let y = along([&v, &v], shape, axis, |row, _| softmax(row, log));
                    let g_values = g.f64();
                    let dx = along([&g_values, &y], shape, axis, |g, y| softmax_grad(g, y, log));
                    let terms = g_values.iter().zip(&y).map(|(g, y)| if log { *g } else { g * y });
                    let expected = vec![Expected::new(shape, dx).against(terms.collect::<Vec<_>>())];
                    case.check_rim(Bound::Sum(size + 16), &[x, g], expected, |d, x| {
                        let op = FusedOp::Softmax { x: &x[0], axis, log };
                        let found = both(d, &op, &x[1], &[true])?;
                        Ok(found.map(|found| found[1..].to_vec()))
                    });
                });
            }
        }
    }
    run.case("softmax", dtype, "with −∞ for what is masked", |case| {
        let x = Value::new([2, 3], &[0.0, f64::NEG_INFINITY, 1.0, f64::NEG_INFINITY, f64::NEG_INFINITY, 2.0], dtype);
        let v = x.f64();
        let y = along([&v, &v], &[2, 3], 1, |row, _| softmax(row, false));
        case.check_rim(Bound::Sum(19), &[x], vec![Expected::new([2, 3], y)], |d, x| {
            outputs(d, &FusedOp::Softmax { x: &x[0], axis: 1, log: false })
        });
    });
}

fn dropouts(run: &mut Run, dtype: DType) {
    let key = RandomKey::new(1).child("dropout");
    for (i, shape) in SHAPES.iter().copied().chain([&[300, 257][..]]).enumerate() {
        for p in [0.0, 0.1, 0.5, 0.9] {
            let form = Form::nth(i + (p * 10.0) as usize);
            run.case("dropout", dtype, format!("{shape:?} {p} {form:?}"), |case| {
                let (x, g) = (case.uniform(shape, 0.5, 1.0).form(form), case.biased(shape));
                let due = |x: &Value| x.f64().iter().enumerate().map(|(i, &x)| dropout(x, i as u64, p, key)).collect();
                let expected = vec![Expected::new(shape, due(&x)), Expected::new(shape, due(&g))];
                case.check_rim(Bound::Function, &[x, g], expected, |d, x| {
                    both(d, &FusedOp::Dropout { x: &x[0], p, key }, &x[1], &[true])
                });
            });
        }
    }
}

fn all_finite(run: &mut Run) {
    for dtype in WIDE {
        for (i, wrong) in [None, Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY)].into_iter().enumerate() {
            for place in [0, 1, 600, 77_099] {
                for form in [Form::Plain, Form::Permuted, Form::nth(i + 2)] {
                    run.case("all_finite", dtype, format!("{wrong:?} at {place} {form:?}"), |case| {
                        let first = case.biased([7]);
                        let mut values = case.uniform([300, 257], -1e4, 1e4).f64();
                        if let Some(wrong) = wrong {
                            values[place] = wrong;
                        }
                        // A broadcast may repeat or hide the value, so that the expected result is computed from the
                        // final values.
                        let second = Value::new([300, 257], &values, dtype).form(form);
                        let finite = second.f64().iter().all(|x| x.is_finite());
                        let mut due = Expected::new(taper_backend::Shape::scalar(), vec![f64::from(u8::from(finite))]);
                        due.dtype = Some(DType::U8);
                        case.check_rim(Bound::Exact, &[first, second], vec![due], |d, x| {
                            Ok(d.all_finite(&[&x[0], &x[1]])?.map(|y| vec![y]))
                        });
                    });
                }
            }
        }
    }
}
