//! The built-in datasets: the list of them, and a file for each layout that they come in.

pub(crate) mod cifar;
pub(crate) mod digits;
pub(crate) mod folder;
pub(crate) mod idx;
pub(crate) mod stand_in;

use crate::{Error, Manifest, Result, Splits};

/// A built-in dataset: its name and its manifest.
#[derive(Debug, Clone)]
pub struct Source {
    name: &'static str,
    also: &'static [&'static str],
    manifest: &'static str,
}

/// All built-in datasets. A new one needs a manifest in `datasets/`, a line here and, if its layout is new, a file
/// beside this one.
static ALL: [Source; 6] = [
    Source { name: "cifar10", also: &["cifar"], manifest: include_str!("../../datasets/cifar10.toml") },
    Source { name: "cifar100", also: &[], manifest: include_str!("../../datasets/cifar100.toml") },
    Source { name: "cifar100-coarse", also: &[], manifest: include_str!("../../datasets/cifar100-coarse.toml") },
    Source { name: "digits", also: &[], manifest: include_str!("../../datasets/digits.toml") },
    Source { name: "fashion-mnist", also: &["fashion"], manifest: include_str!("../../datasets/fashion-mnist.toml") },
    Source { name: "mnist", also: &[], manifest: include_str!("../../datasets/mnist.toml") },
];

impl Source {
    /// The dataset called `name`: `cifar10` (or `cifar`), `mnist`, and so on; see [`Source::names`].
    ///
    /// # Errors
    /// When no dataset has that name; the error lists the names.
    pub fn named(name: &str) -> Result<Self> {
        let found = ALL.iter().find(|source| source.name == name || source.also.contains(&name));
        found.cloned().ok_or_else(|| Error::UnknownDataset { name: name.into(), known: Self::names() })
    }

    /// All built-in datasets.
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// The names of all built-in datasets.
    pub fn names() -> Vec<&'static str> {
        ALL.iter().map(|source| source.name).collect()
    }

    /// The dataset's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Other names that it is found by: `cifar`.
    pub fn also(&self) -> &'static [&'static str] {
        self.also
    }

    /// The dataset's manifest.
    ///
    /// # Errors
    /// None in practice: tests parse every manifest of this crate.
    pub fn manifest(&self) -> Result<Manifest> {
        Manifest::parse(self.manifest)
    }
}

/// The 8×8 handwritten digits, which are embedded in this crate: a training split of 1,437 and a test split of 360
/// images `[1, 8, 8]`, values 0 to 16, ten classes. By E. Alpaydin and C. Kaynak, CC BY 4.0.
///
/// # Errors
/// None in practice: tests decode the embedded file.
pub fn digits() -> Result<Splits> {
    digits::read(&Source::named("digits")?.manifest()?)
}
