//! Taper's decoders by name, seed files for each, and mutations of these: for the targets of cargo-fuzz and for the
//! program
//! `mutate`, which measures time and memory.

pub mod change;
mod resume;
pub mod seeds;

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use taper_data::{Manifest, fuzzing};

/// A decoder that is fuzzed.
pub struct Decoder {
    /// The name by which [`decode`] knows it.
    pub name: &'static str,
    /// The most memory in bytes for a file of so many bytes, as the decoder's documentation states it.
    pub memory: fn(u64) -> u64,
    /// The formula of `memory`, for a file of N bytes.
    pub stated: &'static str,
}

const MIB: u64 = 1 << 20;

/// All decoders that are fuzzed.
pub const DECODERS: [Decoder; 18] = [
    Decoder { name: "png", memory: |_| 1 << 30, stated: "1 GiB" },
    Decoder { name: "jpeg", memory: |_| 1 << 30, stated: "1 GiB" },
    Decoder { name: "webp", memory: |_| 1 << 30, stated: "1 GiB" },
    Decoder { name: "csv", memory: |n| 64 * n + 4 * MIB, stated: "4 MiB + 64 N" },
    Decoder { name: "npy", memory: |n| 64 * n + 8 * MIB, stated: "8 MiB + 64 N" },
    Decoder { name: "npz", memory: |n| 8192 * n + 8 * MIB, stated: "8 MiB + 8 KiB · N" },
    Decoder { name: "parquet", memory: |n| (16 * n << 10) + 64 * MIB, stated: "64 MiB + 16 KiB · N" },
    Decoder { name: "idx", memory: |n| 4 * n + MIB, stated: "1 MiB + 4 N" },
    Decoder { name: "idx-gz", memory: |n| 4 * n + MIB, stated: "1 MiB + 4 N" },
    Decoder { name: "cifar", memory: |n| 4 * n + MIB, stated: "1 MiB + 4 N" },
    Decoder { name: "manifest", memory: |n| 256 * n + MIB, stated: "1 MiB + 256 N" },
    Decoder { name: "archive", memory: |n| 4 * n + MIB, stated: "1 MiB + 4 N" },
    Decoder { name: "content-range", memory: |n| n + MIB, stated: "1 MiB" },
    Decoder { name: "labels", memory: |n| 64 * n + 8 * MIB, stated: "8 MiB + 64 N" },
    Decoder { name: "weights", memory: |n| 64 * n + MIB, stated: "1 MiB + 64 N" },
    Decoder { name: "pickle", memory: |n| 256 * n + MIB, stated: "1 MiB + 256 N" },
    Decoder { name: "checkpoint", memory: |n| 64 * n + 8 * MIB, stated: "8 MiB + 64 N" },
    Decoder { name: "config", memory: |n| 512 * n + MIB, stated: "1 MiB + 512 N" },
];

/// The manifest of CIFAR-10 with images of 3×4×4, or that of MNIST.
pub fn manifest(name: &str) -> &'static Manifest {
    static BOTH: OnceLock<[Manifest; 2]> = OnceLock::new();
    let [cifar, mnist] = BOTH.get_or_init(|| {
        let read = |name| taper_data::Source::named(name).and_then(|source| source.manifest()).expect("a manifest");
        let mut cifar = read("cifar10");
        (cifar.shape, cifar.records.bytes) = ([3, 4, 4], 49);
        [cifar, read("mnist")]
    });
    if name == "cifar10" { cifar } else { mnist }
}

/// The shape of the IDX files.
pub const IDX: [usize; 3] = [4, 5, 6];

