//! An optimiser that updates each parameter independently: the loop over the parameters that all rules share.

use super::clock::Clocks;
use super::{
    Moment, Optimizer, OptimizerState, Rule, check_distinct, check_gradients, check_not_negative, set_where, wide,
};
use taper_tensor::profile::{Phase, phase};
use taper_tensor::{Gradients, Param, Result, Tensor, no_grad};

/// The optimiser that updates each parameter by the rule `R`.
#[derive(Debug)]
pub struct PerParameter<R> {
    rule: R,
    /// A schedule's factor on the base learning rate.
    lr_factor: f64,
    slots: Vec<Slot>,
    /// The number of steps that each parameter has taken.
    clocks: Clocks,
}

/// A parameter and its state, such as moments.
#[derive(Debug)]
struct Slot {
    param: Param,
    memory: Vec<Param>,
}

impl<R: Rule> PerParameter<R> {
    /// Optimises `params`. An error when the configuration is out of range, a parameter is given twice, or the rule
    /// does not support one of them.
    pub fn new(params: Vec<Param>, config: R) -> Result<Self> {
        check_not_negative(R::NAME, "lr", config.lr())?;
        config.decay().check(R::NAME)?;
        config.check()?;
        check_distinct(R::NAME, &params)?;
        let slot = |param: Param| -> Result<Slot> {
            config.check_param(&param)?;
            let value = param.tensor();
            let remembered = |(name, start): (&str, f64)| -> Result<Param> {
                let start = Tensor::full(start, value.shape(), wide(value.dtype()), value.device())?;
                Ok(Param::buffer(format!("{}.{name}", param.name()), &start))
            };
            let memory = config.memory().into_iter().map(remembered).collect::<Result<_>>()?;
            Ok(Slot { param, memory })
        };
        let clocks = Clocks::from_zero(&params)?;
        let slots = params.into_iter().map(slot).collect::<Result<_>>()?;
        Ok(Self { rule: config, lr_factor: 1.0, slots, clocks })
    }
}

impl<R: Rule> Optimizer for PerParameter<R> {
    fn step_where(&mut self, gradients: &Gradients, apply: Option<&Tensor>) -> Result<()> {
        let _update = phase(Phase::Update);
        check_gradients(R::NAME, self.slots.iter().map(|slot| &slot.param), gradients)?;
        let lr = self.rule.lr() * self.lr_factor;
        let trainable = self.slots.iter().enumerate().filter(|(_, slot)| slot.param.trainable());
        let found = trainable.filter_map(|(place, slot)| Some((place, slot, gradients.of_param(&slot.param)?)));
        let found: Vec<(usize, &Slot, &Tensor)> = found.collect();
        let moving: Vec<usize> = found.iter().map(|(place, ..)| *place).collect();
        self.clocks.part(&moving);
        no_grad(|| {
            for (place, slot, gradient) in found {
                slot.step(&self.rule, &Moment { lr, clocks: &self.clocks, place }, gradient, apply)?;
            }
            self.clocks.advance(&moving, apply)
        })
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
        let memory = memory.map(|memory| (memory.name().to_owned(), memory.tensor()));
        let steps = self.slots.iter().enumerate();
        let steps = steps.map(|(place, slot)| (slot.count_name(), self.clocks.taken(place).clone()));
        OptimizerState { tensors: memory.chain(steps).collect() }
    }

    fn load_state(&mut self, state: &OptimizerState) -> Result<()> {
        let memory: Vec<&Param> = self.slots.iter().flat_map(|slot| &slot.memory).collect();
        let found = state.like(R::NAME, &memory)?;
        let counted = self.slots.iter().map(|slot| (slot.count_name(), slot.param.tensor().device().clone()));
        let clocks = Clocks::load(R::NAME, &counted.collect::<Vec<_>>(), state)?;
        for (memory, value) in memory.into_iter().zip(found) {
            memory.set(&value)?;
        }
        self.clocks = clocks;
        Ok(())
    }
}

impl Slot {
    fn count_name(&self) -> String {
        format!("{}.step", self.param.name())
    }

    /// One step, in one kernel where the backend has it.
    fn step<R: Rule>(&self, rule: &R, now: &Moment<'_>, g: &Tensor, apply: Option<&Tensor>) -> Result<()> {
        let dtype = self.param.tensor().dtype();
        if wide(dtype) != dtype {
            return self.composed(rule, now, self.with_l1(rule, g)?, apply);
        }
        let g = self.with_l1(rule, g)?;
        match rule.kernel(now, &self.param, &g, &self.memory, apply)? {
            Some(()) => Ok(()),
            None => self.composed(rule, now, g, apply),
        }
    }

    /// The gradient with the L1 term added, in the dtype of the state.
    fn with_l1<R: Rule>(&self, rule: &R, g: &Tensor) -> Result<Tensor> {
        let p = self.param.tensor();
        let to = wide(p.dtype());
        rule.decay().with_l1(&g.cast(to)?, &p.cast(to)?)
    }

    /// One step composed of tensor operations. Half-precision parameters are updated in f32: in half precision the
    /// square of a small gradient underflows, and a small step is lost in rounding.
    fn composed<R: Rule>(&self, rule: &R, now: &Moment<'_>, g: Tensor, apply: Option<&Tensor>) -> Result<()> {
        let dtype = self.param.tensor().dtype();
        // No handle to the old value may outlive this line, or it could not be overwritten in place.
        let p = self.param.tensor().detach().cast(wide(dtype))?;
        let (p, g) = rule.decay().with_weight_decay(p, g, now.lr)?;
        let memory: Vec<Tensor> = self.memory.iter().map(Param::tensor).collect();
        let (p, new) = rule.update(now, p, &g, &memory)?;
        // A handle to an old value keeps it from being overwritten in place.
        drop(memory);
        set_where(apply, &self.param, &p.cast(dtype)?)?;
        self.memory.iter().zip(&new).try_for_each(|(memory, value)| set_where(apply, memory, value))
    }
}

/// A backend with a kernel never runs the composed version. It is compared with the kernel here, and the kernel with
/// PyTorch in `tests/optimisers`.
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
    let (mut kernel, mut composed) = (make()?, make()?);
    for step in 1..=5 {
        let (g, lr) = (draw("g", step)?, config.lr());
        // Where the flag is 0, neither changes anything, whatever the gradient: the next step counts as if this one had
        // never been.
        for (g, apply) in [(g.mul_scalar(f64::NAN)?, Some(&no)), (g, (step > 2).then_some(&yes))] {
            for (of, alone) in [(&mut kernel, false), (&mut composed, true)] {
                let (slot, now) = (&of.slots[0], Moment { lr, clocks: &of.clocks, place: 0 });
                match alone {
                    true => slot.composed(&config, &now, g.clone(), apply)?,
                    false => {
                        let ran = config.kernel(&now, &slot.param, &g, &slot.memory, apply)?;
                        assert!(ran.is_some(), "no kernel");
                    }
                }
                of.clocks.advance(&[0], apply)?;
            }
        }
    }
    let (a, b) = (&kernel.slots[0], &composed.slots[0]);
    let all = |slot: &Slot| -> Result<Vec<f64>> {
        let values = std::iter::once(&slot.param).chain(&slot.memory).map(|param| param.tensor().to_vec::<f64>());
        Ok(values.collect::<Result<Vec<_>>>()?.concat())
    };
    let (a, b) = (all(a)?, all(b)?);
    assert_ne!(a[..50], start.to_vec::<f64>()?[..]);
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-14 * b.abs().max(1.0)), "{a:?} {b:?}");
    Ok(())
}
