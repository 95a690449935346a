//! Tests of files that NumPy wrote.

mod common;

use common::{data, expected, labels, numbers};
use taper_data::read_npy;

#[test]
fn npy_files_are_read_as_they_were_written() {
    for name in ["x.npy", "x32.npy"] {
        let table = read_npy(data(name), data("y.npy")).unwrap();
        assert_eq!((table.values(), table.labels()), (&numbers(&expected()["x"])[..], &labels().0[..]), "{name}");
        assert_eq!(table.classes(), ["0", "1", "2", "3"]);
    }
    let text = read_npy(data("none.npy"), data("y.npy")).unwrap_err().to_string();
    assert!(text.starts_with("cannot read ") && text.contains("none.npy"), "{text}");
}

#[cfg(feature = "npz")]
mod npz {
    use super::*;
    use common::changed;
    use proptest::prelude::*;
    use std::fs::{self, File};
    use std::io::Write;
    use std::path::Path;
    use taper_data::{read_npz, read_npz_images};
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    /// What is before the bytes of an array of `shape`.
    fn header(shape: &str) -> Vec<u8> {
        let text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat()
    }

    /// A `.npz` file of arrays of bytes: name, shape, values.
    fn write(path: &Path, arrays: &[(&str, &str, &[u8])]) {
        let mut archive = ZipWriter::new(File::create(path).unwrap());
        for (name, shape, values) in arrays {
            archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
            archive.write_all(&header(shape)).unwrap();
            archive.write_all(values).unwrap();
        }
        archive.finish().unwrap();
    }

    #[test]
    fn pictures_are_read_from_arrays_as_keras_has_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mnist.npz");
        let pixels: Vec<u8> = (0..3 * 28 * 28).map(|i| (i % 251) as u8).collect();
        write(&path, &[("x_train", "(3, 28, 28)", &pixels), ("y_train", "(3,)", &[5, 0, 4])]);
        let data = read_npz_images(&path, "x_train", "y_train").unwrap();
        assert_eq!((data.shape(), data.images(), data.labels()), ([1, 28, 28], &pixels[..], &[5, 0, 4][..]));
        let text = read_npz_images(&path, "x_test", "y_train").unwrap_err().to_string();
        assert!(text.contains("expected an array `x_test` (file `x_test.npy`), found `x_train.npy`"), "{text}");
        let text = read_npz_images(&path, "y_train", "y_train").unwrap_err().to_string();
        assert!(text.contains("y_train: shape: expected [N, H, W] or [N, C, H, W] with at most 4"), "{text}");
    }

    #[test]
    fn no_more_is_unpacked_than_the_header_tells_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bomb.npz");
        write(&path, &[("x", "(2, 1)", &vec![0; 16 << 20]), ("y", "(2,)", &[0, 1])]);
        assert!(fs::metadata(&path).unwrap().len() < 64 << 10);
        let text = read_npz(&path, "x", "y").unwrap_err().to_string();
        let found: usize = text.split("expects 2 bytes, found ").nth(1).unwrap().parse().unwrap();
        assert!(found < 1 << 17, "{text}");
        write(&path, &[("x", "(1000000000000000, 1)", &[0; 4]), ("y", "(2,)", &[0, 1])]);
        let text = read_npz(&path, "x", "y").unwrap_err().to_string();
        assert!(text.ends_with("of u1 expects 1000000000000000 bytes, found 4"), "{text}");
        // Longer than the part that the header is read from.
        let values: Vec<u8> = (0..200_000).map(|i| (i % 250) as u8).collect();
        write(&path, &[("x", "(2, 100000)", &values), ("y", "(2,)", &[0, 1])]);
        let table = read_npz(&path, "x", "y").unwrap();
        assert!(table.values().iter().zip(&values).all(|(found, &value)| *found == f32::from(value)));
    }

    #[test]
    fn a_changed_value_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npz");
        let changed = |mut bytes: Vec<u8>, place: usize| {
            bytes[place] ^= 1;
            fs::write(&path, bytes).unwrap();
            let text = read_npz(&path, "x", "y").unwrap_err().to_string();
            assert!(text.contains("x.npz: archive: not a sound .npz file: ") && text.contains("checksum"), "{text}");
        };
        changed(fs::read(data("plain.npz")).unwrap(), 200); // among the features
        // Longer than the part that the header is read from.
        let mut archive = ZipWriter::new(File::create(&path).unwrap());
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for name in ["x", "y"] {
            archive.start_file(format!("{name}.npy"), options).unwrap();
            archive.write_all(&header("(200000, 1)")).unwrap();
            archive.write_all(&[0; 200_000]).unwrap();
        }
        archive.finish().unwrap();
        changed(fs::read(&path).unwrap(), 150_000);
    }

    #[test]
    fn npz_files_are_read_as_they_were_written() {
        for (name, key) in [("plain.npz", "x"), ("compressed.npz", "rounded")] {
            let table = read_npz(data(name), "x", "y").unwrap();
            assert_eq!((table.values(), table.labels()), (&numbers(&expected()[key])[..], &labels().0[..]), "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let text = read_npz(data("plain.npz"), "images", "y").unwrap_err().to_string();
        assert!(
            text.contains("plain.npz: archive: expected an array `images` (file `images.npy`), found `x.npy`, `y.npy`"),
            "{text}"
        );
        let text = read_npz(data("plain.npz"), "y", "y").unwrap_err().to_string();
        assert!(text.ends_with("shape: expected [N, F], found [12]"), "{text}");
        let text = read_npz(data("x.npy"), "x", "y").unwrap_err().to_string();
        assert!(text.contains("x.npy: archive: not a sound .npz file: "), "{text}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            keep in 0_usize..800,
            changes in prop::collection::vec((0_usize..800, any::<u8>()), 0..4),
            plain in any::<bool>(),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x.npz");
            let name = if plain { "plain.npz" } else { "compressed.npz" };
            fs::write(&path, changed(&fs::read(data(name)).unwrap(), keep, &changes)).unwrap();
            match read_npz(&path, "x", "y") {
                // The archive's checksums do not let another table through.
                Ok(table) => {
                    let key = if plain { "x" } else { "rounded" };
                    prop_assert_eq!(table.values(), numbers(&expected()[key]));
                    prop_assert_eq!(table.labels(), labels().0);
                }
                Err(error) => prop_assert!(error.to_string().contains("x.npz"), "{}", error),
            }
        }
    }
}
