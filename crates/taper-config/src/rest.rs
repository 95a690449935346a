//! Keys that belong to someone else.

use std::ops::{Deref, DerefMut};
use toml::Table;

/// The keys of a table that are not its own but those of what it names, and whether they are known to be that one's.
#[derive(Debug, Clone, Default)]
pub struct Rest {
    keys: Table,
    known: bool,
}

impl Rest {
    /// The keys `keys`, of which it is known that they are the keys of what is named.
    pub fn known(keys: Table) -> Self {
        Self { keys, known: true }
    }

    /// Whether there are no keys of which it is not known whose they are.
    pub fn is_known(&self) -> bool {
        self.known || self.keys.is_empty()
    }
}

impl Deref for Rest {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.keys
    }
}

impl DerefMut for Rest {
    /// What is changed is no longer known.
    fn deref_mut(&mut self) -> &mut Table {
        self.known = false;
        &mut self.keys
    }
}

impl PartialEq for Rest {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys
    }
}

#[cfg(test)]
mod tests {
    use crate::{Rest, Table as _, table};

    table! {
        /// Some keys.
        struct Source {
            /// The name.
            name: String = "a".into(), any("a name");
            /// The share.
            share: f64 = 0.0, fraction();
            ..
            /// The source's own keys.
            source
        }
    }

    #[test]
    fn keys_of_others_are_kept() {
        let text = "name = \"b\"\nshare = 0\npath = \"c\"\nsizes = [1, 2]\n";
        let mut read: Source = toml::from_str(text).unwrap();
        assert_eq!((read.share, read.source.len()), (0.0, 2));
        assert!(!read.source.is_known() && Source::default().source.is_known());
        let again: Source = toml::from_str(&toml::to_string(&read).unwrap()).unwrap();
        assert_eq!(again, read);
        read.source = Rest::known((*again.source).clone());
        assert!(read.source.is_known() && read == again);
        read.source.insert("more".into(), 3.into());
        assert!(!read.source.is_known() && read != again);
        assert_eq!(Source::keys().len(), 2);
    }
}
