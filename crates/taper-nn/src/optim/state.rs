//! What an optimiser remembers, as a checkpoint keeps it.

use taper_tensor::{Error, Param, Result, Tensor};

/// What an optimiser remembers. Taken by [`super::Optimizer::state`]; later steps do not change it.
#[derive(Debug, Clone, Default)]
pub struct OptimizerState {
    /// Moments and velocities: `fc1.weight.exp_avg`.
    pub tensors: Vec<(String, Tensor)>,
    /// Steps made: `fc1.weight.step`.
    pub counts: Vec<(String, u64)>,
}

impl OptimizerState {
    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|(found, _)| found == name).map(|(_, tensor)| tensor)
    }

    /// The count called `name`.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.counts.iter().find(|(found, _)| found == name).map(|&(_, count)| count)
    }

    /// The tensors that `params` are called, on their devices. An error when one is missing, or of another shape or
    /// dtype.
    pub(super) fn like(&self, op: &str, params: &[&Param]) -> Result<Vec<Tensor>> {
        let find = |param: &&Param| -> Result<Tensor> {
            let (name, now) = (param.name(), param.tensor());
            let (dtype, shape) = (now.dtype(), now.shape());
            let Some(found) = self.tensor(name) else {
                let detail =
                    format!("{op}: the state has no {name}: expected {dtype} {shape}; is it another optimiser's?");
                return Err(Error::Parameter(detail));
            };
            if found.shape() != shape || found.dtype() != dtype {
                let came = format!("{} {}", found.dtype(), found.shape());
                return Err(Error::Parameter(format!("{op}: {name}: expected {dtype} {shape}, the state has {came}")));
            }
            if found.device() == now.device() { Ok(found.clone()) } else { found.to_device(now.device()) }
        };
        params.iter().map(find).collect()
    }

    /// The count called `name`. An error when it is missing.
    pub(super) fn expect_count(&self, op: &str, name: &str) -> Result<u64> {
        let missing = || Error::Parameter(format!("{op}: the state has no count {name}; is it another optimiser's?"));
        self.count(name).ok_or_else(missing)
    }
}
