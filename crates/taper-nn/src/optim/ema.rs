//! The exponential moving average of weights: a ← d_t · a + (1 − d_t) · p after every step (Polyak and Juditsky,
//! "Acceleration of stochastic approximation by averaging", 1992, in the form of Tarvainen and Valpola, "Mean
//! teachers", NeurIPS 2017), where the decay warms up:
//!
//! d_t = min(d, (1 + t) / (10 + t)) after t steps
//!
//! as TensorFlow's `tf.train.ExponentialMovingAverage(decay, num_updates)` computes it. With a constant d near 1, the
//! random initial weights would keep a share of the average for some 1 / (1 − d) steps: 10,000 with d = 0.9999. With
//! the warm-up, a run that is shorter than that averages about its last tenth.

use super::{OptimizerState, check_distinct, wide};
use taper_tensor::{DType, Error, Param, Result, Tensor, no_grad};

/// Exponential moving averages of weights, kept beside the weights. They start as the weights at the time of
/// [`Ema::new`].
#[derive(Debug)]
pub struct Ema {
    decay: f64,
    slots: Vec<Slot>,
    /// t, the number of steps taken: an i64 scalar on the device, because only the device knows whether a step was
    /// skipped; `None` without parameters.
    taken: Option<Tensor>,
    /// Whether the model holds the averages now, in the place of its own weights.
    swapped: bool,
}

#[derive(Debug)]
struct Slot {
    param: Param,
    /// In f32 where the parameter is of half precision, whose rounding is too coarse for a decay near 1.
    average: Param,
    /// The model's own weights, while the model holds the averages.
    aside: Option<Tensor>,
}

impl Ema {
    /// Averages `params`, all on one device, with the decay d in [0, 1], which the warm-up reaches after about 9 / (1 −
    /// d) steps. Buffers may be among them: floats, such as a running mean, are averaged, and integers are copied. An
    /// error when `decay` is out of range, or a parameter is given twice.
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
        let slots = params.into_iter().map(slot).collect::<Result<_>>()?;
        let mut ema = Self { decay, slots, taken: None, swapped: false };
        ema.set_taken(0)?;
        Ok(ema)
    }

    fn set_taken(&mut self, taken: u64) -> Result<()> {
        let count = |slot: &Slot| Tensor::full(taken as f64, [], DType::I64, slot.average.tensor().device());
        self.taken = self.slots.first().map(count).transpose()?;
        Ok(())
    }

    /// Updates the averages with the current weights: call it after each step. An error while the model holds the
    /// averages.
    pub fn update(&mut self) -> Result<()> {
        self.update_where(None)
    }

    /// [`Ema::update`] where `apply`, a u8 scalar, is not 0: with [`super::StepOutcome::flag`], a skipped step does not
    /// enter the averages.
    pub fn update_where(&mut self, apply: Option<&Tensor>) -> Result<()> {
        if self.swapped {
            return Err(Error::argument("ema", "the averages are in the model now: swap back before the next update"));
        }
        let Some(taken) = self.taken.clone() else { return Ok(()) };
        no_grad(|| {
            let scalar = |value: f64, dtype| Tensor::full(value, [], dtype, taken.device());
            // 1 − d_t = max(1 − d, 9 / (10 + t)).
            let warming = taken.cast(DType::F64)?.add_scalar(10.0)?.recip()?.mul_scalar(9.0)?;
            let mut share = warming.maximum(&scalar(1.0 - self.decay, DType::F64)?)?;
            let mut one = scalar(1.0, DType::I64)?;
            if let Some(flag) = apply {
                let flag = flag.ne(&scalar(0.0, DType::U8)?)?;
                (share, one) = (share.mul(&flag.cast(DType::F64)?)?, flag.cast(DType::I64)?);
            }
            let shares = Shares::new(share)?;
            self.slots.iter().try_for_each(|slot| slot.update(&shares))?;
            self.taken = Some(taken.add(&one)?);
            Ok(())
        })
    }

    /// Swaps the model's weights with the averages: call it once before an evaluation, and once after it.
    pub fn swap(&mut self) -> Result<()> {
        no_grad(|| self.slots.iter_mut().try_for_each(Slot::swap))?;
        self.swapped = !self.swapped;
        Ok(())
    }

    /// The averages, such as `fc1.weight.ema`, and the number of steps taken, `n_averaged`. The same while the model
    /// holds the averages.
    pub fn state(&self) -> OptimizerState {
        let averages = self.slots.iter().map(|slot| (slot.average.name().to_owned(), slot.average.tensor()));
        let taken = self.taken.iter().map(|taken| (TAKEN.to_owned(), taken.clone()));
        OptimizerState { tensors: averages.chain(taken).collect() }
    }

    /// Restores `state`. Without `n_averaged` in it, the decay counts as warmed up. An error names what is missing or
    /// has another shape or dtype, or says that the model holds the averages now; nothing is changed then.
    pub fn load_state(&mut self, state: &OptimizerState) -> Result<()> {
        if self.swapped {
            return Err(Error::argument(
                "ema",
                "the averages are in the model now: swap back before a state is loaded",
            ));
        }
        let averages: Vec<&Param> = self.slots.iter().map(|slot| &slot.average).collect();
        let found = state.like("ema", &averages)?;
        let taken = state.count(TAKEN)?.unwrap_or(WARM);
        averages.into_iter().zip(found).try_for_each(|(average, value)| average.set(&value))?;
        self.set_taken(taken)
    }
}

/// PyTorch's name for it in `AveragedModel`.
const TAKEN: &str = "n_averaged";

/// More steps than any run has.
const WARM: u64 = (1 << 53) - 1;

/// 1 − d_t in f32 and in f64, the float dtypes of averages.
struct Shares([Tensor; 2]);

impl Shares {
    /// From an f64 scalar.
    fn new(share: Tensor) -> Result<Self> {
        Ok(Self([share.cast(DType::F32)?, share]))
    }

    fn of(&self, dtype: DType) -> &Tensor {
        &self.0[usize::from(dtype == DType::F64)]
    }
}

impl Slot {
    fn update(&self, shares: &Shares) -> Result<()> {
        let (a, p) = (self.average.tensor(), self.param.tensor().detach());
        let new = match a.dtype().is_float() {
            true => a.add(&p.cast(a.dtype())?.sub(&a)?.mul(shares.of(a.dtype()))?)?,
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
