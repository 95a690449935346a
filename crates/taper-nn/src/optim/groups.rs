//! Parameter groups: several optimisers used as one.

use super::{Optimizer, OptimizerState, check_distinct, check_gradients};
use taper_tensor::{Error, Gradients, Param, Result, Tensor};

/// Several optimisers, each for its own parameters, used as one. When a gradient of any group is not finite, all groups
/// skip the step.
///
/// ```
/// # use taper_nn::{DType, Device, Groups, Init, Optimizer, Params, RandomKey, matches};
/// # use taper_nn::{Adam, AdamConfig, Muon, MuonConfig};
/// # fn main() -> taper_nn::Result<()> {
/// # let device = Device::new(taper_cpu::CpuBackend::new()?);
/// # let params = Params::new(&device, DType::F32, RandomKey::new(0));
/// # params.get("conv1.weight", [4, 3, 3, 3], Init::layer_weight())?;
/// # params.get("conv1.bias", [4], Init::Constant(0.0))?;
/// let (biases, weights) = params.trainable().into_iter().partition(|param| matches("*.bias", param.name()));
/// let adam = Adam::new(biases, AdamConfig::default())?;
/// let muon = Muon::new(weights, MuonConfig::airbench())?;
/// let mut optimizer = Groups::new(vec![Box::new(adam), Box::new(muon)])?;
/// optimizer.set_lr_factor(0.5)?; // 5e-4 and 0.12
/// # Ok(())
/// # }
/// ```
pub struct Groups {
    parts: Vec<Box<dyn Optimizer>>,
}

impl Groups {
    /// Combines `parts`. An error when there are none, or a parameter is in two of them.
    pub fn new(parts: Vec<Box<dyn Optimizer>>) -> Result<Self> {
        if parts.is_empty() {
            return Err(Error::argument("groups", "expected at least one optimiser, none came"));
        }
        let groups = Self { parts };
        check_distinct("groups", &groups.params())?;
        Ok(groups)
    }

    /// The optimisers, to set their learning rates separately, for example.
    pub fn parts_mut(&mut self) -> &mut [Box<dyn Optimizer>] {
        &mut self.parts
    }
}

impl Optimizer for Groups {
    fn step_where(&mut self, gradients: &Gradients, apply: Option<&Tensor>) -> Result<()> {
        // Each part checks its own gradients again. All are checked here first, so that no part has stepped when
        // another refuses.
        check_gradients("groups", &self.params(), gradients)?;
        self.parts.iter_mut().try_for_each(|part| part.step_where(gradients, apply))
    }

    fn params(&self) -> Vec<Param> {
        self.parts.iter().flat_map(|part| part.params()).collect()
    }

    /// The base learning rate of the first part.
    fn lr(&self) -> f64 {
        self.parts[0].lr()
    }

    /// Sets the base learning rate of every part to `lr`. [`Optimizer::set_lr_factor`] keeps their proportions.
    fn set_lr(&mut self, lr: f64) -> Result<()> {
        self.parts.iter_mut().try_for_each(|part| part.set_lr(lr))
    }

    fn set_lr_factor(&mut self, factor: f64) -> Result<()> {
        self.parts.iter_mut().try_for_each(|part| part.set_lr_factor(factor))
    }

    fn state(&self) -> OptimizerState {
        self.parts.iter().map(|part| part.state()).fold(OptimizerState::default(), |mut all, state| {
            all.tensors.extend(state.tensors);
            all
        })
    }

    fn load_state(&mut self, state: &OptimizerState) -> Result<()> {
        let mut old = Vec::new();
        for i in 0..self.parts.len() {
            old.push(self.parts[i].state());
            if let Err(error) = self.parts[i].load_state(state) {
                // The parts that were loaded before are restored.
                self.parts.iter_mut().zip(&old).take(i).try_for_each(|(part, old)| part.load_state(old))?;
                return Err(error);
            }
        }
        Ok(())
    }
}
