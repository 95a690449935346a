//! Cases of the rim's batch norm block: statistics, then normalisation fused with a residual and an activation.

use super::case::Expected;
use super::definition::{Norm, activation, derivative, jumps};
use super::fused::{both, of_present};
use super::rim_layers::wanted;
use super::rim_norms::PARAMETERS;
use super::rim_pointwise::ACTIVATIONS;
use super::{Bound, DType, FLOATS, Form, Run, Value};
use taper_backend::{Activation, Buffer, Error, FusedOp};

/// Whether there is a residual, a tensor added before the activation.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Residual {
    Absent,
    /// Present, and its gradient is needed.
    Wanted,
    /// Present, but its gradient is not needed.
    Constant,
}

pub fn cases(run: &mut Run) {
    // Sizes for several tasks, and more channels than a kernel may process at a time, with a remainder.
    let shapes: &[&[usize]] = &[&[7, 3], &[2, 3, 5], &[5, 33, 3, 3], &[3, 64, 2, 4], &[8, 17, 16, 16]];
    for dtype in FLOATS {
        for (i, shape) in shapes.iter().enumerate() {
            for (j, f) in ACTIVATIONS.into_iter().enumerate() {
                for (k, residual) in [Residual::Absent, Residual::Wanted, Residual::Constant].into_iter().enumerate() {
                    // ReLU, for which backends may have special code, gets all cases, the others a third.
                    if f == Activation::Relu || (i + j) % 3 == k {
                        block(run, dtype, shape, f, residual, i + j + k);
                    }
                }
            }
        }
        // ReLU with every combination of needed gradients.
        for number in 0..PARAMETERS.len() {
            block(run, dtype, &[4, 35, 3, 2], Activation::Relu, Residual::Absent, number);
            block(run, dtype, &[4, 35, 3, 2], Activation::Relu, Residual::Wanted, number);
        }
    }
}

fn block(run: &mut Run, dtype: DType, shape: &[usize], f: Activation, residual: Residual, number: usize) {
    let (has_weight, has_bias, needs) = PARAMETERS[number % PARAMETERS.len()];
    let (form, eps) = ([Form::Plain, Form::ChannelsLast, Form::nth(number)][number % 3], 1e-5);
    let label = format!(
        "{shape:?} {f:?} residual {residual:?} weight {has_weight} bias {has_bias} needs {needs:?} {form:?} {number}"
    );
    run.case("batch_norm_block", dtype, label, |case| {
        let (channels, plane) = (shape[1], shape[2..].iter().product());
        // Views that repeat elements have no variance along them.
        let form = if form == Form::Broadcast { Form::Sliced } else { form };
        // Redrawn until no element is so close to a jump of the derivative that rounding could cross it.
        for _ in 0..60 {
            let x = case.uniform(shape, -1.0, 3.0).form(form);
            let (weight, bias) = (case.uniform([channels], 0.5, 2.0), case.biased([channels]));
            let r = case.uniform(shape, -1.0, 1.0).form(Form::nth(number + 1));
            let g = case.uniform(shape, -1.0, 1.0).form(Form::nth(number));
            let values = x.f64();
            let parameters = (has_weight.then(|| weight.f64()), has_bias.then(|| bias.f64()));
            let norm = Norm::batch(&values, channels, plane, parameters.0, parameters.1, eps);
            let normed = norm.forward();
            let mut z = normed.y;
            if residual != Residual::Absent {
                z.iter_mut().zip(r.f64()).for_each(|(z, r)| *z += r);
            }
            let near = |z: &f64| jumps(f).iter().any(|jump| (z - jump).abs() < 3e-6);
            if z.iter().any(near) {
                continue;
            }
            let h: Vec<f64> = g.f64().iter().zip(&z).map(|(g, &z)| g * derivative(f, z)).collect();
            let [dx, dw, db] = norm.backward(&h);
            let mut expected = vec![
                Expected::new(shape, z.iter().map(|&z| activation(f, z)).collect()),
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
            if residual == Residual::Wanted {
                expected.push(Expected::new(shape, h));
            }
            let args: [Value; 5] = [x, weight, bias, r, g];
            return case.check_rim(Bound::Sum(values.len() / channels + 16), &args, expected, |d, x| {
                let (weight, bias) = (has_weight.then_some(&x[1]), has_bias.then_some(&x[2]));
                let r = (residual != Residual::Absent).then_some(&x[3]);
                let Some(stats) = d.fused(&FusedOp::BatchNormStats { x: &x[0], eps })? else { return Ok(None) };
                let (residual_needs, stats_saved) = (residual == Residual::Wanted, &stats.saved);
                let op = FusedOp::BatchNormBlock { x: &x[0], weight, bias, residual: r, stats: stats_saved, f };
                let all = [needs[0], needs[1], needs[2], residual_needs];
                let there = [true, has_weight, has_bias, r.is_some()];
                let missing = || Error::argument(op.name(), "declined, where batch_norm_stats is offered");
                let mut found = both(d, &op, &x[4], &of_present(there, all))?.ok_or_else(missing)?;
                let statistics: Vec<Buffer> = std::iter::once(stats.y.clone()).chain(stats.more.clone()).collect();
                found.splice(1..1, statistics);
                Ok(Some(found))
            });
        }
        case.fail("no draw without a slope that hangs on rounding");
    });
}
