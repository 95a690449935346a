//! IDX, the file format of MNIST (LeCun, Cortes, Burges 1998; <http://yann.lecun.com/exdb/mnist/>) and Fashion-MNIST.
//! Each split has a file of images `[N, H, W]` and a file of labels `[N]`. A file is the bytes 00 00 08 D, where D is
//! the number of dimensions, then D sizes of four bytes each (big-endian), then the values, one byte each, row-major.
//! Files may be plain or compressed with gzip, as they are published.

use super::folder::read_file;
use crate::manifest::Files;
use crate::{Error, ImageDataset, Manifest, Result, Splits};
use std::path::{Path, PathBuf};

/// The path of the file `name` in `folder`, if there is one: under its published name (`train-images-idx3-ubyte`),
/// under the name that is stored inside the published `.gz` file and that 7-Zip and others unpack it to
/// (`train-images.idx3-ubyte`), or under either name with `.gz`.
pub(super) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let inside = name.replacen("-idx", ".idx", 1);
    let names = [name.to_string(), inside.clone(), format!("{name}.gz"), format!("{inside}.gz")];
    names.into_iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// Reads both splits from `folder`.
///
/// Memory: the images and labels of both splits, and beside them at most 1 MiB + 4 S while a file of S bytes
/// (uncompressed) is read. The manifest gives S: no more than S + 1 bytes of a file are decompressed.
///
/// # Errors
/// A file that is missing, damaged, or of another shape than the manifest's, or a label that names no class.
pub(super) fn read(folder: &Path, files: &Files, manifest: &Manifest) -> Result<Splits> {
    Ok(Splits {
        train: read_split(folder, &files.train, manifest.records.train, manifest)?,
        test: read_split(folder, &files.test, manifest.records.test, manifest)?,
    })
}

fn read_split(folder: &Path, names: &[String], records: usize, manifest: &Manifest) -> Result<ImageDataset> {
    let [(images, image_shape), (labels, label_shape)] = parts(folder, names, records, manifest)?;
    let images = values(&images, &image_shape, manifest)?;
    let (path, labels) = (labels.clone(), values(&labels, &label_shape, manifest)?);
    let classes = manifest.classes.len();
    if let Some(record) = labels.iter().position(|&label| usize::from(label) >= classes) {
        return Err(Error::Label { path, record, label: labels[record], classes });
    }
    let labels = labels.into_iter().map(i64::from).collect();
    ImageDataset::new(images, labels, manifest.shape, manifest.classes.clone(), manifest.max_value)
}

/// The paths and shapes of a split's two files: images `[N, H, W]` and labels `[N]`.
fn parts(folder: &Path, names: &[String], records: usize, manifest: &Manifest) -> Result<[(PathBuf, Vec<usize>); 2]> {
    let [images, labels] = names else {
        return Err(Error::Manifest(format!("{}: IDX has two files a split, found {names:?}", manifest.name)));
    };
    let [_, height, width] = manifest.shape;
    let path = |name: &str| find(folder, name).unwrap_or_else(|| folder.join(name));
    Ok([(path(images), vec![records, height, width]), (path(labels), vec![records])])
}

/// The size in bytes of an uncompressed file of `shape`, header included.
fn size(shape: &[usize]) -> u64 {
    (4 + 4 * shape.len() + shape.iter().product::<usize>()) as u64
}

/// Reads the values of the file at `path`, which is compressed with gzip if its name ends in `.gz`.
fn values(path: &Path, shape: &[usize], manifest: &Manifest) -> Result<Vec<u8>> {
    if path.extension().is_some_and(|extension| extension == "gz") {
        let file = taper_backend::files::open(path).map_err(Error::io("open", path))?;
        return decode(path, decompress(std::io::BufReader::new(file), path, size(shape))?, shape);
    }
    decode(path, read_file(path, size(shape), manifest)?, shape)
}

/// Decompresses `source`, the gzip file at `path`, to `expected` bytes. Reads at most one byte more. A gzip file may
/// have several members, one after the other (RFC 1952, section 2.2), each with a checksum.
#[cfg(feature = "gzip")]
fn decompress(source: impl std::io::BufRead, path: &Path, expected: u64) -> Result<Vec<u8>> {
    let bytes = super::folder::read_exactly(flate2::bufread::MultiGzDecoder::new(source), path, expected);
    bytes.map_err(|error| Error::format(path, "gzip", format!("damaged: {error}; {}", crate::error::MEND)))?
}

