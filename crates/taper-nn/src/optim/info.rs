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
    pub build: fn(&toml::Table, Vec<Param>) -> Result<Box<dyn Optimizer>>,
}

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
    let config: R = values.clone().try_into().map_err(|e: toml::de::Error| Error::argument(R::NAME, e.message()))?;
    Ok(Box::new(PerParameter::new(params, config)?))
}
