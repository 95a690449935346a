//! A name, and a table that is read by whoever has the name.

use crate::family::name_range;
use crate::key::dotted;
use crate::{Error, Override, Result, Table, nearest};
use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;

/// A table that is read by the thing that it names: `[model] name = "mlp"`, and the keys of that model. A plain string
/// is read as the name: `model = "mlp"`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Named {
    /// The name; empty where none is set.
    pub name: String,
    /// The other keys.
    pub rest: toml::Table,
}

impl Named {
    /// The name `name` with no keys set.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), rest: toml::Table::new() }
    }

    /// The same with the key `key` set to `value`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.set(key, value);
        self
    }

    /// Sets the key `key` to `value`.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.rest.insert(key.into(), value.into());
    }

    /// The key `key` as a number, if it is set to one.
    pub fn number(&self, key: &str) -> Option<f64> {
        let value = self.rest.get(key)?;
        value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
    }

    /// Makes `change`, whose key is the name within the table, unchecked but for the name: the one of that name checks
    /// the others. Errors call the table `table`, and what it names a `kind`.
    ///
    /// # Errors
    /// A name that is a list or a table.
    pub fn change(&mut self, table: &str, kind: &str, change: &Override) -> Result<()> {
        if change.key() != "name" {
            self.set(change.key(), change.value().clone());
            return Ok(());
        }
        match change.value_like(Some(&Value::String(String::new()))) {
            Value::String(name) => {
                self.name = name;
                Ok(())
            }
            _ => Err(Error::out_of_range(&dotted(table, "name"), &name_range(kind), change.found())),
        }
    }

    /// The table as a `T`, checked; a key that is not set has its default. Errors call the table `table`.
    ///
    /// # Errors
    /// An unknown key (the error lists the keys, the nearest first), a value of the wrong type or out of range.
    pub fn parse<T: Table>(&self, table: &str) -> Result<T> {
        self.parse_over(T::default(), table)
    }

    /// The same with `base` in the place of the defaults.
    ///
    /// # Errors
    /// Those of [`parse`](Named::parse).
    pub fn parse_over<T: Table>(&self, base: T, table: &str) -> Result<T> {
        let keys = base.keys_over();
        let known: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        let mut config = base;
        for (key, value) in &self.rest {
            if !known.contains(&key.as_str()) {
                return Err(self.unknown_key(table, key, &known));
            }
            config = config.with(table, &Override::new(key, value.clone()))?;
        }
        Ok(config)
    }

    /// All keys of the table over `base`, with their values.
    ///
    /// # Errors
    /// Those of [`parse`](Named::parse).
    pub fn resolve_over<T: Table>(&self, base: T, table: &str) -> Result<toml::Table> {
        self.parse_over(base, table)?.written(table)
    }

    /// `TABLE.KEY: unknown key of the TABLE NAME; did you mean …? (its keys: …)`.
    pub fn unknown_key(&self, table: &str, key: &str, known: &[&str]) -> Error {
        let near = nearest(key, known.iter().copied());
        let meant = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
        let others = match (known, near.is_empty()) {
            ([], _) => "; it has none".into(),
            (_, true) => format!("; its keys: {}", known.join(", ")),
            (_, false) => format!(" (its keys: {})", known.join(", ")),
        };
        let [key, name] = [key, &self.name].map(crate::escape::printable);
        let kind = table.split('.').next().unwrap_or(table);
        Error::Usage(format!("{table}.{key}: unknown key of the {kind} {name}{meant}{others}"))
    }
}