#[cfg(not(feature = "gzip"))]
fn decompress(_: impl std::io::BufRead, path: &Path, _: u64) -> Result<Vec<u8>> {
    Err(Error::format(path, "gzip", "built without the feature `gzip` of taper-data; decompress the file first"))
}

/// Decodes `bytes`, an IDX file of `shape` that may be compressed with gzip. Memory: at most 1 MiB + 4 S, where S is
/// the file's uncompressed size by `shape`, or the length of `bytes` if that is more.
#[cfg(all(feature = "csv", feature = "download", feature = "images", feature = "npz", feature = "parquet"))] // fuzzing
pub(crate) fn in_memory(bytes: &[u8], compressed: bool, shape: &[usize]) -> Result<Vec<u8>> {
    let path = Path::new("bytes");
    let bytes = if compressed { decompress(bytes, path, size(shape))? } else { bytes.to_vec() };
    if bytes.len() as u64 != size(shape) {
        let (expected, found) = (size(shape), bytes.len() as u64);
        return Err(Error::FileSize { path: path.to_path_buf(), expected, found });
    }
    decode(path, bytes, shape)
}

/// Decodes the values of `bytes`, a whole uncompressed file of `shape`. `path` is named in errors.
fn decode(path: &Path, mut bytes: Vec<u8>, shape: &[usize]) -> Result<Vec<u8>> {
    let mut header = vec![0, 0, 8, shape.len() as u8];
    header.extend(shape.iter().flat_map(|&n| (n as u32).to_be_bytes()));
    let Some(found) = bytes.get(..header.len()) else {
        let (expected, found) = (size(shape), bytes.len() as u64);
        return Err(Error::FileSize { path: path.to_path_buf(), expected, found });
    };
    if found != header {
        return Err(Error::format(
            path,
            "header",
            format!("expected {header:02x?} (IDX, bytes, shape {shape:?}), found {found:02x?}"),
        ));
    }
    Ok(bytes.split_off(header.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::folder;
    use proptest::prelude::*;
    use std::fs;

    /// MNIST's manifest with 2 training and 1 test image of 1×2×3.
    fn small() -> Manifest {
        let mut manifest = Manifest::parse(include_str!("../../datasets/mnist.toml")).unwrap();
        (manifest.shape, manifest.records.train, manifest.records.test) = ([1, 2, 3], 2, 1);
        manifest
    }

    fn idx(shape: &[u8], values: &[u8]) -> Vec<u8> {
        let sizes = shape.iter().flat_map(|&n| [0, 0, 0, n]);
        [0, 0, 8, shape.len() as u8].into_iter().chain(sizes).chain(values.iter().copied()).collect()
    }

    fn files() -> [(&'static str, Vec<u8>); 4] {
        [
            ("train-images-idx3-ubyte", idx(&[2, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])),
            ("train-labels-idx1-ubyte", idx(&[2], &[9, 0])),
            ("t10k-images-idx3-ubyte", idx(&[1, 2, 3], &[0, 0, 0, 0, 0, 255])),
            ("t10k-labels-idx1-ubyte", idx(&[1], &[4])),
        ]
    }

    fn read_with(name: &str, content: &[u8]) -> Result<Splits> {
        let dir = tempfile::tempdir().unwrap();
        let manifest = small();
        for (file, bytes) in files() {
            fs::write(dir.path().join(file), bytes).unwrap();
        }
        fs::write(dir.path().join(name), content).unwrap();
        let files = manifest.files.as_ref().unwrap();
        assert_eq!(folder::folder(dir.path(), files, false), None);
        let folder = folder::folder(dir.path(), files, true).unwrap();
        folder::read(&folder, files, &manifest)
    }

    #[test]
    fn reads_plain_files() {
        let splits = read_with("other", b"").unwrap();
        assert_eq!((splits.train.labels(), splits.test.labels()), (&[9, 0][..], &[4][..]));
        assert_eq!(splits.train.image(1), Some(&[7, 8, 9, 10, 11, 12][..]));
        assert_eq!(splits.test.images(), [0, 0, 0, 0, 0, 255]);
    }

    #[test]
    fn names_and_folders_of_other_programs_are_found() {
        for folder in ["MNIST/raw", "mnist", "raw", "."] {
            let dir = tempfile::tempdir().unwrap();
            let inside = dir.path().join(folder);
            fs::create_dir_all(&inside).unwrap();
            for (file, bytes) in files() {
                fs::write(inside.join(file.replace("-idx", ".idx")), bytes).unwrap();
            }
            let manifest = small();
            let files = manifest.files.as_ref().unwrap();
            let found = folder::folder(dir.path(), files, true).unwrap();
            assert_eq!(folder::read(&found, files, &manifest).unwrap(), read_with("other", b"").unwrap(), "{folder}");
            // Only the folder's name identifies the dataset that the files belong to.
            let named = matches!(folder, "MNIST/raw" | "mnist");
            assert_eq!(folder::folder(dir.path(), files, false).is_some(), named, "{folder}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (name, bytes, expected) in [
            ("t10k-labels-idx1-ubyte", idx(&[1], &[10]), "record 0 has label 10; labels are 0 to 9"),
            ("t10k-labels-idx1-ubyte", idx(&[1], &[]), "truncated: expected 9 bytes, found 8"),
            ("t10k-labels-idx1-ubyte", idx(&[1], &[0, 0]), "too large: expected 9 bytes, found 10"),
            ("t10k-images-idx3-ubyte", idx(&[1, 3, 2], &[0; 6]), "header: expected [00, 00, 08, 03, 00, 00, 00, 01, "),
        ] {
            let text = read_with(name, &bytes).unwrap_err().to_string();
            assert!(text.contains(&format!("{name}: {expected}")), "{text}");
        }
    }

    #[cfg(feature = "gzip")]
    mod gzip {
        use super::*;
        use flate2::{Compression, write::GzEncoder};
        use std::io::Write;

        fn gz(bytes: &[u8]) -> Vec<u8> {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }

        fn read_compressed(change: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> Result<Splits> {
            let dir = tempfile::tempdir().unwrap();
            let manifest = small();
            let inside = dir.path().join("mnist");
            fs::create_dir(&inside).unwrap();
            for (file, bytes) in files() {
                fs::write(inside.join(file).with_extension("gz"), change(file, bytes)).unwrap();
            }
            let files = manifest.files.as_ref().unwrap();
            let folder = folder::folder(dir.path(), files, false).unwrap();
            folder::read(&folder, files, &manifest)
        }

        #[test]
        fn reads_compressed_files() {
            let splits = read_compressed(|_, bytes| gz(&bytes)).unwrap();
            assert_eq!(splits, read_with("other", b"").unwrap());
        }

        #[test]
        fn several_members_are_one_file() {
            let splits = read_compressed(|_, bytes| [gz(&bytes[..7]), gz(&bytes[7..])].concat()).unwrap();
            assert_eq!(splits, read_with("other", b"").unwrap());
            // Bytes after the last member that are no gzip member are an error.
            let text = read_compressed(|_, bytes| [gz(&bytes), b"more".to_vec()].concat()).unwrap_err().to_string();
            assert!(text.contains("gzip: damaged: "), "{text}");
        }

        #[test]
        fn damage_is_said() {
            let changed = |changed: fn(Vec<u8>) -> Vec<u8>| {
                let change = |name: &str, bytes| {
                    if name == "t10k-images-idx3-ubyte" { changed(bytes) } else { gz(&bytes) }
                };
                read_compressed(change).unwrap_err().to_string()
            };
            let text = changed(|bytes| bytes);
            assert!(text.contains("t10k-images-idx3-ubyte.gz: gzip: damaged: "), "{text}");
            assert!(text.ends_with("; remove the folder it is in and fetch the data again"), "{text}");
            let text = changed(|bytes| gz(&bytes[1..]));
            assert!(text.contains("t10k-images-idx3-ubyte.gz: truncated: expected 22 bytes, found 21"), "{text}");
            // A decompression bomb: at most one byte beyond the expected size is decompressed.
            let text = changed(|bytes| gz(&[&bytes[..], &[0; 1 << 20]].concat()));
            assert!(text.contains("too large: expected 22 bytes, found 23"), "{text}");
        }

        proptest! {
            #[test]
            fn any_compressed_bytes_are_read_or_refused(
                bytes in prop::collection::vec(any::<u8>(), 0..60),
                at in 0_usize..60,
            ) {
                let change = |_: &str, whole: Vec<u8>| {
                    let whole = gz(&whole);
                    [&whole[..at.min(whole.len())], &bytes[..]].concat()
                };
                let _ = read_compressed(change);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(0_u8..12, 0..30)) {
            let sound = bytes.starts_with(&[0, 0, 8, 1, 0, 0, 0, 2]);
            prop_assert_eq!(decode(Path::new("x"), bytes, &[2]).is_ok(), sound);
        }
    }
}
