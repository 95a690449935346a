//! The settings of a search: its method, length and seed.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The method of a search: how it spends its epochs on trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Asynchronous successive halving (Li et al., MLSys 2020): many trials are started, and one in η is continued at
    /// each rung.
    Asha,
    /// Random search: every trial is trained to the end.
    Random,
}

/// The settings of a search. With the space and the configuration they decide every trial and the order of jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The experiment's name.
    pub experiment: String,
    /// The method.
    pub method: Method,
    /// The number of trials, 1 or more.
    pub trials: u64,
    /// Epochs of the lowest rung, from 1 to `max_epochs`; random search ignores it.
    pub min_epochs: u64,
    /// Epochs of a trial that is trained to the end: `train.epochs` of every trial, and so the length of its schedule.
    pub max_epochs: u64,
    /// η, the reduction factor, 2 or more: each rung has η times the epochs of the one below, and one in η of its
    /// trials.
    pub eta: u64,
    /// The seed of the trials' values, below 2⁶³.
    pub seed: u64,
}

impl Settings {
    /// The numbers of epochs at which a trial is evaluated.
    pub(super) fn rungs(&self) -> Vec<u64> {
        match self.method {
            Method::Asha => super::asha::rungs(self.min_epochs, self.max_epochs, self.eta),
            Method::Random => vec![self.max_epochs],
        }
    }

    /// Errs when a value is out of range; the error names the setting and the range.
    pub(super) fn check(&self) -> Result<()> {
        let Self { trials, min_epochs, max_epochs, eta, seed, .. } = *self;
        // The ledger is TOML, which has signed integers only.
        let largest = i64::MAX as u64;
        within("trials", trials, (1, largest), "from 1 to 2^63 - 1")?;
        within("max-epochs", max_epochs, (1, largest), "from 1 to 2^63 - 1")?;
        within("min-epochs", min_epochs, (1, max_epochs), &format!("from 1 to the most, {max_epochs}"))?;
        within("eta", eta, (2, largest), "from 2 to 2^63 - 1")?;
        within("seed", seed, (0, largest), "from 0 to 2^63 - 1")
    }
}

fn within(name: &str, value: u64, (low, high): (u64, u64), range: &str) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::Usage(format!("{name}: expected an integer {range}, found {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_told() {
        let good = Settings {
            experiment: "digits".into(),
            method: Method::Asha,
            trials: 9,
            min_epochs: 1,
            max_epochs: 9,
            eta: 3,
            seed: 0,
        };
        good.check().unwrap();
        assert_eq!(good.rungs(), [1, 3, 9]);
        assert_eq!(Settings { method: Method::Random, ..good.clone() }.rungs(), [9]);
        for (settings, text) in [
            (Settings { trials: 0, ..good.clone() }, "trials: expected an integer from 1 to 2^63 - 1, found 0"),
            (Settings { max_epochs: 0, ..good.clone() }, "max-epochs: expected an integer from 1 to 2^63 - 1, found 0"),
            (
                Settings { min_epochs: 0, ..good.clone() },
                "min-epochs: expected an integer from 1 to the most, 9, found 0",
            ),
            (
                Settings { min_epochs: 10, ..good.clone() },
                "min-epochs: expected an integer from 1 to the most, 9, found 10",
            ),
            (Settings { eta: 1, ..good.clone() }, "eta: expected an integer from 2 to 2^63 - 1, found 1"),
            (
                Settings { seed: 1 << 63, ..good.clone() },
                "seed: expected an integer from 0 to 2^63 - 1, found 9223372036854775808",
            ),
        ] {
            let error = settings.check().unwrap_err();
            assert!(error.is_usage());
            assert_eq!(error.to_string(), text);
        }
    }
}
