//! Comparison of the backward pass's gradients with central differences.

use super::Case;
use crate::tape::{GradOptions, grad, no_grad};
use crate::{DType, Tensor};
use taper_backend::{Device, Distribution, RandomKey, Result, Shape};

/// The scalar function of a case whose gradient is compared.
pub(super) enum ScalarFunction<'a> {
    /// ⟨y(x), c⟩ for a fixed cotangent c.
    Output(&'a Case),
    /// Σ ⟨dL/dxᵢ, dᵢ⟩ for L = ⟨y(x), c⟩ and fixed directions d: a function of the inputs and of the cotangent c.
    Gradient(&'a Case),
}

/// The comparison of two gradients, a and n, of one input.
pub(super) struct Comparison {
    /// The index of the input.
    pub(super) input: usize,
    /// ‖a − n‖ / max(‖a‖, ‖n‖); 0 when both gradients are zero.
    pub(super) error: f64,
    /// max(‖a‖, ‖n‖).
    pub(super) norm: f64,
}

/// Compares the gradient of each input with central differences, or with the declared gradient; for
/// `ScalarFunction::Gradient` that of the cotangent too, as the last.
pub(super) fn compare(function: ScalarFunction<'_>, device: &Device, key: RandomKey) -> Result<Vec<Comparison>> {
    let (case, second) = match function {
        ScalarFunction::Output(case) => (case, false),
        ScalarFunction::Gradient(case) => (case, true),
    };
    let values = case.draw(key.child("inputs"), device)?;
    let shape = no_grad(|| case.call(&values))?.shape().clone();
    let draw = |name: &str, shape: &Shape| {
        let distribution = Distribution::Uniform { low: -1.0, high: 1.0 };
        Tensor::random(distribution, key.child(name), shape, DType::F64, device)
    };
    let cotangent =
        if case.is_smooth() { draw("cotangent", &shape)? } else { Tensor::ones(shape, DType::F64, device)? };
    if !second {
        let leaves: Vec<Tensor> = values.iter().map(Tensor::requires_grad).collect();
        let analytic = gradients(&case.call(&leaves)?, &leaves, &cotangent, GradOptions::default())?;
        if !case.is_smooth() {
            let declared = case.subgradients().iter();
            return declared.map(|(i, gradient)| distance(*i, &analytic, gradient)).collect();
        }
        let loss = |x: &[Tensor]| no_grad(|| dot(&case.call(x)?, &cotangent));
        return differences(&values, &analytic, loss);
    }
    let directions: Vec<Tensor> = values
        .iter()
        .enumerate()
        .map(|(i, value)| draw(&format!("direction {i}"), value.shape()))
        .collect::<Result<_>>()?;
    let options = GradOptions { create_graph: true, retain_graph: true };
    // The last of `all` is the cotangent.
    let contracted = |all: &[Tensor]| -> Result<Tensor> {
        let (inputs, cotangent) = (&all[..all.len() - 1], &all[all.len() - 1]);
        let y = case.call(inputs)?;
        let wanted: Vec<&Tensor> = inputs.iter().collect();
        let mut total = Tensor::zeros(Shape::scalar(), DType::F64, device)?;
        for (gradient, direction) in grad(&y, &wanted, Some(cotangent), options)?.iter().zip(&directions) {
            if let Some(gradient) = gradient {
                total = total.add(&gradient.mul(direction)?.sum_all()?)?;
            }
        }
        Ok(total)
    };
    let mut all = values;
    all.push(cotangent);
    let leaves: Vec<Tensor> = all.iter().map(Tensor::requires_grad).collect();
    let total = contracted(&leaves)?;
    let analytic = gradients(&total, &leaves, &Tensor::ones(Shape::scalar(), DType::F64, device)?, options)?;
    differences(&all, &analytic, |all| {
        let leaves: Vec<Tensor> = all.iter().map(Tensor::requires_grad).collect();
        contracted(&leaves)?.item()
    })
}

/// Compares the gradients of a plain backward pass, which uses kernels and the rules of whole fused chains, with those
/// of a pass with `create_graph`, which uses composed versions step by step. If these differed, gradients of gradients
/// would be those of another function.
pub(super) fn compare_rules(case: &Case, device: &Device, key: RandomKey) -> Result<Vec<Comparison>> {
    let leaves: Vec<Tensor> = case.draw(key.child("inputs"), device)?.iter().map(Tensor::requires_grad).collect();
    let y = case.call(&leaves)?;
    let distribution = Distribution::Uniform { low: -1.0, high: 1.0 };
    let cotangent = Tensor::random(distribution, key.child("cotangent"), y.shape(), DType::F64, device)?;
    let recorded = GradOptions { create_graph: true, retain_graph: true };
    let recorded = gradients(&y, &leaves, &cotangent, recorded)?;
    let plain = gradients(&y, &leaves, &cotangent, GradOptions::default())?;
    plain.iter().enumerate().map(|(input, plain)| distance(input, &recorded, plain)).collect()
}

/// The gradients of the backward pass on the host; zeros where the output does not depend on an input.
fn gradients(y: &Tensor, leaves: &[Tensor], cotangent: &Tensor, options: GradOptions) -> Result<Vec<Vec<f64>>> {
    let wanted: Vec<&Tensor> = leaves.iter().collect();
    let found = grad(y, &wanted, Some(cotangent), options)?;
    let numbers = found.iter().zip(leaves).map(|(gradient, leaf)| match gradient {
        Some(gradient) if gradient.shape() == leaf.shape() => gradient.to_vec::<f64>(),
        Some(gradient) => {
            let detail = format!("a gradient has shape {}, its input {}", gradient.shape(), leaf.shape());
            Err(crate::Error::shape("gradcheck", detail))
        }
        None => Ok(vec![0.0; leaf.count()]),
    });
    numbers.collect()
}

/// Compares `analytic` with central differences of `f` around `values`.
fn differences(
    values: &[Tensor],
    analytic: &[Vec<f64>],
    f: impl Fn(&[Tensor]) -> Result<f64>,
) -> Result<Vec<Comparison>> {
    let mut found = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let host = value.to_vec::<f64>()?;
        let numeric = (0..host.len()).map(|element| {
            // The step grows with √x: for large x rounding needs a larger step, but curvature limits it.
            let step = 1e-5 * host[element].abs().max(1.0).sqrt();
            let at = |shifted: f64| -> Result<f64> {
                let mut moved = host.clone();
                moved[element] = shifted;
                let mut inputs = values.to_vec();
                inputs[i] = Tensor::from_vec(moved, value.shape(), value.device())?;
                f(&inputs)
            };
            let (above, below) = (host[element] + step, host[element] - step);
            // The distance after rounding, not 2 · step.
            Ok((at(above)? - at(below)?) / (above - below))
        });
        found.push(distance(i, analytic, &numeric.collect::<Result<Vec<_>>>()?)?);
    }
    Ok(found)
}

/// Compares the gradient of input `input` in `analytic` with `b`.
fn distance(input: usize, analytic: &[Vec<f64>], b: &[f64]) -> Result<Comparison> {
    let Some(a) = analytic.get(input).filter(|a| a.len() == b.len()) else {
        let detail = format!("input {input} has no gradient of {} elements, as the case declares", b.len());
        return Err(crate::Error::argument("gradcheck", detail));
    };
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let apart = norm(&mut a.iter().zip(b).map(|(a, b)| a - b));
    // Written so that NaN on either side stays NaN.
    let (of_a, of_b) = (norm(&mut a.iter().copied()), norm(&mut b.iter().copied()));
    let norm = if of_a >= of_b { of_a } else { of_b };
    let error = if apart == 0.0 { 0.0 } else { apart / norm };
    Ok(Comparison { input, error, norm })
}

fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    a.mul(b)?.sum_all()?.item()
}
