//! Saving and loading weights in the safetensors format (<https://github.com/huggingface/safetensors>), which PyTorch's
//! ecosystem reads and writes.
//!
//! Names and shapes are those of a PyTorch state dict. A file is first written under a temporary name in the same
//! folder, synced, and renamed, so that after a crash the path holds either the old or the new file, complete. Loading
//! compares all names, shapes and dtypes first, and changes no parameter unless they all fit.
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

/// Writes `params` to `path`, replacing an existing file. An error names the file and gives the system's reason (no
/// such folder, no space, no permission). The old file is then still there, unless the error came from syncing the
/// folder after the rename.
pub fn save(params: &[Param], path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    // The metadata that PyTorch's own tools write, and that some of them look for.
    let bytes = to_bytes(params.iter().map(|param| (param.name(), param.tensor())), ["format", "pt"])?;
    write_whole(path, &bytes)
        .map_err(|e| Error::Parameter(format!("cannot write weights {}: {e}", printable(&path.to_string_lossy()))))
}

/// Loads `path` into `params`: the file must hold the same names, shapes and dtypes, no more and no fewer. An error
/// lists everything that does not fit, and no parameter is changed.
///
/// Two differences are allowed, and listed in the report: integers narrower than i64 are converted to i64, and a batch
/// norm's `num_batches_tracked` may be missing, as in files from before PyTorch had it. It then keeps its value.
pub fn load(params: &[Param], path: impl AsRef<Path>) -> Result<Report> {
    load_from(params, path.as_ref(), LoadOptions { cast: false, partly: false })
}

/// [`load`], but floats of another precision are cast to the parameter's dtype, as a model in f64 needs for a file in
/// f32.
pub fn load_cast(params: &[Param], path: impl AsRef<Path>) -> Result<Report> {
    load_from(params, path.as_ref(), LoadOptions { cast: true, partly: false })
}

/// [`load_cast`], limited to what fits: a parameter that the file lacks, or has in another shape or in a dtype that is
/// not converted, keeps its value, and further tensors in the file are ignored. For fine-tuning a model with another
/// head, say. The report lists each case. An error when nothing fits.
pub fn load_partial(params: &[Param], path: impl AsRef<Path>) -> Result<Report> {
    load_from(params, path.as_ref(), LoadOptions { cast: true, partly: true })
}

/// Writes named tensors to `path`, and the text `note` under `key` in the file's metadata. Replaces an existing file as
/// [`save`] does.
pub fn save_noted(tensors: &[(String, Tensor)], key: &str, note: &str, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let bytes = to_bytes(tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.clone())), [key, note])?;
    write_whole(path, &bytes)
        .map_err(|e| Error::Parameter(format!("cannot write {}: {e}", printable(&path.to_string_lossy()))))
}

/// Named tensors, and the text from the file's metadata, if any.
pub type Noted = (Vec<(String, Tensor)>, Option<String>);

/// Reads a file that [`save_noted`] wrote: all tensors on `device`, sorted by name, and the text under `key`, if any.
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

/// The bytes of a safetensors file: named tensors, and one entry of metadata.
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
    // Only one entry: a map of several would be written in an order that differs between runs.
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
        // The temporary file is of no use. An error in removing it would add nothing to the first error.
        let _ = fs::remove_file(&beside);
    }
    written?;
    // The rename is durable only once the folder is synced. Only Unix can open a folder.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Which differences between a file and the parameters are accepted.
#[derive(Clone, Copy)]
struct LoadOptions {
    /// Whether floats of another precision are cast.
    cast: bool,
    /// Whether tensors may be missing, unexpected, or of another shape or dtype.
    partly: bool,
}

fn load_from(params: &[Param], path: &Path, options: LoadOptions) -> Result<Report> {
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
        match report.compare(param, &file, options) {
            Some(view) => found.push((param, view)),
            None => continue,
        }
    }
    let known: BTreeSet<&str> = params.iter().map(Param::name).collect();
    report.unexpected = file.names().into_iter().filter(|name| !known.contains(name)).map(str::to_owned).collect();
    report.unexpected.sort_unstable();
    if !options.partly && !report.is_whole() {
        let problems = report.differences();
        return Err(Error::Parameter(format!(
            "the weights of {named} do not fit, nothing was loaded: {}",
            printable(&problems.to_string())
        )));
    }
    if options.partly && found.is_empty() && !params.is_empty() {
        let detail = report.differences();
        return Err(Error::Parameter(format!("none of the weights of {named} fits, nothing was loaded: {detail}")));
    }
    // All values are created before any is assigned, so that a failure leaves the parameters unchanged.
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

/// The result of loading: what happened to each parameter, and to each tensor in the file. As text it lists the
/// differences by kind, and the conversions; it is empty where everything was loaded as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Parameters that were loaded, in the order of `params`.
    pub loaded: Vec<String>,
    /// Parameters that the file lacks: they keep their values.
    pub missing: Vec<String>,
    /// Tensors in the file that belong to no parameter.
    pub unexpected: Vec<String>,
    /// Parameters that have another shape in the file: `fc.weight is [2, 3] in the file, expected [3, 2]`.
    pub other_shapes: Vec<String>,
    /// Parameters whose dtype in the file is not converted: `count is F32 in the file, expected i64`.
    pub other_dtypes: Vec<String>,
    /// Parameters among `loaded` that were converted: `bn1.num_batches_tracked from I32 to i64`.
    pub converted: Vec<String>,
}

impl Report {
    /// Records how `file` holds `param`, and returns the tensor if it fits.
    fn compare<'a>(&mut self, param: &Param, file: &SafeTensors<'a>, options: LoadOptions) -> Option<TensorView<'a>> {
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
        if !(same || narrower || (options.cast && floats)) {
            self.other_dtypes.push(format!("{name} is {dtype} in the file, expected {expected}"));
            return None;
        }
        if shaped && !same {
            self.converted.push(format!("{name} from {dtype} to {expected}"));
        }
        shaped.then_some(found)
    }

    /// Whether the file matches the parameters; only `num_batches_tracked` may be missing.
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

/// The first items of a long list, and how many more there are.
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

/// Integer dtypes whose values all fit in i64.
const INTEGERS: [Dtype; 6] = [Dtype::I8, Dtype::U8, Dtype::I16, Dtype::U16, Dtype::I32, Dtype::U32];

/// The elements of a tensor in a file, with narrower integers widened to i64; `None` for a dtype that is not supported.
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

/// The elements as little-endian bytes.
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

/// The elements from their little-endian bytes. safetensors has checked that the number of bytes fits.
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
