//! Overrides of the default configuration: from a TOML file, `--set key=value` and flags.

use super::{Config, KEYS, out_of_range};
use crate::nearest::{nearest, unknown};
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use taper_nn::taper_tensor::{files, printable};
use toml::{Table, Value};

/// One key with its new value.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    key: String,
    value: Value,
    /// The value as the user wrote it.
    raw: String,
}

impl Override {
    /// An override that sets `key` to `value`.
    pub fn new(key: impl Into<String>, value: impl Into<Value>) -> Self {
        let value = value.into();
        let raw = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self { key: key.into(), value, raw }
    }

    /// Reads `key=value`, the argument of `--set`. The value is read as TOML, or else as a string.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((key, raw)) = text.split_once('=') else {
            return Err(Error::Usage(format!("`{text}`: expected key=value, such as optimizer.lr=0.01")));
        };
        let raw = raw.trim();
        Ok(Self { key: key.trim().into(), value: toml_value(raw).unwrap_or_else(|| raw.into()), raw: raw.into() })
    }

    /// An override of `key` from the argument of its flag. A string (a path, a name) is taken literally, with its quotes.
    pub fn flag(key: impl Into<String>, raw: &str) -> Self {
        let value = toml_value(raw).filter(|value| !value.is_str()).unwrap_or_else(|| raw.into());
        Self { key: key.into(), value, raw: raw.into() }
    }

    /// Reads the overrides in a TOML file, in the order of their keys. The table `record` of a run's `config.toml`,
    /// which is not configuration, is left out.
    pub fn read_file(path: &Path) -> Result<Vec<Self>> {
        let text = files::read_to_string(path).map_err(Error::io("read", path))?;
        Self::read(&text, &printable(&path.to_string_lossy()))
    }

    /// The same for a TOML text, which errors call `name`.
    pub fn read(text: &str, name: &str) -> Result<Vec<Self>> {
        let mut table: Table = text.parse().map_err(|e| Error::Usage(format!("{name}: {e}")))?;
        table.remove("record");
        let mut found = Vec::new();
        flatten("", table, &mut found);
        Ok(found)
    }

    /// The value for an error message: a string has quotes if it would be read as something else without them.
    fn found(&self) -> String {
        match &self.value {
            Value::String(text) if !is_bare(text) => format!("the text {text:?}"),
            _ => printable(&self.raw).into_owned(),
        }
    }
}

/// Whether a string reads as the same string without quotes.
fn is_bare(text: &str) -> bool {
    let other = toml_value(text).is_some_and(|value| !value.is_str());
    !other && !text.is_empty() && text.trim() == text && printable(text) == text
}

/// `value` for messages: a string has no quotes where it reads as the same string without them.
fn told(value: &Value) -> String {
    match value {
        Value::String(text) if is_bare(text) => text.clone(),
        Value::String(text) => format!("{text:?}"),
        other => printable(&other.to_string()).into_owned(),
    }
}

impl fmt::Display for Override {
    /// `key=value`, as [`parse`](Override::parse) reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.raw)
    }
}

/// `raw` as a single TOML value, if it is one.
fn toml_value(raw: &str) -> Option<Value> {
    let mut table: Table = format!("value = {raw}").parse().ok()?;
    table.remove("value").filter(|_| table.is_empty())
}

/// Collects the leaves of a table with their dotted keys. An empty table that the configuration does not have is one.
fn flatten(prefix: &str, table: Table, found: &mut Vec<Override>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) if !inner.is_empty() || is_table(&key) => flatten(&key, inner, found),
            value => found.push(Override::new(key, value)),
        }
    }
}

