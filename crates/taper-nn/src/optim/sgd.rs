//! Stochastic gradient descent with momentum, as PyTorch defines it (Sutskever et al., "On the importance of
//! initialization and momentum in deep learning", ICML 2013, in PyTorch's form):
//!
//! g ← g + λp; u ← μu + (1 − τ)g, u = g at first; p ← p − lr · u, or with Nesterov's look-ahead p − lr · (g + μu).

use super::{Optimizer, StepOutcome, all_finite, check_not_negative, set_where};
use taper_tensor::profile::{Phase, phase};
use taper_tensor::{Error, Gradients, Param, Result, SgdSpec, Tensor, no_grad};

/// The parameters of [`Sgd`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdConfig {
    /// The learning rate; at least 0.
    pub lr: f64,
    /// μ, the decay of the velocity; 0 for none.
    pub momentum: f64,
    /// τ, how much of the gradient is held back from the velocity.
    pub dampening: f64,
    /// λ, weight decay; at least 0.
    pub weight_decay: f64,
    /// Nesterov's look-ahead: needs a momentum over 0 and no dampening.
    pub nesterov: bool,
}

impl Default for SgdConfig {
    /// PyTorch's: lr 1e-3, and nothing else.
    fn default() -> Self {
        Self { lr: 1e-3, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false }
    }
}

impl SgdConfig {
    fn check(&self) -> Result<()> {
        const OP: &str = "sgd";
        check_not_negative(OP, "lr", self.lr)?;
        check_not_negative(OP, "momentum", self.momentum)?;
        check_not_negative(OP, "weight_decay", self.weight_decay)?;
        if !self.dampening.is_finite() {
            return Err(Error::argument(OP, format!("dampening must be a number, came as {}", self.dampening)));
        }
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let detail = "nesterov needs a momentum over 0 and a dampening of 0";
            return Err(Error::argument(OP, detail));
        }
        Ok(())
    }
}

/// Stochastic gradient descent.
#[derive(Debug)]
pub struct Sgd {
    config: SgdConfig,
    slots: Vec<Slot>,
}

/// A parameter and its velocity.
#[derive(Debug)]
struct Slot {
    param: Param,
    velocity: Option<Param>,
    /// Whether no step has been made yet; one that the device skipped counts.
    first: bool,
}

impl Sgd {
    /// Optimises `params`. An error when the configuration is out of range.
    pub fn new(params: Vec<Param>, config: SgdConfig) -> Result<Self> {
        config.check()?;
        let slot = |param: Param| -> Result<Slot> {
            let velocity = (config.momentum != 0.0)
                .then(|| -> Result<Param> {
                    let value = param.tensor();
                    let zeros = Tensor::zeros(value.shape(), value.dtype(), value.device())?;
                    Ok(Param::buffer(format!("{}.momentum_buffer", param.name()), &zeros))
                })
                .transpose()?;
            Ok(Slot { param, velocity, first: true })
        };
        Ok(Self { config, slots: params.into_iter().map(slot).collect::<Result<_>>()? })
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, gradients: &Gradients) -> Result<StepOutcome> {
        let _update = phase(Phase::Update);
        let found: Vec<&Tensor> = self.slots.iter().filter_map(|slot| gradients.of_param(&slot.param)).collect();
        let flag = all_finite(&found)?;
        let SgdConfig { lr, momentum, dampening, weight_decay, nesterov } = self.config;
        for slot in &mut self.slots {
            let Some(gradient) = gradients.of_param(&slot.param) else { continue };
            let spec = SgdSpec { lr, momentum, dampening, weight_decay, nesterov, first: slot.first };
            slot.step(gradient, flag.as_ref(), &spec)?;
            slot.first = false;
        }
        Ok(StepOutcome { flag })
    }

    fn lr(&self) -> f64 {
        self.config.lr
    }

    fn set_lr(&mut self, lr: f64) -> Result<()> {
        check_not_negative("sgd", "lr", lr)?;
        self.config.lr = lr;
        Ok(())
    }

