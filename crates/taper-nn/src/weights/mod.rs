//! Saving weights in the safetensors format (<https://github.com/huggingface/safetensors>), which PyTorch's ecosystem
//! reads and writes; loading them from it, and, with the feature `pytorch`, from the files that PyTorch itself writes
//! (`torch.save`; `.pt`, `.pth`), whose pickles are read by a machine that can make nothing but tensors.
//!
//! Names and shapes are those of a PyTorch state dict. Weights of others are loaded by [`load_with`], whose options say
//! which names and shapes may differ and how; [`read`] gives the tensors of a file as they are. Loading compares all
//! names, shapes and dtypes first, and changes no parameter unless they all fit. A file is first written under a
//! temporary name in the same folder, synced, and renamed, so that after a crash the path holds either the old or the
//! new file, complete.
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

mod element;
mod file;
mod load;
mod mapping;
#[cfg(feature = "pytorch")]
mod pytorch;
mod report;

pub use file::{WeightFile, is_pytorch, read};
pub use load::{LoadOptions, load_with};
pub use mapping::Mapping;
pub use report::Report;

use element::{bytes_of, in_file, in_memory};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use taper_tensor::{Device, Error, Param, Result, Shape, Tensor, files, printable};

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
    load_with(params, path, &LoadOptions::default())
}

/// [`load`], but floats of another precision are cast to the parameter's dtype, as a model in f64 needs for a file in
/// f32.
pub fn load_cast(params: &[Param], path: impl AsRef<Path>) -> Result<Report> {
    load_with(params, path, &LoadOptions { cast: true, ..LoadOptions::default() })
}

/// [`load_cast`], limited to what fits: a parameter that the file lacks, or has in another shape or in a dtype that is
/// not converted, keeps its value, and further tensors in the file are ignored. The report lists each case. An error
/// when nothing fits.
pub fn load_partial(params: &[Param], path: impl AsRef<Path>) -> Result<Report> {
    load_with(params, path, &LoadOptions { cast: true, partly: true, ..LoadOptions::default() })
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
        let known = in_memory(view.dtype()).and_then(|_| element::read(view.data(), view.dtype()));
        let data = known.ok_or_else(|| {
            Error::Parameter(format!("{named}: {} is {}, which is not read", printable(&name), view.dtype()))
        })?;
        let tensor = Tensor::from_host(data, Shape::from(view.shape()), device)?;
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
