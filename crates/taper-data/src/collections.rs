//! Public collections: data that stand in for data of one's own, of which a list gives addresses, checksums and terms
//! (`published/collections.toml`).

use crate::list::{List, Listed};
use crate::manifest::{Download, Unpacking, is_plain_name};
use crate::{Error, Event, LocateOptions, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A well-known public collection: texts, ratings, pictures or sounds, in files that are read as data of one's own are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// The short name: `tiny-shakespeare`.
    pub name: String,
    /// The name to show: `Tiny Shakespeare`.
    pub title: String,
    /// The address of its home page.
    pub homepage: String,
    /// Whom to cite.
    pub citation: String,
    /// The licence, or what is known of the terms of use.
    pub terms: String,
    /// The names of the experiments that learn from it: `text`.
    pub of: Vec<String>,
    /// The file or the folder that is learned from, within the collection's folder; parts are separated by `/`.
    pub path: String,
    /// The files to download; one alone where it is an archive.
    pub files: Vec<Download>,
    /// How the one file is unpacked; `None` for files that are learned from as they are.
    pub unpack: Option<Unpacking>,
}

static ALL: List<Collection> = List::new("collections", include_str!("../published/collections.toml"));

impl Collection {
    /// All collections that are known.
    ///
    /// # Errors
    /// None in practice: a test reads the list.
    pub fn all() -> Result<&'static [Self]> {
        ALL.all()
    }

    /// The names of all collections.
    ///
    /// # Errors
    /// None in practice: a test reads the list.
    pub fn names() -> Result<Vec<&'static str>> {
        ALL.names()
    }

    /// The collection called `name`.
    ///
    /// # Errors
    /// When there is none of that name; the error lists the names.
    pub fn named(name: &str) -> Result<&'static Self> {
        ALL.named(name)
    }

    /// The collection that `value`, which may be a path, stands for: that of this name, unless there is a file or a folder at
    /// that path.
    pub fn meant_by(value: &str) -> Option<&'static Self> {
        Self::named(value).ok().filter(|_| !Path::new(value).exists())
    }

    /// The size of all files to download in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The collection's folder in the folder `downloads`.
    pub(crate) fn folder(&self, downloads: &Path) -> PathBuf {
        downloads.join("collections").join(&self.name)
    }

    /// The file or the folder that is learned from, in the folder `downloads`.
    pub fn path(&self, downloads: &Path) -> PathBuf {
        self.path.split('/').fold(self.folder(downloads), |path, part| path.join(part))
    }

    /// Whether the collection is in the folder `downloads`. It was verified when it was fetched.
    pub fn is_there(&self, downloads: &Path) -> bool {
        self.path(downloads).exists()
    }

    /// Whether the experiment called `name` learns from it.
    pub fn is_of(&self, name: &str) -> bool {
        self.of.iter().any(|of| of == name)
    }

    /// Whom to cite for the collection, and the terms of its use: `TITLE: CITATION; TERMS`.
    pub fn cited(&self) -> String {
        format!("{}: {}; {}", self.title, self.citation, self.terms)
    }

    /// Fetches the collection into the downloads' folder of `options`, unless it is there, and returns the path of the file or
    /// the folder that is learned from. What is broken off is resumed; every file is verified. An archive is unpacked beside
    /// and renamed, so that the collection is there whole or not at all. `progress` receives an [`Event`] for each step.
    ///
    /// # Errors
    /// When the collection is not there and the network may not be asked, or the program was built without the feature
    /// `download`; when every mirror fails (the text gives the reason of each), an archive is refused, or the file system
    /// fails.
    pub fn fetch(&self, options: &LocateOptions, progress: &mut dyn FnMut(Event<'_>)) -> Result<PathBuf> {
        let path = self.path(&options.downloads);
        if self.is_there(&options.downloads) {
            return Ok(path);
        }
        let fetched = match options.offline {
            true => Err(Error::Download("the network was not asked (offline)".into())),
            false => fetch(self, &options.downloads, progress),
        };
        fetched.map(|()| path.clone()).map_err(|error| match error {
            Error::Download(reason) => Error::Download(format!(
                "{}: expected {}, which is not there, and {reason}; allow the network, or name a copy that you have by its path",
                self.title,
                path.display()
            )),
            error => error,
        })
    }
}