impl From<&str> for Named {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<&Named> for Named {
    fn from(named: &Named) -> Self {
        named.clone()
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The name first: the others are of what it names.
        let mut all = serializer.serialize_map(None)?;
        if !self.name.is_empty() {
            all.serialize_entry("name", &self.name)?;
        }
        self.rest.iter().try_for_each(|(key, value)| all.serialize_entry(key, value))?;
        all.end()
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(name) => Ok(Self::new(name)),
            Value::Table(mut rest) => match rest.remove("name") {
                None => Ok(Self { name: String::new(), rest }),
                Some(Value::String(name)) => Ok(Self { name, rest }),
                Some(other) => Err(D::Error::custom(format!("invalid type: {other}, expected a name"))),
            },
            other => Err(D::Error::custom(format!("invalid type: {other}, expected a name, or a table with one"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    table! {
        /// A table.
        struct Net {
            /// The sizes
            /// of the layers.
            ///
            /// Any number of them.
            hidden: Vec<usize> = vec![128], each("a list of integers, 1 or more", |size| *size >= 1);
            /// The `rate` of dropout.
            dropout: f64 = 0.5, fraction();
            /// Where they lie.
            path: String = String::new(), any("a path, or empty");
            /// Steps, if any.
            every: Option<u64> = None, optional(at_least(1));
        }
    }

    table! {
        /// A table without keys.
        struct Bare {}
    }

    fn told(text: &str) -> String {
        let named: Named = toml::from_str(text).unwrap();
        named.parse::<Net>("model").unwrap_err().to_string()
    }

    #[test]
    fn keys_come_of_the_declaration() {
        let keys = Net::keys();
        let told = |key: &crate::Key| (key.help.clone(), key.range.clone(), key.default_told());
        assert_eq!(
            told(&keys[0]),
            ("The sizes of the layers".into(), "a list of integers, 1 or more".into(), Some("[128]".into()))
        );
        assert_eq!(
            told(&keys[1]),
            ("The rate of dropout".into(), "a number, 0 or more and below 1".into(), Some("0.5".into()))
        );
        assert_eq!(told(&keys[3]).2, None);
        assert_eq!(keys[1].clone().within("model").name, "model.dropout");
        assert!(Bare::keys().is_empty());
    }

    #[test]
    fn a_table_is_read_by_its_owner() {
        let named: Named = toml::from_str("name = \"net\"\ndropout = 0\npath = 7\nevery = 3").unwrap();
        let net: Net = named.parse("model").unwrap();
        assert_eq!(net, Net { dropout: 0.0, path: "7".into(), every: Some(3), ..Net::default() });
        let all = named.resolve_over(Net::default(), "model").unwrap();
        assert_eq!(all, "hidden = [128]\ndropout = 0.0\npath = \"7\"\nevery = 3".parse().unwrap());
        // What was resolved is read as the same.
        assert_eq!(Named { rest: all, ..named }.parse::<Net>("model").unwrap(), net);
        assert_eq!(Named::new("bare").parse::<Bare>("model").unwrap(), Bare {});
    }

    #[test]
    fn what_its_owner_does_not_have_is_told_with_its_keys() {
        assert_eq!(
            told("name = \"net\"\ndropuot = 0.5"),
            "model.dropuot: unknown key of the model net; did you mean dropout? (its keys: hidden, dropout, path, every)"
        );
        assert_eq!(
            told("name = \"net\"\nzzz = 0.5"),
            "model.zzz: unknown key of the model net; its keys: hidden, dropout, path, every"
        );
        let bare = Named::new("ba\u{1b}re").with("hidden", 3);
        let error = bare.parse::<Bare>("model").unwrap_err().to_string();
        assert_eq!(error, "model.hidden: unknown key of the model ba\\u{1b}re; it has none");
        assert_eq!(told("dropout = 1"), "model.dropout: expected a number, 0 or more and below 1, found 1");
        assert_eq!(told("dropout = 1.5"), "model.dropout: expected a number, 0 or more and below 1, found 1.5");
        assert_eq!(told("hidden = [0]"), "model.hidden: expected a list of integers, 1 or more, found 0");
        assert_eq!(told("hidden = 64"), "model.hidden: expected a list of integers, 1 or more, found 64");
        assert_eq!(
            told("hidden = \"64\""),
            "model.hidden: expected a list of integers, 1 or more, found the text \"64\""
        );
        assert_eq!(told("every = 0"), "model.every: expected an integer, 1 or more, found 0");
    }

    #[test]
    fn a_name_alone_is_a_table_too() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct All {
            model: Named,
        }
        let all: All = toml::from_str("model = \"net\"").unwrap();
        assert_eq!(all.model, Named::new("net"));
        assert_eq!(toml::to_string(&all).unwrap(), "[model]\nname = \"net\"\n");
        let all = All { model: Named::new("net").with("dropout", 0.25) };
        assert_eq!(toml::to_string(&all).unwrap(), "[model]\nname = \"net\"\ndropout = 0.25\n");
        let set = All { model: Named::new("net").with("dropout", 0.25) };
        assert_eq!(toml::from_str::<All>(&toml::to_string(&set).unwrap()).unwrap(), set);
        assert!(toml::from_str::<All>("model = 3").unwrap_err().message().contains("expected a name"));
        assert!(toml::from_str::<All>("[model]\nname = 3").is_err());
    }
}