/// Whether the configuration has a table called `name`.
fn is_table(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

impl Config {
    /// This configuration with `changes` applied in order, checked.
    ///
    /// # Errors
    /// An unknown key (the error names the nearest known ones), a value of the wrong type or out of range.
    pub fn with(&self, changes: &[Override]) -> Result<Self> {
        let mut config = self.clone();
        for change in changes {
            config = config.with_one(change)?;
        }
        config.check()?;
        Ok(config)
    }

    fn with_one(&self, change: &Override) -> Result<Self> {
        let Override { key, value, raw } = change;
        if !KEYS.iter().any(|known| known.name == key) {
            return Err(unknown_key(key, value));
        }
        let mut table = Table::try_from(self).map_err(|e| Error::Usage(format!("the configuration: {e}")))?;
        match slot(&mut table, key) {
            Some(place) => {
                *place = match (&*place, value) {
                    // A model called 7 is a name, not a number.
                    (Value::String(_), Value::String(text)) => Value::String(text.clone()),
                    (Value::String(_), Value::Table(_) | Value::Array(_)) => value.clone(),
                    (Value::String(_), _) => Value::String(raw.clone()),
                    (Value::Float(_), Value::Integer(whole)) => Value::Float(*whole as f64),
                    _ => value.clone(),
                }
            }
            // A key that is not set yet is not in the table.
            None => drop(key.split_once('.').and_then(|(table_name, name)| {
                table.get_mut(table_name)?.as_table_mut()?.insert(name.into(), value.clone())
            })),
        }
        table.try_into().map_err(|error: toml::de::Error| match key.as_str() {
            "groups" | "data.augment" => Error::Usage(list_error(key, &change.found(), error.message())),
            _ => out_of_range(key, change.found()),
        })
    }

    /// The value of the dotted `key`, if it is set.
    pub(crate) fn value(&self, key: &str) -> Option<Value> {
        slot(&mut Table::try_from(self).ok()?, key).cloned()
    }

    /// The value of the dotted `key`, for messages.
    pub(crate) fn told(&self, key: &str) -> String {
        self.value(key).map_or_else(|| "not set".into(), |value| told(&value))
    }

    /// The value of the dotted `key` as TOML writes it (strings without quotes). `None` for an unknown key, or one that
    /// is not set.
    pub fn get(&self, key: &str) -> Option<String> {
        let mut table = Table::try_from(self).ok()?;
        match slot(&mut table, key)? {
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

/// What is wrong with the list of tables `raw`. The TOML reader's own error names the field, but in Rust's terms.
fn list_error(key: &str, raw: &str, message: &str) -> String {
    let range = KEYS.iter().find(|known| known.name == key).map_or("another value", |known| known.range);
    let message = message.trim_end();
    // "unknown field `x`, expected one of `a`, `b`", "unknown variant …", with "`a` or `b`" for two and "`a`" for one.
    if let Some(rest) = message.strip_prefix("unknown ")
        && let Some((what, expected)) = rest.split_once(", expected ")
        && let [_, name, _] = what.splitn(3, '`').collect::<Vec<_>>()[..]
    {
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let what = if rest.starts_with("variant") { "kind" } else { "key" };
        return format!("{key}: {}", unknown(what, name, &known));
    }
    let plain = [
        ("invalid type: ", "found "),
        ("invalid value: ", "found "),
        (", expected ", " where there must be "),
        ("internally tagged enum Augment", "a table with a `kind`"),
        ("struct GroupConfig", "a table with a `pattern`"),
        ("struct OptimizerConfig", "a table of an optimiser's keys"),
        ("a sequence", "a list"),
        ("usize", "an integer, 0 or more"),
        ("u64", "an integer, 0 or more"),
        ("f64", "a number"),
        ("f32", "a number"),
        ("a boolean", "true or false"),
        ("missing field", "missing key"),
        ("map", "a table"),
    ];
    let told = plain.iter().fold(message.to_string(), |told, (from, to)| told.replace(from, to));
    format!("{key}: expected {range}, found {raw}: {}", printable(&told))
}

fn unknown_key(key: &str, value: &Value) -> Error {
    let key = &*printable(key);
    let within: Vec<&str> = KEYS
        .iter()
        .map(|known| known.name)
        .filter(|name| name.split_once('.').is_some_and(|(of, _)| of == key))
        .collect();
    if !within.is_empty() {
        return Error::Usage(format!("unknown key `{key}`; it is a table, of {}", within.join(", ")));
    }
    let tables: BTreeSet<&str> = KEYS.iter().filter_map(|key| Some(key.name.split_once('.')?.0)).collect();
    let near = match value {
        Value::Table(_) if !key.contains('.') => nearest(key, tables),
        _ => nearest(key, KEYS.iter().map(|key| key.name)),
    };
    let known = KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(", ");
    Error::Usage(if near.is_empty() {
        format!("unknown key `{key}`; known: {known}")
    } else {
        format!("unknown key `{key}`; did you mean {}?", near.join(" or "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment;

    fn set(text: &str) -> Result<Config> {
        experiment("cifar")?.config().with(&[Override::parse(text)?])
    }

    fn leaves(config: &Config) -> Vec<String> {
        let mut found = Vec::new();
        flatten("", Table::try_from(config).unwrap(), &mut found);
        found.into_iter().map(|change| change.key).collect()
    }

    #[test]
    fn every_key_is_listed_once() {
        let mut config = experiment("cifar").unwrap().config();
        // What is not said is not written: all of an optimiser's keys are said here.
        config.optimizer = toml::from_str(
            "name = \"sgd\"\nlr = 1.0\nbetas = [0.5, 0.5]\neps = 0.5\nmomentum = 0.5\ndampening = 0.5\nnesterov = true\n\
             alpha = 0.5\ncentered = true\nlr_decay = 0.5\nns_steps = 3\nnormalize_weights = true\nweight_decay = 0.5\n\
             decoupled = true\nl1 = 0.5\nlookahead = 5",
        )
        .unwrap();
        let mut fields = leaves(&config);
        let mut listed: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        fields.sort_unstable();
        listed.sort_unstable();
        assert_eq!(fields, listed);
    }

    #[test]
    fn values_are_set() {
        assert_eq!(set("train.epochs=3").unwrap().train.epochs, 3);
        assert_eq!(Override::new("optimizer.betas", vec![0.5, 0.75]).to_string(), "optimizer.betas=[0.5, 0.75]");
        assert_eq!(set(" optimizer.lr = 1e-2 ").unwrap().optimizer.lr, Some(0.01));
        assert_eq!(set("optimizer.lr=1").unwrap().optimizer.lr, Some(1.0));
        assert_eq!(set("optimizer.betas=[0.8, 0.9]").unwrap().optimizer.betas, Some([0.8, 0.9]));
        assert!(!set("train.shuffle=false").unwrap().train.shuffle);
        assert_eq!(set("model=mlp").unwrap().model, "mlp");
        assert_eq!(set("model=\"mlp\"").unwrap().model, "mlp");
        assert_eq!(set("train.init=7").unwrap().train.init, "7");
        let flags = [Override::flag("train.init", "\"a\""), Override::flag("train.epochs", "7")];
        let config = experiment("cifar").unwrap().config().with(&flags).unwrap();
        assert_eq!((config.train.init.as_str(), config.train.epochs), ("\"a\"", 7));
    }

    #[test]
    fn what_cannot_be_set_is_told() {
        let text = |arg| {
            let error = set(arg).unwrap_err();
            assert!(error.is_usage());
            error.to_string()
        };
        assert_eq!(text("train.epochs"), "`train.epochs`: expected key=value, such as optimizer.lr=0.01");
        assert_eq!(text("train.epoch=3"), "unknown key `train.epoch`; did you mean train.epochs?");
        assert_eq!(text("lr=3"), "unknown key `lr`; did you mean optimizer.lr?");
        assert!(text("qqq=3").starts_with("unknown key `qqq`; known: model, data.name, "));
        assert_eq!(text("log=3"), "unknown key `log`; it is a table, of log.tensorboard, log.report, log.gradients");
        assert_eq!(text("train.epochs=abc"), "train.epochs: expected an integer, 1 or more, found abc");
        assert_eq!(text("train.epochs=-1"), "train.epochs: expected an integer, 1 or more, found -1");
        assert_eq!(text("train.epochs=1.5"), "train.epochs: expected an integer, 1 or more, found 1.5");
        assert_eq!(
            text("train.epochs=99999999999999999999"),
            "train.epochs: expected an integer, 1 or more, found 99999999999999999999"
        );
        assert_eq!(text("train.shuffle=1"), "train.shuffle: expected true or false, found 1");
        assert_eq!(
            text("optimizer.betas=0.9"),
            "optimizer.betas: expected two numbers, 0 or more and below 1, found 0.9"
        );
        assert_eq!(
            text("train.epochs=1\nx=2"),
            "train.epochs: expected an integer, 1 or more, found the text \"1\\nx=2\""
        );
    }

    /// What a message shows is what was written: a text that looks like another value has its quotes.
    #[test]
    fn texts_are_told_from_what_they_look_like() {
        let text = |arg: &str| set(arg).unwrap_err().to_string();
        assert_eq!(text("train.epochs=\"3\""), "train.epochs: expected an integer, 1 or more, found the text \"3\"");
        assert_eq!(text("train.shuffle=\"false\""), "train.shuffle: expected true or false, found the text \"false\"");
        assert_eq!(text("train.shuffle="), "train.shuffle: expected true or false, found the text \"\"");
        assert_eq!(
            text("train.shuffle=no\u{1b}[2J"),
            "train.shuffle: expected true or false, found the text \"no\\u{1b}[2J\""
        );
        let file = Override::read("train.epochs = \"3\"\n", "a.toml").unwrap();
        let error = experiment("digits").unwrap().config().with(&file).unwrap_err().to_string();
        assert_eq!(error, "train.epochs: expected an integer, 1 or more, found the text \"3\"");
        assert_eq!(text("a\u{1b}[2J=3").split(';').next().unwrap(), "unknown key `a\\u{1b}[2J`");
        let with = |arg: &str| set(arg).unwrap().told(arg.split('=').next().unwrap());
        assert_eq!(
            [with("model=7"), with("model=a b"), with("train.init="), with("train.epochs=7")],
            ["\"7\"", "a b", "\"\"", "7"]
        );
    }

    #[test]
    fn an_empty_table_is_a_key_too() {
        let of = |text: &str| {
            let read = Override::read(text, "a.toml").and_then(|keys| experiment("digits")?.config().with(&keys));
            read.map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(of("[train]\n[optimizer]\n"), Ok(()));
        assert_eq!(of("[trian]\n"), Err("unknown key `trian`; did you mean train?".into()));
        assert!(
            of("[train.epoch]\n").unwrap_err().starts_with("unknown key `train.epoch`; did you mean train.epochs?")
        );
        assert!(of("[model]\n").unwrap_err().starts_with("model: expected the name of a model, found "));
        assert!(
            of("[train.epochs]\n").unwrap_err().starts_with("train.epochs: expected an integer, 1 or more, found ")
        );
    }

    #[test]
    fn what_is_wrong_in_a_list_is_told() {
        let text = |arg: &str| set(arg).unwrap_err().to_string();
        assert_eq!(
            text("data.augment=[{kind = \"flop\"}]"),
            format!("data.augment: {}", unknown("kind", "flop", taper_data::Augment::KINDS))
        );
        assert_eq!(
            text("data.augment=[{kind = \"flip\", alternatin = true}]"),
            "data.augment: unknown key `alternatin`; did you mean alternating? (known: alternating)"
        );
        for (list, told) in [
            ("flip", "found string \"flip\" where there must be a list"),
            ("[\"flip\"]", "found string \"flip\" where there must be a table with a `kind`"),
            ("[{}]", "missing key `kind`"),
            ("[{kind = \"flip\", alternating = 3}]", "found integer `3` where there must be true or false"),
            ("[{kind = \"translate\", pixels = -1}]", "found integer `-1` where there must be an integer, 0 or more"),
        ] {
            let due = format!("data.augment: expected a list such as [{{kind = \"flip\"}}], found {list}: {told}");
            assert_eq!(text(&format!("data.augment={list}")), due);
        }
        assert!(text("groups=[{patern = \"*\"}]").starts_with("groups: unknown key `patern`; did you mean pattern?"));
        let text = text("groups=[{pattern = \"*\", optimizer = {weight_deca = 0}}]");
        assert!(text.starts_with("groups: unknown key `weight_deca`; did you mean weight_decay?"), "{text}");
    }

    #[test]
    fn a_file_lists_differences_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        std::fs::write(&path, "model = \"mlp\"\n[train]\nepochs = 2\n[record]\ntaper = \"9\"\n").unwrap();
        let changes = Override::read_file(&path).unwrap();
        let default = experiment("cifar").unwrap().config();
        let config = default.with(&changes).unwrap();
        assert_eq!((config.model.as_str(), config.train.epochs), ("mlp", 2));
        assert_eq!(config.optimizer, default.optimizer);
        std::fs::write(&path, "model = ").unwrap();
        assert!(Override::read_file(&path).unwrap_err().to_string().contains("a.toml"));
        std::fs::remove_file(&path).unwrap();
        assert!(Override::read_file(&path).unwrap_err().to_string().starts_with("cannot read"));
    }

    #[test]
    fn values_are_got_by_key() {
        let config = experiment("cifar").unwrap().config();
        assert_eq!(config.get("train.epochs").unwrap(), "10");
        assert_eq!(config.get("optimizer.lr").unwrap(), "0.001");
        assert_eq!(config.get("model").unwrap(), "seed-cnn");
        assert_eq!(config.get("train"), None);
        assert_eq!(config.get("nope"), None);
    }
}
