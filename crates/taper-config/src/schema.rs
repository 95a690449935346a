//! A table's type, as a trait and without its type.

use crate::key::dotted;
use crate::{Error, Key, Named, Override, Rest, Result, unknown};
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;

/// A table of the configuration, as [`table!`](crate::table) declares it. Values are read and written key by key, by code
/// that is the same for all tables, so that a table costs little to compile.
pub trait Table: Default + Clone {
    /// The names of the keys, in their order.
    const NAMES: &'static [&'static str];

    /// The keys, with the values of `self` as their defaults.
    fn keys_over(&self) -> Vec<Key>;

    /// Errs unless every value is in its range. Errors call the table `table`; it is empty for keys in no table.
    ///
    /// # Errors
    /// `TABLE.KEY: expected RANGE, found VALUE`, for the first such key.
    fn check(&self, table: &str) -> Result<()>;

    /// The value of `key`; `None` for one that is not set, or not there.
    ///
    /// # Errors
    /// A value that TOML does not have, such as an integer above 2^63 - 1.
    fn get(&self, key: &str) -> Result<Option<Value>, String>;

    /// Sets `key`, unchecked, and says whether there is such a key.
    ///
    /// # Errors
    /// A value of the wrong type.
    fn put(&mut self, key: &str, value: Value) -> Result<bool, String>;

    /// The keys that are not the table's own, if it keeps them.
    fn rest(&self) -> Option<&Rest> {
        None
    }

    /// The same, to be changed.
    fn rest_mut(&mut self) -> Option<&mut Rest> {
        None
    }

    /// The keys with their defaults. Names are those within the table.
    fn keys() -> Vec<Key> {
        Self::default().keys_over()
    }

    /// The table with these values, unchecked; a missing key has its default.
    ///
    /// # Errors
    /// An unknown key, unless the table keeps others, and a value of the wrong type.
    fn read(values: toml::Table) -> Result<Self> {
        let mut read = Self::default();
        for (key, value) in values {
            let known = read.put(&key, value.clone()).map_err(|told| Error::Usage(format!("{key}: {told}")))?;
            match read.rest_mut() {
                _ if known => {}
                Some(rest) => drop(rest.insert(key, value)),
                None => return Err(unknown_field(&key, Self::NAMES)),
            }
        }
        Ok(read)
    }

    /// All keys with their values. Errors call the table `table`.
    ///
    /// # Errors
    /// A value that TOML does not have, such as an integer above 2^63 - 1.
    fn written(&self, table: &str) -> Result<toml::Table> {
        let mut all = self.rest().map_or_else(toml::Table::new, |rest| (**rest).clone());
        for name in Self::NAMES {
            let value = self.get(name).map_err(|told| Error::Usage(format!("{}: {told}", dotted(table, name))))?;
            all.extend(value.map(|value| (name.to_string(), value)));
        }
        Ok(all)
    }

    /// `self` with one change, whose key is the name within the table; checked. Errors call the table `table`.
    ///
    /// # Errors
    /// An unknown key, a value of the wrong type or out of range.
    fn with(&self, table: &str, change: &Override) -> Result<Self> {
        let mut changed = self.clone();
        let now = self.get(change.key()).unwrap_or_default();
        let set = changed.put(change.key(), change.value_like(now.as_ref()));
        if set != Ok(true) {
            return Err(wrong(&self.keys_over(), table, change, set.err()));
        }
        changed.check(table)?;
        Ok(changed)
    }
}

/// What is wrong with `change`: an unknown key, or a value of the wrong type, as `told`.
fn wrong(keys: &[Key], table: &str, change: &Override, told: Option<String>) -> Error {
    let Some(key) = keys.iter().find(|key| key.name == change.key()) else {
        let known: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        return Error::Usage(format!("{table}: {}", unknown("key", change.key(), &known)));
    };
    let name = dotted(table, &key.name);
    match told.filter(|_| key.is_list) {
        Some(told) => list_error(&name, &key.range, &change.found(), &told),
        None => Error::out_of_range(&name, &key.range, change.found()),
    }
}

/// In the words of serde's own error.
fn unknown_field(key: &str, names: &[&str]) -> Error {
    let key = crate::escape::printable(key);
    Error::Usage(match names {
        [] => format!("unknown field `{key}`, there are no fields"),
        names => format!("unknown field `{key}`, expected one of `{}`", names.join("`, `")),
    })
}

/// `value` as TOML; `None` for a value that is absent.
#[doc(hidden)]
pub fn value_of<T: Serialize>(value: &T) -> Result<Option<Value>, String> {
    match Value::try_from(value) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.to_string().contains("None") => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// `value` as a `T`.
#[doc(hidden)]
pub fn value_as<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    value.try_into().map_err(|error: toml::de::Error| error.message().to_string())
}

/// Writes the keys in their order, then those that are not the table's own.
#[doc(hidden)]
pub fn serialize<T: Table, S: Serializer>(table: &T, to: S) -> Result<S::Ok, S::Error> {
    let mut all = to.serialize_map(None)?;
    for name in T::NAMES {
        if let Some(value) = table.get(name).map_err(S::Error::custom)? {
            all.serialize_entry(name, &value)?;
        }
    }
    table.rest().iter().flat_map(|rest| rest.iter()).try_for_each(|(key, value)| all.serialize_entry(key, value))?;
    all.end()
}

/// Reads a table, unchecked; a missing key has its default.
#[doc(hidden)]
pub fn deserialize<'de, T: Table, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    T::read(toml::Table::deserialize(from)?).map_err(D::Error::custom)
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
