//! A key of a configuration, for error messages, overrides and `--help`.

use crate::{Result, value};
use toml::Value;

/// A key of a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The name: within its table (`epochs`), or dotted (`train.epochs`).
    pub name: String,
    /// The values that the key takes, as error messages show them after "expected".
    pub range: String,
    /// What the key sets: the first paragraph of its documentation, without the full stop.
    pub help: String,
    /// The value of a key that is not set; `None` if there is none.
    pub default: Option<Value>,
    /// Whether the default differs among the things that a table may name, and which one it is depends on the name.
    pub varies: bool,
    /// Whether the value is a list of tables, whose errors tell what is wrong in it.
    pub(crate) is_list: bool,
}

impl Key {
    /// A key with the documentation `docs`, one line a line of the source, as `table!` collects it.
    #[doc(hidden)]
    pub fn declared(
        name: &str,
        docs: &str,
        range: &str,
        is_list: bool,
        default: Result<Option<Value>, String>,
    ) -> Self {
        let paragraph = docs.lines().map(str::trim).take_while(|line| !line.is_empty());
        let help = paragraph.collect::<Vec<_>>().join(" ").replace('`', "");
        Self {
            name: name.into(),
            range: range.into(),
            help: help.strip_suffix('.').map_or(help.clone(), str::to_string),
            default: default.unwrap_or_default(),
            varies: false,
            is_list,
        }
    }

    /// A key without a default that takes any value, which `range` describes.
    pub fn named(name: &str, range: &str, help: &str) -> Self {
        let [name, range, help] = [name, range, help].map(str::to_string);
        Self { name, range, help, default: None, varies: false, is_list: false }
    }

    /// The same key under the dotted name `TABLE.NAME`.
    pub fn within(self, table: &str) -> Self {
        Self { name: dotted(table, &self.name), ..self }
    }

    /// The default for messages; `None` if there is none.
    pub fn default_told(&self) -> Option<String> {
        self.default.as_ref().map(value::told)
    }
}

/// `TABLE.KEY`, or `KEY` in no table.
#[doc(hidden)]
pub fn dotted(table: &str, key: &str) -> String {
    if table.is_empty() { key.into() } else { format!("{table}.{key}") }
}
