//! CIFAR-10 and CIFAR-100 in their binary layout (Krizhevsky 2009; <https://www.cs.toronto.edu/~kriz/cifar.html>). A
//! file is a sequence of records. A record is one label byte (CIFAR-10) or a coarse and a fine label byte (CIFAR-100),
//! then the image `[3, 32, 32]`: its red, green and blue planes, one byte a value, row by row.

use super::folder::read_file;
use crate::manifest::Files;
use crate::{Error, ImageDataset, Manifest, Result, Splits};
use std::path::Path;

/// Reads both splits from `folder`.
///
/// Memory: the images and labels of both splits, and beside them at most 1 MiB + 4 S while a file of S bytes is read.
///
/// # Errors
/// A file that is missing or whose size is not the manifest's, or a label that names no class.
pub(crate) fn read(folder: &Path, files: &Files, manifest: &Manifest) -> Result<Splits> {
    Ok(Splits {
        train: read_split(folder, &files.train, manifest.records.train, manifest)?,
        test: read_split(folder, &files.test, manifest.records.test, manifest)?,
    })
}

fn read_split(folder: &Path, names: &[String], records: usize, manifest: &Manifest) -> Result<ImageDataset> {
    let expected = manifest.file_bytes(records, names.len());
    let mut images = Vec::with_capacity(records * manifest.picture_bytes());
    let mut labels = Vec::with_capacity(records);
    for name in names {
        let path = folder.join(name);
        let bytes = read_file(&path, expected, manifest)?;
        decode(&path, &bytes, manifest, &mut images, &mut labels)?;
    }
    ImageDataset::new(images, labels, manifest.shape, manifest.classes.clone(), manifest.max_value)
}

