//! Where a dataset is: the places it is looked for, in order, and what was found.

use crate::datasets::{Source, digits, folder, stand_in};
use crate::manifest::Layout;
use crate::{Error, Manifest, Result, Splits};
use std::path::{Path, PathBuf};

/// The environment variable that names a folder with data.
pub const DATA_VARIABLE: &str = "TAPER_DATA";

/// Where to look for a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocateOptions {
    /// The folder the user named. When it holds no data, that is an error.
    pub data_dir: Option<PathBuf>,
    /// The folder `$TAPER_DATA` names. When it holds no data, the next place is tried.
    pub env: Option<PathBuf>,
    /// The folder that downloads go to and are found in.
    pub downloads: PathBuf,
    /// Never touch the network.
    pub offline: bool,
}

impl LocateOptions {
    /// Looks in the folder `$TAPER_DATA` names, in `downloads`, then on the network.
    pub fn from_environment(downloads: impl Into<PathBuf>) -> Self {
        let env = std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self { data_dir: None, env, downloads: downloads.into(), offline: false }
    }
}

/// Where a dataset was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The folder the user named.
    DataDir,
    /// The folder `$TAPER_DATA` names.
    Env,
    /// The downloads' folder.
    Downloads,
    /// The network, just now; the data are in the downloads' folder.
    Network,
    /// Inside this crate.
    Embedded,
    /// Nowhere: pictures of the same format are generated. They are not the dataset.
    StandIn,
}

/// A dataset that was found, ready to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    manifest: Manifest,
    origin: Origin,
    path: Option<PathBuf>,
    notice: String,
}

/// What happens while a dataset is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A server is being asked for a file.
    Connecting {
        /// The address.
        url: &'a str,
    },
    /// Bytes have come.
    Bytes {
        /// How many there are now, those of earlier attempts included.
        done: u64,
        /// How many there will be.
        total: u64,
    },
    /// Something the user should read: a mirror failed, a file was removed.
    Note(&'a str),
    /// The file is complete; its checksum is being computed.
    Verifying,
    /// The archive is sound and is being unpacked.
    Unpacking,
}

impl Source {
    /// Looks for the dataset, in this order: the folder the user named, `$TAPER_DATA`, the downloads' folder, the
    /// network (unless offline, or built without the feature `download`), and last a generated stand-in. `progress` is
    /// told what happens on the network. An embedded dataset is found at once.
    ///
    /// # Errors
    /// When the folder the user named holds no data, or when the disk refuses a download. A network that fails is no
    /// error where there is a stand-in (for CIFAR-10): it is used, and [`Located::notice`] tells the reason.
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
        let notice = format!("{}: {}; {}", manifest.title, manifest.citation, manifest.terms);
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
    // Files of IDX have the same names in every dataset: only the folder they are in tells which it is.
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
    /// Where it was found.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether the pictures are generated, and so not the dataset at all.
    pub fn is_stand_in(&self) -> bool {
        self.origin == Origin::StandIn
    }

    /// The folder that holds its files, for a dataset in a folder.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What to tell the user before anything else: where the data come from, and for a stand-in why.
    pub fn notice(&self) -> &str {
        &self.notice
    }

    /// What to call the data beside a result: the dataset's title, or for a stand-in
    /// `generated stand-in, not CIFAR-10`.
    pub fn description(&self) -> String {
        let title = &self.manifest.title;
        if self.is_stand_in() { format!("generated stand-in, not {title}") } else { title.clone() }
    }

    /// Reads both splits into memory.
    ///
    /// # Errors
    /// A file that is missing, truncated or too large, or a label that names no class.
    pub fn load(&self) -> Result<Splits> {
        self.load_first(usize::MAX, usize::MAX)
    }

    /// Reads at most the first `train` and `test` pictures of each split. A stand-in generates no more than these.
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
