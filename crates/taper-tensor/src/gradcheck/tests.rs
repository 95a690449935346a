//! Tests of the gradient check: operations whose backward rules are broken in ways that only this crate's private
//! functions allow.

use super::{Case, check, check_second};
use crate::tape::Rule;
use crate::{Device, Error, RandomKey, Result, Tensor};

fn device() -> Result<Device> {
    Ok(Device::new(taper_cpu::CpuBackend::with_threads(1)?))
}

/// x², with the backward rule `rule`.
fn square(x: &Tensor, rule: impl FnOnce(Tensor) -> Rule) -> Result<Tensor> {
    let y = x.device().binary(taper_backend::BinaryOp::Mul, x.buffer()?, x.buffer()?)?;
    Ok(Tensor::record("square", y, &[x], || rule(x.clone())))
}

fn case(rule: fn(Tensor) -> Rule) -> Case {
    Case::new("square", move |x| square(&x[0], rule)).input([4])
}

#[test]
fn a_right_rule_passes() -> Result<()> {
    let right = case(|x| Rule::tensors(move |g, _| Ok(vec![Some(g.mul(&x)?.mul_scalar(2.0)?)])));
    assert!(check(&right, &device()?, RandomKey::new(1))? < 1e-9);
    assert!(check_second(&right, &device()?, RandomKey::new(1))? < 1e-9);
    Ok(())
}

#[test]
fn a_factor_off_by_a_thousandth_is_caught() -> Result<()> {
    let broken = case(|x| Rule::tensors(move |g, _| Ok(vec![Some(g.mul(&x)?.mul_scalar(2.002)?)])));
    let error = check(&broken, &device()?, RandomKey::new(1))?;
    assert!((error - 0.001).abs() < 1e-5, "{error}");
    Ok(())
}

#[test]
fn a_rule_that_cuts_second_gradients_silently_is_caught() -> Result<()> {
    let broken = case(|x| Rule::tensors(move |g, _| Ok(vec![Some(g.mul(&x.detach())?.mul_scalar(2.0)?)])));
    assert!(check(&broken, &device()?, RandomKey::new(1))? < 1e-9, "the first gradient is right");
    assert_eq!(check_second(&broken, &device()?, RandomKey::new(1))?, 1.0);
    Ok(())
}

#[test]
fn a_composed_version_that_differs_is_caught() -> Result<()> {
    // The kernel is right; gradients of gradients go through x³ instead.
    let broken = case(|x| {
        let inputs = [x.clone()];
        let kernel = move |g: &Tensor, _: &[bool]| Ok(Some(vec![Some(g.mul(&x)?.mul_scalar(2.0)?)]));
        Rule::kernel(kernel, &[&inputs[0]], |x| x[0].mul(&x[0])?.mul(&x[0]))
    });
    assert!(check(&broken, &device()?, RandomKey::new(1))? < 1e-9, "the kernel is right");
    assert!(check_second(&broken, &device()?, RandomKey::new(1))? > 0.1);
    Ok(())
}

#[test]
fn a_refusal_is_an_error_of_the_tape() -> Result<()> {
    let refuses = case(|_| Rule::tensors(|_, _| Err(Error::Tape("square: no second gradient".into()))));
    assert!(matches!(check_second(&refuses, &device()?, RandomKey::new(1)), Err(Error::Tape(_))));
    Ok(())
}
