//! The datasets, one a file, and the list of them.

pub(crate) mod cifar;
pub(crate) mod digits;
pub(crate) mod folder;
pub(crate) mod idx;
pub(crate) mod stand_in;

use crate::{Error, Manifest, Result, Splits};

/// A dataset this crate knows: its name, its manifest and how it is read.
#[derive(Debug, Clone)]
pub struct Source {
    name: &'static str,
    also: &'static [&'static str],
    manifest: &'static str,
}

/// Every dataset. A new one is a file beside this one, a manifest in `datasets/`, and a line here.
const ALL: [Source; 6] = [
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
    /// When there is none of that name; the error lists the names.
    pub fn named(name: &str) -> Result<Self> {
        let found = ALL.into_iter().find(|source| source.name == name || source.also.contains(&name));
        found.ok_or_else(|| Error::UnknownDataset { name: name.into(), known: Self::names() })
    }

    /// The names of all datasets.
    pub fn names() -> Vec<&'static str> {
        ALL.iter().map(|source| source.name).collect()
    }

    /// The dataset's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The dataset's manifest.
    ///
    /// # Errors
    /// None for the manifests in this crate: a test reads them all.
    pub fn manifest(&self) -> Result<Manifest> {
        Manifest::parse(self.manifest)
    }
}

/// The 8×8 handwritten digits, which are part of this crate: 1,437 pictures `[1, 8, 8]` for training and 360 for the
/// test, values 0 to 16, ten classes. By E. Alpaydin and C. Kaynak, CC BY 4.0.
///
/// # Errors
/// None: a test reads them.
pub fn digits() -> Result<Splits> {
    digits::read(&Source::named("digits")?.manifest()?)
}
