//! The search space: keys of the configuration, each with the range of its values.

use crate::config::moved::current;
use crate::error::shown;
use crate::{Config, Error, Override, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use taper_nn::taper_tensor::files;
use toml::{Table, Value};

/// Integers are drawn through f64, which cannot represent all integers beyond these.
const WHOLE: std::ops::RangeInclusive<i64> = -(1 << 53)..=1 << 53;
const FORMS: &str = "{ uniform = [low, high] }, { log = [low, high] }, { integer = [low, high] }, \
                     { log_integer = [low, high] } or { choice = [value, …] }";

/// The values that a key may take. Ranges include both ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Range {
    /// Numbers, uniformly distributed.
    Uniform([f64; 2]),
    /// Numbers above 0, log-uniformly distributed.
    Log([f64; 2]),
    /// Integers, uniformly distributed.
    Integer([i64; 2]),
    /// Integers, 1 or more, log-uniformly distributed.
    LogInteger([i64; 2]),
    /// A list of values, each with the same probability.
    Choice(Vec<Value>),
}

/// The search space: keys of the configuration with their ranges, ordered by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Space(Vec<(String, Range)>);

impl Space {
    /// Reads a TOML file such as
    ///
    /// ```toml
    /// "optimizer.lr" = { log = [1e-4, 1e-1] }
    /// "train.batch_size" = { choice = [32, 64, 128] }
    /// [optimizer]
    /// weight_decay = { uniform = [0, 0.1] }
    /// ```
    ///
    /// and checks that `config` accepts both ends of each range, and each choice, and that `check` accepts what comes of
    /// it: an experiment's own check.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown key or one that the search itself sets, a range that is empty, reversed
    /// or contains a value that the key does not take. The error names the file and the key.
    pub fn read(path: &Path, config: &Config, check: &dyn Fn(&Config) -> Result<()>) -> Result<Self> {
        let text = files::read_to_string(path).map_err(Error::io("read", path))?;
        let named = |detail: String| Error::Usage(format!("{}: {detail}", shown(path)));
        let table: Table = text.parse().map_err(|e: toml::de::Error| named(e.to_string()))?;
        Self::from_table(table, config, check).map_err(|error| named(error.to_string()))
    }

    fn from_table(table: Table, config: &Config, check: &dyn Fn(&Config) -> Result<()>) -> Result<Self> {
        let mut found = BTreeMap::new();
        collect("", table, config, &mut found)?;
        if found.is_empty() {
            return Err(Error::Usage(format!("expected at least one key with its range: {FORMS}; found none")));
        }
        for (key, range) in &found {
            range.check(key, config, check)?;
        }
        Ok(Self(found.into_iter().collect()))
    }

    /// The keys with their ranges.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &Range)> {
        self.0.iter().map(|(key, range)| (key.as_str(), range))
    }
}

/// Collects the ranges in `table`, whose keys have the prefix `prefix`, into `found`.
fn collect(prefix: &str, table: Table, config: &Config, found: &mut BTreeMap<String, Range>) -> Result<()> {
    let keys = config.keys(&[]);
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        let is_table =
            |key: &str| keys.iter().any(|known| known.name.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')));
        match value {
            Value::Table(inner) if is_table(&key) && !is_range(&inner) => collect(&key, inner, config, found)?,
            value => {
                if !keys.iter().any(|known| known.name == current(&key)) {
                    // The configuration's own error describes the key.
                    config.with(&[Override::new(key.as_str(), 0)])?;
                }
                if ["train.epochs", "train.max_steps"].contains(&&*key) {
                    let detail =
                        "the search itself decides how long a trial is trained; leave it out, and give --max-epochs";
                    return Err(Error::Usage(format!("{key}: {detail}")));
                }
                if key == "data.validation" {
                    let detail = "trials are compared on one validation split; leave it out, and give --set \
                                  data.validation=FRACTION";
                    return Err(Error::Usage(format!("{key}: {detail}")));
                }
                if key.starts_with("device.") {
                    let detail = "all trials are computed on one device; leave it out, and give --set device.name=NAME";
                    return Err(Error::Usage(format!("{key}: {detail}")));
                }
                let range = Range::read(&key, &value)?;
                if found.insert(key.clone(), range).is_some() {
                    return Err(Error::Usage(format!("{key}: expected one range, found two")));
                }
            }
        }
    }
    Ok(())
}

/// Whether `table` is a range, of a name that stands for its table: `model = { choice = ["mlp"] }`.
fn is_range(table: &Table) -> bool {
    let form = |(form, ends): (&String, &Value)| FORMS.contains(&format!("{{ {form} =")) && ends.is_array();
    table.len() == 1 && table.iter().any(form)
}

