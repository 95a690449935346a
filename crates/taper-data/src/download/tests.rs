//! Tests of downloads against a local server with scripted faults.

use super::server::{Answer, Request, Server};
use super::*;
use crate::image::hex;
use crate::{LocateOptions, Origin};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::time::Duration;
use taper_backend::RandomKey;

/// CIFAR-10's manifest with ten training and two test images of 1×2×2, the bytes of its archive, and a folder.
struct World {
    manifest: Manifest,
    archive: Vec<u8>,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::with_files(|name| (0..2).flat_map(|i| [i, name.len() as u8, i, 3, 4]).collect())
    }

    fn with_files(content: impl Fn(&str) -> Vec<u8>) -> Self {
        let mut manifest = Manifest::parse(include_str!("../../datasets/cifar10.toml")).unwrap();
        (manifest.shape, manifest.records.train, manifest.records.test) = ([1, 2, 2], 10, 2);
        manifest.records.bytes = 5;
        let files = manifest.files.clone().unwrap();
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut add = |name: &str, data: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("{}/{name}", files.folder), data).unwrap();
        };
        for name in files.train.iter().chain(&files.test) {
            add(name, &content(name));
        }
        // Incompressible bytes, so that the archive is long enough to be cut.
        let filler: Vec<u8> = (0..50_000).flat_map(|i| RandomKey::new(1).word(i).to_le_bytes()).collect();
        add("readme.html", &filler);
        let archive = tar.into_inner().unwrap().finish().unwrap();
        let facts = manifest.archive.as_mut().unwrap();
        facts.bytes = archive.len() as u64;
        facts.sha256 = hex(&Sha256::digest(&archive));
        Self { manifest, archive, dir: tempfile::tempdir().unwrap() }
    }

    fn serve(&mut self, answers: Vec<Answer>) -> Server {
        let server = Server::start(self.archive.clone(), answers);
        self.manifest.archive.as_mut().unwrap().urls = vec![server.url.clone()];
        server
    }

    fn downloads(&self) -> PathBuf {
        self.dir.path().join("downloads")
    }

    fn part(&self) -> PathBuf {
        self.hidden("part")
    }

    fn hidden(&self, what: &str) -> PathBuf {
        self.downloads().join(format!(".cifar-10-batches-bin.{what}"))
    }

    /// Downloads, and returns the progress notes too.
    fn fetch(&self) -> (Result<PathBuf>, Vec<String>) {
        self.fetch_as(&self.manifest)
    }

    fn fetch_as(&self, manifest: &Manifest) -> (Result<PathBuf>, Vec<String>) {
        let mut told = Vec::new();
        let client = Client::with(Duration::from_secs(10), Duration::from_millis(300), None);
        let result = fetch_with(&client, manifest, &self.downloads(), &mut |event| {
            if let Event::Note(text) = event {
                told.push(text.to_string());
            }
        });
        (result, told)
    }

    /// Asserts that the data are complete, and that the folder holds nothing else but the lock file.
    fn check_whole(&self, folder: &Path) {
        assert_eq!(folder, self.downloads().join("cifar-10-batches-bin"));
        let splits = folder::read(folder, self.manifest.files.as_ref().unwrap(), &self.manifest).unwrap();
        assert_eq!(splits.test.images(), [14, 0, 3, 4, 14, 1, 3, 4]);
        assert_eq!(self.names(), [".cifar-10-batches-bin.lock", "cifar-10-batches-bin"]);
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.downloads()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn request(range: Option<&str>, sent: usize) -> Request {
    Request { range: range.map(String::from), sent }
}

#[test]
fn a_whole_download_is_unpacked_and_then_found() {
    let mut world = World::new();
    let server = world.serve(vec![Answer::Whole]);
    world.check_whole(&world.fetch().0.unwrap());
    assert_eq!(server.requests(), [request(None, world.archive.len())]);
    // The second time no request is made.
    world.check_whole(&world.fetch().0.unwrap());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn what_is_damaged_there_is_said_and_the_advice_helps() {
    let mut world = World::new();
    let server = world.serve(vec![Answer::Whole, Answer::Whole]);
    let folder = world.fetch().0.unwrap();
    fs::write(folder.join("data_batch_3.bin"), [0; 9]).unwrap();
    let text = world.fetch().0.unwrap_err().to_string();
    let advice = "remove the folder it is in and fetch the data again";
    assert!(text.ends_with(&format!("data_batch_3.bin: truncated: expected 10 bytes, found 9; {advice}")), "{text}");
    fs::remove_file(folder.join("data_batch_3.bin")).unwrap();
    let text = world.fetch().0.unwrap_err().to_string();
    assert!(text.contains("data_batch_3.bin: no such file; ") && text.ends_with(advice), "{text}");
    fs::remove_dir_all(folder).unwrap();
    world.check_whole(&world.fetch().0.unwrap());
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_cut_download_is_resumed_with_the_rest_alone() {
    let mut world = World::new();
    let server = world.serve(vec![Answer::Cut(70_000), Answer::Cut(50_000), Answer::Whole]);
    let (result, told) = world.fetch();
    world.check_whole(&result.unwrap());
    let rest = world.archive.len() - 120_000;
    let expected = [request(None, 70_000), request(Some("bytes=70000-"), 50_000), request(Some("bytes=120000-"), rest)];
    assert_eq!(server.requests(), expected);
    assert!(told[0].starts_with(&format!("cut after 70000 of {} bytes", world.archive.len())), "{told:?}");
}

#[test]
fn a_stalled_download_is_resumed() {
    let mut world = World::new();
    let server = world.serve(vec![Answer::Stall(1000), Answer::Whole]);
    world.check_whole(&world.fetch().0.unwrap());
    assert_eq!(server.requests()[1].range.as_deref(), Some("bytes=1000-"));
}

#[test]
fn what_a_killed_process_left_is_resumed() {
    let mut world = World::new();
    let unpacked = world.hidden("unpack").join("cifar-10-batches-bin");
    fs::create_dir_all(&unpacked).unwrap();
    fs::write(unpacked.join("data_batch_1.bin"), b"half").unwrap();
    fs::write(world.part(), &world.archive[..5000]).unwrap();
    let server = world.serve(vec![Answer::Whole]);
    world.check_whole(&world.fetch().0.unwrap());
    assert_eq!(server.requests(), [request(Some("bytes=5000-"), world.archive.len() - 5000)]);
}

#[test]
fn a_kill_after_the_last_byte_needs_no_network() {
    let mut world = World::new();
    fs::create_dir_all(world.downloads()).unwrap();
    fs::write(world.part(), &world.archive).unwrap();
    let server = world.serve(vec![]);
    world.check_whole(&world.fetch().0.unwrap());
    assert_eq!(server.requests(), []);
}

#[test]
fn a_kill_after_the_move_leaves_the_data_and_the_next_call_tidies() {
    let mut world = World::new();
    let server = world.serve(vec![Answer::Whole]);
    world.fetch().0.unwrap();
    fs::write(world.part(), &world.archive).unwrap();
    fs::create_dir(world.hidden("unpack")).unwrap();
    world.check_whole(&world.fetch().0.unwrap());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_without_ranges_starts_over() {
    let mut world = World::new();
    let server = world.serve(vec![Answer::Cut(5000), Answer::NoRange]);
    world.check_whole(&world.fetch().0.unwrap());
    assert_eq!(server.requests()[1], request(Some("bytes=5000-"), world.archive.len()));
}

#[test]
fn a_wrong_leftover_is_removed_said_and_fetched_again() {
    let mut world = World::new();
    fs::create_dir_all(world.downloads()).unwrap();
    for leftover in [vec![9; 5000], vec![9; world.archive.len()], vec![9; world.archive.len() + 1]] {
        fs::write(world.part(), &leftover).unwrap();
        let _server = world.serve(vec![Answer::Whole, Answer::Whole]);
        let (result, told) = world.fetch();
        world.check_whole(&result.unwrap());
        let said = told.iter().any(|t| t.contains("wrong checksum: expected sha256") && t.contains("was removed"));
        assert_eq!(said, leftover.len() <= world.archive.len(), "{told:?}");
        fs::remove_dir_all(world.downloads().join("cifar-10-batches-bin")).unwrap();
    }
}

#[test]
fn a_wrong_checksum_is_refused_and_the_file_removed() {
    let mut world = World::new();
    let mut changed = world.archive.clone();
    changed[1000] ^= 1;
    let _server = world.serve(vec![Answer::Other(changed)]);
    let text = world.fetch().0.unwrap_err().to_string();
    assert!(text.contains("wrong checksum: expected sha256 ") && text.contains("the file was removed"), "{text}");
    assert_eq!(world.names(), [".cifar-10-batches-bin.lock"]);
}

#[test]
fn a_wrong_size_is_refused() {
    let mut world = World::new();
    let total = world.archive.len();
    let _server = world.serve(vec![Answer::Other(vec![0; total + 5])]);
    let text = world.fetch().0.unwrap_err().to_string();
    assert!(text.contains(&format!("expected {total} bytes, the server offers {}", total + 5)), "{text}");

    // A server that gives no length: the transfer is stopped.
    let _server = world.serve(vec![Answer::Endless(vec![0; total + 200_000])]);
    let text = world.fetch().0.unwrap_err().to_string();
    assert!(text.contains(&format!("more than the {total} bytes expected")), "{text}");
    assert_eq!(fs::metadata(world.part()).unwrap().len(), 0);

    let _server = world.serve(vec![Answer::Cut(5000), Answer::WrongRange]);
    let text = world.fetch().0.unwrap_err().to_string();
    assert!(text.contains("a part was asked for from byte 5000, another one came"), "{text}");
}

#[test]
fn the_next_mirror_is_tried_and_every_failure_told() {
    let mut world = World::new();
    let good = world.serve(vec![Answer::Whole]);
    let none = world.serve(vec![Answer::Status(404)]);
    world.manifest.archive.as_mut().unwrap().urls = vec![none.url.clone(), good.url.clone()];
    let (result, told) = world.fetch();
    world.check_whole(&result.unwrap());
    assert_eq!(told, [format!("{}: the server answered 404 Not Found", none.url)]);

    let mut world = World::new();
    let (cuts, fails) = (world.serve(vec![Answer::Cut(10), Answer::Cut(0), Answer::Cut(0)]), world.serve(vec![]));
    world.manifest.archive.as_mut().unwrap().urls = vec![cuts.url.clone(), fails.url.clone()];
    let text = world.fetch().0.unwrap_err().to_string();
    assert!(text.contains(&format!("{}: cut after 10 of", cuts.url)), "{text}");
    assert!(text.contains(&format!("{}: the server answered 500", fails.url)), "{text}");
    assert_eq!(cuts.requests().len(), 3);
}

#[test]
fn an_archive_without_the_files_leaves_nothing() {
    let mut world = World::with_files(|name| vec![0; if name == "test_batch.bin" { 9 } else { 10 }]);
    let _server = world.serve(vec![Answer::Whole]);
    let text = world.fetch().0.unwrap_err().to_string();
    assert!(
        text.contains("archive refused: after unpacking,") && text.contains("expected 10 bytes, found 9"),
        "{text}"
    );
    assert_eq!(world.names(), [".cifar-10-batches-bin.lock", ".cifar-10-batches-bin.part"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let mut world = World::new();
    let _server = world.serve(vec![Answer::Whole]);
    fs::write(world.downloads(), b"a file where the folder should be").unwrap();
    let text = world.fetch().0.unwrap_err().to_string();
    assert!(text.starts_with("cannot create the folder ") && text.contains("downloads"), "{text}");
}

#[test]
fn two_at_once_fetch_it_once() {
    let mut world = World::new();
    let server = world.serve(vec![Answer::Whole]);
    // The second has another name: CIFAR-100's fine and coarse labels share files.
    let coarse = Manifest { name: "cifar10-coarse".into(), ..world.manifest.clone() };
    let world = &world;
    std::thread::scope(|scope| {
        let both = [&world.manifest, &coarse].map(|manifest| scope.spawn(|| world.fetch_as(manifest).0));
        for one in both {
            one.join().unwrap().unwrap();
        }
    });
    world.check_whole(&world.downloads().join("cifar-10-batches-bin"));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_that_has_no_such_range_is_asked_for_the_whole() {
    let mut world = World::new();
    fs::create_dir_all(world.downloads()).unwrap();
    fs::write(world.part(), [7; 100]).unwrap();
    let server = world.serve(vec![Answer::Status(416), Answer::Whole]);
    let (found, told) = world.fetch();
    world.check_whole(&found.unwrap());
    assert_eq!(
        told,
        ["the server has no byte 100 of LENGTH; starting afresh".replace("LENGTH", &world.archive.len().to_string())]
    );
    let ranges: Vec<_> = server.requests().into_iter().map(|request| request.range).collect();
    assert_eq!(ranges, [Some("bytes=100-".to_string()), None]);
    // A mirror that does not send the whole file either is given up; the partial file stays for another mirror.
    let mut world = World::new();
    fs::create_dir_all(world.downloads()).unwrap();
    fs::write(world.part(), &world.archive[..100]).unwrap();
    let server = world.serve(vec![Answer::Status(416), Answer::Status(404)]);
    let text = world.fetch().0.unwrap_err().to_string();
    assert!(text.contains("the server answered 404"), "{text}");
    assert_eq!((server.requests().len(), fs::metadata(world.part()).unwrap().len()), (2, 100));
}

#[test]
fn locate_fetches_and_falls_back_with_the_reason() {
    let mut world = World::new();
    let options = LocateOptions { downloads: world.downloads(), ..LocateOptions::default() };
    let _server = world.serve(vec![Answer::Whole]);
    let located = crate::locate::locate(world.manifest.clone(), &options, &mut |_| {}).unwrap();
    assert_eq!(located.origin(), Origin::Network);
    assert_eq!(located.load().unwrap().train.len(), 10);
    let again = crate::locate::locate(world.manifest.clone(), &options, &mut |_| {}).unwrap();
    assert_eq!(again.origin(), Origin::Downloads);

    let mut world = World::new();
    let server = world.serve(vec![Answer::Status(404)]);
    world.manifest.shape = [3, 32, 32];
    let options = LocateOptions { downloads: world.downloads(), ..LocateOptions::default() };
    let located = crate::locate::locate(world.manifest.clone(), &options, &mut |_| {}).unwrap();
    assert!(located.is_stand_in());
    assert!(located.notice().contains("the server answered 404 Not Found"), "{}", located.notice());
    assert!(located.notice().contains("Using the generated stand-in"), "{}", located.notice());
    let offline = LocateOptions { offline: true, ..options };
    let located = crate::locate::locate(world.manifest.clone(), &offline, &mut |_| {}).unwrap();
    assert!(located.is_stand_in() && located.notice().contains("(offline)"), "{}", located.notice());
    assert_eq!(server.requests().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_leftover_ends_in_the_data(bytes in prop::collection::vec(any::<u8>(), 0..100), sound in 0_usize..1000) {
        let mut world = World::new();
        fs::create_dir_all(world.downloads()).unwrap();
        let leftover = [&world.archive[..sound], &bytes[..]].concat();
        fs::write(world.part(), leftover).unwrap();
        let _server = world.serve(vec![Answer::Whole, Answer::Whole]);
        world.check_whole(&world.fetch().0.unwrap());
    }
}
