//! Weights in files, in the safetensors format (<https://github.com/huggingface/safetensors>), which PyTorch's ecosystem
//! reads and writes.
//!
//! Names and shapes are those of a PyTorch state dict. A file is written beside its place, synced, and renamed, so that
//! it is either the old one or the new one whole, whatever happens. Loading compares everything first and changes
//! nothing unless all fits.
//!
//! ```
//! # use taper_nn::{DType, Device, Linear, LinearConfig, Params, RandomKey, weights};
//! # fn main() -> taper_nn::Result<()> {
//! # let device = Device::new(taper_cpu::CpuBackend::new()?);
//! # let path = std::env::temp_dir().join(format!("taper-weights-doc-{}.safetensors", std::process::id()));
//! let params = Params::new(&device, DType::F32, RandomKey::new(0));
//! let fc = Linear::new(LinearConfig::new(3, 2), &params.sub("fc"))?;
//! weights::save(&params.all(), &path)?;
//! weights::load(&params.all(), &path)?;
//! # std::fs::remove_file(path).unwrap();
//! # Ok(())
//! # }
//! ```

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use taper_tensor::{DType, Device, Error, HostData, Param, Result, Shape, Tensor, files, no_grad, printable};

/// Writes `params` to `path`, replacing what is there. An error names the file and says what the system said (no such
/// folder, no space, no permission); the old file is then still there.
pub fn save(params: &[Param], path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    // What PyTorch's own tools write, and some of them look for.
    let bytes = to_bytes(params.iter().map(|param| (param.name(), param.tensor())), ["format", "pt"])?;
    write_whole(path, &bytes)
        .map_err(|e| Error::Parameter(format!("cannot write weights {}: {e}", printable(&path.to_string_lossy()))))
}

/// Reads `path` into `params`: the same names, shapes and dtypes, no more and no fewer. An error lists everything that
/// does not fit, and nothing is changed.
///
/// Two things may differ, of which the report tells: narrower integers become i64, and `num_batches_tracked` of a batch
/// norm may be missing, as in files from before PyTorch had it, and stays as it is.
pub fn load(params: &[Param], path: impl AsRef<Path>) -> Result<Report> {
    load_from(params, path.as_ref(), Fit { cast: false, partly: false })
}

/// [`load`], but a float of another precision is cast to the parameter's: what f64 from an f32 file needs.
pub fn load_cast(params: &[Param], path: impl AsRef<Path>) -> Result<Report> {
    load_from(params, path.as_ref(), Fit { cast: true, partly: false })
}

/// [`load_cast`], of what fits: a parameter that the file lacks, or has in another shape, stays as it is, and what else is
/// in the file is passed over, as for a model with another head. The report tells which. An error where nothing fits.
pub fn load_partial(params: &[Param], path: impl AsRef<Path>) -> Result<Report> {
    load_from(params, path.as_ref(), Fit { cast: true, partly: true })
}

/// Writes tensors of any names to `path` with one text, `note`, in the file's metadata under `key`; replaces what is there
/// as [`save`] does.
pub fn save_noted(tensors: &[(String, Tensor)], key: &str, note: &str, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let bytes = to_bytes(tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.clone())), [key, note])?;
    write_whole(path, &bytes)
        .map_err(|e| Error::Parameter(format!("cannot write {}: {e}", printable(&path.to_string_lossy()))))
}

/// Tensors by name, and a text.
pub type Noted = (Vec<(String, Tensor)>, Option<String>);

/// Reads what [`save_noted`] wrote: all tensors, in the order of their names, on `device`, and the text under `key`, if any.
pub fn read_noted(key: &str, path: impl AsRef<Path>, device: &Device) -> Result<Noted> {
    let named = printable(&path.as_ref().to_string_lossy()).into_owned();
    let cut = |e| Error::Parameter(format!("{named} is no whole safetensors file, it may be cut off: {e}"));
    let bytes = files::read(&path).map_err(|e| Error::Parameter(format!("cannot read {named}: {e}")))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(cut)?;
    let note = header.metadata().as_ref().and_then(|notes| notes.get(key)).cloned();
    let mut tensors = Vec::new();
    for (name, view) in SafeTensors::deserialize(&bytes).map_err(cut)?.tensors() {
        let dtype = in_memory(view.dtype()).ok_or_else(|| {
            Error::Parameter(format!("{named}: {} is {}, which is not read", printable(&name), view.dtype()))
        })?;
        let tensor = Tensor::from_host(host_of(view.data(), dtype), Shape::from(view.shape()), device)?;
        tensors.push((name, tensor));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok((tensors, note))
}

/// The bytes of a safetensors file of tensors by name, with one entry of metadata.
fn to_bytes<'a>(tensors: impl Iterator<Item = (&'a str, Tensor)>, [key, note]: [&str; 2]) -> Result<Vec<u8>> {
    let mut found = Vec::new();
    for (name, value) in tensors {
        found.push((name, value.shape().clone(), value.dtype(), bytes_of(&value.to_host()?)));
    }
    let mut views = Vec::with_capacity(found.len());
    for (name, shape, dtype, bytes) in &found {
        let view = TensorView::new(in_file(*dtype), shape.to_vec(), bytes)
            .map_err(|e| Error::Parameter(format!("cannot save {name}: {e}")))?;
        views.push((*name, view));
    }
    // One entry alone: a map of more would be written in any order.
    let metadata = [(key.to_owned(), note.to_owned())].into_iter().collect();
    safetensors::serialize(views, Some(metadata)).map_err(|e| Error::Parameter(format!("cannot save weights: {e}")))
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().ok_or_else(|| std::io::Error::other("the path names no file"))?);
    name.push(format!(".{}.tmp", std::process::id()));
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let beside: PathBuf = folder.join(name);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        // What remains is of no use; that it could not be removed either adds nothing to the error.
        let _ = fs::remove_file(&beside);
    }
    written?;
    // The rename itself is safe once the folder is synced; only Unix can open one.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// How far a file may differ from the parameters.
