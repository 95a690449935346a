//! Tests of valid and invalid manifests.

use super::*;
use proptest::prelude::*;

const CIFAR: &str = include_str!("../../datasets/cifar10.toml");

#[test]
fn the_embedded_manifests_are_sound() {
    let cifar = Manifest::parse(CIFAR).unwrap();
    assert_eq!(cifar.archive.as_ref().unwrap().file_name(), "cifar-10-binary.tar.gz");
    assert_eq!(cifar.file_bytes(50_000, 5), 30_730_000);
    assert_eq!(cifar.records.bytes, 1 + cifar.picture_bytes());
    Manifest::parse(include_str!("../../datasets/digits.toml")).unwrap();
}

#[test]
fn a_wrong_manifest_says_what_is_wrong() {
    let cases = [
        ("name = \"cifar10\"", "name = \"../x\"", "`name` must be a plain file name, found `../x`"),
        ("max_value = 255", "max_value = 0", "`max_value` must be at least 1"),
        ("max_value = 255", "max_values = 255", "unknown field `max_values`"),
        ("shape = [3, 32, 32]", "shape = [3, 32, 0]", "`shape` must have 1 to"),
        ("shape = [3, 32, 32]", "shape = [4294967296, 4294967296, 2]", "`shape` must have 1 to"),
        ("bytes = 3073", "bytes = 3074", "1 for the label and `shape`'s 3072 for the picture, found 3074"),
        ("train = 50_000", "train = 50_001", "`files.train`: 50001 records do not divide into 5 files"),
        ("train = 50_000", "train = 0", "`records.train` must be 1 to"),
        ("\"test_batch.bin\"", "\"../test_batch.bin\"", "plain file names, found `../test_batch.bin`"),
        ("sha256 = \"c4", "sha256 = \"x4", "64 hexadecimal digits"),
        ("    \"https://www.cs", "    \"file://www.cs", "must list addresses that start with https://"),
        ("binary.tar.gz\",\n    \"https://cave", "binary.tar.gz/\",\n    \"https://cave", "does not end in a file"),
        ("bytes = 170_052_171", "bytes = 0", "`archive.bytes` must be at least 1"),
        ("[archive]", "[archives]", "unknown field `archives`"),
        ("bytes = 3073", "bytes = 3073\nlabel = 1", "`records.label` must be below `records.labels`, 1, found 1"),
        ("[files]", "[files]\nlayout = \"idx\"", "IDX has pictures of one channel in a first file"),
    ];
    for (from, to, expected) in cases {
        assert!(CIFAR.contains(from), "{from}");
        let text = Manifest::parse(&CIFAR.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(text.starts_with("manifest: ") && text.contains(expected), "{to}: {text}");
    }
}

#[test]
fn every_file_must_be_fetched() {
    let mnist = include_str!("../../datasets/mnist.toml");
    let parsed = Manifest::parse(mnist).unwrap();
    assert_eq!((parsed.downloads.len(), parsed.archive), (4, None));
    for (from, to, expected) in [
        ("mnist/t10k-labels", "mnist/labels", "`download`: none of them is `t10k-labels-idx1-ubyte` or `t10k-"),
        ("bytes = 4_542", "bytes = 0", "`download.bytes` must be at least 1, found 0"),
    ] {
        assert!(mnist.contains(from), "{from}");
        let text = Manifest::parse(&mnist.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(text.contains(expected), "{to}: {text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        prop_assert!(Manifest::parse(&text).is_err());
    }

    #[test]
    fn a_manifest_with_one_changed_byte_does_not_panic(at in 0..CIFAR.len(), byte in any::<u8>()) {
        let mut bytes = CIFAR.as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(manifest) = Manifest::parse(&String::from_utf8_lossy(&bytes)) {
            prop_assert!(manifest.picture_bytes() > 0 && manifest.archive.is_some());
        }
    }
}
