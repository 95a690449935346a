//! Lists of what is published, each a TOML file that is part of this crate and is read once.

use crate::{Error, Result};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// What an entry of a list is called, and what must be so of it.
pub(crate) trait Listed: DeserializeOwned {
    /// The beginning of the error about a name that is none, such as `no published weights are known for`.
    const NONE: &'static str;

    /// The name that it is found by.
    fn name(&self) -> &str;

    /// Errs with what is wrong in the entry, if anything is.
    fn check(&self) -> Result<(), String>;
}

/// A list of entries with names.
pub(crate) struct List<T> {
    /// The array of tables in the text that holds the entries.
    key: &'static str,
    text: &'static str,
    read: OnceLock<Result<Vec<T>, String>>,
}

impl<T: Listed> List<T> {
    /// The entries `[[key]]` of `text`.
    pub(crate) const fn new(key: &'static str, text: &'static str) -> Self {
        Self { key, text, read: OnceLock::new() }
    }

    /// All entries, in their order.
    ///
    /// # Errors
    /// A text that is no such list, an entry that is not as it must be, a name that comes twice.
    pub(crate) fn all(&self) -> Result<&[T]> {
        let read = || read(self.key, self.text);
        self.read.get_or_init(read).as_deref().map_err(|error| Error::Manifest(error.clone()))
    }

    /// The names of all entries.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub(crate) fn names(&self) -> Result<Vec<&str>> {
        Ok(self.all()?.iter().map(T::name).collect())
    }

    /// The entry called `name`.
    ///
    /// # Errors
    /// When there is none of that name; the error lists the names.
    pub(crate) fn named(&self, name: &str) -> Result<&T> {
        let all = self.all()?;
        all.iter().find(|entry| entry.name() == name).ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(T::name).collect();
            Error::Argument(format!("{} `{name}`; known: {}", T::NONE, known.join(", ")))
        })
    }
}

fn read<T: Listed>(key: &str, text: &str) -> Result<Vec<T>, String> {
    let mut tables: BTreeMap<String, Vec<T>> = toml::from_str(text).map_err(|error| error.to_string())?;
    let entries = tables.remove(key).ok_or_else(|| format!("expected entries `[[{key}]]`, found none"))?;
    if let Some(other) = tables.keys().next() {
        return Err(format!("expected entries `[[{key}]]` alone, found `{other}`"));
    }
    for (place, entry) in entries.iter().enumerate() {
        entry.check().map_err(|detail| format!("{}: {detail}", entry.name()))?;
        if entries.iter().take(place).any(|before| before.name() == entry.name()) {
            return Err(format!("{}: the name comes twice", entry.name()));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Entry {
        name: String,
    }

    impl Listed for Entry {
        const NONE: &'static str = "there is no";

        fn name(&self) -> &str {
            &self.name
        }

        fn check(&self) -> Result<(), String> {
            if self.name.len() == 1 { Ok(()) } else { Err("must be one letter".into()) }
        }
    }

    #[test]
    fn entries_are_found_by_their_names() {
        let list: List<Entry> = List::new("of", "[[of]]\nname = \"a\"\n[[of]]\nname = \"b\"");
        assert_eq!(list.names().unwrap(), ["a", "b"]);
        assert_eq!(list.named("b").unwrap().name, "b");
        assert_eq!(list.named("c").unwrap_err().to_string(), "there is no `c`; known: a, b");
    }

    #[test]
    fn a_list_that_cannot_be_is_an_error() {
        let told = |text| read::<Entry>("of", text).unwrap_err();
        assert!(told("[[of]]\nname = 3").contains("name = 3"), "{}", told("[[of]]\nname = 3"));
        assert_eq!(told(""), "expected entries `[[of]]`, found none");
        let more = "[[of]]\nname = \"a\"\n[[off]]\nname = \"b\"";
        assert_eq!(told(more), "expected entries `[[of]]` alone, found `off`");
        assert_eq!(told("[[of]]\nname = \"ab\""), "ab: must be one letter");
        assert_eq!(told("[[of]]\nname = \"a\"\n[[of]]\nname = \"a\""), "a: the name comes twice");
        let list: List<Entry> = List::new("of", "");
        assert!(matches!(list.named("a"), Err(Error::Manifest(_))));
    }
}