#[derive(Clone, Copy)]
struct Fit {
    /// Whether floats may be of another precision.
    cast: bool,
    /// Whether anything may be missing, left over, or of another shape or dtype.
    partly: bool,
}

fn load_from(params: &[Param], path: &Path, fit: Fit) -> Result<Report> {
    let named = printable(&path.to_string_lossy()).into_owned();
    let bytes = files::read(path).map_err(|e| Error::Parameter(format!("cannot read weights {named}: {e}")))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| {
        Error::Parameter(format!(
            "{named} ({} bytes) is no whole safetensors file, it may be cut off: {e}",
            bytes.len()
        ))
    })?;
    let (mut report, mut found) = (Report::default(), Vec::new());
    for param in params {
        match report.compare(param, &file, fit) {
            Some(view) => found.push((param, view)),
            None => continue,
        }
    }
    let known: BTreeSet<&str> = params.iter().map(Param::name).collect();
    report.unexpected = file.names().into_iter().filter(|name| !known.contains(name)).map(str::to_owned).collect();
    report.unexpected.sort_unstable();
    if !fit.partly && !report.is_whole() {
        let problems = report.differences();
        return Err(Error::Parameter(format!(
            "the weights of {named} do not fit, nothing was loaded: {}",
            printable(&problems.to_string())
        )));
    }
    if fit.partly && found.is_empty() && !params.is_empty() {
        let detail = report.differences();
        return Err(Error::Parameter(format!("none of the weights of {named} fits, nothing was loaded: {detail}")));
    }
    // Everything is made before anything is assigned.
    let mut values = Vec::with_capacity(found.len());
    for (param, view) in &found {
        let current = param.tensor();
        let Some(data) = read(view) else { continue };
        let value = Tensor::from_host(data, Shape::from(view.shape()), current.device())?;
        let same = value.dtype() == current.dtype();
        values.push((*param, if same { value } else { no_grad(|| value.cast(current.dtype()))? }));
    }
    values.iter().try_for_each(|(param, value)| param.set(value))?;
    report.loaded = values.iter().map(|(param, _)| param.name().to_owned()).collect();
    Ok(report)
}

/// What became of each parameter, and of each tensor in the file. As text: a sentence for each kind that there is, empty
/// where all was loaded as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The parameters that were read, in their order.
    pub loaded: Vec<String>,
    /// Those that the file lacks: they stay as they were.
    pub missing: Vec<String>,
    /// What else is in the file.
    pub unexpected: Vec<String>,
    /// Parameters that have another shape in the file: `fc.weight is [2, 3] in the file, expected [3, 2]`.
    pub other_shapes: Vec<String>,
    /// Parameters that have a dtype in the file which is not converted: `count is F32 in the file, expected i64`.
    pub other_dtypes: Vec<String>,
    /// Those of `loaded` that were converted: `bn1.num_batches_tracked from I32 to i64`.
    pub converted: Vec<String>,
}

