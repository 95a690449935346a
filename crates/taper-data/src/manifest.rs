//! A dataset's manifest: what it is, how its files are laid out, where they come from, whom to cite.

use crate::{Error, Result};
use serde::Deserialize;

/// A dataset as its TOML file describes it (`datasets/NAME.toml`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The short name: `cifar10`.
    pub name: String,
    /// The name people use: `CIFAR-10`.
    pub title: String,
    /// The page that presents it.
    pub homepage: String,
    /// Whom to cite.
    pub citation: String,
    /// The licence, or what is known of the terms of use.
    pub terms: String,
    /// The classes, in the order of their labels.
    pub classes: Vec<String>,
    /// A picture's channels, height and width.
    pub shape: [usize; 3],
    /// The pixel value that becomes 1 when pictures are scaled.
    pub max_value: u8,
    /// The size and number of records.
    pub records: Records,
    /// The files that hold the records, for a dataset that lives in a folder.
    pub files: Option<Files>,
    /// The archive that holds the files, for a dataset that is fetched in one piece.
    pub archive: Option<Archive>,
    /// The files on the network, for a dataset that is fetched file by file (`[[download]]`).
    #[serde(default, rename = "download")]
    pub downloads: Vec<Download>,
    /// The file inside this crate, for a dataset small enough to be embedded.
    pub embedded: Option<Embedded>,
}

/// How many records there are and how long one is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// Bytes of one record, its labels included.
    pub bytes: usize,
    /// Bytes of labels before the picture: 1 where the file does not say.
    #[serde(default = "one")]
    pub labels: usize,
    /// Which of these bytes is the label, from 0: the first where the file does not say.
    #[serde(default)]
    pub label: usize,
    /// Records of the training split.
    pub train: usize,
    /// Records of the test split.
    pub test: usize,
}

fn one() -> usize {
    1
}

/// How records lie in files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Layout {
    /// One record after the other, the labels before the picture: CIFAR's.
    #[default]
    Records,
    /// Two IDX files a split, pictures and labels, plain or compressed (`.gz`): MNIST's.
    Idx,
}

/// The files that hold a dataset's records.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// How records lie in them.
    #[serde(default)]
    pub layout: Layout,
    /// The folder they are in, inside the data folder and inside the archive.
    pub folder: String,
    /// Folders that other programs put them in, such as torchvision's `MNIST/raw`. They are looked in, never written to.
    #[serde(default)]
    pub also: Vec<String>,
    /// The files of the training split, in order; each holds the same number of records. For IDX: pictures, labels.
    pub train: Vec<String>,
    /// The files of the test split.
    pub test: Vec<String>,
}

/// Where a dataset is fetched from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// The addresses, tried in order. The last part of the first is the archive's name on disk.
    pub urls: Vec<String>,
    /// The archive's size.
    pub bytes: u64,
    /// The archive's SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// The archive's MD5 as the authors publish it (informative: the SHA-256 is what is checked).
    pub md5: Option<String>,
    /// The most bytes its files may have together.
    pub max_unpacked_bytes: u64,
    /// The most entries it may have.
    pub max_entries: usize,
}

/// One file on the network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// The addresses, tried in order. The last part of the first is the file's name on disk.
    pub urls: Vec<String>,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// Its MD5 as the authors publish it (informative: the SHA-256 is what is checked).
    pub md5: Option<String>,
}

/// A file inside this crate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedded {
    /// Its name in `datasets/`.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