/// Decodes `bytes` with the decoder `name`. Returns whether they were accepted.
///
/// # Panics
/// When no decoder has that name, when a result is inconsistent, and when the decoder panics, which is what fuzzing
/// looks for.
pub fn decode(name: &str, bytes: &[u8]) -> bool {
    match name {
        "png" | "jpeg" | "webp" => {
            // The options alternate with the length of the input.
            let (channels, size) = match bytes.len() % 3 {
                0 => (3, None),
                1 => (1, Some([5, 7])),
                _ => (3, Some([16, 3])),
            };
            match fuzzing::picture(bytes, channels, size) {
                Ok((shape, planes)) => {
                    assert_eq!(planes.len(), shape.iter().product::<usize>());
                    true
                }
                Err(error) => said(&error.to_string()),
            }
        }
        "csv" => encoded(fuzzing::csv(bytes, None)),
        "npy" => {
            let [x, y] = seeds::npy();
            let (one, other) = (fuzzing::npy(bytes, &y), fuzzing::npy(&x, bytes));
            let pictures = fuzzing::npy_images(bytes, &y).is_ok();
            table(one) | table(other) | pictures
        }
        "npz" => table(fuzzing::npz(bytes, "x", "y")),
        "parquet" => encoded(fuzzing::parquet(bytes, "species")),
        "idx" | "idx-gz" => match fuzzing::idx(bytes, name == "idx-gz", &IDX) {
            Ok(values) => {
                assert_eq!(values.len(), IDX.iter().product::<usize>());
                true
            }
            Err(error) => said(&error.to_string()),
        },
        "cifar" => fuzzing::cifar(bytes, manifest("cifar10")).is_ok(),
        "manifest" => match Manifest::parse(&String::from_utf8_lossy(bytes)) {
            Ok(manifest) => {
                assert!(manifest.picture_bytes() > 0);
                true
            }
            Err(error) => said(&error.to_string()),
        },
        "archive" => in_folder(|folder| {
            let mut archive = manifest("cifar10").archive.clone().expect("CIFAR-10 has an archive");
            (archive.max_unpacked_bytes, archive.max_entries) = (4096, 8);
            let found = fuzzing::unpack(bytes, &archive, folder);
            found.map_or_else(|error| said(&error.to_string()), |()| true)
        }),
        "content-range" => fuzzing::content_range(&String::from_utf8_lossy(bytes)).is_some(),
        "labels" => {
            // A table with a column of numbers and a label column of texts.
            let text = String::from_utf8_lossy(bytes);
            let lines = text.lines().map(|line| format!("1,{line}\n")).collect::<String>();
            encoded(fuzzing::csv(format!("a,label\n{lines}").as_bytes(), Some("label")))
        }
        "weights" => in_file(bytes, |path| {
            let params = seeds::linear();
            let loaded = taper_nn::weights::load(&params.all(), path).map_err(|error| said(&error.to_string()));
            let read = taper_nn::weights::read_noted("note", path, device());
            read.map_or_else(|error| said(&error.to_string()), |_| true) | loaded.is_ok()
        }),
        "pickle" => in_file(bytes, |path| match taper_nn::weights::read(path) {
            Ok(file) => {
                let names: Vec<String> = file.tensors().map(|(name, ..)| name.to_owned()).collect();
                // One after the other, so that memory is that of the largest.
                names.iter().for_each(|name| match file.tensor(name, device()) {
                    Ok(tensor) => assert!(tensor.count() <= bytes.len()),
                    Err(error) => drop(said(&error.to_string())),
                });
                true
            }
            Err(error) => said(&error.to_string()),
        }),
        "checkpoint" => {
            in_folder(|folder| resume::resume(bytes, folder).map_or_else(|error| said(&error.to_string()), |_| true))
        }
        "config" => {
            let text = String::from_utf8_lossy(bytes);
            let changes = taper_train::Override::read(&text, "bytes").map_err(taper_train::Error::from);
            let config = changes.and_then(|changes| seeds::config().with(&changes)?.check());
            config.map_or_else(|error| said(&error.to_string()), |()| true)
        }
        other => panic!("no decoder is called `{other}`"),
    }
}

/// Whether a table was decoded. Asserts that its values are finite and as many as its shape says.
fn table(found: taper_data::Result<taper_data::TableDataset>) -> bool {
    match found {
        Ok(table) => {
            assert_eq!(table.values().len(), table.len() * table.features().len());
            assert!(table.values().iter().all(|value| value.is_finite()));
            true
        }
        Err(error) => said(&error.to_string()),
    }
}

/// Whether a table was decoded and encoded.
fn encoded(found: taper_data::Result<[usize; 2]>) -> bool {
    match found {
        Ok([rows, features]) => {
            assert!(rows > 0 && features > 0);
            true
        }
        Err(error) => said(&error.to_string()),
    }
}

/// Asserts that an error has a message. Returns false: the input was not accepted.
fn said(text: &str) -> bool {
    assert!(text.len() > 10, "{text}");
    false
}

fn device() -> &'static taper_nn::Device {
    static DEVICE: OnceLock<taper_nn::Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        // One thread: panics are caught only in the calling thread.
        taper_nn::Device::new(taper_cpu::CpuBackend::with_threads(1).expect("a CPU"))
    })
}

/// A temporary folder of this thread, in memory (`/dev/shm`) where the system has it.
fn own_folder() -> PathBuf {
    thread_local!(static FOLDER: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) });
    FOLDER.with_borrow_mut(|folder| {
        let make = || {
            let memory = PathBuf::from("/dev/shm");
            let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
            made.expect("a folder for files")
        };
        folder.get_or_insert_with(make).path().to_path_buf()
    })
}

fn in_folder(work: impl FnOnce(&std::path::Path) -> bool) -> bool {
    let folder = own_folder().join("into");
    fs::create_dir(&folder).expect("an empty folder");
    let done = work(&folder);
    fs::remove_dir_all(&folder).expect("a folder to remove");
    done
}

fn in_file(bytes: &[u8], work: impl FnOnce(&std::path::Path) -> bool) -> bool {
    let path = own_folder().join("file");
    fs::write(&path, bytes).expect("a file");
    work(&path)
}
