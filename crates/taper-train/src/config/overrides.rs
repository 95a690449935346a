//! Changing a configuration by key, and reading values by key.

use super::{Config, Key, moved, optimizer, schedule};
use crate::Result;
use std::collections::BTreeSet;
use taper_config::{Error, Family, Named, Override, Table as _, nearest, told};
use taper_nn::taper_tensor::printable;
use toml::{Table, Value};

/// The order of the tables in lists of values.
const TABLES: &[&str] = &[
    "model",
    "task",
    "data",
    "train",
    "init",
    "regularization",
    "optimizer",
    "groups",
    "schedule",
    "checkpoint",
    "log",
    "device",
];

impl Config {
    /// This configuration with `changes` applied in order, checked. Keys may have the names that they had earlier. The
    /// keys of the model, of the task and of the dataset are checked by these, before training: see
    /// [`Config::resolved`]. Another name in one of the tables that name something leaves out the keys that what is
    /// named now does not have, unless they are among `changes`.
    ///
    /// # Errors
    /// An unknown key (the error names the nearest known ones), a value of the wrong type or out of range.
    pub fn with(&self, changes: &[Override]) -> Result<Self> {
        let mut config = self.clone();
        let keys = self.keys(&[]);
        let changes: Vec<Override> = changes.iter().flat_map(moved::currently).collect();
        for change in &changes {
            config.change(change, &changes, &keys)?;
        }
        config.check()?;
        Ok(config)
    }

    fn change(&mut self, change: &Override, all: &[Override], keys: &[Key]) -> Result<()> {
        // A table without keys.
        if change.value().as_table().is_some_and(Table::is_empty) && within(keys, change.key()).next().is_some() {
            return Ok(());
        }
        let (table, name) = change.key().split_once('.').unwrap_or(("", change.key()));
        let one = change.clone().renamed(name);
        let stays = |key: &str| all.iter().any(|change| change.key().split_once('.') == Some((table, key)));
        let known = keys.iter().any(|known| known.name == change.key());
        match table {
            "model" => return change_open(&mut self.model, table, &one, stays),
            "task" => return change_open(&mut self.task, table, &one, stays),
            "data" if !known => {
                let _ = self.data.source.insert(name.into(), one.value().clone());
                return Ok(());
            }
            _ if !known => return Err(unknown_key(keys, change.key(), change.value()).into()),
            "optimizer" => optimizer::change(&mut self.optimizer, &one, stays)?,
            "schedule" => schedule::change(&mut self.schedule, &one, stays)?,
            "data" => {
                let before = std::mem::take(&mut self.data);
                self.data = before.with(table, &one)?;
                if self.data.name != before.name {
                    self.data.source.retain(|key, _| stays(key));
                }
            }
            "train" => self.train = self.train.with(table, &one)?,
            "init" => self.init = self.init.with(table, &one)?,
            "regularization" => self.regularization = self.regularization.with(table, &one)?,
            "checkpoint" => self.checkpoint = self.checkpoint.with(table, &one)?,
            "log" => self.log = self.log.with(table, &one)?,
            "device" => self.device = self.device.with(table, &one)?,
            _ => self.groups = self.top().with(table, &one)?.groups,
        }
        Ok(())
    }

    /// Every key that is set, with its value, in the order of the tables.
    pub(crate) fn values(&self) -> Vec<(String, Value)> {
        let mut table = Table::try_from(self).unwrap_or_default();
        let mut found = Vec::new();
        for name in TABLES {
            match table.remove(*name) {
                Some(Value::Table(mut keys)) => {
                    // The name first: the others are of what it names.
                    let first = keys.remove_entry("name");
                    let all = first.into_iter().chain(keys);
                    found.extend(all.map(|(key, value)| (format!("{name}.{key}"), value)));
                }
                value => found.extend(value.map(|value| (name.to_string(), value))),
            }
        }
        found
    }

    /// The value of the dotted `key`, if it is set.
    pub(crate) fn value(&self, key: &str) -> Option<Value> {
        slot(&mut Table::try_from(self).ok()?, &moved::current(key)).cloned()
    }

    /// The value of the dotted `key`, for messages.
    pub(crate) fn told(&self, key: &str) -> String {
        self.value(key).map_or_else(|| "not set".into(), |value| told(&value))
    }

    /// The value of the dotted `key` as TOML writes it (strings without quotes). `None` for an unknown key, or one that
    /// is not set.
    pub fn get(&self, key: &str) -> Option<String> {
        let mut table = Table::try_from(self).ok()?;
        match slot(&mut table, &moved::current(key))? {
            Value::String(text) => Some(text.clone()),
            Value::Table(_) => None,
            other => Some(other.to_string()),
        }
    }
}

fn slot<'a>(table: &'a mut Table, key: &str) -> Option<&'a mut Value> {
    match key.split_once('.') {
        None => table.get_mut(key),
        Some((first, rest)) => slot(table.get_mut(first)?.as_table_mut()?, rest),
    }
}

/// Makes `change` to `named`, which is one of `family`. Another name leaves out the keys that the one of that name does
/// not have and for which `stays` is false.
pub(super) fn change_in(
    family: &Family,
    named: &mut Named,
    change: &Override,
    stays: impl Fn(&str) -> bool,
) -> Result<()> {
    family.change(named, change)?;
    if change.key() == "name" {
        family.keep_own(named, stays);
    }
    Ok(())
}

/// The same where it is not known what the things named have.
fn change_open(named: &mut Named, table: &str, change: &Override, stays: impl Fn(&str) -> bool) -> Result<()> {
    let before = named.name.clone();
    named.change(table, table, change)?;
    if named.name != before {
        named.rest.retain(|key, _| stays(key));
    }
    Ok(())
}

/// The keys of the table `table`.
fn within<'a>(keys: &'a [Key], table: &'a str) -> impl Iterator<Item = &'a str> {
    let of = move |name: &&str| name.split_once('.').is_some_and(|(of, _)| of == table);
    keys.iter().map(|known| known.name.as_str()).filter(of)
}

pub(super) fn unknown_key(keys: &[Key], key: &str, value: &Value) -> Error {
    let key = &*printable(key);
    let within: Vec<&str> = within(keys, key).collect();
    if !within.is_empty() {
        return Error::Usage(format!("unknown key `{key}`; it is a table, of {}", within.join(", ")));
    }
    let names = || keys.iter().map(|key| key.name.as_str());
    let tables: BTreeSet<&str> = names().filter_map(|name| Some(name.split_once('.')?.0)).collect();
    let near = match value {
        Value::Table(_) if !key.contains('.') => nearest(key, tables),
        _ => nearest(key, names()),
    };
    Error::Usage(if near.is_empty() {
        format!("unknown key `{key}`; known: {}", names().collect::<Vec<_>>().join(", "))
    } else {
        format!("unknown key `{key}`; did you mean {}?", near.join(" or "))
    })
}

#[cfg(test)]
mod tests;
