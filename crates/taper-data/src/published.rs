//! Published weights of models: where they are, and their checksums (`published/weights.toml`).

use crate::list::{List, Listed};
use crate::{Error, Event, LocateOptions, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Weights that were published, with the files that they are in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedWeights {
    /// The model's name, as in the zoo: `resnet18`.
    pub name: String,
    /// What they are: `ResNet-18, ImageNet-1k, 69.758% top 1`.
    pub title: String,
    /// Who publishes them.
    pub source: String,
    /// The licence, or what is known of the terms of use.
    pub terms: String,
    /// The files: the weights, and what belongs to them.
    pub files: Vec<PublishedFile>,
}

/// A file of published weights.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedFile {
    /// The addresses of its mirrors, tried in order. The last part of the first is the file's name.
    pub urls: Vec<String>,
    /// The size in bytes; 0 where the server says it.
    pub bytes: u64,
    /// The most bytes that are taken.
    pub most: u64,
    /// The SHA-256, or its first digits, at least eight: torchvision gives them in the names of its files.
    pub sha256: String,
}

static ALL: List<PublishedWeights> = List::new("weights", include_str!("../published/weights.toml"));

impl PublishedWeights {
    /// The names of all weights that are known.
    ///
    /// # Errors
    /// None in practice: a test reads the list.
    pub fn names() -> Result<Vec<&'static str>> {
        ALL.names()
    }

    /// The weights called `name`.
    ///
    /// # Errors
    /// When there are none of that name; the error lists the names.
    pub fn named(name: &str) -> Result<&'static Self> {
        ALL.named(name)
    }

    /// The size of all files in bytes; of those whose size the server says, the most that it may be.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| if file.bytes == 0 { file.most } else { file.bytes }).sum()
    }

    /// Where the files are in the folder `downloads`, the weights first.
    pub fn paths(&self, downloads: &Path) -> Vec<PathBuf> {
        self.files.iter().map(|file| self.folder(downloads).join(file.file_name())).collect()
    }

    /// The folder of the files.
    pub(crate) fn folder(&self, downloads: &Path) -> PathBuf {
        downloads.join("weights").join(&self.name)
    }

    /// Whether all files are in the folder `downloads`. They were verified when they were fetched.
    pub fn is_there(&self, downloads: &Path) -> bool {
        self.paths(downloads).iter().all(|path| path.is_file())
    }

    /// Fetches what is not in the downloads' folder of `options` yet, and returns the paths of all files, the weights
    /// first. What is broken off is resumed; every file is verified. `progress` receives an [`Event`] for each step.
    ///
    /// # Errors
    /// When a file is nowhere and the network may not be asked, or the program was built without the feature `download`;
    /// when every mirror fails (the text gives the reason of each), or the file system.
    pub fn fetch(&self, options: &LocateOptions, progress: &mut dyn FnMut(Event<'_>)) -> Result<Vec<PathBuf>> {
        if !self.is_there(&options.downloads) {
            if options.offline {
                return Err(Error::Download("the network was not asked (offline)".into()));
            }
            fetch(self, &options.downloads, progress)?;
        }
        Ok(self.paths(&options.downloads))
    }
}

impl Listed for PublishedWeights {
    const NONE: &'static str = "no published weights are known for";

    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        for file in &self.files {
            let digits = (8..=64).contains(&file.sha256.len())
                && file.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            if !digits {
                return Err(format!("`sha256` must be 8 to 64 hexadecimal digits, found `{}`", file.sha256));
            }
            if !file.urls.iter().all(|url| url.starts_with("https://")) || file.file_name().is_empty() {
                return Err("`urls` must list addresses that start with https:// and end in a file name".into());
            }
            if file.most == 0 || file.bytes > file.most {
                return Err(format!("`most` must be at least 1 and `bytes`, {}, found {}", file.bytes, file.most));
            }
        }
        if self.files.is_empty() { Err("has no files".into()) } else { Ok(()) }
    }
}

impl PublishedFile {
    /// The file's name: the last part of its first address.
    pub fn file_name(&self) -> &str {
        self.urls.first().and_then(|url| url.rsplit('/').next()).unwrap_or_default()
    }

    /// The same as a file to download, of `bytes` bytes.
    #[cfg(feature = "download")]
    pub(crate) fn download(&self, bytes: u64) -> crate::Download {
        crate::Download { urls: self.urls.clone(), bytes, sha256: self.sha256.clone(), md5: None }
    }
}

#[cfg(feature = "download")]
use crate::download::published::fetch;

#[cfg(not(feature = "download"))]
fn fetch(_: &PublishedWeights, _: &Path, _: &mut dyn FnMut(Event<'_>)) -> Result<()> {
    Err(Error::Download("the network was not asked (built without the feature `download`)".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torchvision's names end in the digits.
    #[test]
    fn the_list_is_sound() {
        let names = PublishedWeights::names().unwrap();
        assert_eq!(names.len(), 17);
        for name in names {
            let weights = PublishedWeights::named(name).unwrap();
            if weights.source == "torchvision" {
                let file = &weights.files[0];
                assert_eq!(file.file_name().strip_suffix(".pth").unwrap().rsplit('-').next(), Some(&*file.sha256));
            }
        }
        let gpt2 = PublishedWeights::named("gpt2").unwrap();
        let names: Vec<_> = gpt2.files.iter().map(PublishedFile::file_name).collect();
        assert_eq!(names, ["model.safetensors", "vocab.json", "merges.txt"]);
        let text = PublishedWeights::named("resnet1").unwrap_err().to_string();
        assert!(text.starts_with("no published weights are known for `resnet1`; known: alexnet, "), "{text}");
    }

    #[test]
    fn what_a_list_may_not_say_is_told() {
        let good = PublishedWeights::named("resnet18").unwrap();
        let wrong = |change: fn(&mut PublishedFile)| {
            let mut weights = good.clone();
            change(&mut weights.files[0]);
            weights.check().unwrap_err()
        };
        let due = "`sha256` must be 8 to 64 hexadecimal digits, found `f37072f`";
        assert_eq!(wrong(|file| file.sha256.truncate(7)), due);
        assert!(wrong(|file| file.urls[0] = "http://a/b".into()).contains("start with https://"));
        assert!(wrong(|file| file.urls[0] += "/").contains("end in a file name"));
        assert!(wrong(|file| file.most = 0).contains("`most` must be at least 1"));
    }
}
