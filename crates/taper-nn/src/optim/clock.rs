//! Counts of the steps taken. They are kept on the device, because only the device knows whether a step was skipped.

use super::OptimizerState;
use std::cell::RefCell;
use taper_tensor::{DType, Device, Param, Result, Tensor};

/// The number of steps taken by several parameters that all had a gradient in the same steps. Counting them is two
/// operations on a scalar, whatever the number of parameters.
#[derive(Debug)]
struct Clock {
    /// An i64 scalar on the device.
    taken: Tensor,
    /// 1 − βᵗ of the current step, for each β that was requested.
    corrections: RefCell<Vec<(f64, Tensor)>>,
}

impl Clock {
    fn new(taken: u64, device: &Device) -> Result<Self> {
        // A fill on the device, not an upload. f64 holds the step count of any run exactly.
        Ok(Self::at(Tensor::full(taken as f64, [], DType::I64, device)?))
    }

    fn at(taken: Tensor) -> Self {
        Self { taken, corrections: RefCell::default() }
    }

    /// Adds one step where `apply` is not 0.
    fn advance(&mut self, apply: Option<&Tensor>) -> Result<()> {
        let one = match apply {
            Some(flag) => flag.ne(&scalar(0.0, flag)?)?.cast(DType::I64)?,
            None => scalar(1.0, &self.taken)?,
        };
        *self = Self::at(self.taken.add(&one)?);
        Ok(())
    }
}

/// The step counts of several parameters, each known by its index. They share a clock until one of them takes part in a
/// step and another does not.
#[derive(Debug)]
pub(super) struct Clocks {
    clocks: Vec<Clock>,
    /// The index of each parameter's clock in `clocks`.
    of: Vec<usize>,
}

impl Clocks {
    /// Clocks for parameters, each given as the number of steps that it has taken and its device.
    pub(super) fn new<'a>(of_each: impl IntoIterator<Item = (u64, &'a Device)>) -> Result<Self> {
        let (mut clocks, mut keys, mut of) = (Vec::new(), Vec::<(u64, &Device)>::new(), Vec::new());
        for key in of_each {
            let found = keys.iter().position(|known| *known == key);
            if found.is_none() {
                clocks.push(Clock::new(key.0, key.1)?);
                keys.push(key);
            }
            of.push(found.unwrap_or(keys.len() - 1));
        }
        Ok(Self { clocks, of })
    }

    /// Clocks for parameters that have taken no step yet.
    pub(super) fn from_zero(params: &[Param]) -> Result<Self> {
        let devices: Vec<Device> = params.iter().map(|param| param.tensor().device().clone()).collect();
        Self::new(devices.iter().map(|device| (0, device)))
    }

    /// Gives the parameters at `places` (ascending), which take part in a step, clocks that no other parameter shares.
    pub(super) fn part(&mut self, places: &[usize]) {
        for clock in 0..self.clocks.len() {
            let stays = |place: &usize| self.of[*place] == clock && places.binary_search(place).is_err();
            let moves: Vec<usize> = places.iter().copied().filter(|&place| self.of[place] == clock).collect();
            if moves.is_empty() || !(0..self.of.len()).any(|place| stays(&place)) {
                continue;
            }
            moves.into_iter().for_each(|place| self.of[place] = self.clocks.len());
            self.clocks.push(Clock::at(self.clocks[clock].taken.clone()));
        }
    }

    /// The number of steps that the parameter at `place` has taken: an i64 scalar on its device.
    pub(super) fn taken(&self, place: usize) -> &Tensor {
        &self.clocks[self.of[place]].taken
    }

    /// 1 − βᵗ for the current step of the parameter at `place`, its t-th, counted from 1: an f64 scalar on its device.
    pub(super) fn correction(&self, place: usize, beta: f64) -> Result<Tensor> {
        let clock = &self.clocks[self.of[place]];
        if let Some((_, known)) = clock.corrections.borrow().iter().find(|(known, _)| *known == beta) {
            return Ok(known.clone());
        }
        let t = clock.taken.cast(DType::F64)?.add_scalar(1.0)?;
        let found = scalar(1.0, &t)?.sub(&scalar(beta, &t)?.pow(&t)?)?;
        clock.corrections.borrow_mut().push((beta, found.clone()));
        Ok(found)
    }

    /// Counts a step of the parameters at `places` where `apply` is not 0. [`Clocks::part`] was called with the same
    /// places.
    pub(super) fn advance(&mut self, places: &[usize], apply: Option<&Tensor>) -> Result<()> {
        let mut moved: Vec<usize> = places.iter().map(|&place| self.of[place]).collect();
        moved.sort_unstable();
        moved.dedup();
        moved.into_iter().try_for_each(|clock| self.clocks[clock].advance(apply))
    }

    /// Restores the step counts from `state`, for count names and devices in the order of the parameters.
    pub(super) fn load(op: &'static str, names: &[(String, Device)], state: &OptimizerState) -> Result<Self> {
        let counts: Vec<u64> =
            names.iter().map(|(name, _)| state.expect_count(op, name)).collect::<Result<Vec<_>>>()?;
        Self::new(counts.into_iter().zip(names.iter().map(|(_, device)| device)))
    }
}

/// `value` as a scalar of the dtype of `like`, on its device.
fn scalar(value: f64, like: &Tensor) -> Result<Tensor> {
    Tensor::full(value, [], like.dtype(), like.device())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_part_when_one_takes_no_step() -> Result<()> {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
        let mut clocks = Clocks::new([0, 0, 0, 5].map(|taken| (taken, &device)))?;
        assert_eq!(clocks.clocks.len(), 2);
        let [no, yes] = [0u8, 1].map(|flag| Tensor::from_vec(vec![flag], [], &device));
        let (no, yes) = (no?, yes?);
        for (places, apply) in
            [(&[0, 1, 2, 3][..], Some(&yes)), (&[0, 2], Some(&yes)), (&[0, 1, 2, 3], Some(&no)), (&[0, 1], None)]
        {
            clocks.part(places);
            clocks.advance(places, apply)?;
        }
        let taken: Vec<f64> = (0..4).map(|place| clocks.taken(place).item()).collect::<Result<_>>()?;
        assert_eq!(taken, [3.0, 2.0, 2.0, 6.0]);
        assert!((clocks.correction(0, 0.9)?.item()? - (1.0 - 0.9f64.powi(4))).abs() < 1e-15);
        Ok(())
    }
}