    fn state(&self) -> Vec<Param> {
        self.slots.iter().filter_map(|slot| slot.velocity.clone()).collect()
    }
}

impl Slot {
    /// One step: in one kernel where the backend has it.
    fn step(&self, gradient: &Tensor, apply: Option<&Tensor>, spec: &SgdSpec) -> Result<()> {
        let (device, g) = (gradient.device(), gradient.buffer()?);
        let flag = apply.map(Tensor::buffer).transpose()?;
        let fused = self.param.update(|p| match &self.velocity {
            Some(velocity) => velocity.update(|velocity| device.sgd_step(p, Some(velocity), g, flag, spec)),
            None => device.sgd_step(p, None, g, flag, spec),
        })?;
        match fused {
            Some(()) => Ok(()),
            None => no_grad(|| self.composed(gradient, apply, spec)),
        }
    }

    /// The same in tensor operations.
    fn composed(&self, gradient: &Tensor, apply: Option<&Tensor>, spec: &SgdSpec) -> Result<()> {
        let SgdSpec { lr, momentum, dampening, weight_decay, nesterov, first } = *spec;
        let (p, mut g) = (self.param.tensor(), gradient.clone());
        if weight_decay != 0.0 {
            g = g.add(&p.mul_scalar(weight_decay)?)?;
        }
        if let Some(velocity) = &self.velocity {
            let u = if first {
                g.clone()
            } else {
                velocity.tensor().mul_scalar(momentum)?.add(&g.mul_scalar(1.0 - dampening)?)?
            };
            set_where(apply, velocity, &u)?;
            g = if nesterov { g.add(&u.mul_scalar(momentum)?)? } else { u };
        }
        set_where(apply, &self.param, &p.sub(&g.mul_scalar(lr)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_tensor::{Device, Distribution, RandomKey};

    /// As with Adam: the kernel is held to PyTorch in `tests/optimisers.rs`, the composed version to the kernel here.
    #[test]
    fn composed_and_kernel_agree() -> Result<()> {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
        let draw = |name: &str, step: u64| {
            let key = RandomKey::new(1).child(name).index(step);
            Tensor::random(Distribution::Normal { mean: 0.0, std: 1.0 }, key, [50], crate::DType::F64, &device)
        };
        let [no, yes] = [0u8, 1].map(|flag| Tensor::from_vec(vec![flag], [], &device));
        let (no, yes) = (no?, yes?);
        let plain = SgdConfig { lr: 0.1, weight_decay: 0.05, ..SgdConfig::default() };
        let heavy = SgdConfig { momentum: 0.9, dampening: 0.2, ..plain };
        for config in [plain, heavy, SgdConfig { dampening: 0.0, nesterov: true, ..heavy }] {
            let start = draw("p", 0)?;
            let make = || Sgd::new(vec![Param::new("p", &start)], config);
            let (kernel, composed) = (make()?, make()?);
            let SgdConfig { lr, momentum, dampening, weight_decay, nesterov } = config;
            for step in 1..=5 {
                let first = step == 1;
                let (g, spec) = (draw("g", step)?, SgdSpec { lr, momentum, dampening, weight_decay, nesterov, first });
                kernel.slots[0].step(&g, Some(&yes), &spec)?;
                composed.slots[0].composed(&g, (step > 2).then_some(&yes), &spec)?;
                // Whatever the gradient is, neither changes anything where the flag says so.
                let bad = g.mul_scalar(f64::NAN)?;
                kernel.slots[0].step(&bad, Some(&no), &spec)?;
                composed.slots[0].composed(&bad, Some(&no), &spec)?;
            }
            let value = |sgd: &Sgd| sgd.slots[0].param.tensor().to_vec::<f64>();
            let (a, b) = (value(&kernel)?, value(&composed)?);
            assert_ne!(a, start.to_vec::<f64>()?);
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-14 * b.abs().max(1.0)), "{a:?} {b:?}");
        }
        Ok(())
    }
}
