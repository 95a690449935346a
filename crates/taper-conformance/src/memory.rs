//! Cases of upload and download, fill, random numbers, assignment and casts.

use super::{ALL, Bound, FLOATS, Form, NUMBERS, Run, Value, WIDE};
use taper_backend::{BinaryOp, DType, Distribution, Error, HostData, RandomKey, Result, Shape};

/// Shapes of rank 0 to 5, with no element, one element and odd sizes.
pub const SHAPES: &[&[usize]] =
    &[&[], &[0], &[3, 0, 2], &[1], &[5], &[2, 3], &[17, 33], &[2, 3, 5, 7], &[1, 1, 4], &[24, 1, 3], &[7, 2, 1, 3, 2]];

pub fn cases(run: &mut Run) {
    transfers(run);
    fills(run);
    uniform(run);
    assignments(run);
    casts(run);
}

fn transfers(run: &mut Run) {
    for dtype in ALL {
        for (shape, form) in SHAPES.iter().flat_map(|&shape| Form::ALL.map(|form| (shape, form))) {
            run.case("download", dtype, format!("{shape:?} {form:?}"), |case| {
                let x = case.uniform(shape, 0.0, 200.0).form(form);
                case.check(Bound::Exact, &[x], |_, x| Ok(vec![x[0].clone()]));
            });
        }
    }
    run.case("download", DType::I64, "extremes", |case| {
        let x = Value::integers([4], vec![i64::MIN, i64::MAX, (1 << 53) + 1, -1]);
        case.check(Bound::Exact, &[x], |_, x| Ok(vec![x[0].clone()]));
    });
    for dtype in FLOATS {
        run.case("download", dtype, "special values", |case| {
            case.special();
            let x = Value::new([5], &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1.0], dtype);
            case.check(Bound::Exact, &[x], |_, x| Ok(vec![x[0].clone()]));
        });
    }
}

fn fills(run: &mut Run) {
    for dtype in ALL {
        let values: &[f64] = match dtype {
            DType::U8 => &[0.0, 7.0, 255.0],
            DType::I64 => &[0.0, -3.0, 1e15],
            _ => &[0.0, 1.5, -2.0, f64::NAN, f64::INFINITY],
        };
        for (&shape, &value) in SHAPES.iter().flat_map(|shape| values.iter().map(move |value| (shape, value))) {
            run.case("fill", dtype, format!("{shape:?} {value}"), |case| {
                case.special();
                case.check(Bound::Exact, &[], |d, _| Ok(vec![d.fill(&shape.into(), dtype, value)?]));
            });
        }
    }
    let distributions = [Distribution::Uniform { low: -2.0, high: 3.0 }, Distribution::Normal { mean: 0.5, std: 2.0 }];
    for dtype in FLOATS {
        for distribution in distributions {
            for shape in SHAPES.iter().copied().chain([&[70_001][..]]) {
                run.case("random", dtype, format!("{shape:?} {distribution:?}"), |case| {
                    let key = RandomKey::new(3).child("weights");
                    let shape = Shape::from(shape);
                    case.check(Bound::Rounded, &[], |d, _| Ok(vec![d.random(&shape, dtype, distribution, key)?]));
                });
            }
        }
        for seed in NEAR_ONE {
            run.case("random", dtype, format!("0..1, one near its end, seed {seed}"), |case| {
                let (shape, uniform) = (Shape::from([16]), Distribution::Uniform { low: 0.0, high: 1.0 });
                // A step of the dtype is more than the bound for rounding.
                case.check(Bound::Exact, &[], |d, _| {
                    Ok(vec![d.random(&shape, dtype, uniform, RandomKey::new(seed))?])
                });
            });
        }
    }
}

/// Seeds whose random streams have, among their first 16 numbers, one so close to 1 that rounding to f32 gives 1.
const NEAR_ONE: [u64; 3] = [1_142_540, 5_427_667, 6_207_095];

