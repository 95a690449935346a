//! Gradient clipping before a step, on the device, as PyTorch's `clip_grad_norm_` and `clip_grad_value_` do (Pascanu et
//! al., "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1).

use super::quotient::Quotient;
use taper_tensor::{DType, Error, Gradients, Param, Result, Tensor, no_grad};

/// Multiplies all gradients of `params` by min(1, `max_norm` / (‖g‖ + 1e-6)), where ‖g‖ is the L2 norm of all of them
/// together. Returns ‖g‖ before clipping, an f64 scalar on the device. With an infinite `max_norm` it only measures ‖g‖
/// and changes nothing. An error when `params` is empty, or `max_norm` is negative or NaN.
///
/// Gradients near the limits of their dtype's range are clipped correctly. Where a gradient holds an infinity or a NaN,
/// the clipped gradients are not finite either, and the optimiser skips the step.
pub fn clip_grad_norm(gradients: &mut Gradients, params: &[Param], max_norm: f64) -> Result<Tensor> {
    const OP: &str = "clip_grad_norm";
    check_bound(OP, "max_norm", max_norm)?;
    let Some(first) = params.first() else {
        return Err(Error::argument(OP, "expected at least one parameter, none came"));
    };
    let device = first.tensor().device().clone();
    no_grad(|| {
        let norms = params.iter().filter_map(|param| gradients.of_param(param)).map(Tensor::norm_all);
        let norms = norms.collect::<Result<Vec<_>>>()?;
        if norms.is_empty() {
            return Tensor::zeros([], DType::F64, &device);
        }
        let total = Tensor::stack(&norms.iter().collect::<Vec<_>>(), 0)?.norm_all()?;
        if max_norm.is_infinite() {
            return Ok(total);
        }
        let divisor = total.add_scalar(1e-6)?;
        let (clips, one) = (divisor.gt_scalar(max_norm)?, Tensor::ones([], DType::F64, &device)?);
        let factor = Quotient::new(&clips.select(&one.mul_scalar(max_norm)?, &one)?, &clips.select(&divisor, &one)?)?;
        let mut ready: Option<(DType, Quotient)> = None;
        change(gradients, params, |g| match &ready {
            Some((dtype, factor)) if *dtype == g.dtype() => factor.times(g),
            _ => ready.insert((g.dtype(), factor.ready_for(g.dtype())?)).1.times(g),
        })?;
        Ok(total)
    })
}

/// Clamps every element of the gradients of `params` to [−`max`, `max`]. NaN stays NaN; an infinity becomes the bound,
/// so that the step is not skipped because of it. An error when `max` is negative or NaN.
pub fn clip_grad_value(gradients: &mut Gradients, params: &[Param], max: f64) -> Result<()> {
    check_bound("clip_grad_value", "max", max)?;
    no_grad(|| change(gradients, params, |g| g.minimum_scalar(max)?.maximum_scalar(-max)))
}

fn change(gradients: &mut Gradients, params: &[Param], mut how: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<()> {
    for param in params {
        if let Some(gradient) = gradients.of_param(param) {
            let gradient = how(gradient)?;
            gradients.set_param(param, gradient);
        }
    }
    Ok(())
}

fn check_bound(op: &'static str, name: &str, value: f64) -> Result<()> {
    // Written so that NaN is refused.
    if value >= 0.0 {
        return Ok(());
    }
    Err(Error::argument(op, format!("{name} must be at least 0, came as {value}")))
}
