//! `[optimizer]`: the optimiser and its settings. `groups`: parameter groups, with optimiser settings of their own or
//! frozen.

use crate::Result;
use serde::{Deserialize, Serialize};
use std::ops::{Deref, DerefMut};
use taper_config::range::ordinary_or_zero;
use taper_config::{Family, Named, Override, Schema, table, unknown};
use taper_nn::optimizers;
use toml::Value;

/// `[optimizer]`: an optimiser by its name, `adam` if there is none, and its keys. A key that is not set has the
/// optimiser's own default; a key that the optimiser does not have may not be set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OptimizerConfig(pub Named);

table! {
    /// The keys that every optimiser has beside its own.
    struct AroundConfig {
        /// Steps between updates of Lookahead's slow weights.
        ///
        /// Not set for no Lookahead.
        lookahead: Option<u64> = None, optional(integer(1..=1 << 32));
    }
}

/// A parameter group: the parameters whose name matches `pattern` and that no earlier group matched.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with a `pattern`")]
pub struct GroupConfig {
    /// A parameter name in which `*` stands for any characters: `*.bias`, `layers.0.*`.
    pub pattern: String,
    /// Whether only those of fewer than two dimensions are meant, such as biases and the weights of norms, which Muon does not take.
    /// None may be left then.
    #[serde(default)]
    pub vectors: bool,
    /// Whether the parameters are frozen, and with them the buffers whose names match: batch norm with frozen running
    /// statistics normalises by these in training too.
    #[serde(default)]
    pub frozen: bool,
    /// The epochs for which the group is trained: its schedule ends then, and it is frozen from then on. 0 for the
    /// whole run.
    #[serde(default)]
    pub epochs: f64,
    /// The keys that differ from `[optimizer]`. With an optimiser name of its own, the group takes nothing from
    /// `[optimizer]`.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
}

/// The optimisers.
pub(super) fn family() -> Family {
    let members = optimizers().iter().map(|info| (info.name, info.schema)).collect();
    let common = Some(Schema::of::<AroundConfig>());
    Family { table: "optimizer", kind: "optimiser", default: "adam", members, common, lenient: false }
}

impl OptimizerConfig {
    /// The optimiser `name` with its defaults.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The same with the key `key` set to `value`.
    #[must_use]
    pub fn with(self, key: &str, value: impl Into<Value>) -> Self {
        Self(self.0.with(key, value))
    }

    /// The optimiser's name, `adam` if none is set.
    pub fn name(&self) -> &str {
        if self.0.name.is_empty() { "adam" } else { &self.0.name }
    }

    /// The optimiser settings of `group`: its own keys, and, if it uses the same optimiser, those of `self` for the
    /// rest.
    pub fn of_group(&self, group: &GroupConfig) -> Self {
        let mut own = group.optimizer.clone();
        if !own.0.name.is_empty() && own.name() != self.name() {
            return own;
        }
        for (key, value) in &self.rest {
            own.rest.entry(key.as_str()).or_insert_with(|| value.clone());
        }
        if own.0.name.is_empty() {
            own.0.name.clone_from(&self.0.name);
        }
        own
    }

    /// All keys of the optimiser with their values.
    ///
    /// # Errors
    /// An unknown optimiser, a key that it does not have, a value out of range.
    pub fn resolved(&self) -> Result<Self> {
        Ok(Self(family().resolve(&self.0)?))
    }
}

impl Deref for OptimizerConfig {
    type Target = Named;

    fn deref(&self) -> &Named {
        &self.0
    }
}

impl DerefMut for OptimizerConfig {
    fn deref_mut(&mut self) -> &mut Named {
        &mut self.0
    }
}

impl GroupConfig {
    /// The step, counted from 0, from which on the group is frozen.
    pub(crate) fn until(&self, per_epoch: u64) -> u64 {
        if self.epochs > 0.0 { (self.epochs * per_epoch as f64).ceil() as u64 } else { u64::MAX }
    }