impl Range {
    fn read(key: &str, value: &Value) -> Result<Self> {
        let wrong =
            |expected: &str, found: &Value| Err(Error::Usage(format!("{key}: expected {expected}, found {found}")));
        let Some((form, ends)) = value.as_table().filter(|table| table.len() == 1).and_then(|t| t.iter().next()) else {
            return wrong(FORMS, value);
        };
        match (form.as_str(), ends) {
            ("choice", Value::Array(choices)) if !choices.is_empty() => Ok(Self::Choice(choices.clone())),
            ("choice", other) => wrong("choice = [value, …] with at least one value", other),
            ("uniform", ends) => match pair(ends, number) {
                Some([low, high]) if low < high => Ok(Self::Uniform([low, high])),
                _ => wrong("uniform = [low, high], two finite numbers with low below high", ends),
            },
            ("log", ends) => match pair(ends, number) {
                Some([low, high]) if 0.0 < low && low < high => Ok(Self::Log([low, high])),
                _ => wrong("log = [low, high], two finite numbers above 0 with low below high", ends),
            },
            ("integer", ends) => match pair(ends, whole) {
                Some([low, high]) if low < high => Ok(Self::Integer([low, high])),
                _ => wrong("integer = [low, high], two whole numbers within ±2^53 with low below high", ends),
            },
            ("log_integer", ends) => match pair(ends, whole) {
                Some([low, high]) if 1 <= low && low < high => Ok(Self::LogInteger([low, high])),
                _ => wrong("log_integer = [low, high], two whole numbers from 1 to 2^53 with low below high", ends),
            },
            _ => wrong(FORMS, value),
        }
    }

    /// Errs unless `key` may have each end of the range, or each choice.
    fn check(&self, key: &str, config: &Config, check: &dyn Fn(&Config) -> Result<()>) -> Result<()> {
        let tried: Vec<Value> = match self {
            Self::Uniform(ends) | Self::Log(ends) => ends.iter().map(|&x| x.into()).collect(),
            Self::Integer(ends) | Self::LogInteger(ends) => ends.iter().map(|&n| n.into()).collect(),
            Self::Choice(choices) => choices.clone(),
        };
        for value in tried {
            let config = config.with(&[Override::new(key, value)])?;
            check(&config).map_err(|error| match error.to_string() {
                told if told.starts_with(&*current(key)) => Error::Usage(told),
                told => Error::Usage(format!("{key}: {told}")),
            })?;
        }
        Ok(())
    }
}

impl fmt::Display for Range {
    /// The range as in the file, without braces: `log = [0.0001, 0.1]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform(ends) => write!(f, "uniform = {ends:?}"),
            Self::Log(ends) => write!(f, "log = {ends:?}"),
            Self::Integer(ends) => write!(f, "integer = {ends:?}"),
            Self::LogInteger(ends) => write!(f, "log_integer = {ends:?}"),
            Self::Choice(choices) => write!(f, "choice = {}", Value::Array(choices.clone())),
        }
    }
}