/// Decodes the records in `bytes`: appends their images to `images` and their labels to `labels`. `path` is named in
/// errors. Memory for N bytes: at most 1 MiB + 4 N.
///
/// # Errors
/// When `bytes` is no whole number of records, or a label names no class.
pub(crate) fn decode(
    path: &Path,
    bytes: &[u8],
    manifest: &Manifest,
    images: &mut Vec<u8>,
    labels: &mut Vec<i64>,
) -> Result<()> {
    let labels_before = manifest.records.labels;
    let size = labels_before + manifest.picture_bytes();
    if !bytes.len().is_multiple_of(size) {
        let expected = (bytes.len() / size * size) as u64;
        return Err(Error::FileSize { path: path.to_path_buf(), expected, found: bytes.len() as u64 });
    }
    for (record, data) in bytes.chunks_exact(size).enumerate() {
        let (label, picture) = (data[manifest.records.label], &data[labels_before..]);
        let classes = manifest.classes.len();
        if usize::from(label) >= classes {
            return Err(Error::Label { path: path.to_path_buf(), record, label, classes });
        }
        labels.push(label.into());
        images.extend_from_slice(picture);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::folder::folder;
    use proptest::prelude::*;
    use std::fs;
    use std::path::PathBuf;

    /// CIFAR-10's manifest with 10 training and 2 test records.
    fn small() -> Manifest {
        let mut manifest = Manifest::parse(include_str!("../../datasets/cifar10.toml")).unwrap();
        (manifest.records.train, manifest.records.test) = (10, 2);
        manifest
    }

    /// A folder with such files: image `i` of a file has label `i` and counts up from `i`.
    fn folder_of(manifest: &Manifest) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cifar-10-batches-bin");
        fs::create_dir(&folder).unwrap();
        let files = manifest.files.as_ref().unwrap();
        let record = |i: u8| [i].into_iter().chain((0..3072_u32).map(move |p| (p / 16) as u8 + i));
        for name in files.train.iter().chain(&files.test) {
            fs::write(folder.join(name), (0..2).flat_map(record).collect::<Vec<_>>()).unwrap();
        }
        (dir, folder)
    }

    fn read_small(dir: &Path, manifest: &Manifest) -> Result<Splits> {
        let files = manifest.files.as_ref().unwrap();
        read(&folder(dir, files, true).unwrap(), files, manifest)
    }

    #[test]
    fn reads_records_from_the_folder_or_its_parent() {
        let manifest = small();
        let (dir, folder) = folder_of(&manifest);
        let splits = read_small(dir.path(), &manifest).unwrap();
        assert_eq!(splits, read_small(&folder, &manifest).unwrap());
        assert_eq!((splits.train.len(), splits.test.len()), (10, 2));
        assert_eq!(splits.train.labels(), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
        assert_eq!(splits.train.shape(), [3, 32, 32]);
        let picture = splits.test.image(1).unwrap();
        // Green (channel 1), row 2, column 3 is byte 1024 + 2·32 + 3 = 1091, written as 1091 / 16 + 1.
        assert_eq!(picture[1024 + 2 * 32 + 3], 69);
    }

    #[test]
    fn a_missing_file_is_named() {
        let manifest = small();
        let (dir, folder) = folder_of(&manifest);
        fs::remove_file(folder.join("data_batch_3.bin")).unwrap();
        let text = read_small(dir.path(), &manifest).unwrap_err().to_string();
        assert!(text.contains("data_batch_3.bin: no such file"), "{text}");
        let advice = "6146 bytes; remove the folder it is in and fetch the data again";
        assert!(text.ends_with(&format!("expected a file of CIFAR-10 with {advice}")), "{text}");
    }

    #[test]
    fn a_wrong_size_is_said_with_both_sizes() {
        let manifest = small();
        for (found, expected) in [(6145, "truncated"), (6147, "too large"), (0, "truncated")] {
            let (dir, folder) = folder_of(&manifest);
            fs::write(folder.join("test_batch.bin"), vec![0; found]).unwrap();
            let text = read_small(dir.path(), &manifest).unwrap_err().to_string();
            let sizes =
                format!("test_batch.bin: {expected}: expected 6146 bytes, found {found}; remove the folder it is in");
            assert!(text.contains(&sizes), "{text}");
        }
    }

    #[test]
    fn a_label_over_nine_is_said_with_its_record() {
        let manifest = small();
        let (dir, folder) = folder_of(&manifest);
        let mut bytes = fs::read(folder.join("data_batch_2.bin")).unwrap();
        bytes[3073] = 10;
        fs::write(folder.join("data_batch_2.bin"), bytes).unwrap();
        let text = read_small(dir.path(), &manifest).unwrap_err().to_string();
        assert!(text.ends_with("data_batch_2.bin: record 1 has label 10; labels are 0 to 9"), "{text}");
    }

    #[test]
    fn a_record_may_have_a_coarse_and_a_fine_label() {
        for (name, label) in [("cifar100", [7, 99]), ("cifar100-coarse", [19, 3])] {
            let mut manifest = crate::Source::named(name).unwrap().manifest().unwrap();
            manifest.shape = [1, 1, 2];
            let (mut images, mut labels) = (Vec::new(), Vec::new());
            let bytes = [19, 7, 1, 2, 3, 99, 3, 4];
            decode(Path::new("x"), &bytes, &manifest, &mut images, &mut labels).unwrap();
            assert_eq!((images, labels), (vec![1, 2, 3, 4], label.to_vec()), "{name}");
            let (mut images, mut labels) = (Vec::new(), Vec::new());
            let text = decode(Path::new("x"), &[20, 100, 0, 0], &manifest, &mut images, &mut labels).unwrap_err();
            let (found, most) = if name == "cifar100" { (100, 99) } else { (20, 19) };
            assert_eq!(text.to_string(), format!("x: record 0 has label {found}; labels are 0 to {most}"));
        }
    }

    #[test]
    fn an_empty_folder_holds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(folder(dir.path(), small().files.as_ref().unwrap(), true), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(0_u8..14, 0..200)) {
            let mut manifest = small();
            manifest.shape = [1, 2, 3];
            let (mut images, mut labels) = (Vec::new(), Vec::new());
            let result = decode(Path::new("x"), &bytes, &manifest, &mut images, &mut labels);
            let sound = bytes.len() % 7 == 0 && bytes.chunks(7).all(|record| record[0] < 10);
            prop_assert_eq!(result.is_ok(), sound);
            if sound {
                prop_assert_eq!((labels.len(), images.len()), (bytes.len() / 7, bytes.len() / 7 * 6));
            }
        }
    }
}
