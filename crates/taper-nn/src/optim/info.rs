//! An optimiser by its name.

use super::{Optimizer, PerParameter, Rule};
use taper_config::{Key, Named, Schema, Table, toml};
use taper_tensor::{Error, Param, Result};

/// An optimiser that can be made by its name.
#[derive(Debug, Clone, Copy)]
pub struct OptimizerInfo {
    /// The name, as in a configuration: `adam`.
    pub name: &'static str,
    /// Its keys, with their defaults.
    pub schema: Schema,
    /// Makes the optimiser of these values, which [`OptimizerInfo::schema`] has resolved, for some parameters.
    pub build: BuildOptimizer,
}

/// Makes an optimiser of the values of its keys, for some parameters.
pub type BuildOptimizer = fn(&toml::Table, Vec<Param>) -> Result<Box<dyn Optimizer>>;

impl OptimizerInfo {
    /// The optimiser with the update rule `R`, whose fields are its keys.
    pub const fn of<R: Rule + Table + 'static>(name: &'static str) -> Self {
        Self { name, schema: Schema::of::<R>(), build: build::<R> }
    }

    /// The same with other defaults: see [`Schema::over`].
    pub(super) const fn over(
        self,
        keys: fn(&Named) -> Vec<Key>,
        resolve: fn(&Named, &str) -> taper_config::Result<toml::Table>,
    ) -> Self {
        Self { schema: self.schema.over(keys, resolve), ..self }
    }
}

fn build<R: Rule + Table + 'static>(values: &toml::Table, params: Vec<Param>) -> Result<Box<dyn Optimizer>> {
    let config = R::read(values.clone()).map_err(|error| Error::argument(R::NAME, error.to_string()))?;
    Ok(Box::new(PerParameter::new(params, config)?))
}

#[cfg(test)]
mod tests {
    use crate::{AdamConfig, MuonConfig, optimizers};
    use taper_config::{Named, Table};

    #[test]
    fn every_optimiser_is_made_of_its_defaults() {
        for info in optimizers() {
            let values = info.schema.resolve(&Named::new(info.name), "optimizer").unwrap();
            let lr = (info.build)(&values, Vec::new()).unwrap().lr();
            assert_eq!(values["lr"].as_float(), Some(lr), "{}", info.name);
            let keys = info.schema.keys();
            assert!(keys.iter().all(|key| values.contains_key(&key.name) && !key.help.is_empty()), "{}", info.name);
        }
        let values = |name: &str, named: Named| {
            let info = optimizers().iter().find(|info| info.name == name).unwrap();
            info.schema.resolve(&named, "optimizer").unwrap()
        };
        let read = values("adamw", Named::new("adamw").with("eps", 0.5)).try_into();
        assert_eq!(read, Ok(AdamConfig { eps: 0.5, ..AdamConfig::adamw() }));
        let read = values("muon", Named::new("muon").with("normalize_weights", true)).try_into();
        assert_eq!(read, Ok(MuonConfig::airbench()));
        assert_eq!(values("muon", Named::new("muon")).try_into(), Ok(MuonConfig::default()));
    }

    #[test]
    fn what_it_does_not_have_is_told() {
        let error = Named::new("adam").with("momentum", 0.5).parse::<AdamConfig>("optimizer").unwrap_err().to_string();
        let keys = "lr, betas, eps, weight_decay, decoupled, l1";
        assert_eq!(error, format!("optimizer.momentum: unknown key of the optimizer adam; its keys: {keys}"));
        assert_eq!(AdamConfig::keys().len(), 6);
    }
}
