//! A table's type, as a trait and without its type.

use crate::key::dotted;
use crate::{Error, Key, Named, Override, Result, unknown};
use serde::{Serialize, de::DeserializeOwned};
use toml::Value;

/// A table of the configuration, as [`table!`](crate::table) declares it.
pub trait Table: Default + Serialize + DeserializeOwned {
    /// The keys, with the values of `self` as their defaults.
    fn keys_over(&self) -> Vec<Key>;

    /// Errs unless every value is in its range. Errors call the table `table`; it is empty for keys in no table.
    ///
    /// # Errors
    /// `TABLE.KEY: expected RANGE, found VALUE`, for the first such key.
    fn check(&self, table: &str) -> Result<()>;

    /// The keys with their defaults. Names are those within the table.
    fn keys() -> Vec<Key> {
        Self::default().keys_over()
    }

    /// All keys with their values. Errors call the table `table`.
    ///
    /// # Errors
    /// A value that TOML does not have, such as an integer above 2^63 - 1.
    fn written(&self, table: &str) -> Result<toml::Table> {
        toml::Table::try_from(self).map_err(|e| Error::Usage(format!("{table}: {e}")))
    }

    /// `self` with one change, whose key is the name within the table; checked. Errors call the table `table`.
    ///
    /// # Errors
    /// An unknown key, a value of the wrong type or out of range.
    fn with(&self, table: &str, change: &Override) -> Result<Self> {
        let keys = self.keys_over();
        let Some(key) = keys.iter().find(|key| key.name == change.key()) else {
            let known: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
            return Err(Error::Usage(format!("{table}: {}", unknown("key", change.key(), &known))));
        };
        let name = dotted(table, &key.name);
        let mut all = self.written(table)?;
        let value = change.value_like(all.get(&key.name));
        all.insert(key.name.clone(), value);
        let changed: Self = all.try_into().map_err(|error: toml::de::Error| match key.is_list {
            true => list_error(&name, &key.range, &change.found(), error.message()),
            false => Error::out_of_range(&name, &key.range, change.found()),
        })?;
        changed.check(table)?;
        Ok(changed)
    }
}

/// The type of a table, of which only this is known: its keys, and how it is read.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    keys: fn(&Named) -> Vec<Key>,
    one: fn(&str, &Override) -> Result<toml::Table>,
    resolve: fn(&Named, &str) -> Result<toml::Table>,
}

impl Schema {
    /// That of `T`.
    pub const fn of<T: Table>() -> Self {
        Self {
            keys: |_| T::keys(),
            one: |table, change| T::default().with(table, change)?.written(table),
            resolve: |named, table| named.resolve_over(T::default(), table),
        }
    }

    /// The same with defaults that are not the type's own, as of an optimiser that is another one with other numbers: by
    /// [`Table::keys_over`] and [`Named::resolve_over`].
    #[must_use]
    pub const fn over(self, keys: fn(&Named) -> Vec<Key>, resolve: fn(&Named, &str) -> Result<toml::Table>) -> Self {
        Self { keys, resolve, ..self }
    }

    /// The keys, named within the table, with their defaults.
    pub fn keys(&self) -> Vec<Key> {
        self.keys_of(&Named::default())
    }

    /// The keys, named within the table, with the defaults that `named` has, which may depend on what it sets.
    pub fn keys_of(&self, named: &Named) -> Vec<Key> {
        (self.keys)(named)
    }

    /// The value that `change` sets, as the table has it; its key is the name within the table. Errors call the table
    /// `table`.
    ///
    /// # Errors
    /// An unknown key, a value of the wrong type or out of range.
    pub fn value(&self, table: &str, change: &Override) -> Result<Value> {
        let absent = || Error::Usage(format!("{}: it has no value", dotted(table, change.key())));
        (self.one)(table, change)?.remove(change.key()).ok_or_else(absent)
    }

    /// All values of `named`'s table, which errors call `table`, with the defaults of what it does not set.
    ///
    /// # Errors
    /// An unknown key (the error lists the keys, the nearest first), a value of the wrong type or out of range.
    pub fn resolve(&self, named: &Named, table: &str) -> Result<toml::Table> {
        (self.resolve)(named, table)
    }
}

/// What is wrong with the list of tables `raw`. The TOML reader's own error names the field, but in Rust's terms.
fn list_error(key: &str, range: &str, raw: &str, message: &str) -> Error {
    let message = message.trim_end();
    // "unknown field `x`, expected one of `a`, `b`", "unknown variant …", with "`a` or `b`" for two and "`a`" for one.
    if let Some(rest) = message.strip_prefix("unknown ")
        && let Some((what, expected)) = rest.split_once(", expected ")
        && let [_, name, _] = what.splitn(3, '`').collect::<Vec<_>>()[..]
    {
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let what = if rest.starts_with("variant") { "kind" } else { "key" };
        return Error::Usage(format!("{key}: {}", unknown(what, name, &known)));
    }
    let plain = [
        ("invalid type: ", "found "),
        ("invalid value: ", "found "),
        (", expected ", " where there must be "),
        ("a sequence", "a list"),
        ("usize", "an integer, 0 or more"),
        ("u64", "an integer, 0 or more"),
        ("f64", "a number"),
        ("f32", "a number"),
        ("a boolean", "true or false"),
        ("missing field", "missing key"),
        ("map", "a table"),
    ];
    let mut told = plain.iter().fold(message.to_string(), |told, (from, to)| told.replace(from, to));
    if let Some((before, after)) = told.split_once("internally tagged enum ") {
        let after = after.trim_start_matches(|char: char| char.is_alphanumeric());
        told = format!("{before}a table with a `kind`{after}");
    }
    Error::Usage(format!("{key}: expected {range}, found {raw}: {}", crate::escape::printable(&told)))
}
