//! `taper verify`: whether two pictures are of one class, by a run of the experiment `verify`; or two recordings of one voice, by one
//! of `voices`.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::Failure;
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::path::{Path, PathBuf};
use taper::train::RunFolder;
use taper::{Device, DeviceOptions};

/// The arguments of `verify`.
#[derive(Args)]
pub struct Verify {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// A picture (PNG, JPEG or WebP); for a run of `voices` a recording (WAV, FLAC or Ogg)
    #[arg(value_name = "A")]
    a: PathBuf,
    /// What it is compared with
    #[arg(value_name = "B")]
    b: PathBuf,
    /// The cosine from which on they count as of one class [default: that of the best accuracy on the run's test pairs]
    #[arg(long, value_name = "COSINE", allow_negative_numbers = true)]
    threshold: Option<f64>,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

impl Command for Verify {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        if let Some(found) = self.threshold.filter(|threshold| !(-1.0..=1.0).contains(threshold)) {
            return Err(Failure::usage(format!("--threshold: expected a cosine, from -1 to 1, found {found}")));
        }
        let device = named_device(&self.device, DeviceOptions::default())?;
        let of_voices = self.of_voices()?;
        let (cosine, own) = match of_voices {
            true => voices(&self.run, &device, [&self.a, &self.b])?,
            false => pictures(&self.run, &device, [&self.a, &self.b])?,
        };
        output.line(&match self.threshold.or(own) {
            Some(threshold) => {
                let what =
                    if of_voices { ["of one voice", "of two voices"] } else { ["of one class", "of two classes"] };
                let verdict = if cosine >= threshold { what[0] } else { what[1] };
                format!("{verdict}: cosine {cosine:.3}, threshold {threshold:.3}")
            }
            None => format!("cosine {cosine:.3}; the run is not finished, so that it has no threshold"),
        });
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.device(&self.device);
        needs.feature(if self.of_voices()? { "audio" } else { "images" });
        Ok(())
    }
}

impl Verify {
    /// Whether the run is one of `voices`.
    fn of_voices(&self) -> Result<bool, Failure> {
        Ok(RunFolder::open(&self.run)?.read_spec()?["task"] == "voices")
    }
}

/// The cosine of two pictures, and the run's threshold.
#[cfg(feature = "images")]
fn pictures(run: &Path, device: &Device, [a, b]: [&PathBuf; 2]) -> Result<(f64, Option<f64>), Failure> {
    let run = taper::tasks::Verifier::load(run, device)?;
    Ok((run.cosine(a, b)?, run.threshold()))
}

#[cfg(not(feature = "images"))]
fn pictures(_run: &Path, _device: &Device, _pictures: [&PathBuf; 2]) -> Result<(f64, Option<f64>), Failure> {
    Err(Failure::failed("this build reads no pictures: it lacks the feature `images`"))
}

/// The cosine of two recordings, and the run's threshold.
#[cfg(feature = "audio")]
fn voices(run: &Path, device: &Device, [a, b]: [&PathBuf; 2]) -> Result<(f64, Option<f64>), Failure> {
    let run = taper::tasks::VoiceVerifier::load(run, device)?;
    Ok((run.cosine(a, b)?, run.threshold()))
}

#[cfg(not(feature = "audio"))]
fn voices(_run: &Path, _device: &Device, _recordings: [&PathBuf; 2]) -> Result<(f64, Option<f64>), Failure> {
    Err(crate::sound::no_reader())
}
