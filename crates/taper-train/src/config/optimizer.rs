//! `[optimizer]`: what changes the weights. `groups`: weights that are changed otherwise.

use super::{is_ordinary, within};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// An optimiser and what it is set to. What is not said is the optimiser's own default, and said keys must be the
/// optimiser's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// The optimiser's name: `adam`, `sgd`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Decays of the first and second moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub betas: Option<[f64; 2]>,
    /// Added to a root, against a division by zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eps: Option<f64>,
    /// The decay of the velocity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// How much of the gradient is held back from the velocity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dampening: Option<f64>,
    /// Nesterov's look-ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nesterov: Option<bool>,
    /// The decay of RMSprop's mean square.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Whether RMSprop takes the mean off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub centered: Option<bool>,
    /// How fast Adagrad's rate falls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_decay: Option<f64>,
    /// Muon's Newton–Schulz steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ns_steps: Option<usize>,
    /// Whether Muon scales each weight to norm √(rows) first, as airbench does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalize_weights: Option<bool>,
    /// λ of the L2 penalty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Whether weight decay shrinks the weights itself instead of joining the gradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoupled: Option<bool>,
    /// λ of the L1 penalty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1: Option<f64>,
    /// Lookahead: steps between two meetings of the slow weights; none without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookahead: Option<u64>,
}

/// Weights that are changed otherwise: those whose name matches `pattern` and that no earlier group took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// A name with `*` for any characters: `*.bias`, `layers.0.*`.
    pub pattern: String,
    /// Whether they stay as they are, and with them the buffers whose names match: a batch norm with frozen running
    /// statistics uses these in training too.
    #[serde(default)]
    pub frozen: bool,
    /// Their schedule is over after so many epochs, and they stay as they are from then on; 0 for the run's end.
    #[serde(default)]
    pub epochs: f64,
    /// What differs from `[optimizer]`; with a name of its own, everything is that optimiser's.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
}

impl OptimizerConfig {
    /// The settings of a group: its own, and where it has the same optimiser and says nothing, those of `self`.
    pub fn of_group(&self, group: &GroupConfig) -> Self {
        let own = group.optimizer.clone();
        if own.name.is_some() && own.name() != self.name() {
            return own;
        }
        macro_rules! or {
            ($($field:ident),* $(,)?) => { Self { $($field: own.$field.or(self.$field.clone())),* } };
        }
        or! {
            name, lr, betas, eps, momentum, dampening, nesterov, alpha, centered, lr_decay, ns_steps, normalize_weights,
            weight_decay, decoupled, l1, lookahead,
        }
    }

    /// The keys that were said.
    pub(crate) fn said(&self) -> Vec<String> {
        toml::Table::try_from(self).map(|table| table.into_iter().map(|(key, _)| key).collect()).unwrap_or_default()
    }

    /// The optimiser's name.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("adam")
    }

    pub(super) fn check(&self) -> Result<()> {
        let at = |key: &str| format!("optimizer.{key}");
        let not_negative = |value: f64| value == 0.0 || (value > 0.0 && is_ordinary(value));
        let below_one = |value: f64| (0.0..1.0).contains(&value);
        if let Some(lr) = self.lr {
            within(&at("lr"), lr, lr > 0.0 && is_ordinary(lr))?;
        }
        for beta in self.betas.into_iter().flatten() {
            within(&at("betas"), beta, below_one(beta))?;
        }
        for (key, value) in
            [("eps", self.eps), ("lr_decay", self.lr_decay), ("weight_decay", self.weight_decay), ("l1", self.l1)]
        {
            if let Some(value) = value {
                within(&at(key), value, not_negative(value))?;
            }
        }
        for (key, value) in [("momentum", self.momentum), ("alpha", self.alpha)] {
            if let Some(value) = value {
                within(&at(key), value, below_one(value))?;
            }
        }
        if let Some(dampening) = self.dampening {
            within(&at("dampening"), dampening, dampening.abs() <= 1e37)?;
        }
        if let Some(steps) = self.ns_steps {
            within(&at("ns_steps"), steps, (1..=99).contains(&steps))?;
        }
        if let Some(steps) = self.lookahead {
            within(&at("lookahead"), steps, (1..=1 << 32).contains(&steps))?;
        }
        Ok(())
    }
}

impl GroupConfig {
    /// The step from which on its weights stay as they are, counted from 0.
    pub(crate) fn until(&self, per_epoch: u64) -> u64 {
        if self.epochs > 0.0 { (self.epochs * per_epoch as f64).ceil() as u64 } else { u64::MAX }
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.pattern.is_empty() {
            return Err(Error::Usage(
                "groups: pattern: expected a name, `*` standing for any characters, found none".into(),
            ));
        }
        let Self { pattern, epochs, optimizer, .. } = self;
        let wrong = |what: &dyn Display| Error::Usage(format!("groups: \"{pattern}\": {what}"));
        if !(*epochs == 0.0 || (*epochs > 0.0 && is_ordinary(*epochs))) {
            return Err(wrong(&format!("epochs: expected 0 or a number from 1e-37 to 1e37, found {epochs}")));
        }
        optimizer.check().map_err(|error| wrong(&error))
    }
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
        let mut all = OptimizerConfig { lr: Some(0.01), weight_decay: Some(0.5), ..OptimizerConfig::default() };
        assert_eq!(of_group("lr = 0.01", "weight_decay = 0.5"), all);
        // Who names none has Adam: it is the same by its name.
        all.name = Some("adam".into());
        for (optimizer, own) in [
            ("lr = 0.01", "name = \"adam\", weight_decay = 0.5"),
            ("name = \"adam\"\nlr = 0.01", "weight_decay = 0.5"),
            ("name = \"adam\"\nlr = 0.01\nweight_decay = 0.1", "name = \"adam\", weight_decay = 0.5"),
        ] {
            assert_eq!(of_group(optimizer, own), all, "{optimizer}, {own}");
        }
        for optimizer in ["lr = 0.01", "name = \"adamw\"\nlr = 0.01"] {
            let own = OptimizerConfig { name: Some("sgd".into()), momentum: Some(0.9), ..OptimizerConfig::default() };
            assert_eq!(of_group(optimizer, "name = \"sgd\", momentum = 0.9"), own, "{optimizer}");
        }
    }
}