impl Report {
    /// Notes how `param` is found in `file`, and returns it where it fits.
    fn compare<'a>(&mut self, param: &Param, file: &SafeTensors<'a>, fit: Fit) -> Option<TensorView<'a>> {
        let (name, value) = (param.name(), param.tensor());
        let Ok(found) = file.tensor(name) else {
            self.missing.push(name.to_owned());
            return None;
        };
        let (dtype, expected) = (found.dtype(), value.dtype());
        let shaped = found.shape() == value.shape().dims();
        if !shaped {
            self.other_shapes.push(format!("{name} is {:?} in the file, expected {}", found.shape(), value.shape()));
        }
        let floats = in_memory(dtype).is_some_and(DType::is_float) && expected.is_float();
        let narrower = expected == DType::I64 && INTEGERS.contains(&dtype);
        let same = in_memory(dtype) == Some(expected);
        if !(same || narrower || (fit.cast && floats)) {
            self.other_dtypes.push(format!("{name} is {dtype} in the file, expected {expected}"));
            return None;
        }
        if shaped && !same {
            self.converted.push(format!("{name} from {dtype} to {expected}"));
        }
        shaped.then_some(found)
    }

    /// Whether every parameter was found as it should be, and nothing else.
    fn is_whole(&self) -> bool {
        self.missing.iter().all(|name| name.rsplit('.').next() == Some("num_batches_tracked"))
            && self.unexpected.is_empty()
            && self.other_shapes.is_empty()
            && self.other_dtypes.is_empty()
    }

    fn differences(&self) -> String {
        let kinds = [
            ("missing", &self.missing),
            ("unexpected", &self.unexpected),
            ("other shapes", &self.other_shapes),
            ("other dtypes", &self.other_dtypes),
        ];
        let told = kinds.into_iter().filter(|(_, items)| !items.is_empty());
        told.map(|(kind, items)| format!("{kind}: {}", shortened(items))).collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = self.differences();
        if !self.converted.is_empty() {
            let joint = if told.is_empty() { "" } else { "; " };
            told += &format!("{joint}converted: {}", shortened(&self.converted));
        }
        f.write_str(&told)
    }
}

/// The first of a long list, and how many more.
fn shortened(items: &[String]) -> String {
    const SHOWN: usize = 10;
    let first = items.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if items.len() > SHOWN { format!("{first} and {} more", items.len() - SHOWN) } else { first }
}

fn in_file(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::U8 => Dtype::U8,
        DType::I64 => Dtype::I64,
    }
}

fn in_memory(dtype: Dtype) -> Option<DType> {
    [DType::F32, DType::F64, DType::F16, DType::BF16, DType::U8, DType::I64]
        .into_iter()
        .find(|&candidate| in_file(candidate) == dtype)
}

/// Integers of which i64 holds every value.
const INTEGERS: [Dtype; 6] = [Dtype::I8, Dtype::U8, Dtype::I16, Dtype::U16, Dtype::I32, Dtype::U32];

/// The elements of a tensor in a file, narrower integers as i64; `None` where they are of no dtype that there is.
fn read(view: &TensorView<'_>) -> Option<HostData> {
    fn each<const N: usize>(bytes: &[u8], from: impl Fn([u8; N]) -> i64) -> Option<HostData> {
        Some(HostData::I64(bytes.as_chunks::<N>().0.iter().map(|&chunk| from(chunk)).collect()))
    }
    let bytes = view.data();
    match view.dtype() {
        Dtype::I8 => each(bytes, |b| i8::from_le_bytes(b).into()),
        Dtype::I16 => each(bytes, |b| i16::from_le_bytes(b).into()),
        Dtype::U16 => each(bytes, |b| u16::from_le_bytes(b).into()),
        Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b).into()),
        Dtype::U32 => each(bytes, |b| u32::from_le_bytes(b).into()),
        dtype => in_memory(dtype).map(|dtype| host_of(bytes, dtype)),
    }
}

/// Little-endian bytes.
fn bytes_of(data: &HostData) -> Vec<u8> {
    fn each<const N: usize, T: Copy>(values: &[T], to: impl Fn(T) -> [u8; N]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(values.len() * N);
        values.iter().for_each(|&value| bytes.extend_from_slice(&to(value)));
        bytes
    }
    match data {
        HostData::F32(v) => each(v, f32::to_le_bytes),
        HostData::F64(v) => each(v, f64::to_le_bytes),
        HostData::F16(v) => each(v, f16::to_le_bytes),
        HostData::BF16(v) => each(v, bf16::to_le_bytes),
        HostData::U8(v) => v.clone(),
        HostData::I64(v) => each(v, i64::to_le_bytes),
    }
}

/// The elements whose little-endian bytes these are. safetensors has checked that their number is whole.
fn host_of(bytes: &[u8], dtype: DType) -> HostData {
    fn each<const N: usize, T>(bytes: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
        bytes.as_chunks::<N>().0.iter().map(|&chunk| from(chunk)).collect()
    }
    match dtype {
        DType::F32 => HostData::F32(each(bytes, f32::from_le_bytes)),
        DType::F64 => HostData::F64(each(bytes, f64::from_le_bytes)),
        DType::F16 => HostData::F16(each(bytes, f16::from_le_bytes)),
        DType::BF16 => HostData::BF16(each(bytes, bf16::from_le_bytes)),
        DType::U8 => HostData::U8(bytes.to_vec()),
        DType::I64 => HostData::I64(each(bytes, i64::from_le_bytes)),
    }
}
