//! Locating a dataset: the places that are searched, in order, and the result.

use crate::datasets::{Source, digits, folder, stand_in};
use crate::manifest::Layout;
use crate::{Error, Manifest, Result, Splits};
use std::path::{Path, PathBuf};

/// The environment variable that names a folder with data.
pub const DATA_VARIABLE: &str = "TAPER_DATA";

/// The places where a dataset is searched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocateOptions {
    /// A folder that the user set explicitly. It is an error if it does not hold the dataset.
    pub data_dir: Option<PathBuf>,
    /// The folder that `$TAPER_DATA` names. If it does not hold the dataset, the next place is searched.
    pub env: Option<PathBuf>,
    /// The folder that datasets are downloaded to, which is searched before downloading.
    pub downloads: PathBuf,
    /// Whether the network must not be used.
    pub offline: bool,
}

impl LocateOptions {
    /// Searches the folder that `$TAPER_DATA` names, then `downloads`, then the network.
    pub fn from_environment(downloads: impl Into<PathBuf>) -> Self {
        let env = std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self { data_dir: None, env, downloads: downloads.into(), offline: false }
    }
}

/// Where a dataset was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The folder that the user set explicitly.
    DataDir,
    /// The folder that `$TAPER_DATA` names.
    Env,
    /// The folder of downloads.
    Downloads,
    /// The network: the dataset was downloaded by this call, and is now in the folder of downloads.
    Network,
    /// This crate, which embeds the dataset.
    Embedded,
    /// The dataset was not found; synthetic images of the same shape are generated in its place.
    StandIn,
}

/// A dataset that was found and can be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    manifest: Manifest,
    origin: Origin,
    path: Option<PathBuf>,
    notice: String,
}

/// The progress of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A file is being requested from a server.
    Connecting {
        /// The address.
        url: &'a str,
    },
    /// Bytes were received.
    Bytes {
        /// The number of bytes received so far, earlier attempts included.
        done: u64,
        /// The size of the file in bytes.
        total: u64,
    },
    /// A message for the user: a mirror failed, a file was removed.
    Note(&'a str),
    /// The file is complete; its checksum is being computed.
    Verifying,
    /// The archive was verified and is being unpacked.
    Unpacking,
}

