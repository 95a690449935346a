//! NumPy's `.npy` files (format versions 1 to 3;
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>): `\x93NUMPY`, the version, the length of
//! the header, the header (a Python dictionary of type, order and shape), then the values.

use super::{feature, numbered_classes};
use crate::{Error, ImageDataset, Result, TableDataset};
use std::path::Path;
use taper_backend::files;

/// Reads a table from two `.npy` files: `features`, an array `[N, F]` of bool, integers, float32 or float64, and
/// `labels`, an array `[N]` or `[N, 1]` of bool or integers. Label `n` is class `n`, and features are named `0`, `1`
/// and so on. Each file's first array is read; others may follow it, as for NumPy.
///
/// Memory for files of N bytes together: at most 8 MiB + 64 N.
///
/// # Errors
/// When a file cannot be read or holds no such array, a feature is not finite in f32, or a label is not 0 to 65,535.
/// The text names the file and the row.
pub fn read_npy(features: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<TableDataset> {
    let (features, labels) = (features.as_ref(), labels.as_ref());
    table((features, &read(features)?), (labels, &read(labels)?))
}

/// Reads images from two `.npy` files: `images`, a `uint8` array `[N, H, W]` or `[N, C, H, W]` with at most 4
/// channels, in row-major (C) order, and `labels`, an array `[N]` or `[N, 1]` of bool or integers. Label `n` is class
/// `n`; the byte 255 becomes 1 in a batch. Memory: as [`read_npy`].
///
/// # Errors
/// When a file cannot be read or holds no such array, or a label is not 0 to 65,535. The text names the file and the row.
pub fn read_npy_images(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<ImageDataset> {
    let (images, labels) = (images.as_ref(), labels.as_ref());
    pictures((images, &read(images)?), (labels, &read(labels)?))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    files::read(path).map_err(Error::io("read", path))
}

/// Decodes a table from the bytes of two files, each with its path for errors.
pub(crate) fn table(features: (&Path, &[u8]), labels: (&Path, &[u8])) -> Result<TableDataset> {
    let x = Array::parse(features.0, features.1)?;
    let [rows, columns] = x.shape[..] else {
        return Err(x.wrong("shape", format!("expected [N, F], found {:?}", x.shape)));
    };
    let (labels, classes) = classes(labels, rows)?;
    if rows == 0 || columns == 0 {
        return Err(x.wrong("shape", format!("expected a row and a feature or more, found {:?}", x.shape)));
    }
    let mut values = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for column in 0..columns {
            let place = if x.fortran { column * rows + row } else { row * columns + column };
            values.push(feature(x.float(place), x.path, || format!("row {row}, column {column}"))?);
        }
    }
    TableDataset::new(values, (0..columns).map(|column| column.to_string()).collect(), labels, classes)
}

/// Decodes images from the bytes of two files, each with its path for errors.
pub(crate) fn pictures(images: (&Path, &[u8]), labels: (&Path, &[u8])) -> Result<ImageDataset> {
    let x = Array::parse(images.0, images.1)?;
    let (rows, shape) = match x.shape[..] {
        [n, h, w] => (n, [1, h, w]),
        // More than 4 channels are most likely an array with the channels last.
        [n, c @ 1..=4, h, w] => (n, [c, h, w]),
        _ => {
            let expected = "expected [N, H, W] or [N, C, H, W] with at most 4 channels";
            let detail =
                format!("{expected}, found {:?} (numpy.moveaxis(x, -1, 1) moves channels that are last)", x.shape);
            return Err(x.wrong("shape", detail));
        }
    };
    if x.dtype.name() != "u1" {
        return Err(x.wrong("header", format!("expected pictures of bytes, u1, found {}", x.dtype.name())));
    }
    if x.fortran {
        let detail = "expected row-major order, found Fortran's; numpy.ascontiguousarray(x) changes it";
        return Err(x.wrong("header", detail.into()));
    }
    let (labels, classes) = classes(labels, rows)?;
    if x.data.is_empty() {
        return Err(x.wrong("shape", format!("expected a picture and a pixel or more, found {:?}", x.shape)));
    }
    ImageDataset::new(x.data.to_vec(), labels, shape, classes, u8::MAX)
}

/// Decodes the labels of `rows` samples from a file's bytes, and returns them with the class names.
fn classes((path, bytes): (&Path, &[u8]), rows: usize) -> Result<(Vec<i64>, Vec<String>)> {
    let y = Array::parse(path, bytes)?;
    if !matches!(y.shape[..], [n] | [n, 1] if n == rows) {
        return Err(y.wrong("shape", format!("expected [{rows}], a label a sample, found {:?}", y.shape)));
    }
    let labels: Option<Vec<i64>> = (0..rows).map(|row| y.integer(row)).collect();
    let labels = labels.ok_or_else(|| y.wrong("header", format!("expected integers, found {}", y.dtype.name())))?;
    let classes = numbered_classes(&labels, path, |row| format!("row {row}"))?;
    Ok((labels, classes))
}

/// A NumPy dtype: the letter `b` (bool), `i` (signed), `u` (unsigned) or `f` (floating point), the size in bytes, and
/// the byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DType {
    letter: char,
    bytes: usize,
    big_endian: bool,
}

