//! Tests of mutated real files: a reader decodes a valid result or returns an error. `fuzz/` does the same with
//! millions of files.
#![cfg(all(feature = "csv", feature = "download", feature = "images", feature = "npz", feature = "parquet"))]

mod common;

use common::data;
use proptest::prelude::*;
use std::fs;
use taper_data::{Result, TableDataset, fuzzing};

/// A mutation of a file, at positions in thousandths of its length.
#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    /// Overwrites bytes by an extreme length or count.
    Write(usize, u64, usize, bool),
    Cut(usize),
    Leave(usize, usize),
    Repeat(usize, usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = 0_usize..1000;
    let extreme = prop_oneof![
        Just(0),
        Just(1),
        Just(0x7F),
        Just(0xFFFF),
        Just(0x7FFF_FFFF),
        Just(0xFFFF_FFFF),
        Just(1 << 60),
        Just(u64::MAX)
    ];
    prop_oneof![
        3 => (place.clone(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits | 1)),
        3 => (place.clone(), extreme, prop_oneof![Just(1_usize), Just(2), Just(4), Just(8)], any::<bool>())
            .prop_map(|(at, value, size, big)| Change::Write(at, value, size, big)),
        1 => place.clone().prop_map(Change::Cut),
        1 => (place.clone(), 1_usize..40).prop_map(|(at, count)| Change::Leave(at, count)),
        1 => (place, 1_usize..40, 1_usize..20).prop_map(|(at, count, times)| Change::Repeat(at, count, times)),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(change(), 1..4)
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let place = |at: usize| at * bytes.len() / 1000;
        match *change {
            Change::Flip(at, bits) => {
                let at = place(at);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= bits);
            }
            Change::Write(at, value, size, big) => {
                let at = place(at);
                let field =
                    if big { value.to_be_bytes()[8 - size..].to_vec() } else { value.to_le_bytes()[..size].to_vec() };
                let end = (at + size).min(bytes.len());
                bytes.splice(at..end, field);
            }
            Change::Cut(at) => bytes.truncate(place(at)),
            Change::Leave(at, count) => {
                let at = place(at);
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Change::Repeat(at, count, times) => {
                let at = place(at);
                let piece = bytes[at..(at + count).min(bytes.len())].repeat(times);
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

/// Asserts that the result is a table of finite values and valid labels, or an error with a message.
fn sound(found: Result<TableDataset>) {
    match found {
        Ok(table) => {
            assert_eq!(table.values().len(), table.len() * table.features().len());
            assert!(!table.is_empty() && table.values().iter().all(|value| value.is_finite()));
            assert!(table.labels().iter().all(|&label| (label as usize) < table.classes().len()));
        }
        Err(error) => assert!(error.to_string().len() > 15, "{error}"),
    }
}

/// Asserts that the result is a table, of which the decoder has checked that its features are finite, or an error with a
/// message.
fn encoded(found: Result<[usize; 2]>) {
    match found {
        Ok([rows, features]) => assert!(rows > 0 && features > 0),
        Err(error) => assert!(error.to_string().len() > 15, "{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pictures(
        name in prop_oneof![
            Just("train/cat/b.png"), Just("train/dog/palette.png"), Just("train/dog/a.jpg"), Just("test/dog/grey.jpeg"),
            Just("cut/all/progressive.jpg"), Just("test/cat/a.webp"), Just("test/dog/a.webp"), Just("turned/6/a.jpg"),
        ],
        changes in changes(),
        scaled in any::<bool>(),
    ) {
        let bytes = changed(fs::read(data("pictures").join(name)).unwrap(), &changes);
        match fuzzing::picture(&bytes, 3, scaled.then_some([4, 6])) {
            Ok((shape, planes)) => prop_assert_eq!(planes.len(), shape.iter().product::<usize>()),
            Err(error) => prop_assert!(error.to_string().starts_with("bytes: "), "{}", error),
        }
    }

    #[test]
    fn tables_of_text(changes in changes(), target in prop_oneof![Just("species"), Just("width"), Just("height")]) {
        let bytes = changed(fs::read(data("flowers.csv")).unwrap(), &changes);
        encoded(fuzzing::csv(&bytes, Some(target)));
    }

    #[test]
    fn arrays(changes in changes(), other in any::<bool>()) {
        let [x, y] = ["x.npy", "y.npy"].map(|name| fs::read(data(name)).unwrap());
        sound(if other { fuzzing::npy(&x, &changed(y, &changes)) } else { fuzzing::npy(&changed(x, &changes), &y) });
    }

    #[test]
    fn archives_of_arrays(changes in changes(), compressed in any::<bool>()) {
        let name = if compressed { "compressed.npz" } else { "plain.npz" };
        sound(fuzzing::npz(&changed(fs::read(data(name)).unwrap(), &changes), "x", "y"));
    }

    #[test]
    fn tables_of_parquet(
        name in prop_oneof![Just("flowers.parquet"), Just("plain.parquet"), Just("gzip.parquet"), Just("lz4.parquet")],
        changes in changes(),
    ) {
        encoded(fuzzing::parquet(&changed(fs::read(data(name)).unwrap(), &changes), "species"));
    }
}

/// Version 60 of the parquet crate panics on this one.
#[test]
fn a_panic_of_a_decoder_is_an_error() {
    let mut bytes = fs::read(data("flowers.parquet")).unwrap();
    bytes[2014] = 209;
    let text = fuzzing::parquet(&bytes, "species").unwrap_err().to_string();
    assert!(text.starts_with("bytes: file: "), "{text}");
    assert!(
        text.contains("damaged: the Parquet decoder failed on it (Decoder for dict should have been set)"),
        "{text}"
    );
}