/// Properties of uniform random numbers that hold for any formula: they are in their range in every dtype, and spread
/// evenly.
fn uniform(run: &mut Run) {
    let ranges = [(0.0, 1.0), (-0.1, 0.3), (0.7, 1.3), (-3.0, 0.0)];
    for (low, high) in ranges {
        // One case for all floats, so that no choice of cases leaves a half out.
        run.case("random", DType::F32, format!("{low}..{high} in every float, as rounded"), |case| {
            for dtype in FLOATS {
                case.check_values(|device| {
                    if !device.supports(dtype) {
                        return Ok(());
                    }
                    let uniform = Distribution::Uniform { low, high };
                    let draw = |seed, count| {
                        let x = device.random(&Shape::from([count]), dtype, uniform, RandomKey::new(seed))?;
                        Ok(device.download(&x)?.to_f64())
                    };
                    let (many, n) = (draw(0, 100_000)?, 1e5);
                    for x in
                        NEAR_ONE.iter().map(|&seed| draw(seed, 16)).collect::<Result<Vec<_>>>()?.iter().chain([&many])
                    {
                        if let Some(at) = x.iter().position(|x| !(low..high).contains(x)) {
                            let detail = format!("element {at} of {dtype} is {}, expected {low}..{high}", x[at]);
                            return Err(Error::argument("random", detail));
                        }
                    }
                    // Five standard deviations, and a half of bf16's steps.
                    let mean = many.iter().sum::<f64>() / n;
                    let allowed = (high - low) * 5.0 / (12.0 * n).sqrt();
                    if (mean - (low + high) / 2.0).abs() > allowed {
                        return Err(Error::argument(
                            "random",
                            format!("the mean in {dtype} of {low}..{high} is {mean}"),
                        ));
                    }
                    for part in 0..8 {
                        let start = low + (high - low) * f64::from(part) / 8.0;
                        let end = start + (high - low) / 8.0;
                        let share = many.iter().filter(|x| (start..end).contains(*x)).count() as f64 / n;
                        // Five standard deviations, and a value of bf16 more or less: one of 64 in an eighth of
                        // 0.7..1.3.
                        if (share - 0.125).abs() > 0.0053 + 0.016 {
                            let detail = format!("{share} of {dtype} in {low}..{high} are in {start}..{end}, not 1/8");
                            return Err(Error::argument("random", detail));
                        }
                    }
                    Ok(())
                });
            }
        });
    }
}

fn assignments(run: &mut Run) {
    for dtype in NUMBERS {
        for (i, &shape) in SHAPES.iter().enumerate() {
            let form = Form::nth(i);
            run.case("assign", dtype, format!("{shape:?} shared, from {form:?}"), |case| {
                let (target, source) = (case.uniform(shape, -9.0, 9.0), case.uniform(shape, -9.0, 9.0).form(form));
                case.check(Bound::Exact, &[target, source], |d, x| {
                    let mut target = x[0].clone();
                    d.assign(&mut target, &x[1])?;
                    Ok(vec![target])
                });
            });
            run.case("assign", dtype, format!("{shape:?} alone, then a view of it, from {form:?}"), |case| {
                let (target, source) = (case.uniform(shape, -9.0, 9.0), case.uniform(shape, -9.0, 9.0).form(form));
                case.check(Bound::Exact, &[target, source], |d, x| {
                    let mut target = d.binary(BinaryOp::Add, &x[0], &x[0])?;
                    d.assign(&mut target, &x[1])?;
                    let view = d.reshape(&target, &Shape::from([target.count()]))?;
                    let kept = target.clone();
                    d.assign(&mut target, &x[0])?;
                    Ok(vec![target, view, kept])
                });
            });
        }
        run.case("assign", dtype, "into a view", |case| {
            let (whole, source) = (case.uniform([4, 6], -9.0, 9.0), case.uniform([6, 4], -9.0, 9.0));
            case.check(Bound::Exact, &[whole, source], |d, x| {
                let mut view = d.permute(&x[0], &[1, 0])?;
                d.assign(&mut view, &x[1])?;
                Ok(vec![view])
            });
        });
    }
}

fn casts(run: &mut Run) {
    for from in ALL {
        for to in ALL {
            for (shape, form) in [(&[5, 7][..], Form::Plain), (&[3, 17], Form::Permuted), (&[0, 2], Form::Plain)] {
                run.case("cast", from, format!("to {to}, {shape:?} {form:?}"), |case| {
                    let x = case.uniform(shape, 0.0, 250.0).form(form);
                    case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.cast(&x[0], to)?]));
                });
            }
        }
    }
    for from in WIDE {
        for to in [DType::U8, DType::I64] {
            run.case("cast", from, format!("to {to}, truncating and saturating"), |case| {
                let extremes = [2.9, -2.9, -0.5, 255.9, 256.0, 1e30, -1e30, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
                case.special();
                let x = Value::new([10], &extremes, from);
                case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.cast(&x[0], to)?]));
            });
        }
    }
    run.case("cast", DType::F64, "to f32, with overflow, underflow and ties", |case| {
        case.special();
        let x = Value::new(
            [6],
            &[1e300, -1e300, 1e-300, 1.0 + 2f64.powi(-24), 1.0 + 3.0 * 2f64.powi(-24), f64::NAN],
            DType::F64,
        );
        case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.cast(&x[0], DType::F32)?]));
    });
    run.case("cast", DType::U8, "to f32, every value", |case| {
        let x = Value { shape: [256].into(), data: HostData::U8((0..=255).collect()), form: Form::Plain };
        case.check(Bound::Exact, &[x], |d, x| Ok(vec![d.cast(&x[0], DType::F32)?]));
    });
}
