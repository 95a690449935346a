//! The state of an optimiser, as a checkpoint stores it.

use taper_tensor::{DType, Error, Param, Result, Tensor};

/// The state of an optimiser, taken by [`super::Optimizer::state`]; later steps do not change it.
#[derive(Debug, Clone, Default)]
pub struct OptimizerState {
    /// Moments and velocities, such as `fc1.weight.exp_avg`, and the numbers of steps taken, i64 scalars such as
    /// `fc1.weight.step`.
    pub tensors: Vec<(String, Tensor)>,
}

impl OptimizerState {
    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|(found, _)| found == name).map(|(_, tensor)| tensor)
    }

    /// The count called `name`, if there is one. It is read from the device, where steps are counted. An error unless
    /// it is an i64 scalar of at least 0.
    pub fn count(&self, name: &str) -> Result<Option<u64>> {
        let Some(found) = self.tensor(name) else { return Ok(None) };
        let (dtype, shape) = (found.dtype(), found.shape());
        if dtype != DType::I64 || shape.rank() != 0 {
            return Err(Error::Parameter(format!("{name}: expected a count, an i64 scalar, came {dtype} {shape}")));
        }
        let count = found.to_vec::<i64>()?[0];
        let negative = || Error::Parameter(format!("{name}: expected a count of at least 0, came {count}"));
        u64::try_from(count).map(Some).map_err(|_| negative())
    }

    /// The tensors with the names of `params`, on their devices. An error when one is missing, or of another shape or
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
        self.count(name)?.ok_or_else(missing)
    }
}
