//! A file of named tensors in any of the formats that are read: safetensors, and what PyTorch's `torch.save` writes.
//! The format is told by the content. Tensors stay in the file's bytes until one is asked for.

use super::element;
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use taper_tensor::{Device, Error, HostData, Result, Shape, Tensor, files, printable};

/// A file of weights in memory.
///
/// Memory for a file of N bytes: at most 1 MiB + 256 N. A tensor takes its own size when it is asked for, which is at
/// most N times its dtype's widening (8 for truth values and bytes that become i64).
pub struct WeightFile {
    name: String,
    bytes: Vec<u8>,
    pub(super) contents: Contents,
    by_name: HashMap<String, usize>,
}

/// What a file holds: its tensors by name, in its own order, and what is told of it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The format, as in `a file of PyTorch`.
    pub(super) format: &'static str,
    /// The names, each with a place in `tensors`; several names may share one.
    pub(super) names: Vec<(String, usize)>,
    pub(super) tensors: Vec<Stored>,
    /// What is told of the file's structure: which part of a checkpoint was read.
    pub(super) notes: Vec<String>,
}

/// Where a tensor is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// Elements from one place of a dimension to the next; empty where elements lie one after the other.
    pub(super) strides: Vec<usize>,
    /// The bytes of the storage.
    pub(super) storage: Range<usize>,
    /// The first element, counted in elements from the storage's begin.
    pub(super) offset: usize,
}

impl Stored {
    /// The number of elements. Its product has been checked when the file was read.
    pub(super) fn count(&self) -> usize {
        self.shape.iter().fold(1, |all, &size| all.saturating_mul(size))
    }

    /// The same elements with the two dimensions exchanged; `None` where there are not two.
    pub(super) fn transposed(&self) -> Option<Self> {
        let &[rows, columns] = &self.shape[..] else { return None };
        let [down, across] = match self.strides[..] {
            [down, across] => [down, across],
            _ => [columns, 1],
        };
        Some(Self { shape: vec![columns, rows], strides: vec![across, down], ..self.clone() })
    }

    /// The elements in row-major order, out of the file's `bytes`.
    pub(super) fn host(&self, bytes: &[u8]) -> Result<HostData, String> {
        let size = element::size(self.dtype).ok_or_else(|| format!("is {}, which is not read", self.dtype))?;
        let storage = bytes.get(self.storage.clone()).unwrap_or_default();
        let (count, held) = (self.count(), storage.len() / size);
        if count > held {
            return Err(format!(
                "has shape {:?}, {count} elements on a storage of {held} (an expanded tensor): save it with .contiguous()",
                self.shape
            ));
        }
        let slice = |from: usize, elements: usize| {
            let bytes = from.checked_mul(size)?..from.checked_add(elements)?.checked_mul(size)?;
            storage.get(bytes)
        };
        let beyond = || "lies beyond its storage".to_string();
        let read = |bytes: &[u8]| element::read(bytes, self.dtype).ok_or_else(beyond);
        if count == 0 {
            return read(&[]);
        }
        if self.is_dense() {
            return read(slice(self.offset, count).ok_or_else(beyond)?);
        }
        let mut gathered = Vec::with_capacity(count * size);
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        for _ in 0..count {
            gathered.extend_from_slice(slice(at, 1).ok_or_else(beyond)?);
            for ((place, &length), &stride) in index.iter_mut().zip(&self.shape).zip(&self.strides).rev() {
                *place += 1;
                at = at.wrapping_add(stride);
                if *place < length {
                    break;
                }
                at = at.wrapping_sub(stride.wrapping_mul(length));
                *place = 0;
            }
        }
        read(&gathered)
    }

    /// Whether elements lie one after the other.
    fn is_dense(&self) -> bool {
        let mut due = 1;
        self.strides.is_empty()
            || self.shape.iter().zip(&self.strides).rev().all(|(&length, &stride)| {
                let fits = length == 1 || stride == due;
                due *= length;
                fits
            })
    }
}

/// Reads the file `path` in any of the formats: `.safetensors`; `.pt`, `.pth` and others that `torch.save` wrote (with
/// the feature `pytorch`), of which pickles are read and never executed.
///
/// # Errors
/// A file that cannot be read, is cut off or damaged, holds anything but tensors (the text names what), or is in none of
/// the formats.
pub fn read(path: impl AsRef<Path>) -> Result<WeightFile> {
    let path = path.as_ref();
    let name = printable(&path.to_string_lossy()).into_owned();
    let bytes = files::read(path).map_err(|e| Error::Parameter(format!("cannot read weights {name}: {e}")))?;
    WeightFile::parse(name, bytes)
}

impl fmt::Debug for WeightFile {
    /// Without its bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, bytes, contents, .. } = self;
        let (length, tensors) = (bytes.len(), contents.names.len());
        f.debug_struct("WeightFile").field("name", name).field("bytes", &length).field("tensors", &tensors).finish()
    }
}

/// Whether the file `path` begins as `torch.save` writes it, so that reading it takes the feature `pytorch`. False for
/// a file that cannot be read.
pub fn is_pytorch(path: impl AsRef<Path>) -> bool {
    let mut begin = Vec::with_capacity(9);
    let read = files::open(path).and_then(|file| file.take(9).read_to_end(&mut begin));
    read.is_ok() && matches!(written_by(&begin), Written::Torch)
}