impl DType {
    fn parse(text: &str) -> Option<Self> {
        let (order, rest) = (text.chars().next()?, text.get(1..)?);
        // Without a byte order, or with `=`, it is that of this machine.
        let (order, rest) = if matches!(order, '<' | '>' | '|' | '=') { (order, rest) } else { ('=', text) };
        let (letter, bytes) = (rest.chars().next()?, rest.get(1..)?.parse().ok()?);
        let known = matches!((letter, bytes), ('b', 1) | ('i' | 'u', 1 | 2 | 4 | 8) | ('f', 4 | 8));
        let big_endian = order == '>' || order == '=' && cfg!(target_endian = "big");
        known.then_some(Self { letter, bytes, big_endian })
    }

    fn name(self) -> String {
        format!("{}{}", self.letter, self.bytes)
    }
}

/// An array in a file: the parsed header and the undecoded values.
#[derive(Debug)]
struct Array<'a> {
    path: &'a Path,
    dtype: DType,
    fortran: bool,
    shape: Vec<usize>,
    data: &'a [u8],
}

/// The size in bytes, header included, that the file at `path` should have by the shape and dtype in its header.
/// `bytes` are its first bytes.
#[cfg(feature = "npz")]
pub(super) fn file_bytes(path: &Path, bytes: &[u8]) -> Result<u64> {
    let array = Array::begin(path, bytes)?;
    let header = bytes.len() - array.data.len();
    Ok(array.expected().and_then(|values| values.checked_add(header)).map_or(u64::MAX, |size| size as u64))
}

/// Checks that `bytes`, a whole member of an archive, end with the array: in an archive each array has its own member.
#[cfg(feature = "npz")]
pub(super) fn check_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let array = Array::begin(path, bytes)?;
    let expected = array.expected();
    if expected == Some(array.data.len()) { Ok(()) } else { Err(array.other_length(expected)) }
}

impl<'a> Array<'a> {
    /// Parses the array at the start of `bytes`. Other bytes may follow it, as for NumPy: another array, for example.
    fn parse(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let array = Self::begin(path, bytes)?;
        let expected = array.expected();
        match expected.and_then(|expected| array.data.get(..expected)) {
            Some(data) => Ok(Self { data, ..array }),
            None => Err(array.other_length(expected)),
        }
    }

    /// The error that the values have another size than `expected` bytes.
    fn other_length(&self, expected: Option<usize>) -> Error {
        let expected = expected.map_or("more".into(), |n| n.to_string());
        let (shape, kind, found) = (&self.shape, self.dtype.name(), self.data.len());
        self.wrong("values", format!("shape {shape:?} of {kind} expects {expected} bytes, found {found}"))
    }

