//! `taper generate`: a saved language model goes on with a text.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::Failure;
use crate::needs::Needs;
use crate::output::Output;
use crate::sampling::{SamplingArgs, flagged};
use clap::Args;
use std::path::PathBuf;
use taper::DeviceOptions;
use taper::tasks::TextGenerator;

/// The arguments of `generate`.
#[derive(Args)]
pub struct Generate {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The text that is gone on with [default: a line break]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// Characters that are drawn
    #[arg(long, value_name = "N", default_value_t = 500, allow_negative_numbers = true)]
    length: usize,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Compute all anew for each character, which takes longer and gives the same text [default: what was computed is kept]
    #[arg(long)]
    no_cache: bool,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

impl Command for Generate {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        // Before the prompt is printed it must be known to be one.
        let sampling = self.sampling.sampling("generate")?;
        let device = named_device(&self.device, DeviceOptions::default())?;
        let run = TextGenerator::load(&self.run, &device)?;
        let prompt = self.prompt.clone().unwrap_or_else(|| start(&run));
        // Written line by line, as they come.
        let mut line = String::new();
        let mut write = |char: char| match char {
            '\n' => output.line(&std::mem::take(&mut line)),
            char => line.push(char),
        };
        run.check(&prompt).map_err(flagged)?;
        self.prompt.iter().flat_map(|prompt| prompt.chars()).for_each(&mut write);
        run.generate(&prompt, self.length, !self.no_cache, &sampling, &mut write).map_err(flagged)?;
        if !line.is_empty() {
            output.line(&line);
        }
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.device(&self.device);
        Ok(())
    }
}

/// What is gone on with if nothing was said: a line break if the model knows it, else a space, else its first character.
fn start(run: &TextGenerator) -> String {
    let known = ['\n', ' '].into_iter().find(|char| run.vocabulary().has(*char));
    known.map_or_else(|| run.vocabulary().decode(&[0]), String::from)
}
