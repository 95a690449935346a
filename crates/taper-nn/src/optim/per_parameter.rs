//! An optimiser that treats each parameter for itself: the walk over them that all rules share.

use super::{Moment, Optimizer, OptimizerState, Rule, check_distinct, check_gradients, check_not_negative, set_where};
use taper_tensor::profile::{Phase, phase};
use taper_tensor::{Gradients, Param, Result, Tensor, no_grad};

/// The optimiser that changes each parameter by the rule `R`.
#[derive(Debug)]
pub struct PerParameter<R> {
    rule: R,
    /// A schedule's, on the base rate.
    lr_factor: f64,
    slots: Vec<Slot>,
}

/// A parameter and what is remembered of its gradients.
#[derive(Debug)]
struct Slot {
    param: Param,
    memory: Vec<Param>,
    /// Steps made. One that the device skipped counts.
    steps: u64,
}

impl<R: Rule> PerParameter<R> {
    /// Optimises `params`. An error when the configuration is out of range, or the rule cannot change one of them.
    pub fn new(params: Vec<Param>, config: R) -> Result<Self> {
        check_not_negative(R::NAME, "lr", config.lr())?;
        config.decay().check(R::NAME)?;
        config.check()?;
        check_distinct(R::NAME, &params)?;
        let slot = |param: Param| -> Result<Slot> {
            config.check_param(&param)?;
            let value = param.tensor();
            let remembered = |(name, start): (&str, f64)| -> Result<Param> {
                let start = Tensor::full(start, value.shape(), value.dtype(), value.device())?;
                Ok(Param::buffer(format!("{}.{name}", param.name()), &start))
            };
            let memory = config.memory().into_iter().map(remembered).collect::<Result<_>>()?;
            Ok(Slot { param, memory, steps: 0 })
        };
        let slots = params.into_iter().map(slot).collect::<Result<_>>()?;
        Ok(Self { rule: config, lr_factor: 1.0, slots })
    }
}

impl<R: Rule> Optimizer for PerParameter<R> {
    fn step_where(&mut self, gradients: &Gradients, apply: Option<&Tensor>) -> Result<()> {
        let _update = phase(Phase::Update);
        check_gradients(R::NAME, self.slots.iter().map(|slot| &slot.param), gradients)?;
        let lr = self.rule.lr() * self.lr_factor;
        for slot in self.slots.iter_mut().filter(|slot| slot.param.trainable()) {
            let Some(gradient) = gradients.of_param(&slot.param) else { continue };
            let now = Moment { lr, step: slot.steps + 1 };
            no_grad(|| slot.step(&self.rule, now, gradient, apply))?;
            slot.steps = now.step;
        }
        Ok(())
    }

    fn params(&self) -> Vec<Param> {
        self.slots.iter().map(|slot| slot.param.clone()).collect()
    }

    fn lr(&self) -> f64 {
        self.rule.lr()
    }

    fn set_lr(&mut self, lr: f64) -> Result<()> {
        check_not_negative(R::NAME, "lr", lr)?;
        self.rule.set_lr(lr);
        Ok(())
    }

    fn set_lr_factor(&mut self, factor: f64) -> Result<()> {
        check_not_negative(R::NAME, "lr_factor", factor)?;
        self.lr_factor = factor;
        Ok(())
    }

    fn state(&self) -> OptimizerState {
        let memory = self.slots.iter().flat_map(|slot| &slot.memory);
        OptimizerState {
            tensors: memory.map(|memory| (memory.name().to_owned(), memory.tensor())).collect(),
            counts: self.slots.iter().map(|slot| (slot.count_name(), slot.steps)).collect(),
        }
    }

    fn load_state(&mut self, state: &OptimizerState) -> Result<()> {
        let memory: Vec<&Param> = self.slots.iter().flat_map(|slot| &slot.memory).collect();
        let found = state.like(R::NAME, &memory)?;
        let counts = self.slots.iter().map(|slot| state.expect_count(R::NAME, &slot.count_name()));
        let counts = counts.collect::<Result<Vec<_>>>()?;
        for (memory, value) in memory.into_iter().zip(found) {
            memory.set(&value)?;
        }
        for (slot, steps) in self.slots.iter_mut().zip(counts) {
            slot.steps = steps;
        }
        Ok(())
    }
}

impl Slot {
    fn count_name(&self) -> String {
        format!("{}.step", self.param.name())
    }

    /// One step: in one kernel where the backend has it.
    fn step<R: Rule>(&self, rule: &R, now: Moment, g: &Tensor, apply: Option<&Tensor>) -> Result<()> {
        let g = rule.decay().with_l1(g, &self.param.tensor())?;
        match rule.kernel(now, &self.param, &g, &self.memory, apply)? {
            Some(()) => Ok(()),
            None => self.composed(rule, now, g, apply),
        }
    }

    /// The same in tensor operations.
    fn composed<R: Rule>(&self, rule: &R, now: Moment, g: Tensor, apply: Option<&Tensor>) -> Result<()> {
        let (p, g) = rule.decay().with_weight_decay(self.param.tensor().detach(), g, now.lr)?;
        let memory: Vec<Tensor> = self.memory.iter().map(Param::tensor).collect();
        let (p, new) = rule.update(now, p, &g, &memory)?;
        // What holds an old value keeps it from being overwritten in place.
        drop(memory);
        set_where(apply, &self.param, &p)?;
        self.memory.iter().zip(&new).try_for_each(|(memory, value)| set_where(apply, memory, value))
    }
}

/// A backend with a kernel never reaches the composed version: it is held to the kernel here, and the kernel to PyTorch
/// in `tests/optimisers`.
#[cfg(test)]
pub(super) fn assert_composed_and_kernel_agree<R: Rule + Copy>(config: R) -> Result<()> {
    use taper_tensor::{DType, Device, Distribution, RandomKey};
    let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
    let draw = |name: &str, step: u64| {
        let key = RandomKey::new(1).child(name).index(step);
        Tensor::random(Distribution::Normal { mean: 0.0, std: 1.0 }, key, [50], DType::F64, &device)
    };
    let [no, yes] = [0u8, 1].map(|flag| Tensor::from_vec(vec![flag], [], &device));
    let (no, yes) = (no?, yes?);
    let start = draw("p", 0)?;
    let make = || PerParameter::new(vec![Param::new("p", &start)], config);
    let (kernel, composed) = (make()?, make()?);
    let (a, b) = (&kernel.slots[0], &composed.slots[0]);
    for step in 1..=5 {
        let (g, now) = (draw("g", step)?, Moment { lr: config.lr(), step });
        let ran = config.kernel(now, &a.param, &g, &a.memory, Some(&yes))?;
        assert!(ran.is_some(), "no kernel");
        b.composed(&config, now, g.clone(), (step > 2).then_some(&yes))?;
        // Whatever the gradient is, neither changes anything where the flag says so.
        let bad = g.mul_scalar(f64::NAN)?;
        a.step(&config, now, &bad, Some(&no))?;
        b.composed(&config, now, bad, Some(&no))?;
    }
    let all = |slot: &Slot| -> Result<Vec<f64>> {
        let values = std::iter::once(&slot.param).chain(&slot.memory).map(|param| param.tensor().to_vec::<f64>());
        Ok(values.collect::<Result<Vec<_>>>()?.concat())
    };
    let (a, b) = (all(a)?, all(b)?);
    assert_ne!(a[..50], start.to_vec::<f64>()?[..]);
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-14 * b.abs().max(1.0)), "{a:?} {b:?}");
    Ok(())
}
