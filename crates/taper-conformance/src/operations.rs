//! Cases of every operation of tensors, fused ones by the device's kernels where it has them: outputs and gradients
//! against those of the reference backend, which composes them, for the inputs of the gradient checks. A new operation
//! needs no file here. The bound is wide: it tells a wrong kernel, not a lost digit.

use super::{Run, WIDE, unit_roundoff};
use taper_backend::{DType, Device, Error, RandomKey, Result};
use taper_tensor::gradcheck::{self, operations};
use taper_tensor::{GradOptions, Tensor, grad};

pub fn cases(run: &mut Run) {
    for subject in operations() {
        for of in subject.cases() {
            beside_composed(run, subject.name(), of);
        }
    }
}

/// The case `of` of the operation `name`: what each device gives beside what the reference backend composes.
pub fn beside_composed(run: &mut Run, name: &'static str, of: &gradcheck::Case) {
    for dtype in WIDE {
        run.case(name, dtype, format!("composed of others: {}", of.name()), |case| {
            let (key, toy) = (case.key(), case.toy().clone());
            let due = match results(of, &toy, key, dtype, DType::F64) {
                Ok(due) => due,
                Err(error) => return case.fail(format!("the reference itself fails: {error}")),
            };
            // A case may hold constants of f64, so that there is none of f32.
            if results(of, &toy, key, dtype, dtype).is_ok() {
                case.check_values(|device| compare(&results(of, device, key, dtype, dtype)?, &due, dtype));
            }
        });
    }
}

/// The output of a case computed in `dtype`, of inputs that are rounded to `rounded` first, and the gradients of inputs
/// for a drawn cotangent; zeros where there is none.
fn results(
    case: &gradcheck::Case,
    device: &Device,
    key: RandomKey,
    rounded: DType,
    dtype: DType,
) -> Result<Vec<Vec<f64>>> {
    let read = |x: &Tensor| -> Result<Vec<f64>> { Ok(x.to_host()?.to_f64()) };
    let drawn = case.draw(key, device)?;
    let cast = |x: &Tensor| Ok(x.cast(rounded)?.cast(dtype)?.requires_grad());
    let inputs = drawn.iter().map(cast).collect::<Result<Vec<Tensor>>>()?;
    let y = case.call(&inputs)?;
    let mut results = vec![read(&y)?];
    if y.dtype().is_float() {
        let draw = |i| 0.25 + 0.75 * key.child("cotangent").uniform(i);
        let cotangent = Tensor::from_vec((0..y.count() as u64).map(draw).collect::<Vec<f64>>(), y.shape(), device)?;
        let cotangent = cotangent.cast(rounded)?.cast(y.dtype())?;
        let wanted: Vec<&Tensor> = inputs.iter().collect();
        let found = grad(&y, &wanted, Some(&cotangent), GradOptions::default())?;
        for (gradient, input) in found.iter().zip(&inputs) {
            results.push(gradient.as_ref().map_or(Ok(vec![0.0; input.count()]), read)?);
        }
    }
    Ok(results)
}

/// An error that names the first result which is farther from what is due than a wide bound allows, by its norm, or that
/// has an infinity or a NaN elsewhere.
fn compare(found: &[Vec<f64>], due: &[Vec<f64>], dtype: DType) -> Result<()> {
    for (i, (found, due)) in found.iter().zip(due).enumerate() {
        let what = if i == 0 { "the output".to_owned() } else { format!("the gradient of input {}", i - 1) };
        let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
        let same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
        let pairs = || found.iter().zip(due).filter(|(a, b)| !same(**a, **b));
        let bound = 1e4 * unit_roundoff(dtype) * norm(&mut due.iter().copied().filter(|x| x.is_finite())).max(1.0);
        let error = norm(&mut pairs().map(|(a, b)| a - b));
        let within = found.len() == due.len() && error <= bound;
        if !within {
            let detail = format!("{what} is off by {error:e}, over {bound:e}: expected {due:?}, found {found:?}");
            return Err(Error::argument("composed", detail));
        }
    }
    Ok(())
}
