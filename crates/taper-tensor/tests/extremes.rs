//! Values near the ends of f32 in rules that could square them on the way: each right where the result is a number.

mod common;

use common::device;
use taper_tensor::{GradOptions, Result, Tensor, grad};

fn of(values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_vec(values.to_vec(), shape, &device()).expect("values")
}

/// The first and second derivatives of `f` at `x`, times `scale`.
fn derivatives(x: f32, scale: f32, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<[f64; 2]> {
    let x = Tensor::from_vec(vec![x], [1], &device())?.requires_grad();
    let scale = Tensor::from_vec(vec![scale], [1], x.device())?;
    let first = grad(&f(&x)?, &[&x], Some(&scale), GradOptions { create_graph: true, retain_graph: true })?;
    let first = first[0].clone().expect("a gradient");
    let second = grad(&first, &[&x], None, GradOptions::default())?;
    Ok([first.item()?, second[0].as_ref().map_or(Ok(0.0), Tensor::item)?])
}

#[track_caller]
fn near(found: f64, due: f64, what: &str) {
    assert!((found / due - 1.0).abs() < 1e-5, "{what}: {found:e} instead of {due:e}");
}

#[test]
fn quotients() -> Result<()> {
    for (a, b) in [(1e20f32, 1e20f32), (1e-20, 1e-20), (1e30, 1e25), (1e-30, 1e-25), (1e38, 1e30), (3.0, 2.0)] {
        let numerator = |b: &Tensor| Tensor::from_vec(vec![a], [1], b.device());
        let [first, _] = derivatives(b, 1.0, |b| numerator(b)?.div(b))?;
        near(first, -f64::from(a) / f64::from(b).powi(2), &format!("d({a:e}/{b:e})/db"));
    }
    for (a, b) in [(1e20f32, 1e18f32), (1e-20, 1e-18), (3.0, 2.0)] {
        let [_, second] = derivatives(b, 1.0, |b| Tensor::from_vec(vec![a], [1], b.device())?.div(b))?;
        near(second, 2.0 * f64::from(a) / f64::from(b).powi(3), &format!("d²({a:e}/{b:e})/db²"));
    }
    Ok(())
}

#[test]
fn inverses_powers_roots_and_logarithms() -> Result<()> {
    type Function = fn(&Tensor) -> Result<Tensor>;
    let inverses: [(&str, Function); 2] = [("recip", Tensor::recip), ("pow_scalar", |x| x.pow_scalar(-1.0))];
    for (name, f) in inverses {
        let [first, _] = derivatives(1e18, 1.0, f)?;
        near(first, -1e-36, name);
        let [first, second] = derivatives(1e-10, 1.0, f)?;
        near(first, -1e20, name);
        near(second, 2e30, name);
    }
    // The derivative alone would be infinite, with what follows it is not.
    near(derivatives(1e-25, 1e-30, Tensor::recip)?[0], -1e20, "recip, scaled");
    for x in [1e38f32, 1e-38] {
        let wide = f64::from(x);
        near(derivatives(x, 1.0, Tensor::sqrt)?[0], 0.5 / wide.sqrt(), "sqrt");
        near(derivatives(x, 1.0, Tensor::log)?[0], 1.0 / wide, "log");
    }
    near(derivatives(1e18, 1.0, Tensor::log)?[1], -1e-36, "log twice");
    near(derivatives(1e-18, 1.0, Tensor::sqrt)?[1], -0.25e27, "sqrt twice");
    near(derivatives(1e18, 1.0, Tensor::sqrt)?[1], -0.25e-27, "sqrt twice");
    near(derivatives(1e19, 1.0, |x| x.pow_scalar(2.0))?[0], 2e19, "square");
    near(derivatives(1e12, 1.0, |x| x.pow_scalar(3.0))?[1], 6e12, "cube twice");
    Ok(())
}

/// The norms do not depend on how large their input is; f32 holds neither its squares nor those of its deviations.
#[test]
fn norms_of_large_inputs() -> Result<()> {
    let pattern: Vec<f32> = (0..48).map(|i| ((i * i * 7) % 11) as f32 - 4.0).collect();
    let run = |scale: f32, layers: bool| -> Result<[Vec<f32>; 2]> {
        let x = of(&pattern.iter().map(|x| x * scale).collect::<Vec<_>>(), &[4, 3, 2, 2]).requires_grad();
        let weights: Vec<f32> = (0..48).map(|i| (i as f32).sin()).collect();
        let y = if layers { x.layer_norm(3, None, None, 0.0)? } else { x.batch_norm(None, None, 0.0)?.0 };
        let loss = y.mul(&Tensor::from_vec(weights, [4, 3, 2, 2], x.device())?)?.sum_all()?;
        let gradient = loss.backward()?.of(&x).expect("a gradient").mul_scalar(f64::from(scale))?;
        Ok([y.to_vec()?, gradient.to_vec()?])
    };
    for layers in [true, false] {
        let due = run(1.0, layers)?;
        for scale in [1e10, 1e25, 1e36] {
            for (found, due) in run(scale, layers)?.iter().zip(&due) {
                let far = found.iter().zip(due).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(found.iter().all(|x| x.is_finite()) && far < 1e-4, "{scale:e}: {found:?} {due:?}");
            }
        }
    }
    Ok(())
}
