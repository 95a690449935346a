//! Keys that have had another name: files, run folders and `--set` with the old name are read.

use std::borrow::Cow;
use taper_config::Override;
use toml::{Table, Value};

/// Each old name with the name that it has now.
const MOVED: &[(&str, &str)] = &[
    ("regularization.label_smoothing", "task.label_smoothing"),
    ("regularization.mixup", "task.mixup"),
    ("regularization.cutmix", "task.cutmix"),
    ("train.views", "task.views"),
    ("train.reduction", "task.reduction"),
    ("train.init", "init.file"),
    ("train.init_partial", "init.partial"),
];

/// The tables that name something, of which the rest belongs to what they name. The name alone may stand for the table.
const NAMED: &[&str] = &["model", "task", "data", "optimizer", "schedule"];

/// The name that the key `key` has now.
pub(crate) fn current(key: &str) -> Cow<'_, str> {
    match MOVED.iter().find(|(old, _)| *old == key) {
        Some((_, now)) => Cow::Borrowed(now),
        // It was the name of the model.
        None if key == "model" => Cow::Borrowed("model.name"),
        None => Cow::Borrowed(key),
    }
}

/// The same for an override: one for each key of a table that it sets as a whole.
pub(super) fn currently(change: &Override) -> Vec<Override> {
    let key = change.key();
    if !NAMED.contains(&key) {
        return vec![change.clone().renamed(current(key))];
    }
    match change.value() {
        Value::Table(_) => change.clone().flattened(),
        // A model called 7 is a name, not a number.
        value if value.is_str() || key == "model" => vec![change.clone().renamed(format!("{key}.name"))],
        _ => vec![change.clone()],
    }
}

/// Gives the keys of a whole configuration the names that they have now, and makes tables of names alone.
pub(crate) fn update(config: &mut Table) {
    for name in NAMED {
        if let Some(value) = config.get_mut(*name).filter(|value| value.is_str()) {
            let named = std::mem::replace(value, Value::Table(Table::new()));
            if let Value::Table(table) = value {
                table.insert("name".into(), named);
            }
        }
    }
    for (old, now) in MOVED {
        let ([table, key], [to, as_key]) = (halves(old), halves(now));
        let Some(value) = config.get_mut(table).and_then(|table| table.as_table_mut()?.remove(key)) else { continue };
        if let Value::Table(task) = config.entry(to).or_insert_with(|| Value::Table(Table::new())) {
            task.entry(as_key).or_insert(value);
        }
    }
}

/// What a model of a run of an earlier version had no key for: the model, the key, and the value that it was as if it had.
const BEFORE: &[(&str, &str, &str)] = &[("resnet18", "stem", "cifar")];

/// Gives the whole configuration of a run, which says every key, the keys that its model has now and had none of then.
pub(crate) fn complete(config: &mut Table) {
    let Some(Value::Table(model)) = config.get_mut("model") else { return };
    for (name, key, value) in BEFORE {
        if model.get("name").and_then(Value::as_str) == Some(name) {
            model.entry(*key).or_insert_with(|| (*value).into());
        }
    }
}

fn halves(key: &str) -> [&str; 2] {
    key.split_once('.').map_or(["", key], |(table, key)| [table, key])
}