/// Both elements of the array `value`, if it has two and `element` takes both.
fn pair<T>(value: &Value, element: impl Fn(&Value) -> Option<T>) -> Option<[T; 2]> {
    match value.as_array()?.as_slice() {
        [low, high] => Some([element(low)?, element(high)?]),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    let found = value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
    found.filter(|x| x.is_finite())
}

fn whole(value: &Value) -> Option<i64> {
    value.as_integer().filter(|n| WHOLE.contains(n))
}

#[cfg(test)]
pub(super) fn space(text: &str) -> Result<Space> {
    let known = |config: &Config| match config.model.name.as_str() {
        "mlp" | "seed-cnn" => config.resolved(&[]).map(drop),
        other => Err(Error::Usage(taper_config::unknown("model", other, &["mlp", "seed-cnn"]))),
    };
    Space::from_table(text.parse().unwrap(), &Config::default(), &known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_may_be_dotted_or_in_tables() {
        let text = "\"optimizer.lr\" = { log = [1e-4, 1] }\ntrain.batch_size = { choice = [32, 64] }\n\
                    [optimizer]\nweight_decay = { uniform = [0, 0.5] }\n[data]\ntrain_samples = { integer = [1, 9] }\n";
        let found: Vec<String> = space(text).unwrap().keys().map(|(key, range)| format!("{key}: {range}")).collect();
        assert_eq!(
            found,
            [
                "data.train_samples: integer = [1, 9]",
                "optimizer.lr: log = [0.0001, 1.0]",
                "optimizer.weight_decay: uniform = [0.0, 0.5]",
                "train.batch_size: choice = [32, 64]",
            ]
        );
        let text = "model.name = { choice = [\"mlp\"] }\nregularization.mixup = { uniform = [0, 1] }\n[model.hidden]\n\
                    choice = [[64], [128]]";
        let found: Vec<String> = space(text).unwrap().keys().map(|(key, range)| format!("{key}: {range}")).collect();
        assert_eq!(
            found,
            [
                "model.hidden: choice = [[64], [128]]",
                "model.name: choice = [\"mlp\"]",
                "regularization.mixup: uniform = [0.0, 1.0]"
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_key() {
        for (text, due) in [
            ("", "expected at least one key with its range: { uniform = [low, high] }, "),
            ("[optimizer]", "expected at least one key with its range: "),
            ("optimizer.lrr = { log = [1, 2] }", "unknown key `optimizer.lrr`; did you mean optimizer.lr?"),
            ("optimizer = 3", "unknown key `optimizer`; it is a table, of optimizer.name, "),
            ("optimizer.lr = 0.1", "optimizer.lr: expected { uniform = [low, high] }, "),
            ("optimizer.lr = { normal = [0, 1] }", "optimizer.lr: expected { uniform = "),
            ("optimizer.lr = { log = [1, 2], choice = [1] }", "optimizer.lr: expected { uniform = "),
            ("optimizer.lr = { log = [0, 1] }", "optimizer.lr: expected log = [low, high], two finite numbers above 0"),
            ("optimizer.lr = { log = [0.1, 0.01] }", "with low below high, found [0.1, 0.01]"),
            ("optimizer.lr = { uniform = [0.1, 0.1] }", "optimizer.lr: expected uniform = [low, high], two finite"),
            ("optimizer.lr = { uniform = [0.1, inf] }", "optimizer.lr: expected uniform = [low, high], two finite"),
            ("optimizer.lr = { uniform = [0.1] }", "with low below high, found [0.1]"),
            ("optimizer.lr = { uniform = [0, 0.1] }", "optimizer.lr: expected a number from 1e-37 to 1e37, found 0"),
            ("optimizer.lr = { uniform = \"a\" }", "with low below high, found \"a\""),
            (
                "train.batch_size = { integer = [0.5, 8] }",
                "train.batch_size: expected integer = [low, high], two whole",
            ),
            ("train.batch_size = { integer = [0, 8] }", "train.batch_size: expected an integer, 1 or more, found 0"),
            ("train.batch_size = { uniform = [1, 8] }", "train.batch_size: expected an integer, 1 or more, found 1.0"),
            ("train.batch_size = { log_integer = [0, 8] }", "two whole numbers from 1 to 2^53 with low below high"),
            ("train.batch_size = { integer = [1, 9007199254740993] }", "two whole numbers within ±2^53"),
            ("train.batch_size = { choice = [] }", "train.batch_size: expected choice = [value, …] with at least one"),
            ("train.batch_size = { choice = [8, \"x\"] }", "train.batch_size: expected an integer, 1 or more, found x"),
            ("model = { choice = [\"mlp\", \"mpl\"] }", "model: unknown model `mpl`; did you mean mlp?"),
            ("model = { choice = [] }", "model: expected choice = [value, …] with at least one"),
            (
                "schedule.name = { choice = [\"cosin\"] }",
                "schedule.name: unknown schedule `cosin`; did you mean cosine",
            ),
            ("data.worker = { choice = [1] }", "data.worker: unknown key `data.worker`; did you mean data.workers?"),
            ("model.hidden = 3", "model.hidden: expected { uniform = [low, high] }, "),
            ("train.epochs = { integer = [1, 8] }", "train.epochs: the search itself decides how long"),
            (
                "data.validation = { choice = [0.0, 0.1] }",
                "data.validation: trials are compared on one validation split; leave it out, and give --set data.valid",
            ),
            ("device.threads = { choice = [1, 2] }", "device.threads: all trials are computed on one device"),
            (
                "\"train.seed\" = { choice = [1] }\n[train]\nseed = { choice = [2] }",
                "train.seed: expected one range, found two",
            ),
        ] {
            let error = space(text).unwrap_err();
            assert!(error.is_usage(), "{text}");
            assert!(error.to_string().contains(due), "{text}: {error}");
        }
    }

    #[test]
    fn the_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("space.toml");
        let (config, none) = (Config::default(), |_: &Config| Ok(()));
        assert!(Space::read(&path, &config, &none).unwrap_err().to_string().starts_with("cannot read "));
        for text in ["a = ", "optimizer.lr = { log = [2, 1] }"] {
            std::fs::write(&path, text).unwrap();
            let error = Space::read(&path, &config, &none).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains("space.toml: "), "{error}");
        }
    }
}
