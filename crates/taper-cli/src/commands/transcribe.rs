//! `taper transcribe`: what is said in recordings, by a saved run of `speech`, or which kind of sound they are, by one of `sounds`.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::{FAILED, Failure};
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::path::PathBuf;

/// The arguments of `transcribe`.
#[derive(Args)]
pub struct Transcribe {
    /// The folder of the run, of `speech` or `sounds`
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Recordings: WAV, FLAC or Ogg files of any rate
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print JSON: a list with an object for each file
    #[arg(long)]
    json: bool,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

impl Command for Transcribe {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let device = named_device(&self.device, taper::DeviceOptions::default())?;
        let (text, failed) = self.transcribed(&device)?;
        output.line(&text);
        Ok(if failed { FAILED } else { 0 })
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.device(&self.device);
        needs.feature("audio");
        Ok(())
    }
}

#[cfg(not(feature = "audio"))]
impl Transcribe {
    fn transcribed(&self, _device: &taper::Device) -> Result<(String, bool), Failure> {
        // What the other build reads.
        let _ = (&self.run, &self.files, self.json);
        Err(crate::sound::no_reader())
    }
}

#[cfg(feature = "audio")]
impl Transcribe {
    /// What is printed, and whether a file could not be heard.
    fn transcribed(&self, device: &taper::Device) -> Result<(String, bool), Failure> {
        use crate::json::{number, text};
        use std::io::Write;
        use taper::backend::printable;

        let run = taper::tasks::Transcriber::load(&self.run, device)?;
        let (mut lines, mut failed) = (Vec::new(), 0);
        let name = |file: &PathBuf| file.to_string_lossy().into_owned();
        let width = self.files.iter().map(|file| printable(&name(file)).chars().count()).max().unwrap_or(0);
        for file in &self.files {
            match run.file(file) {
                Ok(heard) if self.json => lines.push(format!(
                    "  {{\"input\": {}, \"text\": {}, \"probability\": {}, \"seconds\": {}}}",
                    text(&name(file)),
                    text(&heard.text),
                    number(heard.probability),
                    number(heard.seconds)
                )),
                Ok(heard) => {
                    let (name, said) = (name(file), printable(&heard.text).into_owned());
                    lines.push(format!("{:<width$}  {said}  {:.1}%", printable(&name), 100.0 * heard.probability));
                }
                // The others are worth having.
                Err(error) if self.files.len() > 1 => {
                    let _ = writeln!(std::io::stderr(), "error: {error}");
                    failed += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if failed > 0 {
            let _ = writeln!(std::io::stderr(), "error: {failed} of {} files could not be heard", self.files.len());
        }
        let all = if self.json { format!("[\n{}\n]", lines.join(",\n")) } else { lines.join("\n") };
        Ok((all, failed > 0))
    }
}