    /// The size in bytes that the values should have, or `None` if it overflows.
    fn expected(&self) -> Option<usize> {
        self.shape.iter().try_fold(self.dtype.bytes, |all, &n| all.checked_mul(n))
    }

    /// Parses the header at the start of `bytes`. `data` are all bytes after it, whose number is not checked.
    fn begin(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let wrong = |detail: &str| Error::format(path, "header", format!("not a .npy file: {detail}"));
        let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(|| wrong("it does not begin with \\x93NUMPY"))?;
        // The length of the header takes two bytes in version 1, four in versions 2 and 3.
        let (length, rest) = match rest {
            [1, _, a, b, rest @ ..] => (u32::from(u16::from_le_bytes([*a, *b])), rest),
            [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
            _ => return Err(wrong("expected version 1, 2 or 3")),
        };
        let (header, data) = rest.split_at_checked(length as usize).ok_or_else(|| wrong("its header is cut"))?;
        let header = std::str::from_utf8(header).map_err(|_| wrong("its header is no text"))?;
        let value = |key: &str| after_key(header, key).ok_or_else(|| wrong(&format!("its header has no `{key}`")));
        let descr = value("descr")?;
        let dtype = quoted(descr).and_then(DType::parse).ok_or_else(|| {
            let found: String = descr.chars().take(20).collect();
            Error::format(
                path,
                "header",
                format!("expected values of type b1, i1 to i8, u1 to u8, f4 or f8, found {found}"),
            )
        })?;
        let fortran = match value("fortran_order")? {
            text if text.starts_with("True") => true,
            text if text.starts_with("False") => false,
            _ => return Err(wrong("its `fortran_order` is neither True nor False")),
        };
        let shape = tuple(value("shape")?).ok_or_else(|| wrong("its `shape` is no tuple of numbers"))?;
        Ok(Self { path, dtype, fortran, shape, data })
    }

    fn wrong(&self, at: &str, detail: String) -> Error {
        Error::format(self.path, at, detail)
    }

    /// The bytes of value `index` in little-endian order, padded with zeros.
    fn bytes(&self, index: usize) -> [u8; 8] {
        let size = self.dtype.bytes;
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(&self.data[index * size..][..size]);
        if self.dtype.big_endian {
            bytes[..size].reverse();
        }
        bytes
    }

    /// Value `index` as an i64, or `None` if the dtype is floating point. A uint64 value above i64's range becomes
    /// `i64::MAX`.
    fn integer(&self, index: usize) -> Option<i64> {
        let bits = u64::from_le_bytes(self.bytes(index));
        let unused = 64 - 8 * self.dtype.bytes as u32;
        match self.dtype.letter {
            'i' => Some((bits << unused) as i64 >> unused),
            'b' | 'u' => Some(i64::try_from(bits).unwrap_or(i64::MAX)),
            _ => None,
        }
    }

    /// Value `index`, rounded to f32.
    fn float(&self, index: usize) -> f32 {
        let bytes = self.bytes(index);
        match (self.dtype.letter, self.dtype.bytes) {
            ('f', 4) => f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            ('f', _) => f64::from_le_bytes(bytes) as f32,
            ('i', _) => self.integer(index).unwrap_or_default() as f32,
            _ => u64::from_le_bytes(bytes) as f32,
        }
    }
}

/// The text after `'key':` in a header. Some writers other than NumPy use double quotes.
fn after_key<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let rest = header.split_once(&format!("'{key}'")).or_else(|| header.split_once(&format!("\"{key}\"")))?.1;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

/// The content of the quoted text that `text` begins with.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    text[1..].split_once(quote).map(|(inside, _)| inside)
}

