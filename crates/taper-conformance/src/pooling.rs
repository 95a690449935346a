//! Cases of max and average pooling, their gradients, and the rim's max pooling.

use super::case::Expected;
use super::fused::both;
use super::{Bound, Case, DType, FLOATS, Form, Run, Value};
use taper_backend::{FusedOp, HostData, Pool2dSpec, RandomKey, Result};

const SIZES: [usize; 9] = [1, 2, 3, 5, 6, 7, 8, 17, 24];

/// Random shape and parameters number `i`; `None` if the windows do not fit the input.
fn random(i: u64) -> Option<([usize; 4], Pool2dSpec)> {
    let key = RandomKey::new(9).child("pool2d").index(i);
    let pick = |j: u64, from: &[usize]| from[key.below(j, from.len())];
    let x = [pick(0, &[1, 2, 3]), pick(1, &[1, 2, 3, 17]), pick(2, &SIZES), pick(3, &SIZES)];
    let spec = Pool2dSpec {
        kernel_size: [pick(4, &[1, 2, 2, 3, 5]), pick(5, &[1, 2, 2, 3, 4])],
        stride: [pick(6, &[1, 2, 2, 3]), pick(7, &[1, 2, 2, 3])],
        padding: [pick(8, &[0, 0, 1, 2]), pick(9, &[0, 0, 1, 2])],
        ceil_mode: pick(10, &[0, 1]) == 1,
        count_include_pad: pick(11, &[0, 1]) == 1,
    };
    spec.output_shape("pool", &x.into()).ok().map(|_| (x, spec))
}

pub fn cases(run: &mut Run) {
    let corners = [
        ([0, 3, 4, 4], Pool2dSpec::square(2)),
        ([2, 3, 8, 8], Pool2dSpec::square(2)),
        ([1, 64, 16, 16], Pool2dSpec::square(2)),
        ([1, 2, 5, 7], Pool2dSpec { ceil_mode: true, ..Pool2dSpec::square(2) }),
        ([1, 2, 9, 9], Pool2dSpec { stride: [2, 2], padding: [1, 1], ..Pool2dSpec::square(3) }),
        ([3, 2, 4, 4], Pool2dSpec::square(4)),
        ([1, 1, 1, 1], Pool2dSpec { padding: [1, 1], ceil_mode: true, ..Pool2dSpec::square(2) }),
        ([9, 33, 24, 20], Pool2dSpec::square(2)),
        ([2, 5, 7, 7], Pool2dSpec { stride: [1, 1], padding: [1, 1], ..Pool2dSpec::square(3) }),
        ([1, 3, 9, 9], Pool2dSpec { stride: [4, 4], ..Pool2dSpec::square(2) }),
    ];
    for dtype in FLOATS {
        for (i, (x, spec)) in corners.into_iter().chain((0..120).filter_map(random)).enumerate() {
            pooling(run, dtype, x, spec, if i % 2 == 0 { Form::Plain } else { Form::nth(i / 2) });
            pooling(run, dtype, x, spec, Form::ChannelsLast);
        }
    }
}

fn pooling(run: &mut Run, dtype: DType, x: [usize; 4], spec: Pool2dSpec, form: Form) {
    let Pool2dSpec { kernel_size, stride, padding, ceil_mode, count_include_pad } = spec;
    let label = format!(
        "{x:?} kernel {kernel_size:?} stride {stride:?} padding {padding:?} ceil {ceil_mode} include {count_include_pad} {form:?}"
    );
    let window = kernel_size[0] * kernel_size[1];
    // The cotangent may have the layout of the input or any other.
    let g_form = if form == Form::ChannelsLast && window % 2 == 0 { form } else { Form::nth(window) };
    let y = spec.output_shape("pool", &x.into()).expect("a configuration that fits");
    run.case("avg_pool2d", dtype, &label, |case| {
        let x = case.biased(x).form(form);
        case.check(Bound::Sum(window), &[x], |d, x| Ok(vec![d.avg_pool2d(&x[0], &spec)?]));
    });
    run.case("avg_pool2d_grad", dtype, &label, |case| {
        let g = case.biased(&y).form(form);
        case.check(Bound::Sum(window), &[g], |d, a| Ok(vec![d.avg_pool2d_grad(&a[0], &spec, &x.into())?]));
    });
    for kind in ["distinct", "ties", "special"] {
        run.case("max_pool2d", dtype, format!("{label} {kind}"), |case| {
            let x = draw(case, x, kind).form(form);
            case.check(Bound::Exact, &[x], |d, x| d.max_pool2d(&x[0], &spec).map(|(y, index)| vec![y, index]));
        });
        run.case("max_pool2d_grad", dtype, format!("{label} {kind}"), |case| {
            let (a, g) = (draw(case, x, kind).form(form), case.biased(&y).form(g_form));
            let expected = maxima(case, &a, &g, &spec);
            case.check_rim(Bound::Sum(window), &[a, g], expected.expect("the reference's own"), |d, a| {
                both(d, &FusedOp::MaxPool2d { x: &a[0], spec }, &a[1], &[true])
            });
        });
    }
}

/// Random inputs: with distinct elements, with ties, or with ties, NaN and infinities.
fn draw(case: &mut Case, x: [usize; 4], kind: &str) -> Value {
    let value = case.uniform(x, -4.0, -1.0);
    if kind == "distinct" {
        return value;
    }
    let mut v: Vec<f64> = value.f64().iter().map(|x| x.floor()).collect();
    if kind == "special" {
        case.special();
        for (i, v) in v.iter_mut().enumerate() {
            match i % 5 {
                0 if i % 3 == 0 => *v = f64::NAN,
                1 => *v = f64::INFINITY,
                2 | 3 => *v = f64::NEG_INFINITY,
                _ => {}
            }
        }
    }
    Value::new(x, &v, case.dtype)
}

/// The expected maxima, and the expected gradient: each element of `g` goes to the position of its window's maximum.
fn maxima(case: &Case, x: &Value, g: &Value, spec: &Pool2dSpec) -> Result<Vec<Expected>> {
    let toy = case.toy();
    let (y, index) = toy.max_pool2d(&x.reference(toy, false)?, spec)?;
    let (values, places) = (toy.download(&y)?.to_f64(), toy.download(&index)?);
    let (plane_in, plane_out) = (x.shape[2] * x.shape[3], y.shape()[2] * y.shape()[3]);
    let mut gradient = vec![0.0; x.shape.count()];
    if let HostData::I64(places) = places {
        for (i, (place, g)) in places.iter().zip(g.f64()).enumerate() {
            gradient[i / plane_out * plane_in + *place as usize] += g;
        }
    }
    Ok(vec![Expected::new(y.shape(), values), Expected::new(&x.shape, gradient)])
}
