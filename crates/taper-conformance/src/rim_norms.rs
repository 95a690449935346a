//! Cases of the rim's cross entropy, layer norm and batch norm.

use super::case::Expected;
use super::definition::{Norm, cross_entropy};
use super::fused::{both, of_present, outputs};
use super::rim_layers::wanted;
use super::{Bound, DType, FLOATS, Form, Run, Value, WIDE};
use taper_backend::{CrossEntropySpec, FusedOp, HostData, Shape};

pub fn cases(run: &mut Run) {
    for dtype in FLOATS {
        cross_entropies(run, dtype);
        masked_cross_entropies(run, dtype);
        layer_norms(run, dtype);
        batch_norms(run, dtype);
    }
    for dtype in WIDE {
        for wrong in [4, -1, i64::MAX, i64::MIN] {
            run.case("cross_entropy", dtype, format!("class {wrong} out of range"), |case| {
                let logits = case.biased([3, 4]);
                let target = Value::integers([3], vec![0, wrong, 3]);
                let spec = CrossEntropySpec { label_smoothing: 0.0, ignore_index: -100 };
                case.check_error(&[logits, target], |d, x| {
                    outputs(d, &FusedOp::CrossEntropy { logits: &x[0], target: &x[1], spec })
                });
            });
        }
    }
}

fn cross_entropies(run: &mut Run, dtype: DType) {
    for (i, (rows, classes)) in [(1, 2), (3, 5), (64, 10), (7, 33), (5, 1), (600, 130)].into_iter().enumerate() {
        for (label_smoothing, ignore_index) in [(0.0, -100), (0.1, -100), (0.0, 1), (0.3, 0), (1.0, -100)] {
            for form in [Form::Plain, Form::nth(i + 1)] {
                let spec = CrossEntropySpec { label_smoothing, ignore_index };
                let label = format!("[{rows}, {classes}] smoothing {label_smoothing} ignoring {ignore_index} {form:?}");
                run.case("cross_entropy", dtype, label, |case| {
                    let logits = case.uniform([rows, classes], -5.0, 5.0).form(form);
                    let drawn = case.integers([rows], 0, classes as i64).form(form);
                    let HostData::I64(mut target) = drawn.data.clone() else { return };
                    // Some rows are ignored, but never all (a mean over nothing).
                    if rows > 2 {
                        target[1] = ignore_index;
                    }
                    if target.iter().all(|&t| t == ignore_index) {
                        target[0] = if ignore_index == 0 { classes as i64 - 1 } else { 0 };
                    }
                    if target.iter().all(|&t| t == ignore_index) {
                        return; // one class, which is the ignored one
                    }
                    let g = Value::new(Shape::scalar(), &[1.5], dtype);
                    let (loss, gradient) = cross_entropy(&logits.f64(), classes, &target, &spec);
                    let gradient = gradient.iter().map(|d| 1.5 * d).collect();
                    // The terms log p and p − target may cancel; their sizes are of order 1 and 1 / rows.
                    let expected = vec![
                        Expected::new(Shape::scalar(), vec![loss]).against([1.0]),
                        Expected::new([rows, classes], gradient).against([1.0 / (rows as f64).sqrt()]),
                    ];
                    // The changed targets are uploaded plainly: a broadcast view would have to be constant.
                    let target = Value::integers([rows], target);
                    case.check_rim(Bound::Sum(classes + rows + 16), &[logits, target, g], expected, |d, x| {
                        let op = FusedOp::CrossEntropy { logits: &x[0], target: &x[1], spec };
                        both(d, &op, &x[2], &[true, false])
                    });
                });
            }
        }
    }
}

/// Cases with masked logits (−∞) of classes other than the target, and with NaN in ignored rows. In the last case all
/// rows are ignored: the loss is NaN, and only the gradient, 0, is compared.
fn masked_cross_entropies(run: &mut Run, dtype: DType) {
    for (rows, classes, none) in [(4, 5, false), (300, 17, false), (5, 3, true)] {
        let spec = CrossEntropySpec { label_smoothing: 0.0, ignore_index: -100 };
        run.case("cross_entropy", dtype, format!("[{rows}, {classes}] masked, none counts: {none}"), |case| {
            let mut logits = case.uniform([rows, classes], -5.0, 5.0).f64();
            let HostData::I64(mut target) = case.integers([rows], 0, classes as i64).data.clone() else { return };
            for row in 0..rows {
                logits[row * classes + (target[row] as usize + 1 + row % (classes - 1)) % classes] = f64::NEG_INFINITY;
                if none || row % 4 == 1 {
                    target[row] = -100;
                    logits[row * classes + row % classes] = f64::NAN;
                }
            }
            let (loss, gradient) = cross_entropy(&logits, classes, &target, &spec);
            let gradient = Expected::new([rows, classes], gradient).against([1.0 / (rows as f64).sqrt()]);
            let loss = Expected::new(Shape::scalar(), vec![loss]).against([1.0]);
            let expected = if none { vec![gradient] } else { vec![loss, gradient] };
            let (logits, target) = (Value::new([rows, classes], &logits, dtype), Value::integers([rows], target));
            let g = Value::new(Shape::scalar(), &[1.0], dtype);
            case.check_rim(Bound::Sum(classes + rows + 16), &[logits, target, g], expected, |d, x| {
                let op = FusedOp::CrossEntropy { logits: &x[0], target: &x[1], spec };
                let found = both(d, &op, &x[2], &[true, false])?;
                Ok(found.map(|found| if none { found[1..].to_vec() } else { found }))
            });
        });
    }
}

