//! The files that a peer's libraries wrote, and what these read back (`tests/peers/data_files.py`).
#![allow(dead_code, reason = "each test program uses a part of it")]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The file or folder `name`: cargo starts tests in their package's folder.
pub fn data(name: &str) -> PathBuf {
    Path::new("tests/data").join(name)
}

/// What the peer read.
pub fn expected() -> Value {
    serde_json::from_str(&fs::read_to_string(data("expected.json")).unwrap()).unwrap()
}

/// The numbers in `value`, and in the lists in it.
pub fn numbers(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap() as f32],
    }
}

/// The labels, and the texts they stand for.
pub fn labels() -> (Vec<i64>, Vec<String>) {
    let expected = expected();
    let labels = expected["labels"].as_array().unwrap().iter().map(|label| label.as_i64().unwrap()).collect();
    let species = expected["species"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_string());
    (labels, species.collect())
}

/// A copy of `bytes`, cut to `keep` bytes if it is longer, with other bytes at some places.
pub fn changed(bytes: &[u8], keep: usize, changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = bytes[..keep.min(bytes.len())].to_vec();
    for &(place, byte) in changes.iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
        let place = place % bytes.len();
        bytes[place] = byte;
    }
    bytes
}