impl Listed for Collection {
    const NONE: &'static str = "there is no collection";

    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        if !is_plain_name(&self.name) {
            return Err("`name` must be a plain file name".into());
        }
        let texts = [&self.title, &self.homepage, &self.citation, &self.terms];
        if texts.into_iter().chain(&self.of).any(|text| text.trim().is_empty()) || self.of.is_empty() {
            return Err("`title`, `homepage`, `citation`, `terms` and `of` must not be empty".into());
        }
        if !self.path.split('/').all(is_plain_name) {
            return Err(format!("`path` must be plain file names, separated by `/`, found `{}`", self.path));
        }
        self.files.iter().try_for_each(|file| file.check("files"))?;
        match &self.unpack {
            Some(_) if self.files.len() != 1 => {
                Err(format!("`files` must be one, which is unpacked, found {}", self.files.len()))
            }
            Some(bounds) if bounds.max_unpacked_bytes == 0 || bounds.max_entries == 0 => {
                Err("`unpack`: `max_unpacked_bytes` and `max_entries` must be at least 1".into())
            }
            None if !self.files.iter().any(|file| file.file_name() == self.path) => {
                Err(format!("`path` must be one of the files, found `{}`", self.path))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(feature = "download")]
use crate::download::collections::fetch;

#[cfg(not(feature = "download"))]
fn fetch(_: &Collection, _: &Path, _: &mut dyn FnMut(Event<'_>)) -> Result<()> {
    Err(Error::Download("the network was not asked (built without the feature `download`)".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    #[test]
    fn the_list_is_sound() {
        let names = Collection::names().unwrap();
        assert_eq!(
            names,
            ["tiny-shakespeare", "movielens-small", "lfw", "fsdd", "imdb-reviews", "ted-pt-en", "voc2007"]
        );
        for name in names {
            assert!(Source::named(name).is_err(), "{name} is a data set too");
            let collection = Collection::named(name).unwrap();
            let archive =
                [".zip", ".tgz", ".tar.gz", ".tar"].iter().any(|end| collection.files[0].file_name().ends_with(end));
            assert_eq!(collection.unpack.is_some(), archive, "{name}");
            // What is unpacked is no smaller than its archive.
            let bound = collection.unpack.map_or(u64::MAX, |unpack| unpack.max_unpacked_bytes);
            assert!(collection.bytes() < bound, "{name}");
        }
        let text = Collection::named("lwf").unwrap_err().to_string();
        assert!(text.starts_with("there is no collection `lwf`; known: tiny-shakespeare, "), "{text}");
    }

    #[test]
    fn a_path_that_is_there_is_no_name() {
        assert_eq!(Collection::meant_by("lfw").map(|found| &*found.name), Some("lfw"));
        for path in ["./lfw", "/lfw", "src", ""] {
            assert_eq!(Collection::meant_by(path), None, "{path}");
        }
    }

    #[test]
    fn what_a_list_may_not_say_is_told() {
        let wrong = |name: &str, change: fn(&mut Collection)| {
            let mut collection = Collection::named(name).unwrap().clone();
            collection.check().unwrap();
            change(&mut collection);
            collection.check().unwrap_err()
        };
        assert_eq!(wrong("lfw", |of| of.name = "../lfw".into()), "`name` must be a plain file name");
        assert!(wrong("lfw", |of| of.terms = " ".into()).ends_with("must not be empty"));
        assert!(wrong("lfw", |of| of.of.clear()).ends_with("must not be empty"));
        let due = "`path` must be plain file names, separated by `/`, found `lfw/../..`";
        assert_eq!(wrong("lfw", |of| of.path = "lfw/../..".into()), due);
        assert!(wrong("lfw", |of| of.files[0].sha256.truncate(8)).contains("must be 64 hexadecimal digits"));
        assert!(wrong("lfw", |of| of.files[0].bytes = 0).contains("`files.bytes` must be at least 1"));
        assert!(wrong("lfw", |of| of.files.push(of.files[0].clone())).ends_with("which is unpacked, found 2"));
        let unbounded = wrong("fsdd", |of| of.unpack.as_mut().unwrap().max_entries = 0);
        assert!(unbounded.ends_with("must be at least 1"), "{unbounded}");
        let due = "`path` must be one of the files, found `output.txt`";
        assert_eq!(wrong("tiny-shakespeare", |of| of.path = "output.txt".into()), due);
    }
}
