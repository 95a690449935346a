//! Downloading public collections, each into a folder of its name. As with data sets, a collection is there whole or not at
//! all, and what is broken off is resumed.

use super::http::Client;
use super::{fetch_files, lock, moved, remove_folder, unpack};
use crate::manifest::Unpacking;
use crate::{Collection, Error, Event, Result};
use std::fs;
use std::path::Path;

/// Downloads `collection` into its folder below `downloads`.
pub(crate) fn fetch(collection: &Collection, downloads: &Path, progress: &mut dyn FnMut(Event<'_>)) -> Result<()> {
    fetch_with(&Client::new(), collection, downloads, progress)
}

pub(super) fn fetch_with(
    client: &Client,
    collection: &Collection,
    downloads: &Path,
    progress: &mut dyn FnMut(Event<'_>),
) -> Result<()> {
    let folder = collection.folder(downloads);
    let beside = folder.parent().unwrap_or(downloads);
    fs::create_dir_all(beside).map_err(Error::io("create the folder", beside))?;
    let hidden = |what: &str| beside.join(format!(".{}.{what}", collection.name));
    let (staged, unpacked) = (hidden("files"), hidden("unpack"));
    let _lock = lock(&hidden("lock"), progress)?;

    // The lock is held, so no other process uses what an earlier attempt left.
    remove_folder(&unpacked)?;
    if !collection.is_there(downloads) {
        fetch_files(client, &collection.files, &staged, progress)?;
        match collection.unpack {
            None => moved(&staged, folder)?,
            Some(unpacking) => {
                progress(Event::Unpacking);
                let whole = unpack_into(collection, unpacking, &staged, &unpacked);
                if whole.is_err() {
                    // The first error is the one that is reported.
                    let _ = fs::remove_dir_all(&unpacked);
                }
                whole.and_then(|()| moved(&unpacked, folder))?
            }
        };
    }
    remove_folder(&staged)
}

/// Unpacks the archive of `collection` in `staged` into `unpacked`, and looks whether what is learned from is in it.
fn unpack_into(collection: &Collection, unpacking: Unpacking, staged: &Path, unpacked: &Path) -> Result<()> {
    for file in &collection.files {
        let path = staged.join(file.file_name());
        unpack::unpack(&path, unpacking, unpacked)?;
        if !unpacked.join(&collection.path).exists() {
            let detail = format!("after unpacking, expected `{}`, found none of that name", collection.path);
            return Err(Error::Archive { path, detail });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::server::{Answer, Server};
    use super::*;
    use crate::LocateOptions;
    use crate::image::hex;
    use crate::manifest::{ArchiveFormat, Download};
    use flate2::{Compression, write::GzEncoder};
    use sha2::{Digest, Sha256};
    use std::io::{Cursor, Write};
    use std::path::PathBuf;
    use std::time::Duration;
    use taper_backend::RandomKey;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    /// A collection of one file, the bytes of that, and a folder.
    struct World {
        collection: Collection,
        bytes: Vec<u8>,
        dir: tempfile::TempDir,
    }

    /// Bytes that do not become fewer when they are compressed.
    fn noise() -> Vec<u8> {
        (0..50_000).flat_map(|i| RandomKey::new(1).word(i).to_le_bytes()).collect()
    }

    impl World {
        /// Of `bytes`, of which `path` is learned from.
        fn new(bytes: Vec<u8>, format: Option<ArchiveFormat>, path: &str) -> Self {
            let unpack = format.map(|format| Unpacking { format, max_unpacked_bytes: 1_000_000, max_entries: 3 });
            let sha256 = hex(&Sha256::digest(&bytes));
            let file = Download { urls: Vec::new(), bytes: bytes.len() as u64, sha256, md5: None };
            let lfw = Collection::named("lfw").unwrap().clone();
            let collection = Collection { name: "set".into(), path: path.into(), files: vec![file], unpack, ..lfw };
            Self { collection, bytes, dir: tempfile::tempdir().unwrap() }
        }

        fn zip() -> Self {
            let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
            for (name, data) in [("small/ratings.csv", b"a,b\n1,2\n".to_vec()), ("small/noise", noise())] {
                zip.start_file(name, SimpleFileOptions::default()).unwrap();
                zip.write_all(&data).unwrap();
            }
            Self::new(zip.finish().unwrap().into_inner(), Some(ArchiveFormat::Zip), "small")
        }

        fn tar() -> Self {
            let mut tar = tar::Builder::new(Vec::new());
            for (name, data) in [("sounds-1/recordings/0_a_0.wav", b"RIFF".to_vec()), ("sounds-1/noise", noise())] {
                let mut header = tar::Header::new_ustar();
                header.set_size(data.len() as u64);
                header.set_mode(0o644);
                tar.append_data(&mut header, name, &data[..]).unwrap();
            }
            Self::new(tar.into_inner().unwrap(), Some(ArchiveFormat::Tar), "sounds-1/recordings")
        }

        fn tar_gz() -> Self {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&Self::tar().bytes).unwrap();
            Self::new(gzip.finish().unwrap(), Some(ArchiveFormat::TarGz), "sounds-1/recordings")
        }

        fn serve(&mut self, answers: Vec<Answer>) -> Server {
            let server = Server::start(self.bytes.clone(), answers);
            self.collection.files[0].urls = vec![server.url.clone()];
            server
        }

        fn fetch(&self) -> Result<PathBuf> {
            let client = Client::with(Duration::from_secs(10), Duration::from_millis(300), None);
            fetch_with(&client, &self.collection, self.dir.path(), &mut |_| {})?;
            Ok(self.collection.path(self.dir.path()))
        }

        /// What is in the folder of all collections.
        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.dir.path().join("collections")).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_broken_archive_goes_on_and_is_unpacked_whole() {
        for (mut world, file, due) in [
            (World::zip(), "ratings.csv", &b"a,b\n1,2\n"[..]),
            (World::tar_gz(), "0_a_0.wav", b"RIFF"),
            (World::tar(), "0_a_0.wav", b"RIFF"),
        ] {
            let server = world.serve(vec![Answer::Cut(70_000), Answer::Whole]);
            let path = world.fetch().unwrap();
            assert_eq!(fs::read(path.join(file)).unwrap(), due);
            assert_eq!(world.names(), [".set.lock", "set"]);
            let ranges: Vec<_> = server.requests().into_iter().map(|request| request.range).collect();
            assert_eq!(ranges, [None, Some("bytes=70000-".to_string())]);
            // The second time nothing is asked, and the network is not needed.
            assert_eq!(world.fetch().unwrap(), path);
            let offline =
                LocateOptions { downloads: world.dir.path().into(), offline: true, ..LocateOptions::default() };
            assert_eq!(world.collection.fetch(&offline, &mut |_| {}).unwrap(), path);
            assert_eq!(server.requests().len(), 2);
        }
    }

    #[test]
    fn what_a_killed_process_left_is_resumed() {
        let mut world = World::new(noise(), None, "archive.tar.gz");
        let staged = world.dir.path().join("collections/.set.files");
        fs::create_dir_all(&staged).unwrap();
        fs::write(staged.join("archive.tar.gz"), &world.bytes[..5000]).unwrap();
        fs::create_dir_all(world.dir.path().join("collections/.set.unpack")).unwrap();
        let server = world.serve(vec![Answer::Whole]);
        assert!(fs::read(world.fetch().unwrap()).unwrap() == world.bytes);
        assert_eq!(server.requests()[0].range.as_deref(), Some("bytes=5000-"));
        assert_eq!(world.names(), [".set.lock", "set"]);
    }

    #[test]
    fn other_bytes_are_refused_and_leave_nothing() {
        for mut world in [World::zip(), World::tar_gz(), World::new(noise(), None, "archive.tar.gz")] {
            let mut other = world.bytes.clone();
            other[5] ^= 1;
            let _server = world.serve(vec![Answer::Other(other), Answer::Whole]);
            let text = world.fetch().unwrap_err().to_string();
            let due = format!("wrong checksum: expected sha256 {}, found ", world.collection.files[0].sha256);
            assert!(text.contains(&due) && text.contains("the file was removed"), "{text}");
            assert!(!world.collection.is_there(world.dir.path()));
            assert_eq!(world.names(), [".set.files", ".set.lock"]);
            world.fetch().unwrap();
            assert_eq!(world.names(), [".set.lock", "set"]);
        }
    }

    #[test]
    fn an_archive_that_is_not_as_listed_is_refused() {
        let mut world = World::zip();
        let _server = world.serve(vec![Answer::Whole]);
        world.collection.unpack.as_mut().unwrap().max_entries = 1;
        let text = world.fetch().unwrap_err().to_string();
        assert!(text.ends_with("archive refused: more than 1 entries"), "{text}");
        world.collection.unpack.as_mut().unwrap().max_entries = 2;
        world.collection.path = "large".into();
        let text = world.fetch().unwrap_err().to_string();
        assert!(text.ends_with("after unpacking, expected `large`, found none of that name"), "{text}");
        assert_eq!(world.names(), [".set.files", ".set.lock"]);
        // What was fetched is not fetched again: the server would have no answer.
        world.collection.path = "small".into();
        world.fetch().unwrap();
    }

    #[test]
    fn without_a_network_what_to_do_is_said() {
        let mut world = World::zip();
        let mut options = LocateOptions { downloads: world.dir.path().into(), ..LocateOptions::default() };
        options.offline = true;
        let path = world.collection.path(world.dir.path()).display().to_string();
        let text = world.collection.fetch(&options, &mut |_| {}).unwrap_err().to_string();
        let due = format!(
            "Labeled Faces in the Wild: expected {path}, which is not there, and the network was not asked (offline); allow \
             the network, or name a copy that you have by its path"
        );
        assert_eq!(text, due);
        options.offline = false;
        let server = world.serve(vec![Answer::Status(404)]);
        let text = world.collection.fetch(&options, &mut |_| {}).unwrap_err().to_string();
        let reason = format!("the download failed ({}: the server answered 404 Not Found)", server.url);
        assert_eq!(text, due.replace("the network was not asked (offline)", &reason));
        // Where a path of one's own lies in the way, it stays.
        let folder = world.dir.path().join("collections/set");
        fs::create_dir_all(folder.join("mine")).unwrap();
        let _server = world.serve(vec![Answer::Whole]);
        let text = world.fetch().unwrap_err().to_string();
        assert!(text.starts_with("cannot replace ") && folder.join("mine").exists(), "{text}");
    }
}