/// Combinations of whether there are a weight and a bias, and which gradients (x, weight, bias) are needed.
pub const PARAMETERS: [(bool, bool, [bool; 3]); 6] = [
    (true, true, [true, true, true]),
    (true, true, [false, true, true]),
    (true, true, [true, false, false]),
    (true, false, [true, true, false]),
    (false, true, [true, false, true]),
    (false, false, [true, false, false]),
];

fn layer_norms(run: &mut Run, dtype: DType) {
    let shapes: &[(&[usize], usize)] = &[
        (&[3, 5], 1),
        (&[7], 1),
        (&[2, 3, 4], 2),
        (&[4, 33], 1),
        (&[2, 3, 17], 1),
        (&[0, 5], 1),
        (&[3, 4, 5], 3),
        (&[65, 300], 1),
    ];
    for (i, &(shape, dims)) in shapes.iter().enumerate() {
        for (j, (has_weight, has_bias, needs)) in PARAMETERS.into_iter().enumerate() {
            let (form, eps) = (if j == 0 { Form::Plain } else { Form::nth(i + j) }, 1e-5);
            let label = format!("{shape:?} over {dims} weight {has_weight} bias {has_bias} needs {needs:?} {form:?}");
            run.case("layer_norm", dtype, label, |case| {
                let inner = &shape[shape.len() - dims..];
                let width: usize = inner.iter().product();
                let x = case.uniform(shape, -1.0, 3.0);
                let x = if form == Form::Broadcast { x } else { x.form(form) };
                let (weight, bias) = (case.uniform(inner, 0.5, 2.0), case.biased(inner));
                let g = case.uniform(shape, -1.0, 1.0).form(Form::nth(i));
                let values = x.f64();
                let norm =
                    Norm::layer(&values, width, has_weight.then(|| weight.f64()), has_bias.then(|| bias.f64()), eps);
                let [dx, dw, db] = norm.backward(&g.f64());
                let mut expected = vec![Expected::new(shape, norm.forward().y)];
                let terms = |n: usize| vec![1.0; n];
                expected.extend(wanted(
                    needs,
                    [
                        Expected::new(shape, dx).against(terms(values.len())),
                        Expected::new(inner, dw).against(terms(width)),
                        Expected::new(inner, db).against(terms(width)),
                    ],
                ));
                let rows = values.len() / width.max(1);
                case.check_rim(Bound::Sum(width + rows + 16), &[x, weight, bias, g], expected, |d, x| {
                    let (weight, bias) = (has_weight.then_some(&x[1]), has_bias.then_some(&x[2]));
                    let op = FusedOp::LayerNorm { x: &x[0], weight, bias, dims, eps };
                    both(d, &op, &x[3], &of_present([true, has_weight, has_bias], needs))
                });
            });
        }
    }
}

fn batch_norms(run: &mut Run, dtype: DType) {
    let shapes: &[&[usize]] =
        &[&[7, 3], &[2, 3, 5], &[3, 5, 2, 4], &[2, 1, 3, 3], &[5, 33, 3, 3], &[1, 2, 17, 3], &[8, 17, 16, 16]];
    for (i, &shape) in shapes.iter().enumerate() {
        for (j, (has_weight, has_bias, needs)) in PARAMETERS.into_iter().enumerate() {
            let form =
                [Form::Plain, Form::ChannelsLast, Form::nth(i), Form::ChannelsLast, Form::nth(i + 1), Form::nth(j)][j];
            let eps = 1e-5;
            let label = format!("{shape:?} weight {has_weight} bias {has_bias} needs {needs:?} {form:?}");
            run.case("batch_norm", dtype, label, |case| {
                let (channels, plane) = (shape[1], shape[2..].iter().product());
                let x = case.uniform(shape, -1.0, 3.0);
                let x = if form == Form::Broadcast { x } else { x.form(form) };
                let (weight, bias) = (case.uniform([channels], 0.5, 2.0), case.biased([channels]));
                let g = case.uniform(shape, -1.0, 1.0).form(if j == 1 { form } else { Form::nth(i) });
                let values = x.f64();
                let parameters = (has_weight.then(|| weight.f64()), has_bias.then(|| bias.f64()));
                let norm = Norm::batch(&values, channels, plane, parameters.0, parameters.1, eps);
                let [dx, dw, db] = norm.backward(&g.f64());
                let normed = norm.forward();
                let mut expected = vec![
                    Expected::new(shape, normed.y),
                    Expected::new([channels], normed.mean),
                    Expected::new([channels], normed.variance),
                ];
                let terms = |n: usize| vec![1.0; n];
                expected.extend(wanted(
                    needs,
                    [
                        Expected::new(shape, dx).against(terms(values.len())),
                        Expected::new([channels], dw).against(terms(channels)),
                        Expected::new([channels], db).against(terms(channels)),
                    ],
                ));
                case.check_rim(Bound::Sum(values.len() / channels + 16), &[x, weight, bias, g], expected, |d, x| {
                    let (weight, bias) = (has_weight.then_some(&x[1]), has_bias.then_some(&x[2]));
                    let op = FusedOp::BatchNorm { x: &x[0], weight, bias, eps };
                    both(d, &op, &x[3], &of_present([true, has_weight, has_bias], needs))
                });
            });
        }
    }
}
