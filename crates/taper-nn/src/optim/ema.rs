//! The exponential moving average of weights: a ← d · a + (1 − d) · p after every step (Polyak and Juditsky,
//! "Acceleration of stochastic approximation by averaging", 1992, in the form of Tarvainen and Valpola, "Mean
//! teachers", NeurIPS 2017).

use super::{OptimizerState, check_distinct, wide};
use taper_tensor::{Error, Param, Result, Tensor, no_grad};

/// Averages of weights beside the weights. They start as what the weights are when it is made.
#[derive(Debug)]
pub struct Ema {
    decay: f64,
    slots: Vec<Slot>,
    /// Whether the averages are in the model now.
    swapped: bool,
}

#[derive(Debug)]
struct Slot {
    param: Param,
    /// In f32 where the parameter is of half precision, whose steps are too coarse for a decay near 1.
    average: Param,
    /// The model's own weights while the average is in the model.
    aside: Option<Tensor>,
}

impl Ema {
    /// Averages `params`, with the decay d in [0, 1]. Buffers may be among them: a running mean is averaged, integers
    /// copied.
    pub fn new(params: Vec<Param>, decay: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&decay) {
            return Err(Error::argument("ema", format!("decay must be 0 to 1, came as {decay}")));
        }
        check_distinct("ema", &params)?;
        let slot = |param: Param| -> Result<Slot> {
            let value = param.tensor().detach();
            let average = Param::buffer(format!("{}.ema", param.name()), &value.cast(wide(value.dtype()))?);
            Ok(Slot { param, average, aside: None })
        };
        Ok(Self { decay, slots: params.into_iter().map(slot).collect::<Result<_>>()?, swapped: false })
    }

    /// Takes the weights as they are now into the averages. An error while the averages are in the model.
    pub fn update(&mut self) -> Result<()> {
        if self.swapped {
            return Err(Error::argument("ema", "the averages are in the model now: swap back before the next update"));
        }
        no_grad(|| self.slots.iter().try_for_each(|slot| slot.update(self.decay)))
    }

    /// Exchanges the model's weights with the averages: once before an evaluation, and once after it.
    pub fn swap(&mut self) -> Result<()> {
        no_grad(|| self.slots.iter_mut().try_for_each(Slot::swap))?;
        self.swapped = !self.swapped;
        Ok(())
    }

    /// The averages: `fc1.weight.ema`. The same while they are in the model.
    pub fn state(&self) -> OptimizerState {
        let average = |slot: &Slot| (slot.average.name().to_owned(), slot.average.tensor());
        OptimizerState { tensors: self.slots.iter().map(average).collect(), counts: vec![] }
    }

    /// Continues from `state`. An error names what is missing or has another shape, or says that the averages are in
    /// the model now; then nothing was changed.
    pub fn load_state(&mut self, state: &OptimizerState) -> Result<()> {
        if self.swapped {
            return Err(Error::argument(
                "ema",
                "the averages are in the model now: swap back before a state is loaded",
            ));
        }
        let averages: Vec<&Param> = self.slots.iter().map(|slot| &slot.average).collect();
        let found = state.like("ema", &averages)?;
        averages.into_iter().zip(found).try_for_each(|(average, value)| average.set(&value))
    }
}

impl Slot {
    fn update(&self, decay: f64) -> Result<()> {
        let (a, p) = (self.average.tensor(), self.param.tensor().detach());
        let new = match a.dtype().is_float() {
            true => a.add(&p.cast(a.dtype())?.sub(&a)?.mul_scalar(1.0 - decay)?)?,
            false => p,
        };
        drop(a);
        self.average.set(&new)
    }

    fn swap(&mut self) -> Result<()> {
        match self.aside.take() {
            Some(weights) => self.param.set(&weights),
            None => {
                let weights = self.param.tensor().detach();
                self.param.set(&self.average.tensor().cast(weights.dtype())?)?;
                self.aside = Some(weights);
                Ok(())
            }
        }
    }
}
