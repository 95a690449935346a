//! `taper speak`: words as a sound, by a saved run of `speak`.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::Failure;
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::path::PathBuf;

/// The arguments of `speak`.
#[derive(Args)]
pub struct Speak {
    /// The folder of the run, of `speak`
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The words, with spaces between them; digits may be written as such
    #[arg(value_name = "TEXT")]
    text: String,
    /// The WAV file that is written, with the run's rate; one that is there is replaced
    #[arg(value_name = "OUT.wav")]
    output: PathBuf,
    /// The voice, of those of the recordings [default: the first]
    #[arg(long, value_name = "NAME")]
    voice: Option<String>,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

impl Command for Speak {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let device = named_device(&self.device, taper::DeviceOptions::default())?;
        output.line(&self.spoken(&device)?);
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.device(&self.device);
        needs.feature("audio");
        Ok(())
    }
}

#[cfg(not(feature = "audio"))]
impl Speak {
    fn spoken(&self, _device: &taper::Device) -> Result<String, Failure> {
        // What the other build reads.
        let _ = (&self.run, &self.text, &self.output, &self.voice);
        Err(crate::sound::no_reader())
    }
}

#[cfg(feature = "audio")]
impl Speak {
    /// Writes what is spoken, and says what it is.
    fn spoken(&self, device: &taper::Device) -> Result<String, Failure> {
        use crate::sound;

        sound::check_name(&self.output)?;
        let run = taper::tasks::Speaker::load(&self.run, device)?;
        sound::saved(&run.speak(&self.text, self.voice.as_deref())?, &self.output)
    }
}