impl WeightFile {
    /// Parses `bytes`, which are called `name` in errors.
    pub(super) fn parse(name: String, bytes: Vec<u8>) -> Result<Self> {
        let contents = match written_by(&bytes) {
            Written::Safetensors => of_safetensors(&bytes).map_err(|error| {
                format!("{name} ({} bytes) is no whole safetensors file, it may be cut off: {error}", bytes.len())
            }),
            Written::Torch => of_torch(&bytes).map_err(|error| format!("{name}: {error}")),
            Written::Else(what) => {
                Err(format!("{name} is {what}; weights are read from .safetensors, .pt and .pth files"))
            }
        };
        let contents = contents.map_err(|error| Error::Parameter(printable(&error).into_owned()))?;
        let by_name = contents.names.iter().enumerate().map(|(place, (name, _))| (name.clone(), place)).collect();
        Ok(Self { name, bytes, contents, by_name })
    }

    /// The path as it is told.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The format: `safetensors`, `PyTorch`, `PyTorch before 1.6`.
    pub fn format(&self) -> &'static str {
        self.contents.format
    }

    /// The names of the tensors with their shapes and dtypes (`F32`), in the file's order.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize], String)> {
        self.contents.names.iter().filter_map(|(name, at)| {
            let stored = self.contents.tensors.get(*at)?;
            Some((name.as_str(), &stored.shape[..], stored.dtype.to_string()))
        })
    }

    /// What was found beside the tensors: the part of a checkpoint that was read, and what it has besides.
    pub fn notes(&self) -> &[String] {
        &self.contents.notes
    }

    /// The tensor `name` on `device`: integers narrower than i64 in i64, truth values in u8, all else in its own dtype.
    ///
    /// # Errors
    /// An unknown name, a dtype that is not read, an expanded tensor (more elements than its storage has).
    pub fn tensor(&self, name: &str, device: &Device) -> Result<Tensor> {
        let stored = self.by_name.get(name).and_then(|&place| self.contents.names.get(place));
        let stored = stored.and_then(|&(_, at)| self.contents.tensors.get(at)).ok_or_else(|| {
            let has = self.contents.names.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            let has = super::report::shortened(&has);
            Error::Parameter(printable(&format!("{} has no tensor {name}; it has {has}", self.name)).into_owned())
        })?;
        self.value(name, stored, device)
    }

    /// The value of `stored`, which is called `name` in errors.
    pub(super) fn value(&self, name: &str, stored: &Stored, device: &Device) -> Result<Tensor> {
        let data = stored
            .host(&self.bytes)
            .map_err(|error| Error::Parameter(printable(&format!("{}: {name} {error}", self.name)).into_owned()))?;
        Tensor::from_host(data, Shape::from(&stored.shape[..]), device)
    }

    /// Whether two tensors have the same elements.
    pub(super) fn same(&self, a: &Stored, b: &Stored) -> bool {
        a == b || (a.shape == b.shape && a.dtype == b.dtype && a.host(&self.bytes) == b.host(&self.bytes))
    }
}

/// What a file begins like.
enum Written {
    Safetensors,
    Torch,
    Else(&'static str),
}

fn written_by(bytes: &[u8]) -> Written {
    match bytes {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Written::Torch,
        // The length of a header, and the header's first character.
        [_, _, _, _, _, _, _, _, b'{', ..] => Written::Safetensors,
        // A pickle's protocol: 2 to 5.
        [0x80, 2..=5, ..] => Written::Torch,
        [0x89, b'H', b'D', b'F', ..] => Written::Else("an HDF5 file (Keras?)"),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Written::Else("a NumPy array"),
        [b'G', b'G', b'U', b'F', ..] => Written::Else("a GGUF file"),
        [b'v', b'e', b'r', b's', b'i', b'o', b'n', ..] => Written::Else("a pointer of Git LFS, not the file itself"),
        [b'<', ..] => Written::Else("a page of HTML, not the file itself"),
        _ => Written::Safetensors,
    }
}

fn of_safetensors(bytes: &[u8]) -> Result<Contents, String> {
    // The header's length, the header, the numbers.
    let (length, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let start = length.saturating_add(8);
    let mut contents = Contents { format: "safetensors", ..Contents::default() };
    for (name, info) in header.tensors() {
        let (from, to) = info.data_offsets;
        contents.names.push((name, contents.tensors.len()));
        contents.tensors.push(Stored {
            dtype: info.dtype,
            shape: info.shape.clone(),
            strides: Vec::new(),
            storage: start.saturating_add(from)..start.saturating_add(to),
            offset: 0,
        });
    }
    contents.names.sort_unstable();
    Ok(contents)
}

#[cfg(feature = "pytorch")]
use super::pytorch::contents as of_torch;

#[cfg(not(feature = "pytorch"))]
fn of_torch(_: &[u8]) -> Result<Contents, String> {
    Err("written by PyTorch's torch.save, and this program was built without the feature `pytorch`, which reads it"
        .into())
}
