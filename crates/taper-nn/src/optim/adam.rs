//! Adam (Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1) and AdamW (Loshchilov and
//! Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2), as PyTorch computes them:
//!
//! m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
//!
//! Weight decay λ joins the gradient, g ← g + λp, in Adam; in AdamW it shrinks the weights first, p ← p − lr · λ · p.

use super::{Optimizer, StepOutcome, all_finite, check_not_negative, set_where};
use taper_tensor::profile::{Phase, phase};
use taper_tensor::{AdamSpec, Error, Gradients, Param, Result, Tensor, no_grad};

/// The parameters of [`Adam`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// The learning rate; at least 0.
    pub lr: f64,
    /// Decays of the first and the second moment, each in [0, 1).
    pub betas: [f64; 2],
    /// Added to the root of the second moment; at least 0.
    pub eps: f64,
    /// λ; at least 0.
    pub weight_decay: f64,
    /// Whether weight decay is AdamW's.
    pub decoupled: bool,
}

impl Default for AdamConfig {
    /// PyTorch's: lr 1e-3, betas 0.9 and 0.999, eps 1e-8, no weight decay.
    fn default() -> Self {
        Self { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, decoupled: false }
    }
}

impl AdamConfig {
    /// AdamW with PyTorch's defaults: those of Adam, and a decoupled weight decay of 0.01.
    pub fn adamw() -> Self {
        Self { weight_decay: 1e-2, decoupled: true, ..Self::default() }
    }

    fn check(&self) -> Result<()> {
        const OP: &str = "adam";
        check_not_negative(OP, "lr", self.lr)?;
        check_not_negative(OP, "eps", self.eps)?;
        check_not_negative(OP, "weight_decay", self.weight_decay)?;
        match self.betas.iter().find(|beta| !(0.0..1.0).contains(*beta)) {
            Some(beta) => {
                Err(Error::argument(OP, format!("betas must be at least 0 and less than 1, one came as {beta}")))
            }
            None => Ok(()),
        }
    }
}

/// The optimiser Adam, or AdamW with [`AdamConfig::adamw`].
#[derive(Debug)]
pub struct Adam {
    config: AdamConfig,
    slots: Vec<Slot>,
}

/// A parameter and what is remembered of its gradients.
#[derive(Debug)]
struct Slot {
    param: Param,
    m: Param,
    v: Param,
    /// Steps made: of this parameter, since one without a gradient makes none. One that the device skipped counts.
    steps: u64,
}

impl Adam {
    /// Optimises `params`. An error when the configuration is out of range.
    pub fn new(params: Vec<Param>, config: AdamConfig) -> Result<Self> {
        config.check()?;
        let slot = |param: Param| -> Result<Slot> {
            let value = param.tensor();
            let zeros = || Tensor::zeros(value.shape(), value.dtype(), value.device());
            let m = Param::buffer(format!("{}.exp_avg", param.name()), &zeros()?);
            let v = Param::buffer(format!("{}.exp_avg_sq", param.name()), &zeros()?);
            Ok(Slot { param, m, v, steps: 0 })
        };
        Ok(Self { config, slots: params.into_iter().map(slot).collect::<Result<_>>()? })
    }
}

impl Optimizer for Adam {
    fn step(&mut self, gradients: &Gradients) -> Result<StepOutcome> {
        let _update = phase(Phase::Update);
        let found: Vec<&Tensor> = self.slots.iter().filter_map(|slot| gradients.of_param(&slot.param)).collect();
        let flag = all_finite(&found)?;
        let AdamConfig { lr, betas: [beta1, beta2], eps, weight_decay, decoupled } = self.config;
        for slot in &mut self.slots {
            let Some(gradient) = gradients.of_param(&slot.param) else { continue };
            let step = slot.steps + 1;
            let spec = AdamSpec { lr, beta1, beta2, eps, weight_decay, decoupled, step };
            slot.step(gradient, flag.as_ref(), &spec)?;
            slot.steps = step;
        }
        Ok(StepOutcome { flag })
    }

    fn lr(&self) -> f64 {
        self.config.lr
    }

    fn set_lr(&mut self, lr: f64) -> Result<()> {
        check_not_negative("adam", "lr", lr)?;
        self.config.lr = lr;
        Ok(())
    }

    fn state(&self) -> Vec<Param> {
        self.slots.iter().flat_map(|slot| [slot.m.clone(), slot.v.clone()]).collect()
    }
}

