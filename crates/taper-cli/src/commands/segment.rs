//! `taper segment`: the class of each pixel of pictures, by a run of the experiment `segment`.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::{FAILED, Failure};
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use taper::DeviceOptions;
use taper::backend::printable;
use taper::tasks::{Segmented, Segmenter};
use taper::train::RunFolder;

/// The arguments of `segment`.
#[derive(Args)]
pub struct Segment {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Pictures: PNG, JPEG or WebP
    #[arg(value_name = "PICTURE", required = true)]
    pictures: Vec<PathBuf>,
    /// Write the masks into this folder, as PNG: each pixel is the number of its class, 0 for the background
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

impl Command for Segment {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let files = outputs(&self.pictures, self.out.as_deref())?;
        let device = named_device(&self.device, DeviceOptions::default())?;
        let run = Segmenter::load(&self.run, &device)?;
        if let Some(out) = &self.out {
            let wrong = |error| Failure::failed(format!("cannot create the folder {}: {error}", shown(out)));
            std::fs::create_dir_all(out).map_err(wrong)?;
        }
        let width = self.pictures.iter().map(|path| shown(path).chars().count()).max().unwrap_or(0);
        let mut failed = 0;
        for (path, file) in self.pictures.iter().zip(files) {
            match found(&run, path).and_then(|found| written(&found, file.as_deref()).map(|()| found)) {
                Ok(found) => output.line(&format!("{:<width$}  {}", shown(path), printable(&found.to_string()))),
                // The others are worth having.
                Err(failure) if self.pictures.len() > 1 => {
                    // If standard error is closed, the message is lost.
                    let _ = writeln!(std::io::stderr(), "error: {}", failure.message());
                    failed += 1;
                }
                Err(failure) => return Err(failure),
            }
        }
        if failed > 0 {
            let all = self.pictures.len();
            let _ = writeln!(std::io::stderr(), "error: {failed} of {all} pictures could not be segmented");
            return Ok(FAILED);
        }
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        RunFolder::open(&self.run)?;
        needs.device(&self.device);
        needs.feature("images");
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// The file of each picture's result in the folder `out`: its name with `.png`.
///
/// # Errors
/// Two pictures of one name, a file that would be written over a picture.
pub fn outputs(pictures: &[PathBuf], out: Option<&Path>) -> Result<Vec<Option<PathBuf>>, Failure> {
    let Some(out) = out else { return Ok(vec![None; pictures.len()]) };
    let mut taken: HashMap<PathBuf, &PathBuf> = HashMap::new();
    let mut files = Vec::with_capacity(pictures.len());
    for picture in pictures {
        let file = out.join(picture.file_stem().unwrap_or_default()).with_extension("png");
        if let Some(other) = taken.insert(file.clone(), picture) {
            let text =
                format!("--out: {} and {} would both be written to {}", shown(other), shown(picture), shown(&file));
            return Err(Failure::usage(text));
        }
        let same = |a: &Path, b: &Path| {
            std::fs::canonicalize(a).ok().is_some_and(|a| std::fs::canonicalize(b).is_ok_and(|b| a == b))
        };
        if pictures.iter().any(|picture| same(picture, &file)) {
            let text = format!("--out: {} would be written over: name another folder", shown(&file));
            return Err(Failure::usage(text));
        }
        files.push(Some(file));
    }
    Ok(files)
}

fn written(found: &Segmented, file: Option<&Path>) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    let label = |&label: &usize| {
        u8::try_from(label).map_err(|_| Failure::failed(format!("class {label}: a PNG's palette has room for 256")))
    };
    let labels = found.labels.iter().map(label).collect::<Result<Vec<u8>, _>>()?;
    let png = taper::report::class_mask(found.size, &labels).map_err(|error| Failure::failed(error.to_string()))?;
    Ok(taper::data::atomic_write(file, &png)?)
}

#[cfg(feature = "images")]
fn found(run: &Segmenter, path: &Path) -> Result<Segmented, Failure> {
    Ok(run.picture(path)?)
}

#[cfg(not(feature = "images"))]
fn found(_: &Segmenter, _: &Path) -> Result<Segmented, Failure> {
    Err(Failure::failed("this build reads no pictures: it lacks the feature `images`"))
}
