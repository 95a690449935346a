//! Manifests of datasets: title, citation, classes, shape, layout of the files, and the addresses and checksums of
//! downloads.

use crate::{Error, Result};
use serde::Deserialize;

/// The description of a dataset, as its TOML file gives it (`datasets/NAME.toml`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The short name: `cifar10`.
    pub name: String,
    /// The name to show: `CIFAR-10`.
    pub title: String,
    /// The address of the dataset's home page.
    pub homepage: String,
    /// The publication to cite.
    pub citation: String,
    /// The licence, or what is known of the terms of use.
    pub terms: String,
    /// The names of the classes, in the order of their labels: 1 to 256.
    pub classes: Vec<String>,
    /// The shape of one image, `[C, H, W]`.
    pub shape: [usize; 3],
    /// The pixel value that becomes 1 in a batch: 1 to 255.
    pub max_value: u8,
    /// The size and number of records.
    pub records: Records,
    /// The files that hold the records, for a dataset that is stored in a folder.
    pub files: Option<Files>,
    /// The archive that holds the files, for a dataset that is downloaded as one archive.
    pub archive: Option<Archive>,
    /// The files to download, for a dataset that is downloaded file by file (`[[download]]`).
    #[serde(default, rename = "download")]
    pub downloads: Vec<Download>,
    /// The file inside this crate, for a dataset that is embedded.
    pub embedded: Option<Embedded>,
}

/// The number of records of each split, and the layout of one record. A record is one sample: labels and image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// The size of one record in bytes, labels included.
    pub bytes: usize,
    /// The number of label bytes before the image; 1 if the manifest does not set it.
    #[serde(default = "one")]
    pub labels: usize,
    /// The index, from 0, of the label byte that is used; 0 if the manifest does not set it.
    #[serde(default)]
    pub label: usize,
    /// The number of records of the training split.
    pub train: usize,
    /// The number of records of the test split.
    pub test: usize,
}

fn one() -> usize {
    1
}

/// The layout of records in files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Layout {
    /// CIFAR's layout: one record after the other, each with its label bytes before the image.
    #[default]
    Records,
    /// MNIST's layout: two IDX files for each split, images and labels, plain or compressed with gzip (`.gz`).
    Idx,
}

/// The files that hold a dataset's records.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The layout of records in the files.
    #[serde(default)]
    pub layout: Layout,
    /// The name of the folder that holds the files, inside the data folder and inside the archive.
    pub folder: String,
    /// Folders that other programs store the files in, such as torchvision's `MNIST/raw`. They are searched, but never
    /// written to.
    #[serde(default)]
    pub also: Vec<String>,
    /// The files of the training split, in order. Each holds the same number of records. For IDX: images, then
    /// labels.
    pub train: Vec<String>,
    /// The files of the test split, as for `train`.
    pub test: Vec<String>,
}

/// The archive that a dataset is downloaded as.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// The addresses of its mirrors, tried in order. The last part of the first is the archive's file name.
    pub urls: Vec<String>,
    /// The size of the archive in bytes.
    pub bytes: u64,
    /// The archive's SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// The archive's MD5 as its authors publish it. It is informative: only the SHA-256 is checked.
    pub md5: Option<String>,
    /// The largest total size of the unpacked files in bytes. A larger archive is refused.
    pub max_unpacked_bytes: u64,
    /// The largest number of entries, files and folders. An archive with more is refused.
    pub max_entries: usize,
}

/// How an archive is unpacked, and its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unpacking {
    /// The format of the archive.
    pub format: ArchiveFormat,
    /// The largest total size of the unpacked files in bytes. A larger archive is refused.
    pub max_unpacked_bytes: u64,
    /// The largest number of entries, files and folders. An archive with more is refused.
    pub max_entries: usize,
}

/// A format of archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub enum ArchiveFormat {
    /// A tar as it is.
    #[serde(rename = "tar")]
    Tar,
    /// A tar compressed with gzip.
    #[serde(rename = "tar.gz")]
    TarGz,
    /// A ZIP archive, entries stored or compressed with Deflate.
    #[serde(rename = "zip")]
    Zip,
}

/// One file to download.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// The addresses of its mirrors, tried in order. The last part of the first is the file's name.
    pub urls: Vec<String>,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The file's SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// The file's MD5 as its authors publish it. It is informative: only the SHA-256 is checked.
    pub md5: Option<String>,
}

/// The file of an embedded dataset, inside this crate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedded {
    /// The file's name in `datasets/`.
    pub file: String,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The file's SHA-256, 64 hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// Parses a manifest in TOML and checks that it is consistent.
    ///
    /// Memory for a text of N bytes: at most 1 MiB + 256 N.
    ///
    /// # Errors
    /// When the TOML is invalid, a key is missing or unknown, or a value is out of range; the text names it.
    pub fn parse(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text).map_err(|e| Error::Manifest(e.to_string().trim_end().to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The size of one image in bytes, C·H·W: one byte for each value.
    pub fn picture_bytes(&self) -> usize {
        self.shape.iter().product()
    }

    /// The size in bytes that each file must have when a split of `records` records is in `files` files.
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
        // A bound that no dataset comes near and that keeps products of sizes from overflowing.
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
    /// The archive's file name: the last part of its first address.
    pub fn file_name(&self) -> &str {
        last_part(&self.urls)
    }

    /// How it is unpacked: data sets come as `.tar.gz`.
    #[cfg(feature = "download")]
    pub(crate) fn unpacking(&self) -> Unpacking {
        let Self { max_unpacked_bytes, max_entries, .. } = *self;
        Unpacking { format: ArchiveFormat::TarGz, max_unpacked_bytes, max_entries }
    }

    /// The archive as a file to download.
    pub(crate) fn download(&self) -> Download {
        let Self { urls, bytes, sha256, md5, .. } = self.clone();
        Download { urls, bytes, sha256, md5 }
    }
}

impl Download {
    /// The file's name: the last part of its first address.
    pub fn file_name(&self) -> &str {
        last_part(&self.urls)
    }

    /// Checks addresses, checksum and size. `key` is the table's name in the manifest, for errors.
    pub(crate) fn check(&self, key: &str) -> Result<(), String> {
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

/// Whether `name` is a plain file name on every system: letters, digits, `.`, `_` and `-`, without a leading dot.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests;
