//! Tests of datasets that are downloaded file by file, against local servers.

use super::server::{Answer, Server};
use super::*;
use crate::image::hex;
use crate::manifest::Download;
use crate::{LocateOptions, Origin};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::time::Duration;

/// MNIST's manifest with 2 training images and 1 for the test, of 1×1×2, its compressed files, and a folder.
struct World {
    manifest: Manifest,
    files: Vec<(String, Vec<u8>)>,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let mut manifest = Manifest::parse(include_str!("../../datasets/mnist.toml")).unwrap();
        (manifest.shape, manifest.records.train, manifest.records.test) = ([1, 1, 2], 2, 1);
        manifest.records.bytes = 3;
        let contents: [&[u8]; 4] = [
            &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4],
            &[0, 0, 8, 1, 0, 0, 0, 2, 5, 6],
            &[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 7, 8],
            &[0, 0, 8, 1, 0, 0, 0, 1, 9],
        ];
        let mut files = Vec::new();
        for (download, content) in manifest.downloads.iter_mut().zip(contents) {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(content).unwrap();
            let bytes = encoder.finish().unwrap();
            (download.bytes, download.sha256) = (bytes.len() as u64, hex(&Sha256::digest(&bytes)));
            files.push((download.file_name().to_string(), bytes));
        }
        Self { manifest, files, dir: tempfile::tempdir().unwrap() }
    }

    /// Starts a server for each file `i`, which gives `answers(i)` one after the other.
    fn serve(&mut self, mut answers: impl FnMut(usize) -> Vec<Answer>) -> Vec<Server> {
        let start = |(i, (download, (name, bytes))): (usize, (&mut Download, &(String, Vec<u8>)))| {
            let server = Server::start(bytes.clone(), answers(i));
            download.urls = vec![server.url.replace("archive.tar.gz", name)];
            server
        };
        self.manifest.downloads.iter_mut().zip(&self.files).enumerate().map(start).collect()
    }

    fn downloads(&self) -> PathBuf {
        self.dir.path().join("downloads")
    }

    fn fetch(&self) -> Result<PathBuf> {
        let client = Client::with(Duration::from_secs(10), Duration::from_millis(300), None);
        fetch_with(&client, &self.manifest, &self.downloads(), &mut |_| {})
    }

    /// Asserts that the data are complete, and that the folder holds nothing else but the lock file.
    fn check_whole(&self, found: &Path) {
        assert_eq!(found, self.downloads().join("mnist"));
        let splits = folder::read(found, self.manifest.files.as_ref().unwrap(), &self.manifest).unwrap();
        assert_eq!((splits.train.images(), splits.train.labels()), (&[1, 2, 3, 4][..], &[5, 6][..]));
        assert_eq!((splits.test.images(), splits.test.labels()), (&[7, 8][..], &[9][..]));
        assert_eq!(names(&self.downloads()), [".mnist.lock", "mnist"]);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_file_is_fetched_and_then_found() {
    let mut world = World::new();
    let servers = world.serve(|_| vec![Answer::Whole]);
    world.check_whole(&world.fetch().unwrap());
    world.check_whole(&world.fetch().unwrap());
    assert!(servers.iter().all(|server| server.requests().len() == 1));
}

#[test]
fn a_cut_compressed_file_is_not_taken_for_whole() {
    let mut world = World::new();
    let _servers = world.serve(|_| vec![Answer::Whole]);
    let (name, bytes) = &world.files[1];
    fs::write(world.fetch().unwrap().join(name), &bytes[..bytes.len() - 9]).unwrap();
    let text = world.fetch().unwrap_err().to_string();
    assert!(
        text.contains(&format!("{name}: gzip: damaged: ")) && text.contains("; remove the folder it is in"),
        "{text}"
    );
}

#[test]
fn what_is_there_is_verified_and_not_fetched_again() {
    let mut world = World::new();
    let staged = world.downloads().join(".mnist.files");
    fs::create_dir_all(&staged).unwrap();
    // Left by an earlier attempt: a whole file, the first bytes of a file, bytes of another file.
    fs::write(staged.join(&world.files[0].0), &world.files[0].1).unwrap();
    fs::write(staged.join(&world.files[1].0), &world.files[1].1[..7]).unwrap();
    fs::write(staged.join(&world.files[2].0), [1, 2, 3]).unwrap();
    let servers = world.serve(|_| vec![Answer::Whole, Answer::Whole]);
    world.check_whole(&world.fetch().unwrap());
    let ranges = |i: usize| servers[i].requests().into_iter().map(|r| r.range).collect::<Vec<_>>();
    assert_eq!(ranges(0), []);
    assert_eq!(ranges(1), [Some("bytes=7-".to_string())]);
    assert_eq!(ranges(2), [Some("bytes=3-".to_string()), None]);
    assert_eq!(ranges(3), [None]);
}

#[test]
fn one_that_fails_leaves_no_folder_and_keeps_the_others() {
    let mut world = World::new();
    let first = world.serve(|i| if i == 2 { vec![Answer::Status(404)] } else { vec![Answer::Whole] });
    let text = world.fetch().unwrap_err().to_string();
    assert!(text.contains("t10k-images-idx3-ubyte.gz: the server answered 404"), "{text}");
    assert_eq!(names(&world.downloads()), [".mnist.files", ".mnist.lock"]);
    assert_eq!(first[0].requests().len(), 1);
    let second = world.serve(|_| vec![Answer::Whole]);
    world.check_whole(&world.fetch().unwrap());
    assert_eq!(second.iter().map(|s| s.requests().len()).collect::<Vec<_>>(), [0, 0, 1, 1]);
}

#[test]
fn other_bytes_are_refused() {
    let mut world = World::new();
    let mut other = world.files[3].1.clone();
    other[12] ^= 1;
    let _servers = world.serve(|i| vec![if i == 3 { Answer::Other(other.clone()) } else { Answer::Whole }]);
    let text = world.fetch().unwrap_err().to_string();
    assert!(text.contains("wrong checksum: expected sha256 ") && text.contains("the file was removed"), "{text}");
    assert!(!world.downloads().join("mnist").exists());
}

#[test]
fn locate_fetches_and_where_nothing_stands_in_says_so() {
    let mut world = World::new();
    let options = LocateOptions { downloads: world.downloads(), ..LocateOptions::default() };
    let text =
        crate::locate::locate(world.manifest.clone(), &LocateOptions { offline: true, ..options.clone() }, &mut |_| {});
    let text = text.unwrap_err().to_string();
    assert!(
        text.starts_with("MNIST was not found: not in ") && text.contains("(offline); there is no stand-in"),
        "{text}"
    );
    let _servers = world.serve(|_| vec![Answer::Whole]);
    let located = crate::locate::locate(world.manifest.clone(), &options, &mut |_| {}).unwrap();
    assert_eq!((located.origin(), located.load().unwrap().train.len()), (Origin::Network, 2));
    let again = crate::locate::locate(world.manifest.clone(), &options, &mut |_| {}).unwrap();
    assert_eq!(again.origin(), Origin::Downloads);
}
