//! Seed files for the mutations: the files of the tests, and small files that are made here.

use crate::{IDX, manifest};
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use taper_nn::{DType, Linear, LinearConfig, Params, RandomKey, weights};
use taper_train::Config;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn data(name: &str) -> Vec<u8> {
    let path = root().join("crates/taper-data/tests/data").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The `.npy` files of a table: features and labels.
pub fn npy() -> [Vec<u8>; 2] {
    static BOTH: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    BOTH.get_or_init(|| [data("x.npy"), data("y.npy")]).clone()
}

/// The configuration that the decoder `config` applies overrides to.
pub fn config() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| taper_tasks::experiment("cifar").expect("an experiment").config())
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// A plain IDX file.
pub fn idx() -> Vec<u8> {
    let sizes = IDX.iter().flat_map(|&n| (n as u32).to_be_bytes());
    [0, 0, 8, IDX.len() as u8]
        .into_iter()
        .chain(sizes)
        .chain((0..IDX.iter().product::<usize>()).map(|i| i as u8))
        .collect()
}

/// A plain tar archive.
pub fn tar() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, length) in [("data/a.bin", 300), ("data/b.bin", 0), ("readme", 12)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(length);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, &vec![7; length as usize][..]).expect("memory takes all");
    }
    tar.into_inner().expect("memory takes all")
}

/// The parameters of a linear layer from 5 to 3 features.
pub fn linear() -> Params {
    let params = Params::new(super::device(), DType::F32, RandomKey::new(0));
    Linear::new(LinearConfig::new(5, 3), &params.sub("fc")).expect("a layer");
    params
}

/// Weight files of these parameters: one plain, one with a note.
fn weights() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a");
    let all = linear().all();
    weights::save(&all, &path).expect("a file");
    let plain = fs::read(&path).expect("what was written");
    let tensors: Vec<_> = all.iter().map(|param| (param.name().to_string(), param.tensor())).collect();
    weights::save_noted(&tensors, "note", "{\"step\": 3}", &path).expect("a file");
    vec![plain, fs::read(path).expect("what was written")]
}

/// The seed files for the decoder `name`.
///
/// # Panics
/// When no decoder has that name, or a file of the repository is missing.
pub fn of(name: &str) -> Vec<Vec<u8>> {
    let all = |names: &[&str]| names.iter().map(|name| data(name)).collect();
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    let toml = |names: &[&str]| {
        names.iter().map(|name| fs::read(root().join(name)).expect("a file of the repository")).collect::<Vec<_>>()
    };
    match name {
        "png" => all(&[
            "pictures/train/cat/a.png",
            "pictures/train/cat/b.png",
            "pictures/train/cat/c.png",
            "pictures/train/dog/palette.png",
            "pictures/turned/6/a.png",
        ]),
        "jpeg" => all(&[
            "pictures/train/dog/a.jpg",
            "pictures/test/dog/grey.jpeg",
            "pictures/turned/7/a.jpg",
            "pictures/cut/all/baseline.jpg",
            "pictures/cut/all/progressive.jpg",
        ]),
        "webp" => all(&["pictures/test/cat/a.webp", "pictures/test/dog/a.webp", "pictures/turned/6/a.webp"]),
        "csv" => {
            let mut files: Vec<_> = all(&["flowers.csv", "numbers.csv"]);
            files.extend(texts(&["y,a\nlily,1\n\"da\"\"isy\",-2e3\n", "0,1.5,2\n1,0.25,3\n"]) as Vec<Vec<u8>>);
            files
        }
        "npy" => all(&["x.npy", "x32.npy", "y.npy"]),
        "npz" => all(&["plain.npz", "compressed.npz"]),
        "parquet" => all(&["flowers.parquet", "plain.parquet", "gzip.parquet", "lz4.parquet", "missing.parquet"]),
        "idx" => vec![idx()],
        "idx-gz" => vec![gzip(&idx()), [gzip(&idx()[..40]), gzip(&idx()[40..])].concat()],
        "cifar" => vec![(0..6 * manifest("cifar10").records.bytes).map(|i| (i % 7) as u8).collect()],
        "manifest" => toml(&["datasets/cifar10.toml", "datasets/mnist.toml", "datasets/digits.toml"]),
        "archive" => vec![gzip(&tar())],
        "content-range" => texts(&["bytes 5-9/10", "bytes 0-4095/*"]),
        "labels" => texts(&["lily\ndaisy\nlily\n\"tall, red\"\n", "0\n1\n2\n10\n", "caf\u{e9}\ncafe\u{301}\n"]),
        "weights" => weights(),
        "pickle" => ["before_1_6.pth", "checkpoint_before_1_6.pth", "zip.pt", "several.pt", "protocol4.pt"]
            .iter()
            .map(|name| root().join("crates/taper-nn/tests/data/pickles").join(name))
            .map(|path| fs::read(path).expect("a file of the repository"))
            .collect(),
        "checkpoint" => vec![crate::resume::checkpoint()],
        "config" => {
            let recipes = fs::read_dir(root().join("crates/taper-tasks/recipes")).expect("the recipes");
            let recipes = recipes
                .map(|entry| entry.expect("a recipe").path())
                .filter(|path| path.extension().is_some_and(|e| e == "toml"));
            let mut paths: Vec<_> = recipes.collect();
            paths.sort();
            paths.into_iter().map(|path| fs::read(path).expect("a recipe")).collect()
        }
        other => panic!("no decoder is called `{other}`"),
    }
}
