//! The 8×8 handwritten digits of E. Alpaydin and C. Kaynak (UCI Machine Learning Repository, 1998, CC BY 4.0), as
//! scikit-learn ships them: 1,797 images `[1, 8, 8]` with values 0 to 16, embedded in this crate.
//!
//! `datasets/digits.md` describes the layout of `datasets/digits.bin` and how it was made.

use crate::split::stratified;
use crate::{Error, ImageDataset, Manifest, Result, Splits};
use std::path::Path;
use taper_backend::RandomKey;

const BYTES: &[u8] = include_bytes!("../../datasets/digits.bin");
/// Bytes of one image row: eight pixels of five bits.
const ROW_BYTES: usize = 5;

/// Decodes the embedded digits: a training split of 1,437 and a test split of 360, stratified by class.
pub(crate) fn read(manifest: &Manifest) -> Result<Splits> {
    let all = decode(BYTES, manifest)?;
    split(&all, manifest.records.test)
}

/// Decodes the images and labels in `bytes`.
fn decode(bytes: &[u8], manifest: &Manifest) -> Result<ImageDataset> {
    let path = Path::new("digits.bin");
    let size = manifest.records.bytes;
    let expected = (manifest.records.train + manifest.records.test) * size;
    if bytes.len() != expected {
        let (expected, found) = (expected as u64, bytes.len() as u64);
        return Err(Error::FileSize { path: path.to_path_buf(), expected, found });
    }
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    let classes = manifest.classes.len();
    for (record, data) in bytes.chunks_exact(size).enumerate() {
        let (label, rows) = (data[0], &data[1..]);
        if usize::from(label) >= classes {
            return Err(Error::Label { path: path.to_path_buf(), record, label, classes });
        }
        labels.push(label.into());
        for row in rows.chunks_exact(ROW_BYTES) {
            let bits = row.iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
            let pixels = (0..8).rev().map(|i| (bits >> (5 * i) & 31) as u8);
            if let Some(value) = pixels.clone().find(|&value| value > manifest.max_value) {
                return Err(Error::Value { path: path.to_path_buf(), record, value, max: manifest.max_value });
            }
            images.extend(pixels);
        }
    }
    ImageDataset::new(images, labels, manifest.shape, manifest.classes.clone(), manifest.max_value)
}

/// Splits off `test` images as the test split, stratified by class and drawn with seed 0. Both parts keep the order
/// of `all`.
fn split(all: &ImageDataset, test: usize) -> Result<Splits> {
    let fraction = test as f64 / all.len().max(1) as f64;
    let (train, test) = stratified(all.labels(), fraction, RandomKey::new(0).child("digits"));
    Ok(Splits { train: all.select(&train)?, test: all.select(&test)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn manifest() -> Manifest {
        Manifest::parse(include_str!("../../datasets/digits.toml")).unwrap()
    }

    #[test]
    fn the_pictures_are_scikit_learns() {
        let all = decode(BYTES, &manifest()).unwrap();
        // Printed by scikit-learn: digits.images[0], the sum of all pixels and numpy.bincount(digits.target).
        let first: [u8; 64] = [
            0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0, 0, 3, 15, 2, 0, 11, 8, 0, 0, 4, 12, 0, 0, 8, 8, 0, 0,
            5, 8, 0, 0, 9, 8, 0, 0, 4, 11, 0, 1, 12, 7, 0, 0, 2, 14, 5, 10, 12, 0, 0, 0, 0, 6, 13, 10, 0, 0, 0,
        ];
        assert_eq!((all.image(0), all.labels()[0]), (Some(&first[..]), 0));
        assert_eq!(all.images().iter().map(|&v| u64::from(v)).sum::<u64>(), 561_718);
        let count = |class| all.labels().iter().filter(|&&l| l == class).count();
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(count), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }

    #[test]
    fn the_split_is_fixed_and_stratified() {
        let splits = read(&manifest()).unwrap();
        assert_eq!((splits.train.len(), splits.test.len()), (1437, 360));
        let count = |class| splits.test.labels().iter().filter(|&&l| l == class).count();
        let counts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(count);
        assert!(counts.iter().all(|&n| (34..=37).contains(&n)), "{counts:?}");
        // Recorded once: results of runs are compared on it.
        assert_eq!(splits.checksum(), "13db8d027a5917ccebf05de1b2238800b9aa14d664712bafac6be742c37eae36");
    }

    #[test]
    fn bad_bytes_are_said() {
        let manifest = manifest();
        let text = decode(&BYTES[1..], &manifest).unwrap_err().to_string();
        assert!(text.contains("digits.bin: truncated: expected 73677 bytes, found 73676"), "{text}");
        let mut bytes = BYTES.to_vec();
        bytes[41] = 10;
        let text = decode(&bytes, &manifest).unwrap_err().to_string();
        assert_eq!(text, "digits.bin: record 1 has label 10; labels are 0 to 9");
        bytes[41] = 1;
        bytes[42] = 0x88; // the first pixel of record 1 becomes 17
        let text = decode(&bytes, &manifest).unwrap_err().to_string();
        assert_eq!(text, "digits.bin: record 1 has value 17; values are 0 to 16");
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..124)) {
            let mut manifest = manifest();
            (manifest.records.train, manifest.records.test) = (2, 1);
            if let Ok(all) = decode(&bytes, &manifest) {
                prop_assert_eq!((all.len(), all.images().len()), (3, 192));
                prop_assert!(all.images().iter().all(|&v| v <= 16));
            }
        }
    }
}