impl Slot {
    /// One step: in one kernel where the backend has it.
    fn step(&self, gradient: &Tensor, apply: Option<&Tensor>, spec: &AdamSpec) -> Result<()> {
        let (device, g) = (gradient.device(), gradient.buffer()?);
        let flag = apply.map(Tensor::buffer).transpose()?;
        let fused =
            self.param.update(|p| self.m.update(|m| self.v.update(|v| device.adam_step(p, m, v, g, flag, spec))))?;
        match fused {
            Some(()) => Ok(()),
            None => no_grad(|| self.composed(gradient, apply, spec)),
        }
    }

    /// The same in tensor operations.
    fn composed(&self, gradient: &Tensor, apply: Option<&Tensor>, spec: &AdamSpec) -> Result<()> {
        let AdamSpec { lr, beta1, beta2, eps, weight_decay, decoupled, step } = *spec;
        let (mut p, mut g) = (self.param.tensor(), gradient.clone());
        if decoupled {
            p = p.mul_scalar(1.0 - lr * weight_decay)?;
        } else if weight_decay != 0.0 {
            g = g.add(&p.mul_scalar(weight_decay)?)?;
        }
        let m = self.m.tensor();
        let m = m.add(&g.sub(&m)?.mul_scalar(1.0 - beta1)?)?;
        let v = self.v.tensor().mul_scalar(beta2)?.add(&g.mul(&g)?.mul_scalar(1.0 - beta2)?)?;
        let (correction1, correction2) = (1.0 - beta1.powf(step as f64), 1.0 - beta2.powf(step as f64));
        let denominator = v.sqrt()?.mul_scalar(1.0 / correction2.sqrt())?.add_scalar(eps)?;
        let p = p.sub(&m.div(&denominator)?.mul_scalar(lr / correction1)?)?;
        set_where(apply, &self.param, &p)?;
        set_where(apply, &self.m, &m)?;
        set_where(apply, &self.v, &v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_tensor::{Device, Distribution, RandomKey};

    /// A backend with a kernel never reaches the composed version: it is held to the kernel here, and the kernel to
    /// PyTorch in `tests/optimisers.rs`.
    #[test]
    fn composed_and_kernel_agree() -> Result<()> {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
        let draw = |name: &str, step: u64| {
            let key = RandomKey::new(1).child(name).index(step);
            Tensor::random(Distribution::Normal { mean: 0.0, std: 1.0 }, key, [50], crate::DType::F64, &device)
        };
        let [no, yes] = [0u8, 1].map(|flag| Tensor::from_vec(vec![flag], [], &device));
        let (no, yes) = (no?, yes?);
        let adam = AdamConfig { eps: 1e-3, weight_decay: 0.1, ..AdamConfig::default() };
        for config in [AdamConfig::default(), adam, AdamConfig { decoupled: true, ..adam }] {
            let start = draw("p", 0)?;
            let make = || Adam::new(vec![Param::new("p", &start)], config);
            let (kernel, composed) = (make()?, make()?);
            let AdamConfig { lr, betas: [beta1, beta2], eps, weight_decay, decoupled } = config;
            for step in 1..=5 {
                let (g, spec) = (draw("g", step)?, AdamSpec { lr, beta1, beta2, eps, weight_decay, decoupled, step });
                kernel.slots[0].step(&g, Some(&yes), &spec)?;
                composed.slots[0].composed(&g, (step > 2).then_some(&yes), &spec)?;
                // Whatever the gradient is, neither changes anything where the flag says so.
                let bad = g.mul_scalar(f64::NAN)?;
                kernel.slots[0].step(&bad, Some(&no), &spec)?;
                composed.slots[0].composed(&bad, Some(&no), &spec)?;
            }
            let all = |adam: &Adam| -> Result<Vec<f64>> {
                let slot = &adam.slots[0];
                let values = [&slot.param, &slot.m, &slot.v].map(|param| param.tensor().to_vec::<f64>());
                Ok(values.into_iter().collect::<Result<Vec<_>>>()?.concat())
            };
            let (a, b) = (all(&kernel)?, all(&composed)?);
            assert_ne!(a[..50], start.to_vec::<f64>()?[..]);
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-14 * b.abs().max(1.0)), "{a:?} {b:?}");
        }
        Ok(())
    }
}
