//! `[optimizer]`: the optimiser and its settings. `groups`: parameter groups, with optimiser settings of their own or
//! frozen.

use super::{is_ordinary, within};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// `[optimizer]`: an optimiser and its settings. A key that is `None` has the optimiser's own default; a key that the
/// optimiser does not have may not be set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// The optimiser's name: `adam`, `adamw`, `sgd`, `rmsprop`, `adagrad`, `lion`, `lamb` or `muon`; `None` for `adam`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// β₁ and β₂: the decay rates of the first and second moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub betas: Option<[f64; 2]>,
    /// ε, added to the denominator to avoid a division by zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eps: Option<f64>,
    /// Momentum: the decay rate of the velocity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Dampening of momentum: the velocity takes the gradient times 1 − this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dampening: Option<f64>,
    /// Whether momentum is Nesterov's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nesterov: Option<bool>,
    /// α: the decay rate of RMSprop's mean square.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Whether RMSprop is centred: the squared mean gradient is subtracted from the mean square.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub centered: Option<bool>,
    /// Adagrad's learning-rate decay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_decay: Option<f64>,
    /// Newton–Schulz iterations of Muon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ns_steps: Option<usize>,
    /// Whether Muon first scales each weight to the norm √(rows), as airbench does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalize_weights: Option<bool>,
    /// Weight decay: λ of the L2 penalty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Whether weight decay is decoupled, as in AdamW: it shrinks the weights directly instead of joining the gradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoupled: Option<bool>,
    /// λ of the L1 penalty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1: Option<f64>,
    /// Lookahead: the number of steps between two updates of the slow weights; `None` for no Lookahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookahead: Option<u64>,
}

/// A parameter group: the parameters whose name matches `pattern` and that no earlier group matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// A parameter name in which `*` stands for any characters: `*.bias`, `layers.0.*`.
    pub pattern: String,
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

impl OptimizerConfig {
    /// The optimiser settings of `group`: its own keys, and, if it uses the same optimiser, those of `self` for the
    /// rest.
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

    /// The keys that are explicitly set.
    pub(crate) fn said(&self) -> Vec<String> {
        toml::Table::try_from(self).map(|table| table.into_iter().map(|(key, _)| key).collect()).unwrap_or_default()
    }

    /// The optimiser's name, `adam` if none is set.
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
    /// The step, counted from 0, from which on the group is frozen.
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
        // Without a name the optimiser is Adam, so that naming it changes nothing.
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
