//! What an event file holds: by hand, and by TensorBoard's own reader where that is installed.

#![allow(dead_code)] // each test file uses its part

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Names a Python that has `tensorboard` and `pillow`; without it `python3` is tried.
const PYTHON: &str = "TAPER_TENSORBOARD_PYTHON";

/// The data of each record, both checksums compared.
pub fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    // CRC-32C bit by bit.
    let masked = |data: &[u8]| {
        let mut crc = !0_u32;
        for &byte in data {
            crc ^= u32::from(byte);
            (0..8).for_each(|_| crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 });
        }
        (!crc).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
    };
    let mut records = vec![];
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_at(8);
        assert_eq!(rest[..4], masked(length));
        let (data, rest) = rest[4..].split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
        assert_eq!(rest[..4], masked(data));
        records.push(data);
        bytes = &rest[4..];
    }
    records
}

/// The tags of a file's events, by kind, with how many events each has: `found["scalars"]["loss/train"]`.
pub fn tags(bytes: &[u8]) -> BTreeMap<&'static str, BTreeMap<String, usize>> {
    let mut found = BTreeMap::<_, BTreeMap<String, usize>>::new();
    // Event { summary = 5 { value = 1 { tag = 1, one of simple_value = 2, image = 4, histo = 5, tensor = 8 } } }
    for value in records(bytes).into_iter().filter_map(|event| field(event, 5)).flat_map(|summary| field(summary, 1)) {
        let kind = [(2, "scalars"), (4, "images"), (5, "histograms"), (8, "texts")];
        let kind = kind.into_iter().find(|(number, _)| field(value, *number).is_some()).unwrap().1;
        let tag = String::from_utf8(field(value, 1).unwrap().to_vec()).unwrap();
        *found.entry(kind).or_default().entry(tag).or_default() += 1;
    }
    found
}

/// The payload of the first field with this number.
fn field(mut message: &[u8], number: u64) -> Option<&[u8]> {
    while !message.is_empty() {
        let tag = varint(&mut message);
        let before = message;
        let length = match tag & 7 {
            0 => {
                varint(&mut message);
                before.len() - message.len()
            }
            1 => 8,
            2 => varint(&mut message) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let from = if tag & 7 == 0 { before } else { message };
        let (payload, rest) = from.split_at(length);
        if tag >> 3 == number {
            return Some(payload);
        }
        message = rest;
    }
    None
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let (these, rest) = bytes.split_at(end);
    *bytes = rest;
    these.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
}

/// What TensorBoard's own reader finds in `file` (`tests/peers/tensorboard_read.py`); `None`, and told, where there is
/// none.
pub fn read_by_tensorboard(file: &Path) -> Option<Map<String, Value>> {
    let named = std::env::var_os(PYTHON);
    let python = named.clone().unwrap_or_else(|| "python3".into());
    // It lies outside the package: it is there in a clone.
    let script = "../../tests/peers/tensorboard_read.py";
    if !Path::new(script).is_file() {
        return None;
    }
    let has = Command::new(&python).args(["-c", "import tensorboard, PIL"]).output();
    if !has.is_ok_and(|ran| ran.status.success()) {
        assert!(named.is_none(), "{PYTHON} is {python:?}, which has no tensorboard and pillow");
        // Not by `eprintln!`, which the tests' harness keeps to itself.
        let told = format!(
            "left out: reading {} by TensorBoard itself; {PYTHON} can name a Python that has tensorboard and pillow\n",
            file.display()
        );
        std::io::stderr().write_all(told.as_bytes()).unwrap();
        return None;
    }
    let ran = Command::new(python).arg(script).arg(file).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Some(serde_json::from_slice(&ran.stdout).unwrap())
}
