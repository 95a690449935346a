//! `taper verify`: whether two pictures are of one class, by a run of the experiment `verify`.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::Failure;
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::path::PathBuf;
use taper::DeviceOptions;
use taper::tasks::Verifier;
use taper::train::RunFolder;

/// The arguments of `verify`.
#[derive(Args)]
pub struct Verify {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// A picture: PNG, JPEG or WebP
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The picture that it is compared with
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
        let run = Verifier::load(&self.run, &device)?;
        let cosine = cosine(&run, [&self.a, &self.b])?;
        output.line(&match self.threshold.or(run.threshold()) {
            Some(threshold) => {
                let verdict = if cosine >= threshold { "of one class" } else { "of two classes" };
                format!("{verdict}: cosine {cosine:.3}, threshold {threshold:.3}")
            }
            None => format!("cosine {cosine:.3}; the run is not finished, so that it has no threshold"),
        });
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        RunFolder::open(&self.run)?;
        needs.device(&self.device);
        needs.feature("images");
        Ok(())
    }
}

#[cfg(feature = "images")]
fn cosine(run: &Verifier, [a, b]: [&PathBuf; 2]) -> Result<f64, Failure> {
    Ok(run.cosine(a, b)?)
}

#[cfg(not(feature = "images"))]
fn cosine(_run: &Verifier, _pictures: [&PathBuf; 2]) -> Result<f64, Failure> {
    Err(Failure::failed("this build reads no pictures: it lacks the feature `images`"))
}