impl Manifest {
    /// Reads a manifest and checks that it does not contradict itself.
    ///
    /// # Errors
    /// A syntax error, a key that is missing or unknown, or a value out of range; the text names it.
    pub fn parse(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text).map_err(|e| Error::Manifest(e.to_string().trim_end().to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The bytes of one picture in memory, one byte a value.
    pub fn picture_bytes(&self) -> usize {
        self.shape.iter().product()
    }

    /// The size each file of a split of `records` in `files` files must have.
    pub(crate) fn file_bytes(&self, records: usize, files: usize) -> u64 {
        (records / files.max(1)) as u64 * self.records.bytes as u64
    }

    fn check(&self) -> Result<()> {
        let fail = |detail: String| Err(Error::Manifest(format!("{}: {detail}", self.name)));
        if !is_plain_name(&self.name) {
            return fail(format!("`name` must be a plain file name, found `{}`", self.name));
        }
        if self.classes.is_empty() || self.classes.len() > 256 {
            return fail(format!("`classes` must list 1 to 256 names, found {}", self.classes.len()));
        }
        // Bounds that no dataset of bytes comes near, so that no product of sizes overflows.
        const MOST: usize = 1 << 30;
        let pixels = self.shape.iter().try_fold(1_usize, |all, &n| all.checked_mul(n)).filter(|&n| 0 < n && n <= MOST);
        if pixels.is_none() {
            return fail(format!("`shape` must have 1 to {MOST} values, found {:?}", self.shape));
        }
        if self.max_value == 0 {
            return fail("`max_value` must be at least 1, found 0".into());
        }
        let Records { bytes, labels, label, train, test } = self.records;
        for (key, n) in [("bytes", bytes), ("train", train), ("test", test)] {
            if n == 0 || n > MOST {
                return fail(format!("`records.{key}` must be 1 to {MOST}, found {n}"));
            }
        }
        if let Some(files) = &self.files {
            let layout = files.layout;
            if label >= labels {
                return fail(format!("`records.label` must be below `records.labels`, {labels}, found {label}"));
            }
            if pixels.and_then(|n| n.checked_add(labels)) != Some(bytes) {
                return fail(format!(
                    "`records.bytes` must be {labels} for the label and `shape`'s {} for the picture, found {bytes}",
                    self.picture_bytes()
                ));
            }
            let also = files.also.iter().flat_map(|folder| folder.split('/'));
            let names = files.train.iter().chain(&files.test).chain([&files.folder]).map(String::as_str).chain(also);
            if let Some(name) = names.into_iter().find(|name| !is_plain_name(name)) {
                return fail(format!("`files` must be plain file names, found `{name}`"));
            }
            for (key, records, files) in [("train", train, &files.train), ("test", test, &files.test)] {
                if layout == Layout::Idx {
                    if files.len() != 2 || self.shape[0] != 1 || labels != 1 {
                        return fail(format!(
                            "`files.{key}`: IDX has pictures of one channel in a first file and labels in a second"
                        ));
                    }
                } else if files.is_empty() || records % files.len() != 0 {
                    return fail(format!("`files.{key}`: {records} records do not divide into {} files", files.len()));
                }
            }
        }
        if let Some(archive) = &self.archive {
            archive.download().check("archive").or_else(fail)?;
        }
        for download in &self.downloads {
            download.check("download").or_else(fail)?;
        }
        if let Some(files) = self.files.as_ref().filter(|_| !self.downloads.is_empty()) {
            let fetched = |name: &&String| self.downloads.iter().any(|d| plain_name(d.file_name()) == name.as_str());
            if let Some(name) = files.train.iter().chain(&files.test).find(|name| !fetched(name)) {
                return fail(format!("`download`: none of them is `{name}` or `{name}.gz`"));
            }
        }
        if let Some(embedded) = self.embedded.as_ref().filter(|e| !is_sha256(&e.sha256)) {
            return fail(format!("`embedded.sha256` must be 64 hexadecimal digits, found `{}`", embedded.sha256));
        }
        if self.files.is_none() && self.embedded.is_none() {
            return fail("must have `[files]` or `[embedded]`".into());
        }
        Ok(())
    }
}

impl Archive {
    /// The archive's name on disk: the last part of its first address.
    pub fn file_name(&self) -> &str {
        last_part(&self.urls)
    }

    /// The archive as a file on the network.
    pub(crate) fn download(&self) -> Download {
        let Self { urls, bytes, sha256, md5, .. } = self.clone();
        Download { urls, bytes, sha256, md5 }
    }
}

impl Download {
    /// The file's name on disk: the last part of its first address.
    pub fn file_name(&self) -> &str {
        last_part(&self.urls)
    }

    /// What is wrong with it, if anything; `key` is its name in the manifest.
    fn check(&self, key: &str) -> Result<(), String> {
        let web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        if self.urls.is_empty() || !self.urls.iter().all(web) {
            return Err(format!("`{key}.urls` must list addresses that start with https:// or http://"));
        }
        if !is_plain_name(self.file_name()) {
            return Err(format!("`{key}.urls`: `{}` does not end in a file name", self.urls[0]));
        }
        if !is_sha256(&self.sha256) {
            return Err(format!("`{key}.sha256` must be 64 hexadecimal digits, found `{}`", self.sha256));
        }
        if self.bytes == 0 {
            return Err(format!("`{key}.bytes` must be at least 1, found 0"));
        }
        Ok(())
    }
}

fn last_part(urls: &[String]) -> &str {
    urls.first().and_then(|url| url.rsplit('/').next()).unwrap_or_default()
}

/// `name` without `.gz`.
fn plain_name(name: &str) -> &str {
    name.strip_suffix(".gz").unwrap_or(name)
}

/// A name that stays in the folder it is put in, on every system: letters, digits, `.`, `_` and `-`, no leading dot.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests;