impl Source {
    /// Searches for the dataset in this order: the folder that the user set explicitly, and no other place if there is
    /// one; `$TAPER_DATA`; the folder of downloads; the network (unless `offline`, or built without the feature
    /// `download`); and last a synthetic stand-in. `progress` receives an [`Event`] for each step of a download. An
    /// embedded dataset needs no search, and is never read from a folder.
    ///
    /// # Errors
    /// When the folder that the user set does not hold the dataset, or was set for an embedded dataset, when the file system fails during a download, or
    /// when the dataset is nowhere and has no stand-in. For CIFAR-10, which has one, a failed download is no error:
    /// the stand-in is used, and [`Located::notice`] gives the reason.
    pub fn locate(&self, options: &LocateOptions, progress: &mut dyn FnMut(Event<'_>)) -> Result<Located> {
        locate(self.manifest()?, options, progress)
    }
}

pub(crate) fn locate(
    manifest: Manifest,
    options: &LocateOptions,
    progress: &mut dyn FnMut(Event<'_>),
) -> Result<Located> {
    let Some(files) = &manifest.files else {
        if let Some(dir) = &options.data_dir {
            return Err(Error::Embedded { dir: dir.clone(), title: manifest.title });
        }
        let notice = format!("{}, part of the program", manifest.title);
        return Ok(Located { manifest, origin: Origin::Embedded, path: None, notice });
    };
    if let Some(dir) = &options.data_dir {
        return match folder::folder(dir, files, true) {
            Some(path) => Ok(found(manifest, Origin::DataDir, path)),
            None => Err(Error::NoData {
                dir: dir.clone(),
                title: manifest.title.clone(),
                expected: format!("{}/ or its files, {}", files.folder, names(&files.train, &files.test)),
            }),
        };
    }
    let mut tried = Vec::new();
    // IDX files have the same names in every dataset, so that only their folder's name identifies the dataset.
    for (origin, name, dir) in [
        (Origin::Env, format!("${DATA_VARIABLE} "), options.env.as_deref()),
        (Origin::Downloads, String::new(), Some(options.downloads.as_path())),
    ] {
        let Some(dir) = dir else { continue };
        if let Some(path) = folder::folder(dir, files, files.layout == Layout::Records) {
            return Ok(found(manifest, origin, path));
        }
        tried.push(format!("not in {name}{}", dir.display()));
    }
    match from_network(&manifest, options, progress) {
        Ok(path) => return Ok(found(manifest, Origin::Network, path)),
        Err(Error::Download(reason)) => tried.push(reason),
        Err(error) => return Err(error),
    }
    let title = &manifest.title;
    if !stand_in::fits(&manifest) {
        return Err(Error::NotFound { title: title.clone(), tried: tried.join("; ") });
    }
    let notice = format!(
        "{title} was not found: {}.\nUsing the generated stand-in: pictures of the same format, NOT {title}.",
        tried.join("; ")
    );
    Ok(Located { manifest, origin: Origin::StandIn, path: None, notice })
}

fn from_network(manifest: &Manifest, options: &LocateOptions, progress: &mut dyn FnMut(Event<'_>)) -> Result<PathBuf> {
    if options.offline {
        return Err(Error::Download("the network was not asked (offline)".into()));
    }
    fetch(manifest, &options.downloads, progress)
}

#[cfg(feature = "download")]
use crate::download::fetch;

#[cfg(not(feature = "download"))]
fn fetch(_: &Manifest, _: &Path, _: &mut dyn FnMut(Event<'_>)) -> Result<PathBuf> {
    Err(Error::Download("the network was not asked (built without the feature `download`)".into()))
}

fn found(manifest: Manifest, origin: Origin, path: PathBuf) -> Located {
    let notice = format!("{} from {}", manifest.title, path.display());
    Located { manifest, origin, path: Some(path), notice }
}

fn names(train: &[String], test: &[String]) -> String {
    train.iter().chain(test).map(String::as_str).collect::<Vec<_>>().join(", ")
}

impl Located {
    /// Where the dataset was found.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether this is the synthetic stand-in instead of the dataset.
    pub fn is_stand_in(&self) -> bool {
        self.origin == Origin::StandIn
    }

    /// The folder that holds the dataset's files; `None` for an embedded dataset and for the stand-in.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The dataset's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// A message to show to the user first: where the data come from and, for the stand-in, why it is used.
    pub fn notice(&self) -> &str {
        &self.notice
    }

    /// Whom to cite for the dataset, and the terms of its use: `TITLE: CITATION; TERMS`.
    pub fn citation(&self) -> String {
        format!("{}: {}; {}", self.manifest.title, self.manifest.citation, self.manifest.terms)
    }

    /// The name of the data to show beside a result: the dataset's title, or `generated stand-in, not CIFAR-10` for the
    /// stand-in.
    pub fn description(&self) -> String {
        let title = &self.manifest.title;
        if self.is_stand_in() { format!("generated stand-in, not {title}") } else { title.clone() }
    }

    /// Reads both splits into memory.
    ///
    /// Memory: the images and labels of both splits, and beside them at most 1 MiB + 4 S while a file of S bytes
    /// (uncompressed) is read. The manifest gives S; a file of another size is refused before it is read, or once S + 1
    /// bytes are decompressed.
    ///
    /// # Errors
    /// A file that is missing, damaged, truncated or too large, or a label that names no class.
    pub fn load(&self) -> Result<Splits> {
        self.load_first(usize::MAX, usize::MAX)
    }

    /// Reads the first `train` images of the training split and the first `test` of the test split, or all if there
    /// are fewer. Files are read whole, as by [`Located::load`]; the stand-in generates only these images.
    ///
    /// # Errors
    /// As [`Located::load`].
    pub fn load_first(&self, train: usize, test: usize) -> Result<Splits> {
        let mut splits = match (&self.path, &self.manifest.files) {
            (Some(path), Some(files)) => folder::read(path, files, &self.manifest)?,
            _ if self.is_stand_in() => stand_in::generate(&self.manifest, train, test)?,
            _ => digits::read(&self.manifest)?,
        };
        splits.train.truncate(train);
        splits.test.truncate(test);
        Ok(splits)
    }
}
