//! Downloading published weights, file by file, into a folder of the model's name.

use super::http::{Client, length};
use super::lock;
use crate::files::sync_folder;
use crate::{Error, Event, PublishedWeights, Result};
use std::fs::{self, File};
use std::path::Path;

/// Downloads the files of `weights` that are not in their folder below `downloads`.
pub(crate) fn fetch(weights: &PublishedWeights, downloads: &Path, progress: &mut dyn FnMut(Event<'_>)) -> Result<()> {
    fetch_with(&Client::new(), weights, downloads, progress)
}

pub(super) fn fetch_with(
    client: &Client,
    weights: &PublishedWeights,
    downloads: &Path,
    progress: &mut dyn FnMut(Event<'_>),
) -> Result<()> {
    let folder = weights.folder(downloads);
    fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
    let _lock = lock(&folder.join(".lock"), progress)?;
    for file in &weights.files {
        let path = folder.join(file.file_name());
        // Another process may have fetched it while this one waited.
        if path.is_file() {
            continue;
        }
        let part = folder.join(format!(".{}.part", file.file_name()));
        let bytes = if file.bytes == 0 { client.size(&file.urls, file.most, progress)? } else { file.bytes };
        client.fetch(&file.download(bytes), &part, progress)?;
        // Opened for writing, since not every system syncs a file that is open for reading.
        let synced = File::options().write(true).open(&part).and_then(|file| file.sync_all());
        synced.map_err(Error::io("write", &part))?;
        debug_assert_eq!(length(&part).ok(), Some(bytes));
        fs::rename(&part, &path).map_err(Error::io("move the file to", &path))?;
        sync_folder(Some(&folder));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::server::{Answer, Server};
    use super::*;
    use crate::image::hex;
    use crate::{LocateOptions, PublishedFile};
    use sha2::{Digest, Sha256};
    use std::time::Duration;

    struct World {
        weights: PublishedWeights,
        bytes: Vec<u8>,
        dir: tempfile::TempDir,
    }

    impl World {
        /// One file, whose size the server says, with eight digits of its checksum.
        fn new() -> Self {
            let bytes: Vec<u8> = (0..100_000_u32).flat_map(|i| i.wrapping_mul(i).to_le_bytes()).collect();
            let sha256 = hex(&Sha256::digest(&bytes))[..8].to_string();
            let most = bytes.len() as u64;
            let file = PublishedFile { urls: Vec::new(), bytes: 0, most, sha256 };
            let of = |text: &str| text.to_string();
            let weights = PublishedWeights {
                name: of("net"),
                title: of("Net"),
                source: of("us"),
                terms: of("MIT"),
                files: vec![file],
            };
            Self { weights, bytes, dir: tempfile::tempdir().unwrap() }
        }

        fn serve(&mut self, answers: Vec<Answer>) -> Server {
            let server = Server::start(self.bytes.clone(), answers);
            self.weights.files[0].urls = vec![server.url.clone()];
            server
        }

        fn fetch(&self) -> Result<()> {
            let client = Client::with(Duration::from_secs(10), Duration::from_millis(300), None);
            fetch_with(&client, &self.weights, self.dir.path(), &mut |_| {})
        }

        fn check_whole(&self) {
            let [path] = &self.weights.paths(self.dir.path())[..] else { panic!() };
            assert_eq!(path, &self.dir.path().join("weights/net/archive.tar.gz"));
            assert!(fs::read(path).unwrap() == self.bytes);
            assert!(self.weights.is_there(self.dir.path()));
            let entries = fs::read_dir(path.parent().unwrap()).unwrap();
            assert_eq!(entries.count(), 2, "the file and the lock");
        }
    }

    #[test]
    fn a_broken_download_goes_on_and_is_verified_by_the_first_digits() {
        let mut world = World::new();
        let server = world.serve(vec![Answer::Cut(70_000), Answer::Whole]);
        world.fetch().unwrap();
        world.check_whole();
        let ranges: Vec<_> = server.requests().into_iter().map(|request| request.range).collect();
        assert_eq!(ranges, [None, Some("bytes=70000-".to_string())]);
        // The second time nothing is asked, and the network is not needed.
        world.fetch().unwrap();
        assert_eq!(server.requests().len(), 2);
        let offline = LocateOptions { downloads: world.dir.path().into(), offline: true, ..LocateOptions::default() };
        assert_eq!(world.weights.fetch(&offline, &mut |_| {}).unwrap().len(), 1);
    }

    #[test]
    fn what_a_killed_process_left_is_resumed() {
        let mut world = World::new();
        let folder = world.dir.path().join("weights/net");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(".archive.tar.gz.part"), &world.bytes[..5000]).unwrap();
        let server = world.serve(vec![Answer::Whole]);
        world.fetch().unwrap();
        world.check_whole();
        assert_eq!(server.requests()[0].range.as_deref(), Some("bytes=5000-"));
    }

    #[test]
    fn another_file_is_refused() {
        let mut world = World::new();
        let mut other = world.bytes.clone();
        other[5] ^= 1;
        let _server = world.serve(vec![Answer::Other(other)]);
        let text = world.fetch().unwrap_err().to_string();
        let due = format!("wrong checksum: expected sha256 {}, found ", world.weights.files[0].sha256);
        assert!(text.contains(&due) && text.contains("the file was removed"), "{text}");
        assert!(!world.weights.is_there(world.dir.path()));
        // A file larger than it may be is not begun.
        world.weights.files[0].most = 1000;
        let server = world.serve(vec![Answer::Whole]);
        let text = world.fetch().unwrap_err().to_string();
        assert!(text.contains("the server offers 400000 bytes, more than the 1000 that it may be"), "{text}");
        assert_eq!(server.requests(), []);
        let offline = LocateOptions { downloads: world.dir.path().into(), offline: true, ..LocateOptions::default() };
        let text = world.weights.fetch(&offline, &mut |_| {}).unwrap_err().to_string();
        assert_eq!(text, "the network was not asked (offline)");
    }

    #[test]
    fn the_next_mirror_says_the_size_too() {
        let mut world = World::new();
        let good = world.serve(vec![Answer::Whole]);
        let none = world.serve(vec![Answer::Status(404), Answer::Status(404)]);
        world.weights.files[0].urls = vec![none.url.clone(), good.url.clone()];
        world.fetch().unwrap();
        world.check_whole();
        let mut world = World::new();
        let none = world.serve(vec![Answer::Status(404)]);
        let text = world.fetch().unwrap_err().to_string();
        assert_eq!(text, format!("the download failed ({}: the server answered 404 Not Found)", none.url));
    }
}