    /// What is wrong with the group.
    pub(super) fn sound(&self) -> Result<(), String> {
        let Self { pattern, epochs, optimizer, .. } = self;
        if pattern.is_empty() {
            return Err("pattern: expected a name, `*` standing for any characters, found none".into());
        }
        let keys = family().keys(optimizer);
        let known: Vec<&str> = keys.iter().map(|key| key.name.trim_start_matches("optimizer.")).collect();
        if let Some(key) = optimizer.rest.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(unknown("key", key, &known));
        }
        let of_group = |error: taper_config::Error| format!("\"{pattern}\": {error}");
        ordinary_or_zero().check("epochs", epochs).and_then(|()| family().check(optimizer)).map_err(of_group)
    }

    /// The keys with which the group is, beside `all`, what it is beside `before`: defaults that depend on other keys
    /// may change once `all` has all of its keys.
    pub(super) fn beside(&self, before: &OptimizerConfig, all: &OptimizerConfig) -> Result<Self> {
        let mut group = self.clone();
        if !self.frozen {
            let [was, is] = [before, all].map(|optimizer| optimizer.of_group(self).resolved());
            let is = is?;
            for (key, value) in &was?.rest {
                if is.rest.get(key) != Some(value) {
                    group.optimizer.set(key, value.clone());
                }
            }
        }
        Ok(group)
    }
}

/// Makes `change`, whose key is the name within `[optimizer]`, to `config`.
pub(super) fn change(config: &mut OptimizerConfig, change: &Override, stays: impl Fn(&str) -> bool) -> Result<()> {
    super::change_in(&family(), &mut config.0, change, stays)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_group(optimizer: &str, own: &str) -> OptimizerConfig {
        let group = format!("pattern = \"*\"\noptimizer = {{ {own} }}");
        toml::from_str::<OptimizerConfig>(optimizer).unwrap().of_group(&toml::from_str(&group).unwrap())
    }

    #[test]
    fn a_group_of_the_same_optimiser_inherits() {
        let mut all = OptimizerConfig::default().with("lr", 0.01).with("weight_decay", 0.5);
        assert_eq!(of_group("lr = 0.01", "weight_decay = 0.5"), all);
        // Without a name the optimiser is Adam, so that naming it changes nothing.
        all.0.name = "adam".into();
        for (optimizer, own) in [
            ("lr = 0.01", "name = \"adam\", weight_decay = 0.5"),
            ("name = \"adam\"\nlr = 0.01", "weight_decay = 0.5"),
            ("name = \"adam\"\nlr = 0.01\nweight_decay = 0.1", "name = \"adam\", weight_decay = 0.5"),
        ] {
            assert_eq!(of_group(optimizer, own), all, "{optimizer}, {own}");
        }
        for optimizer in ["lr = 0.01", "name = \"adamw\"\nlr = 0.01"] {
            let own = OptimizerConfig::new("sgd").with("momentum", 0.9);
            assert_eq!(of_group(optimizer, "name = \"sgd\", momentum = 0.9"), own, "{optimizer}");
        }
    }

    /// airbench's defaults of Muon, which come with `normalize_weights`, stay a group's once `[optimizer]` has said all
    /// of its own.
    #[test]
    fn a_group_is_the_same_beside_an_optimiser_that_says_all() {
        let before = OptimizerConfig::new("muon").with("weight_decay", 0.0);
        let group: GroupConfig = toml::from_str("pattern = \"*\"\noptimizer = {normalize_weights = true}").unwrap();
        let all = before.resolved().unwrap();
        let resolved = |all: &OptimizerConfig, group: &GroupConfig| all.of_group(group).resolved().unwrap();
        assert_eq!(resolved(&before, &group).number("lr"), Some(0.24));
        assert_eq!(resolved(&all, &group).number("lr"), Some(1e-3));
        let beside = group.beside(&before, &all).unwrap();
        assert_eq!(resolved(&all, &beside), resolved(&before, &group));
        // No more than that is said.
        let plain: GroupConfig = toml::from_str("pattern = \"*\"\noptimizer = {weight_decay = 0.5}").unwrap();
        assert_eq!(plain.beside(&before, &all).unwrap(), plain);
    }
}
