//! Gradients made smaller before a step, on the device, as PyTorch's `clip_grad_norm_` and `clip_grad_value_` do
//! (Pascanu et al., "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1).

use super::{norm, wide};
use taper_tensor::{Error, Gradients, Param, Result, Tensor, no_grad};

/// All gradients of `params` times min(1, `max_norm` / (‖g‖ + 1e-6)), where ‖g‖ is the norm of all of them together.
/// Returns ‖g‖, a scalar on the device; an infinite `max_norm` only measures.
///
/// Where a gradient holds an infinity or a NaN, what comes out is not finite either, and the step is skipped.
pub fn clip_grad_norm(gradients: &mut Gradients, params: &[Param], max_norm: f64) -> Result<Tensor> {
    const OP: &str = "clip_grad_norm";
    check_bound(OP, "max_norm", max_norm)?;
    let Some(first) = params.first() else {
        return Err(Error::argument(OP, "expected at least one parameter, none came"));
    };
    let (dtype, device) = (wide(first.tensor().dtype()), first.tensor().device().clone());
    no_grad(|| {
        let norms = params.iter().filter_map(|param| gradients.of_param(param)).map(|g| norm(g)?.cast(dtype));
        let norms = norms.collect::<Result<Vec<_>>>()?;
        if norms.is_empty() {
            return Tensor::zeros([], dtype, &device);
        }
        let total = norm(&Tensor::stack(&norms.iter().collect::<Vec<_>>(), 0)?)?;
        let bound = Tensor::full(max_norm, [], dtype, &device)?;
        let factor = bound.div(&total.add_scalar(1e-6)?)?.minimum(&Tensor::ones([], dtype, &device)?)?;
        change(gradients, params, |g| g.mul(&factor.cast(g.dtype())?))?;
        Ok(total)
    })
}

/// Every element of the gradients of `params` brought into [−`max`, `max`]. NaN stays; an infinity becomes the bound,
/// so that it does not skip the step.
pub fn clip_grad_value(gradients: &mut Gradients, params: &[Param], max: f64) -> Result<()> {
    check_bound("clip_grad_value", "max", max)?;
    no_grad(|| {
        change(gradients, params, |g| {
            let bound = |value| Tensor::full(value, [], g.dtype(), g.device());
            g.minimum(&bound(max)?)?.maximum(&bound(-max)?)
        })
    })
}

fn change(gradients: &mut Gradients, params: &[Param], how: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
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
