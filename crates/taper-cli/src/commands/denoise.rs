//! `taper denoise`: a recording without its noise, by a saved run of `denoise`.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::Failure;
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::path::PathBuf;

/// The arguments of `denoise`.
#[derive(Args)]
pub struct Denoise {
    /// The folder of the run, of `denoise`
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The noisy recording: a WAV, FLAC or Ogg file of any rate
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The WAV file that is written, with the run's rate; one that is there is replaced
    #[arg(value_name = "OUT.wav")]
    output: PathBuf,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

impl Command for Denoise {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let device = named_device(&self.device, taper::DeviceOptions::default())?;
        output.line(&self.denoised(&device)?);
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.device(&self.device);
        needs.feature("audio");
        Ok(())
    }
}

#[cfg(not(feature = "audio"))]
impl Denoise {
    fn denoised(&self, _device: &taper::Device) -> Result<String, Failure> {
        // What the other build reads.
        let _ = (&self.run, &self.input, &self.output);
        Err(crate::sound::no_reader())
    }
}

#[cfg(feature = "audio")]
impl Denoise {
    /// Writes what is left, and says what it is.
    fn denoised(&self, device: &taper::Device) -> Result<String, Failure> {
        use crate::sound;

        sound::check_name(&self.output)?;
        let run = taper::tasks::Denoiser::load(&self.run, device)?;
        let noisy = taper::audio::Clip::open(&self.input).map_err(|error| Failure::failed(error.to_string()))?;
        let left = run.clip(&noisy)?;
        let from = match noisy.rate == left.rate {
            true => String::new(),
            false => format!(", from {}", noisy.rate),
        };
        Ok(sound::saved(&left, &self.output)? + &from)
    }
}
