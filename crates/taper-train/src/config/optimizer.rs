//! `[optimizer]`: the optimiser and its settings. `groups`: parameter groups, with optimiser settings of their own or
//! frozen.

use serde::{Deserialize, Serialize};
use taper_config::range::ordinary_or_zero;
use taper_config::{Table as _, table};

table! {
    /// `[optimizer]`: an optimiser and its settings. A key that is `None` has the optimiser's own default; a key that
    /// the optimiser does not have may not be set.
    pub struct OptimizerConfig {
        /// adam, adamw, sgd, rmsprop, adagrad, lion, lamb or muon.
        name: Option<String> = None, any("the name of an optimiser");
        /// The learning rate.
        lr: Option<f64> = None, optional(ordinary());
        /// Decay rates of the first and second moment.
        betas: Option<[f64; 2]> = None, optional(each("two numbers, 0 or more and below 1", below_one));
        /// Added to the denominator to avoid a division by zero.
        eps: Option<f64> = None, optional(ordinary_or_zero());
        /// Momentum: decay rate of the velocity.
        momentum: Option<f64> = None, optional(fraction());
        /// Dampening of momentum: the velocity takes the gradient times 1 - this.
        dampening: Option<f64> = None, optional(number(-1e37..=1e37));
        /// Whether momentum is Nesterov's.
        nesterov: Option<bool> = None, optional(flag());
        /// Decay rate of RMSprop's mean square.
        alpha: Option<f64> = None, optional(fraction());
        /// Whether RMSprop is centred.
        centered: Option<bool> = None, optional(flag());
        /// Adagrad's learning-rate decay.
        lr_decay: Option<f64> = None, optional(ordinary_or_zero());
        /// Newton-Schulz iterations of Muon.
        ns_steps: Option<usize> = None, optional(integer(1..=99));
        /// Whether Muon scales each weight first, as airbench does.
        normalize_weights: Option<bool> = None, optional(flag());
        /// Weight decay (L2 penalty).
        weight_decay: Option<f64> = None, optional(ordinary_or_zero());
        /// Whether weight decay is decoupled, as in AdamW.
        decoupled: Option<bool> = None, optional(flag());
        /// L1 penalty.
        l1: Option<f64> = None, optional(ordinary_or_zero());
        /// Steps between updates of Lookahead's slow weights.
        lookahead: Option<u64> = None, optional(integer(1..=1 << 32));
    }
}

fn below_one(value: &f64) -> bool {
    (0.0..1.0).contains(value)
}

/// A parameter group: the parameters whose name matches `pattern` and that no earlier group matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with a `pattern`")]
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
        let of_group = |error: taper_config::Error| format!("\"{pattern}\": {error}");
        ordinary_or_zero().check("epochs", epochs).and_then(|()| optimizer.check("optimizer")).map_err(of_group)
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