/// The numbers of the tuple that `text` begins with: `(3, 4)`, `(3,)`, `()`.
fn tuple(text: &str) -> Option<Vec<usize>> {
    let inside = text.strip_prefix('(')?.split_once(')')?.0.trim().trim_end_matches(',');
    if inside.is_empty() {
        return Some(Vec::new());
    }
    inside.split(',').map(|number| number.trim().trim_end_matches('L').parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
    }

    fn read(x: &[u8], y: &[u8]) -> Result<TableDataset, String> {
        table((Path::new("x"), x), (Path::new("y"), y)).map_err(|error| error.to_string())
    }

    #[test]
    fn integers_of_either_end_and_order() {
        let labels = npy("'|u1'", "False", "(2,)", &[1, 0]);
        let table = read(&npy("'>i2'", "True", "(2, 2)", &[0, 1, 255, 254, 0, 3, 1, 0]), &labels).unwrap();
        assert_eq!((table.values(), table.labels()), (&[1.0, 3.0, -2.0, 256.0][..], &[1, 0][..]));
        let table = read(&npy("'<u2'", "False", "(2, 2)", &[1, 0, 2, 0, 3, 0, 255, 255]), &labels).unwrap();
        assert_eq!(table.values(), [1.0, 2.0, 3.0, 65535.0]);
        let wide = [&npy("'|i1'", "False", "(2, 1)", &[])[..], &[1, 0]].concat();
        assert_eq!(read(&npy("'|b1'", "False", "(2, 1)", &[1, 0]), &wide).unwrap().values(), [1.0, 0.0]);
    }

    #[test]
    fn headers_of_other_writers_are_read() {
        let labels = npy("'|u1'", "False", "(2,)", &[1, 0]);
        let one = if cfg!(target_endian = "big") { [0, 1] } else { [1, 0] };
        for descr in ["\"=i2\"", "'=i2'", "'i2'", "\"i2\""] {
            let bytes = npy(descr, "False", "(2, 1)", &[one, one].concat());
            assert_eq!(read(&bytes, &labels).unwrap().values(), [1.0, 1.0], "{descr}");
        }
        // Double quotes around the keys too, as in JSON.
        let text = String::from_utf8_lossy(&npy("'|u1'", "False", "(2, 1)", &[])[10..]).replace('\'', "\"");
        let bytes = [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), &[7, 8]].concat();
        assert_eq!(read(&bytes, &labels).unwrap().values(), [7.0, 8.0]);
        // numpy.save into a file that is open writes one array after the other; the first is read.
        let two = [&bytes[..], &labels].concat();
        assert_eq!(read(&two, &[&labels[..], b"\n"].concat()).unwrap().values(), [7.0, 8.0]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let (x, y) = (npy("'|u1'", "False", "(2, 1)", &[1, 2]), npy("'|u1'", "False", "(2,)", &[1, 0]));
        let infinite = npy("'<f4'", "False", "(2, 1)", &[0, 0, 0, 0, 0, 0, 128, 127]);
        for (x, y, expected) in [
            (&b"PK"[..], &y[..], "x: header: not a .npy file: it does not begin with"),
            (&x[..9], &y, "x: header: not a .npy file: expected version 1"),
            (&x[..30], &y, "x: header: not a .npy file: its header is cut"),
            (&npy("'<f2'", "False", "(1,)", &[0, 0]), &y, "found '<f2'"),
            (&npy("\"|u1'", "False", "(1,)", &[0]), &y, "f4 or f8, found \"|u1', 'fortran_or"),
            (&npy("[('a', '<f4')]", "False", "(1,)", &[]), &y, "f4 or f8, found [('a', '<f4')]"),
            (&npy("'|u1'", "0", "(1,)", &[0]), &y, "neither True nor False"),
            (&npy("'|u1'", "False", "1", &[0]), &y, "its `shape` is no tuple"),
            (&npy("'|u1'", "False", "(2,2)", &[0]), &y, "x: values: shape [2, 2] of u1 expects 4 bytes, found 1"),
            (&npy("'<f8'", "False", "(4611686018427387904, 4)", &[]), &y, "expects more bytes, found 0"),
            (&npy("'|u1'", "False", "(2,)", &[0, 0]), &y, "x: shape: expected [N, F], found [2]"),
            (&npy("'|u1'", "False", "(0, 1)", &[]), &npy("'|u1'", "False", "(0,)", &[]), "a row and a feature or more"),
            (&x, &npy("'|u1'", "False", "(1,)", &[1]), "y: shape: expected [2], a label a sample, found [1]"),
            (&x, &npy("'|i1'", "False", "(2,)", &[0, 255]), "y: row 1: expected a class from 0 to 65535, found -1"),
            (&x, &npy("'<f4'", "False", "(2,)", &[0; 8]), "y: header: expected integers, found f4"),
            (&infinite, &y, "x: row 1, column 0: expected a finite number (in f32), found inf"),
        ] {
            let text = read(x, y).unwrap_err();
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }

    #[test]
    fn pictures_are_bytes_of_one_channel_or_more() {
        let read = |x: &[u8], y: &[u8]| pictures((Path::new("x"), x), (Path::new("y"), y));
        let bytes = [1, 2, 3, 4, 5, 6, 7, 255];
        let labels = npy("'<i8'", "False", "(2, 1)", &[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let data = read(&npy("'|u1'", "False", "(2, 2, 2)", &bytes), &labels).unwrap();
        assert_eq!((data.shape(), data.images(), data.labels()), ([1, 2, 2], &bytes[..], &[3, 0][..]));
        assert_eq!((data.max_value(), data.classes().len()), (255, 4));
        let data = read(&npy("'|u1'", "False", "(2, 2, 2, 1)", &bytes), &labels).unwrap();
        assert_eq!((data.shape(), data.image(1)), ([2, 2, 1], Some(&[5, 6, 7, 255][..])));
        // More classes than a byte counts.
        let many = read(&npy("'|u1'", "False", "(2, 1, 1)", &[0; 2]), &npy("'<u2'", "False", "(2,)", &[0, 0, 0, 1]));
        assert_eq!(many.map(|data| (data.labels().to_vec(), data.classes().len())).unwrap(), (vec![0, 256], 257));
        for (x, y, expected) in [
            (
                npy("'|u1'", "False", "(1, 5, 1, 1)", &[0; 5]),
                &labels,
                "at most 4 channels, found [1, 5, 1, 1] (numpy.mo",
            ),
            (npy("'|u1'", "False", "(2, 2)", &[0; 4]), &labels, "x: shape: expected [N, H, W] or [N, C, H, W] with at"),
            (
                npy("'|i1'", "False", "(2, 1, 1)", &[0; 2]),
                &labels,
                "x: header: expected pictures of bytes, u1, found i1",
            ),
            (
                npy("'|u1'", "True", "(2, 1, 1)", &[0; 2]),
                &labels,
                "x: header: expected row-major order, found Fortran's",
            ),
            (
                npy("'|u1'", "False", "(2, 0, 1)", &[]),
                &labels,
                "x: shape: expected a picture and a pixel or more, found",
            ),
            (
                npy("'|u1'", "False", "(1, 1, 1)", &[0]),
                &labels,
                "y: shape: expected [1], a label a sample, found [2, 1]",
            ),
        ] {
            let text = read(&x, y).unwrap_err().to_string();
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80), at in 0_usize..90) {
            let whole = npy("'<i4'", "False", "(2, 1)", &[1, 0, 0, 0, 2, 0, 0, 0]);
            let labels = npy("'|u1'", "False", "(2,)", &[1, 0]);
            let _ = read(&bytes, &labels);
            let mut changed = whole;
            let places = changed.len();
            for (i, byte) in bytes.iter().take(2).enumerate() {
                changed[(at + 13 * i) % places] = *byte;
            }
            let _ = read(&changed, &changed);
            let _ = read(&changed, &labels);
            let _ = pictures((Path::new("x"), &bytes), (Path::new("y"), &labels));
            let _ = pictures((Path::new("x"), &changed), (Path::new("y"), &labels));
        }
    }
}
