//! The ranking of a search's trials, and the data of its charts.

use super::{Entry, Search};
use crate::{Config, shell_quoted};
use std::collections::BTreeMap;
use toml::Value;

/// A trial in the ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The trial, counted from 1.
    pub trial: u64,
    /// The epochs after which it was last evaluated; 0 if it failed before that.
    pub epochs: u64,
    /// The validation loss after these epochs.
    pub loss: Option<f64>,
    /// The other metrics on the validation split after these epochs, by name.
    pub metrics: BTreeMap<String, f64>,
    /// Why it failed, if it did.
    pub failed: Option<String>,
    /// The values of the space's keys, in their order.
    pub values: Vec<Value>,
}

impl Search {
    /// The keys that are searched over.
    pub fn keys(&self) -> Vec<&str> {
        self.space.keys().map(|(key, _)| key).collect()
    }

    /// The trials, best first: those trained for more epochs first, so that comparable losses are compared, then by
    /// validation loss, then by number. Failed trials come last.
    pub fn standings(&self) -> Vec<Standing> {
        let mut found: BTreeMap<u64, Standing> = BTreeMap::new();
        for entry in self.results() {
            let standing = found.entry(entry.trial).or_insert_with(|| self.begun(entry.trial));
            match &entry.failed {
                Some(reason) => standing.failed = Some(reason.clone()),
                None => {
                    (standing.epochs, standing.loss) = (entry.epochs, entry.loss);
                    standing.metrics.clone_from(&entry.metrics);
                }
            }
        }
        let mut standings: Vec<Standing> = found.into_values().collect();
        let loss = |standing: &Standing| standing.loss.unwrap_or(f64::INFINITY);
        standings.sort_by(|a, b| {
            let failed = a.failed.is_some().cmp(&b.failed.is_some());
            failed.then(b.epochs.cmp(&a.epochs)).then(loss(a).total_cmp(&loss(b))).then(a.trial.cmp(&b.trial))
        });
        standings
    }

    /// The names of the metrics that were measured, besides the loss.
    pub fn metrics(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.results().iter().flat_map(|entry| entry.metrics.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The best trial; `None` if all failed.
    pub fn best(&self) -> Option<Standing> {
        self.standings().into_iter().next().filter(|best| best.failed.is_none())
    }

    /// The epochs spent in all by the end of each successful job, and the lowest validation loss until then.
    pub fn best_so_far(&self) -> Vec<(u64, f64)> {
        let (mut spent, mut best, mut reached) = (0, f64::INFINITY, BTreeMap::<u64, u64>::new());
        let mut points = Vec::new();
        for Entry { trial, epochs, loss, .. } in self.results() {
            // A trial is resumed where it was paused; one that fails counts as if it had been trained for all the job's
            // epochs.
            spent += epochs.saturating_sub(reached.insert(*trial, *epochs).unwrap_or(0));
            if let Some(loss) = *loss {
                best = best.min(loss);
                points.push((spent, best));
            }
        }
        points
    }

    /// The command that trains a run like trial `number`, without the program's name (`train digits --set …`): it sets
    /// each key that differs from the experiment's configuration `default`, except those of the device; `flags`, which
    /// set no key, follow.
    pub fn command(&self, number: u64, default: &Config, flags: &[String]) -> String {
        let config = self.config.with(&self.trial(number).overrides).unwrap_or_else(|_| self.config.clone());
        let mut command = format!("train {}", self.ledger.settings().experiment);
        for (key, value) in config.values().into_iter().filter(|(key, _)| !key.starts_with("device.")) {
            if default.value(&key).as_ref() != Some(&value) {
                let value = config.get(&key).unwrap_or_default();
                command += &format!(" --set {}", shell_quoted(&format!("{key}={value}")));
            }
        }
        flags.iter().for_each(|flag| command += &format!(" {}", shell_quoted(flag)));
        command
    }

    fn begun(&self, trial: u64) -> Standing {
        let values = self.space.draw(self.ledger.settings().seed, trial).into_iter().map(|(_, value)| value).collect();
        Standing { trial, epochs: 0, loss: None, metrics: BTreeMap::new(), failed: None, values }
    }
}
